"""The planner's part for cyclic workflows: who begins, who says what comes next, what ends it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from graph.expressions import check_targets, planned_choice, planned_expression
from graph.plan_request import Draft
from graph.planned_compensation import planned_work
from graph.planned_nesting import planned_turns
from state.jsonvalue import described
from state.plan_document import FINISH, SUPERVISOR
from state.status import CoordinationStrategy
from state.task import DEFAULT_TURNS, AgentTask

if TYPE_CHECKING:
    from graph.plan_request import PlanRequest
    from state.plan_document import RouterDocument, Supervision, Work
    from state.task import Task


def planned_supervision(
    request: PlanRequest, strategy: CoordinationStrategy, ids: Sequence[str], draft: Draft
) -> Supervision | None:
    """Plan how a cyclic workflow is led; None for any other."""
    if strategy != CoordinationStrategy.CYCLIC:
        _refuse_needless(request, strategy, draft)
        return None
    for task, id_ in zip(request.tasks, ids, strict=True):
        _check_member(task, id_, draft)
    router, agent = _supervisor(request, ids, draft)
    if FINISH in ids and request.supervisor is not None:
        message = f"task id {FINISH!r} is what a supervisor says at the end; choose another"
        draft.problem("bad_task_id", message, FINISH)
    until = None
    if request.until is not None:
        until = planned_expression(
            request.until, at="the end of the cycle", key=draft.key("until"), id_=None, draft=draft
        )
    return {
        "start": _start(request, ids, led=router is not None or agent is not None, draft=draft),
        "router": router,
        "agent": agent,
        "until": until,
        "max_turns": planned_turns(request.max_turns, "the cycle", draft),
    }


def _refuse_needless(request: PlanRequest, strategy: CoordinationStrategy, draft: Draft) -> None:
    given = [
        name for name in ("supervisor", "start", "until") if getattr(request, name) is not None
    ]
    if request.max_turns != DEFAULT_TURNS:
        given.append("max_turns")
    if given:
        draft.problem(
            "needless_supervisor",
            f"{', '.join(given)} given, but the strategy is {strategy.value!r}; use 'cyclic', or a "
            "Repeat for a loop inside another workflow",
        )


def _check_member(task: Task, id_: str, draft: Draft) -> None:
    if task.depends_on:
        draft.problem(
            "needless_dependency",
            f"task {id_!r} has depends_on, but in a cycle tasks run when it is their turn; "
            "leave it out",
            id_,
        )


def _supervisor(
    request: PlanRequest, ids: Sequence[str], draft: Draft
) -> tuple[RouterDocument | None, Work | None]:
    wanted = request.supervisor
    if wanted is None:
        return None, None
    if not isinstance(wanted, AgentTask):
        router = planned_choice(wanted, "supervisor", draft)
        check_targets(router, [*ids, FINISH], "supervisor", draft)
        return router, None
    own = Draft(draft.agents, draft.run_id)
    work = planned_work(wanted, SUPERVISOR, own)
    for problem in own.problems:
        draft.problem(problem.code, f"the supervisor: {problem.message}")
    given = ("requires_approval", "condition", "compensate", "retry", "input_from", "depends_on")
    if refused := [name for name in given if getattr(wanted, name)]:
        draft.problem(
            "bad_supervisor",
            f"the supervisor has {', '.join(refused)}; it only decides whose turn is next. Give an "
            "agent, its input and a timeout",
        )
    return None, work


def _start(request: PlanRequest, ids: Sequence[str], *, led: bool, draft: Draft) -> str | None:
    start = request.start
    if start is None:
        return None if led or not ids else ids[0]
    if start not in ids:
        message = f"start is {described(start)}, which is no task here; tasks are {list(ids)}"
        draft.problem("unknown_target", message)
    return start
