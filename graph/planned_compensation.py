"""The planner's part for undoing one task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from graph.plan_request import Draft, Place, checked_input
from graph.planned_task import planned_task
from state.jsonvalue import described
from state.status import CoordinationStrategy
from state.task import AgentTask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from state.jsonvalue import JsonObject
    from state.plan_document import PlannedTask, Work
    from state.task import Task


def planned_compensation(task: Task, planned: PlannedTask, draft: Draft) -> Work:
    """Plan how to undo a task, noting every problem of that.

    Args:
        task: What the caller gave; its `compensate` is not None.
        planned: The task as it is planned.
        draft: Takes the problems.
    """
    wanted, id_ = task.compensate, planned["id"]
    if draft.in_turns:
        draft.problem(
            "bad_compensation",
            f"task {id_!r} has compensate, but in a loop or a cycle only what the last turn did is "
            "known. Give one to the Repeat or SubWorkflow around it, for all its turns",
            id_,
        )
    if isinstance(wanted, AgentTask):
        return _by_a_task(wanted, id_, draft)
    if not isinstance(wanted, Mapping):
        draft.problem(
            "bad_compensation",
            f"task {id_!r}: compensate is {described(wanted)}; give an AgentTask, or a mapping "
            "(input data for the agent that does the task), or None",
            id_,
        )
        wanted = {}
    elif planned["agent"] is None and planned["capability"] is None:
        draft.problem(
            "bad_compensation",
            f"task {id_!r}: compensate is input data, but no single agent does the task; give an "
            "AgentTask",
            id_,
        )
    input_data = checked_input(wanted, f"task {id_!r}: compensate", id_, draft)
    _refuse(["requires_approval"] if _asks(input_data) else [], id_, draft)
    return {
        "agent": planned["agent"],
        "capability": planned["capability"],
        "input": input_data,
        "timeout_seconds": planned["timeout_seconds"],
        "retry": planned["retry"],
    }


def _by_a_task(wanted: AgentTask, id_: str, draft: Draft) -> Work:
    """Plan the compensation like a task, in a draft of its own, so that problems say whose."""
    own = Draft(draft.agents, draft.run_id)
    bare = AgentTask(
        wanted.agent_id,
        wanted.input_data,
        capability=wanted.capability,
        timeout=wanted.timeout,
        retry=wanted.retry,
    )
    work = planned_work(bare, id_, own)
    for problem in own.problems:
        draft.problem(problem.code, f"the compensation of {problem.message}", id_)
    _refuse([*_not_its_own(wanted, work["input"])], id_, draft)
    return work


def planned_work(task: AgentTask, id_: str, draft: Draft) -> Work:
    """Plan a call of an agent that is no task of its own."""
    place = Place(id_, [id_], (), [], CoordinationStrategy.PARALLEL)
    planned = planned_task(task, place, draft)
    return {
        "agent": planned["agent"],
        "capability": planned["capability"],
        "input": planned["input"],
        "timeout_seconds": planned["timeout_seconds"],
        "retry": planned["retry"],
    }


def _not_its_own(wanted: AgentTask, input_data: JsonObject) -> Iterator[str]:
    """What the compensation says of itself although it has no part in the plan."""
    if wanted.task_id is not None:
        yield "task_id"
    if wanted.depends_on != ():
        yield "depends_on"
    if wanted.input_from:
        yield "input_from"
    if wanted.condition is not None:
        yield "condition"
    if wanted.requires_approval or _asks(input_data):
        yield "requires_approval"
    if wanted.compensate is not None:
        yield "compensate"


def _asks(input_data: JsonObject) -> bool:
    return bool(input_data.get("requires_approval"))


def _refuse(fields: list[str], id_: str, draft: Draft) -> None:
    if fields:
        draft.problem(
            "bad_compensation",
            f"the compensation of task {id_!r} has {', '.join(fields)} of its own; it is done "
            "whenever the task has to be undone, last first, under the task's id. Give only an "
            "agent, its input, a timeout and a retry policy",
            id_,
        )
