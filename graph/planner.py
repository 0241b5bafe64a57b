"""The pure planner: tasks and wishes in, a validated plan or every problem out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from graph.expressions import (
    check_targets,
    planned_aggregate,
    planned_router,
    planned_router_input,
)
from graph.layout import extra_waits, find_cycles, layout
from graph.plan_request import Draft, Place, Planned, PlanRequest, checked_input
from graph.planned_budget import planned_budgets
from graph.planned_compensation import planned_compensation
from graph.planned_nesting import planned_nesting
from graph.planned_supervision import planned_supervision
from graph.planned_task import planned_shell, planned_task
from graph.planned_wait import planned_wait
from state.errors import PlanError
from state.failure_mode import FAILURE_KINDS, FailureMode
from state.jsonvalue import described, plain_text
from state.plan import Plan
from state.plan_document import CYCLIC_NODES, PLAN_SCHEMA, RESERVED_NODES
from state.status import CoordinationStrategy
from state.task import AgentTask, ForEach, Repeat, SubWorkflow, Task, Wait, WaitForSignal
from state.workflow import Workflow

if TYPE_CHECKING:
    from nodes.ports import Agents
    from state.failure_mode import FailureKind
    from state.plan_document import PlanDocument, PlannedTask, Region

TASK_ID = re.compile(r"(?!__)[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")
"""LangGraph keeps names that begin with two underscores for itself."""
LONGEST_BASE = 56
"""Of an id made from a longer name; leaves room for a number."""


def plan(request: PlanRequest, *, agents: Agents, run_id: str) -> Planned:
    """Turn a request into a plan.

    Args:
        request: What the caller wants.
        agents: Knows which agents and capabilities exist.
        run_id: Names the run; part of every idempotency key.

    Raises:
        PlanError: With every problem of the request, not just the first.
    """
    draft = Draft(agents, run_id)
    draft.budgets = planned_budgets(request, draft)
    document = _document(request, draft)
    if draft.problems:
        raise PlanError(draft.problems)
    return Planned(Plan(document), draft.callables)


def _document(request: PlanRequest, draft: Draft) -> PlanDocument:
    """Plan a whole workflow, or one inside a task; what has problems is of no use."""
    strategy = _strategy(request.strategy, draft)
    mode = _failure_mode(request, strategy, draft)
    answers_only = request.request is not None and bool(request.request["not_understood"])
    if not request.tasks and not answers_only:
        draft.problem("no_tasks", "there are no tasks; give at least one")
    if strategy == CoordinationStrategy.CYCLIC:
        draft.take_turns()
    ids = _task_ids(request.tasks, strategy, draft)
    needs = _needs(request.tasks, ids, strategy, mode, draft)
    tasks = {
        id_: _planned(task, Place(id_, ids, ids[:position], needs[id_], strategy), draft)
        for position, (task, id_) in enumerate(zip(request.tasks, ids, strict=True))
    }
    router = planned_router(request, strategy, draft)
    aggregate = planned_aggregate(request, strategy, draft)
    router_input = planned_router_input(request, strategy, draft)
    check_targets(router, [*ids, *_names(request.tasks)], "router", draft)
    region, waits = _layout(needs, ids, strategy, draft)
    document: PlanDocument = {
        "schema": PLAN_SCHEMA,
        "run_id": draft.run_id,
        "strategy": strategy.value,
        "order": ids,
        "tasks": tasks,
        "layout": region,
        "waits": waits,
        "on_failure": mode.document(),
        "aggregate": aggregate,
        "router": router,
        "router_input": router_input,
        "tenant": _who(request.tenant, "tenant", draft),
        "user": _who(request.user, "user", draft),
    }
    supervision = planned_supervision(request, strategy, ids, draft)
    if supervision is not None:
        document["supervision"] = supervision
    _add_of_the_run(document, request, draft)
    return document


def _add_of_the_run(document: PlanDocument, request: PlanRequest, draft: Draft) -> None:
    """Add what stands in a plan only where it was said."""
    if request.definition is not None:
        document["definition"] = request.definition
    if request.request is not None:
        document["request"] = request.request
    if request.session:
        document["session"] = True
    if request.retry_budget is not None:
        document["retry_budget"] = _retry_budget(request.retry_budget, draft)
    if draft.budgets and not draft.inside:
        document["budgets"] = [*draft.budgets]
    if request.parameters is not None:
        document["parameters"] = checked_input(request.parameters, "parameters", None, draft)


def _layout(
    needs: Mapping[str, list[str]], ids: list[str], strategy: CoordinationStrategy, draft: Draft
) -> tuple[Region, dict[str, list[str]]]:
    if strategy != CoordinationStrategy.PARALLEL or draft.problems:  # there may be a cycle
        return {"kind": "series", "tasks": ids}, {}
    region = layout(needs)
    return region, extra_waits(region, needs) if any(needs.values()) else {}


def _planned(task: Task, place: Place, draft: Draft) -> PlannedTask:
    """Plan one task of whatever kind, and how to undo it."""
    if type(task) is AgentTask and task.compensate is None:  # by far the commonest
        return planned_task(task, place, draft)
    match task:
        case AgentTask():
            planned = planned_task(task, place, draft)
        case SubWorkflow() | Repeat() | ForEach():
            planned = planned_nesting(task, place, draft, _document)
        case Wait() | WaitForSignal():
            planned = planned_wait(task, place, draft)
        case _:
            planned = planned_shell(Task(), place, draft)
    if isinstance(task, Task) and task.compensate is not None:
        planned["compensate"] = planned_compensation(task, planned, draft)
    return planned


def _names(tasks: Sequence[Task]) -> list[str]:
    """The agents and capabilities that tasks name."""
    named = [task.agent_id or task.capability for task in tasks if isinstance(task, AgentTask)]
    return [str(name) for name in named if name is not None]


def _who(value: object, what: str, draft: Draft) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        draft.problem(f"bad_{what}", f"{what} is {described(value)}; give text, or None")
        return None
    return plain_text(value)


def _retry_budget(wanted: object, draft: Draft) -> int:
    if type(wanted) is int and wanted >= 0:
        return wanted
    message = f"retry_budget is {described(wanted)}; give a whole number from 0 on, or None"
    draft.problem("bad_retry_budget", message)
    return 0


def _strategy(wanted: CoordinationStrategy | str, draft: Draft) -> CoordinationStrategy:
    try:
        return CoordinationStrategy(wanted)
    except ValueError:
        allowed = [str(each) for each in CoordinationStrategy]
        draft.problem("unknown_strategy", f"strategy {wanted!r} is unknown; use one of {allowed}")
        return CoordinationStrategy.PARALLEL


def _failure_mode(
    request: PlanRequest, strategy: CoordinationStrategy, draft: Draft
) -> FailureMode:
    wanted = request.on_failure
    if wanted is None:
        in_turn = strategy in {CoordinationStrategy.SEQUENTIAL, CoordinationStrategy.CYCLIC}
        return FailureMode("fail_fast" if in_turn else "continue")
    kinds: Mapping[str, FailureKind] = {kind: kind for kind in FAILURE_KINDS if kind != "quorum"}
    if not isinstance(wanted, FailureMode):
        if wanted not in kinds:
            draft.problem(
                "bad_failure_mode",
                f"on_failure is {described(wanted)}; use one of {list(kinds)} or quorum(n)",
            )
        return FailureMode(kinds.get(wanted, "continue"))
    return _checked_mode(wanted, len(request.tasks), strategy, draft)


def _checked_mode(
    wanted: FailureMode, total: int, strategy: CoordinationStrategy, draft: Draft
) -> FailureMode:
    if wanted.kind not in FAILURE_KINDS:
        draft.problem(
            "bad_failure_mode", f"on_failure is {wanted!r}; use one of {list(FAILURE_KINDS)}"
        )
    if wanted.kind == "quorum":
        if strategy != CoordinationStrategy.PARALLEL:
            draft.problem(
                "bad_failure_mode", f"quorum needs the parallel strategy, not {strategy.value!r}"
            )
        if type(wanted.needed) is not int or not 1 <= wanted.needed <= total:
            draft.problem(
                "bad_failure_mode",
                f"quorum({wanted.needed!r}) of {total} tasks cannot be; use 1 to {total}",
            )
    return wanted


def _task_ids(tasks: Sequence[Task], strategy: CoordinationStrategy, draft: Draft) -> list[str]:
    """One id for each task; ids that callers chose are never changed."""
    reserved = RESERVED_NODES
    if strategy == CoordinationStrategy.CYCLIC:
        reserved |= CYCLIC_NODES
    are_tasks = [task for task in tasks if isinstance(task, Task) or _is_none(task, draft)]
    chosen = [task.task_id for task in are_tasks if task.task_id is not None]
    if len(set(chosen)) < len(chosen):
        for id_, count in Counter(chosen).items():
            if count == 1:
                continue
            draft.problem(
                "duplicate_task",
                f"task id {id_!r} is used {count} times; give every task its own id",
                id_,
            )
    taken = {*chosen, *reserved}
    return [
        _default_id(task, taken)
        if not isinstance(task, Task) or task.task_id is None
        else _chosen_id(task.task_id, reserved, draft)
        for task in tasks
    ]


def _is_none(task: object, draft: Draft) -> bool:
    kinds = "AgentTask, SubWorkflow, Repeat, ForEach, Wait or WaitForSignal"
    draft.problem("bad_task", f"{described(task)} is no task; give an {kinds}")
    return False


def _chosen_id(id_: object, reserved: frozenset[str], draft: Draft) -> str:
    if not isinstance(id_, str) or not TASK_ID.fullmatch(id_) or id_ in reserved:
        draft.problem(
            "bad_task_id",
            f"task id {id_!r} cannot be used; use 1 to 64 letters, digits, '_' or '-', not "
            f"beginning with '__', and none of {sorted(reserved)}",
            str(id_),
        )
    return plain_text(id_) if isinstance(id_, str) else str(id_)


def _default_id(task: Task, taken: set[str]) -> str:
    agent = task.agent_id if isinstance(task, AgentTask) else None
    base = id_ = str(agent or _named_after(task))
    if not TASK_ID.fullmatch(base):
        base = id_ = re.sub(r"^__|[^A-Za-z0-9_-]", "_", base)[:LONGEST_BASE]
    number = 1
    while id_ in taken:
        number += 1
        id_ = f"{base[:LONGEST_BASE]}_{number}"
    taken.add(id_)
    return id_


def _named_after(task: Task) -> str:
    match task:
        case AgentTask():
            name: object = task.agent_id or task.capability
        case SubWorkflow(workflow=Workflow()):
            name = task.workflow.name
        case WaitForSignal():
            name = task.signal
        case _:
            name = _KINDS.get(type(task))
    return str(name or "task")


_KINDS = {SubWorkflow: "workflow", Repeat: "repeat", ForEach: "for_each", Wait: "wait"}


def _needs(
    tasks: Sequence[Task],
    ids: Sequence[str],
    strategy: CoordinationStrategy,
    mode: FailureMode,
    draft: Draft,
) -> dict[str, list[str]]:
    """Which tasks must not have failed before each one."""
    needs: dict[str, list[str]] = {}
    for position, (task, id_) in enumerate(zip(tasks, ids, strict=True)):
        depends = isinstance(task, Task) and task.depends_on != ()
        mine = _depends_on(task, id_, ids, draft) if depends else []
        if strategy == CoordinationStrategy.SEQUENTIAL:
            for other in mine:
                if other not in ids[:position]:
                    draft.problem(
                        "later_dependency",
                        f"task {id_!r} depends on {other!r}, which does not come before it in "
                        "the sequence; reorder the tasks, or run them in parallel",
                        id_,
                    )
            if position and mode.kind != "continue" and ids[position - 1] not in mine:
                mine.append(ids[position - 1])
        needs[id_] = mine
    if strategy == CoordinationStrategy.PARALLEL and any(needs.values()):
        for cycle in find_cycles(needs):
            path = " -> ".join(cycle)
            draft.problem("cycle", f"these tasks wait for each other: {path}; break the cycle")
    return needs


def _depends_on(task: Task, id_: str, ids: Sequence[str], draft: Draft) -> list[str]:
    if not isinstance(task.depends_on, Sequence):
        draft.problem(
            "unknown_dependency",
            f"task {id_!r}: depends_on is {described(task.depends_on)}; give a list of task ids",
            id_,
        )
        return []
    wanted = [task.depends_on] if isinstance(task.depends_on, str) else list(task.depends_on)
    for other in wanted:
        if other not in ids:
            draft.problem(
                "unknown_dependency",
                f"task {id_!r} depends on {other!r}, which is no task here; tasks are {list(ids)}",
                id_,
            )
    return [plain_text(other) for other in dict.fromkeys(wanted) if other in ids]
