"""The pure planner: tasks and wishes in, a validated plan or every problem out."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from graph.layout import extra_waits, find_cycle, layout
from nodes.expressions import expression_problem
from state.errors import PlanError, Problem
from state.failure_mode import FAILURE_KINDS, FailureMode
from state.jsonvalue import JsonObject, NotJsonError, json_object
from state.plan import (
    PLAN_SCHEMA,
    RESERVED_NODES,
    AggregateDocument,
    CallableDocument,
    ExpressionDocument,
    Plan,
    PlannedTask,
    RouterDocument,
)
from state.status import CoordinationStrategy
from state.task import AgentTask

if TYPE_CHECKING:
    from nodes.ports import Agents
    from state.failure_mode import FailureKind

TASK_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")
BUILT_IN_AGGREGATIONS = ("collect", "merge", "first_success", "majority")

Aggregation = str | Callable[..., object]
"""`collect`, `merge`, `first_success`, `majority`, or a callable that gets the outputs."""
Router = str | Mapping[str, str] | Callable[[dict[str, Any]], str]
"""A CEL expression, a map of CEL conditions to targets, or a callable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """Everything a caller wants of one run."""

    tasks: Sequence[AgentTask]
    strategy: CoordinationStrategy | str = CoordinationStrategy.SEQUENTIAL
    on_failure: FailureMode | str | None = None
    """By default `fail_fast` for a sequence, `continue` otherwise."""
    aggregate: Aggregation | None = None
    router: Router | None = None
    router_input: Mapping[str, Any] | None = None
    tenant: str | None = None
    user: str | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, and the live objects it refers to by key."""

    plan: Plan
    callables: Mapping[str, Callable[..., object]]


@dataclass(slots=True)
class _Draft:
    """What the planner has found so far."""

    agents: Agents
    run_id: str
    problems: list[Problem] = field(default_factory=list)
    callables: dict[str, Callable[..., object]] = field(default_factory=dict)

    def problem(self, code: str, message: str, task_id: str | None = None) -> None:
        self.problems.append(Problem(code, message, task_id))


def plan(request: PlanRequest, *, agents: Agents, run_id: str) -> Planned:
    """Turn a request into a plan.

    Args:
        request: What the caller wants.
        agents: Knows which agents and capabilities exist.
        run_id: Names the run; part of every idempotency key.

    Raises:
        PlanError: With every problem of the request, not just the first.
    """
    draft = _Draft(agents, run_id)
    strategy = _strategy(request.strategy, draft)
    mode = _failure_mode(request, strategy, draft)
    ids = _task_ids(request.tasks, draft)
    needs = _needs(request.tasks, ids, strategy, mode, draft)
    tasks = {
        id_: _planned_task(task, id_, ids[:position], needs, strategy, draft)
        for position, (task, id_) in enumerate(zip(request.tasks, ids, strict=True))
    }
    router = _router(request, strategy, draft)
    aggregate = _aggregate(request, strategy, draft)
    router_input = _router_input(request, strategy, draft)
    if draft.problems:
        raise PlanError(draft.problems)
    if strategy == CoordinationStrategy.PARALLEL:
        region = layout(needs)
        waits = {} if not any(needs.values()) else extra_waits(region, needs)
    else:
        region, waits = {"kind": "series", "tasks": ids}, {}
    return Planned(
        Plan(
            {
                "schema": PLAN_SCHEMA,
                "run_id": run_id,
                "strategy": strategy.value,
                "order": ids,
                "tasks": tasks,
                "layout": region,
                "waits": waits,
                "on_failure": mode.document(),
                "aggregate": aggregate,
                "router": router,
                "router_input": router_input,
                "tenant": request.tenant,
                "user": request.user,
            }
        ),
        draft.callables,
    )


def _strategy(wanted: CoordinationStrategy | str, draft: _Draft) -> CoordinationStrategy:
    try:
        return CoordinationStrategy(wanted)
    except ValueError:
        allowed = [str(each) for each in CoordinationStrategy]
        draft.problem("unknown_strategy", f"strategy {wanted!r} is unknown; use one of {allowed}")
        return CoordinationStrategy.PARALLEL


def _failure_mode(
    request: PlanRequest, strategy: CoordinationStrategy, draft: _Draft
) -> FailureMode:
    wanted = request.on_failure
    if wanted is None:
        sequential = strategy == CoordinationStrategy.SEQUENTIAL
        return FailureMode("fail_fast" if sequential else "continue")
    kinds: Mapping[str, FailureKind] = {kind: kind for kind in FAILURE_KINDS if kind != "quorum"}
    if isinstance(wanted, str):
        if wanted not in kinds:
            draft.problem(
                "bad_failure_mode",
                f"on_failure is {wanted!r}; use one of {list(kinds)} or quorum(n)",
            )
        return FailureMode(kinds.get(wanted, "continue"))
    if wanted.kind == "quorum":
        if strategy != CoordinationStrategy.PARALLEL:
            draft.problem(
                "bad_failure_mode", f"quorum needs the parallel strategy, not {strategy.value!r}"
            )
        if not 1 <= wanted.needed <= len(request.tasks):
            draft.problem(
                "bad_failure_mode",
                f"quorum({wanted.needed}) of {len(request.tasks)} tasks cannot be; "
                f"use 1 to {len(request.tasks)}",
            )
    return wanted


def _task_ids(tasks: Sequence[AgentTask], draft: _Draft) -> list[str]:
    """One id for each task; ids that callers chose are never changed."""
    if not tasks:
        draft.problem("no_tasks", "there are no tasks; give at least one")
    chosen = [task.task_id for task in tasks if task.task_id is not None]
    for id_, count in Counter(chosen).items():
        if count > 1:
            draft.problem(
                "duplicate_task",
                f"task id {id_!r} is used {count} times; give every task its own id",
                id_,
            )
    taken = {*chosen, *RESERVED_NODES}
    ids = []
    for task in tasks:
        id_ = task.task_id if task.task_id is not None else _default_id(task, taken)
        if not TASK_ID.fullmatch(id_) or (id_ in RESERVED_NODES and task.task_id is not None):
            draft.problem(
                "bad_task_id",
                f"task id {id_!r} cannot be used; use 1 to 64 letters, digits, '_' or '-', and "
                f"none of {sorted(RESERVED_NODES)}",
                id_,
            )
        ids.append(id_)
    return ids


def _default_id(task: AgentTask, taken: set[str]) -> str:
    base = re.sub(r"[^A-Za-z0-9_-]", "_", task.agent_id or str(task.capability or "task"))[:60]
    id_, number = base, 1
    while id_ in taken:
        number += 1
        id_ = f"{base}_{number}"
    taken.add(id_)
    return id_


def _needs(
    tasks: Sequence[AgentTask],
    ids: Sequence[str],
    strategy: CoordinationStrategy,
    mode: FailureMode,
    draft: _Draft,
) -> dict[str, list[str]]:
    """Which tasks must not have failed before each one."""
    needs: dict[str, list[str]] = {}
    for position, (task, id_) in enumerate(zip(tasks, ids, strict=True)):
        earlier = set(ids[:position])
        mine = _depends_on(task, id_, ids, draft)
        if strategy == CoordinationStrategy.SEQUENTIAL:
            for other in mine:
                if other not in earlier:
                    draft.problem(
                        "later_dependency",
                        f"task {id_!r} depends on {other!r}, which does not come before it in "
                        "the sequence; reorder the tasks, or run them in parallel",
                        id_,
                    )
            if position and mode.kind != "continue":
                mine = [*mine, ids[position - 1]]
        elif strategy == CoordinationStrategy.CONDITIONAL and mine:
            draft.problem(
                "needless_dependency",
                f"task {id_!r} has depends_on={mine!r}, but a conditional workflow runs only one "
                "task; remove it, or use a sequence with conditions",
                id_,
            )
        needs[id_] = list(dict.fromkeys(mine))
    if strategy == CoordinationStrategy.PARALLEL and (cycle := find_cycle(needs)):
        path = " -> ".join(cycle)
        draft.problem("cycle", f"these tasks wait for each other: {path}; break the cycle")
    return needs


def _depends_on(task: AgentTask, id_: str, ids: Sequence[str], draft: _Draft) -> list[str]:
    wanted = [task.depends_on] if isinstance(task.depends_on, str) else list(task.depends_on)
    for other in wanted:
        if other not in ids:
            draft.problem(
                "unknown_dependency",
                f"task {id_!r} depends on {other!r}, which is no task here; tasks are {list(ids)}",
                id_,
            )
    return [other for other in wanted if other in ids]


def _planned_task(  # noqa: PLR0913, PLR0917  one argument for each thing a task is made from
    task: AgentTask,
    id_: str,
    earlier: Sequence[str],
    needs: Mapping[str, list[str]],
    strategy: CoordinationStrategy,
    draft: _Draft,
) -> PlannedTask:
    capability = None if task.capability is None else str(task.capability)
    if (task.agent_id is None) == (capability is None):
        draft.problem(
            "no_agent", f"task {id_!r} must name either agent_id or capability, and not both", id_
        )
    elif problem := draft.agents.problem_with(agent_id=task.agent_id, capability=capability):
        draft.problem(problem.code, f"task {id_!r}: {problem.message}", id_)
    input_data = _input(task.input_data, f"task {id_!r}: input_data", id_, draft)
    sequential = strategy == CoordinationStrategy.SEQUENTIAL
    return {
        "id": id_,
        "agent": task.agent_id,
        "capability": capability,
        "input": input_data,
        "needs": needs[id_],
        "upstream": list(earlier) if sequential else needs[id_],
        "condition": _condition(task, id_, draft),
        "approval": bool(task.requires_approval or input_data.get("requires_approval")),
        "timeout_seconds": _timeout(task, id_, draft),
        "retry": _retry(task, id_, draft),
    }


def _retry(task: AgentTask, id_: str, draft: _Draft) -> Any:  # noqa: ANN401
    if task.retry is None:
        return None
    for problem in task.retry.problems():
        draft.problem("bad_retry", f"task {id_!r}: {problem}", id_)
    return task.retry.document() if task.retry.max_attempts > 1 else None


def _input(value: object, at: str, id_: str | None, draft: _Draft) -> JsonObject:
    try:
        return json_object(value, at=at)
    except NotJsonError as error:
        draft.problem("input_not_json", str(error), id_)
        return {}


def _timeout(task: AgentTask, id_: str, draft: _Draft) -> float | None:
    if task.timeout is None:
        return None
    wanted = task.timeout
    seconds = wanted.total_seconds() if isinstance(wanted, timedelta) else wanted
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
        draft.problem(
            "bad_timeout",
            f"task {id_!r}: timeout is {wanted!r}; it must be a positive number of seconds, "
            "a timedelta, or None",
            id_,
        )
        return None
    return float(seconds)


def _condition(task: AgentTask, id_: str, draft: _Draft) -> ExpressionDocument | None:
    if task.condition is None:
        return None
    at = f"the condition of task {id_!r}"
    return _expression(task.condition, at=at, key=f"condition/{id_}", id_=id_, draft=draft)


def _expression(
    value: object, *, at: str, key: str, id_: str | None, draft: _Draft
) -> ExpressionDocument:
    if isinstance(value, str):
        if problem := expression_problem(value):
            draft.problem("bad_expression", f"{at} is not valid CEL: {problem}", id_)
        return {"kind": "cel", "expression": value}
    if not callable(value):
        draft.problem(
            "bad_expression",
            f"{at} is a {type(value).__name__}; use a CEL expression string or a callable",
            id_,
        )
        return {"kind": "cel", "expression": "false"}
    return _callable(value, at=at, key=key, id_=id_, draft=draft)


def _callable(
    value: Callable[..., object], *, at: str, key: str, id_: str | None, draft: _Draft
) -> CallableDocument:
    count = _required_arguments(value)
    if count > 1:
        draft.problem(
            "bad_expression", f"{at} needs {count} arguments; it may take none or one", id_
        )
    full_key = f"{draft.run_id}/{key}"
    draft.callables[full_key] = value
    name = getattr(value, "__qualname__", type(value).__qualname__)
    return {"kind": "callable", "key": full_key, "name": name, "takes_argument": _takes_one(value)}


def _positional(value: Callable[..., object]) -> list[inspect.Parameter]:
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):  # some built-in callables have no signature
        return []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [each for each in parameters if each.kind in kinds]


def _required_arguments(value: Callable[..., object]) -> int:
    return sum(each.default is inspect.Parameter.empty for each in _positional(value))


def _takes_one(value: Callable[..., object]) -> bool:
    """Whether to pass it something: a parameter without a default asks for it."""
    return _required_arguments(value) == 1


def _router(
    request: PlanRequest, strategy: CoordinationStrategy, draft: _Draft
) -> RouterDocument | None:
    if strategy != CoordinationStrategy.CONDITIONAL:
        if request.router is not None:
            draft.problem(
                "needless_router",
                f"a router was given, but the strategy is {strategy.value!r}; use 'conditional'",
            )
        return None
    if request.router is None:
        draft.problem("no_router", "the conditional strategy needs a router; give router=...")
        return None
    if isinstance(request.router, Mapping):
        return _router_map(request.router, draft)
    return _expression(request.router, at="the router", key="router", id_=None, draft=draft)


def _router_map(cases: Mapping[str, str], draft: _Draft) -> RouterDocument:
    if not cases:
        draft.problem("no_router", "the router map is empty; give at least one case")
    for expression in cases:
        if problem := expression_problem(expression):
            message = f"the router's case {expression!r} is not valid CEL: {problem}"
            draft.problem("bad_expression", message)
    return {"kind": "map", "cases": [list(case) for case in cases.items()]}


def _router_input(
    request: PlanRequest, strategy: CoordinationStrategy, draft: _Draft
) -> JsonObject | None:
    """What the router sees: by default the first task's input, which the plan holds anyway."""
    if strategy != CoordinationStrategy.CONDITIONAL or request.router_input is None:
        return None
    return _input(request.router_input, "the router's input_data", None, draft)


def _aggregate(
    request: PlanRequest, strategy: CoordinationStrategy, draft: _Draft
) -> AggregateDocument | None:
    wanted = request.aggregate
    if wanted is None:
        return {"kind": "collect"} if strategy == CoordinationStrategy.PARALLEL else None
    match wanted:
        case "collect" | "merge" | "first_success" | "majority":
            return {"kind": wanted}
        case str():
            draft.problem(
                "bad_aggregation",
                f"aggregate is {wanted!r}; use one of {list(BUILT_IN_AGGREGATIONS)} or a callable",
            )
            return None
    document = _callable(wanted, at="the aggregation", key="aggregate", id_=None, draft=draft)
    return {"kind": "callable", "callable": document}
