"""The nodes around a plan inside a task: they enter it, repeat it, spread it over items, leave it.

Inside, everything is as in any plan, since the state's `plan` is the inner one there: with a
run id of its own (`run/task`, `run/task#turn`, `run/task/item`), so with idempotency keys of
its own. What comes out is one outcome of the task, which holds those of the tasks inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.runnables import RunnableConfig
from langgraph.types import Command, Overwrite, Send

from nodes.agent_call import NEXT_NODES, announce, called_off, hindrance
from nodes.expressions import ExpressionError, evaluate, holds, scope_of
from nodes.run_handle import RunHandle, handle_around, handle_of
from nodes.scope_outcome import scope_outcome
from state.errors import OutOfTurnsError
from state.jsonvalue import NotJsonError, json_object
from state.outcome import Outcome, cancellation_record, error_record, is_finished
from state.plan import in_turn, is_stale, own_outcomes
from state.plan_document import (
    END_NODE,
    ENTER,
    INSIDE,
    ITEM,
    MOST_ITEMS,
    OF_A_CYCLE,
    PlanDocument,
    PlannedTask,
    Scope,
    ScopeSeed,
)
from state.result import settled_status
from state.run_state import RunState, RunUpdate
from state.status import CoordinationStrategy, TaskStatus, WorkflowStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from state.jsonvalue import JsonValue
    from state.plan_document import Item
    from state.run_state import Outcomes


async def enter(state: RunState, config: RunnableConfig) -> Command[Any]:
    """Begin the plan inside a task, unless something keeps the task from running."""
    metadata = config["metadata"]
    task = state["plan"]["tasks"][metadata["langgraph_node"].removesuffix(ENTER)]
    run = handle_of(state)
    outcome = _without_entering(task, state, run)
    if outcome is None and "for_each" in task:
        return _spread(task, state, run, after=metadata[NEXT_NODES])
    if outcome is None:
        return Command(goto=metadata[NEXT_NODES], update=_begin(task, state, run))
    return _ended(task["id"], outcome)


async def again(state: RunState, config: RunnableConfig) -> Command[str]:
    """After a turn of a loop: take another, or leave."""
    first, last = config["metadata"][NEXT_NODES]
    plan, run = state["plan"], handle_of(state)
    own = own_outcomes(plan, state["outcomes"])
    if settled_status(plan, own) != WorkflowStatus.COMPLETED:
        return Command(goto=last)
    repeat, turn = plan["repeat"], plan["turn"]
    try:
        if holds(
            repeat["until"],
            outcomes=state["outcomes"],
            input_data={},
            callables=run.callables,
            scope=scope_of(plan),
        ):
            return Command(goto=last)
        if (cancelled := called_off(run)) is not None:
            return Command(goto=last, update={"route": {"ended": cancellation_record(cancelled)}})
        if turn < repeat["max_turns"]:
            handle_around(plan)  # lets go of what served this turn
            return Command(goto=first, update=_next_turn(plan, turn + 1))
        words = repeat["until"].get("expression") or repeat["until"].get("name")
        ended = OutOfTurnsError(f"{turn} turns were taken, and this does not hold yet: {words}")
        record = error_record(ended)
    except ExpressionError as error:
        record = error_record(error)
    return Command(goto=last, update={"route": {"ended": record}})


async def leave(state: RunState, config: RunnableConfig) -> RunUpdate:  # noqa: ARG001  LangGraph's signature
    """Sum up the plan inside a task as the task's outcome."""
    plan = state["plan"]
    scope, run = plan["scope"], handle_around(plan)
    outcome = scope_outcome(state)
    outcome["started_at"], outcome["finished_at"] = scope["started_at"], run.clock.now()
    if "turn" in scope:
        outcome["turn"] = scope["turn"]
    announce(run, scope["task"], outcome)
    return {"outcomes": Overwrite({scope["task"]: outcome})}  # type: ignore[typeddict-item]  # LangGraph's own


def _without_entering(task: PlannedTask, state: RunState, run: RunHandle) -> Outcome | None:
    """The outcome of a task that is over, or is not to run; None if it is to be entered."""
    plan = state["plan"]
    known = state["outcomes"].get(task["id"])
    if known is not None and is_finished(known) and not is_stale(known, plan):
        return known
    outcome = hindrance(task, state, run)
    if outcome is None:
        return None
    outcome = in_turn(outcome, plan)
    announce(run, task["id"], outcome)
    return outcome


def _ended(task_id: str, outcome: Outcome) -> Command[Any]:
    return Command(goto=END_NODE, update={"outcomes": Overwrite({task_id: outcome})})


def _begin(task: PlannedTask, state: RunState, run: RunHandle) -> dict[str, Any]:
    """The state with which the plan inside a task begins."""
    inner = _inner_plan(task, state["plan"], run.clock.now())
    seed = _seed(inner, run)
    if "repeat" in task:
        turn = 1 if seed is None else seed.get("turn", 1)
        inner["run_id"] += f"#{turn}"
        inner["turn"], inner["repeat"] = turn, task["repeat"]
    return _fresh(inner, _visible(task, state["outcomes"]), seed)


def _seed(inner: PlanDocument, run: RunHandle) -> ScopeSeed | None:
    """How this plan stood before an upgrade; None if it begins."""
    return run.seeds.get(inner["run_id"].partition(INSIDE)[2]) if run.seeds else None


def _next_turn(plan: PlanDocument, turn: int) -> dict[str, Any]:
    run_id = f"{plan['run_id'].rpartition('#')[0]}#{turn}"
    changed: PlanDocument = {**plan, "run_id": run_id, "turn": turn}
    return {"plan": changed, "approvals": Overwrite({}), "route": {}, "aggregate": None}


def _fresh(plan: PlanDocument, outcomes: Outcomes, seed: ScopeSeed | None = None) -> dict[str, Any]:
    if seed is None:
        return {
            "plan": plan,
            "outcomes": Overwrite(outcomes),
            "approvals": Overwrite({}),
            "route": {},
            "aggregate": None,
        }
    fresh: dict[str, Any] = {
        "plan": plan,
        "outcomes": Overwrite({**outcomes, **seed["outcomes"]}),
        "approvals": Overwrite({**seed["approvals"]}),
        "route": {**seed["route"]},
        "aggregate": None,
    }
    if "supervision" in plan:
        then: Mapping[str, Any] = seed
        fresh["plan"] = {**plan, **{key: then[key] for key in OF_A_CYCLE if key in then}}
        fresh["turns"] = [*seed.get("turns", [])]
    return fresh


def _inner_plan(task: PlannedTask, plan: PlanDocument, now: float) -> PlanDocument:
    """The plan inside a task, as it stands in the state; what is around it shows through."""
    name = task["id"]
    if "supervision" in plan:
        name = f"{name}#{plan['turn']}"
    scope: Scope = {"task": task["id"], "started_at": now}
    inner: PlanDocument = {
        **task["body"],
        "run_id": f"{plan['run_id']}{INSIDE}{name}",
        "tenant": plan["tenant"],
        "user": plan["user"],
        "scope": scope,
    }
    if "turn" in plan:
        scope["turn"] = plan["turn"]
        if "supervision" not in inner:  # which counts its own
            inner["turn"] = plan["turn"]
    if "item" in plan:
        inner["item"] = plan["item"]
    if "parameters" in plan:
        inner["parameters"] = plan["parameters"]
    if "history" in plan:
        inner["history"] = plan["history"]
    return inner


def _visible(task: PlannedTask, outcomes: Outcomes) -> Outcomes:
    """What is seen inside of what was achieved around: what the task builds on.

    A task inside hides one of the same name around it.
    """
    hidden = task["body"]["tasks"]
    return {id_: outcomes[id_] for id_ in task["upstream"] if id_ in outcomes and id_ not in hidden}


# -- items ----------------------------------------------------------------------------------


def _spread(
    task: PlannedTask, state: RunState, run: RunHandle, *, after: list[str]
) -> Command[Any]:
    """Send each item of a list to a copy of the plan inside the task."""
    try:
        items = _items(task, state, run)
    except ExpressionError as error:
        failed = Outcome(status=TaskStatus.FAILED.value, attempts=0, error=error_record(error))
        failed = in_turn(failed, state["plan"])
        announce(run, task["id"], failed)
        return _ended(task["id"], failed)
    inner = _inner_plan(task, state["plan"], run.clock.now())
    numbers = [str(number) for number in range(len(items))]
    whole: PlanDocument = {
        **inner,
        "strategy": CoordinationStrategy.PARALLEL.value,
        "order": numbers,
        "tasks": {},
        "on_failure": task["for_each"]["on_failure"],
        "aggregate": None,
        "router": None,
        "for_each": task["for_each"],
    }
    whole.pop("supervision", None)
    handle_of({"plan": whole, "outcomes": {}})  # counts the items from now on
    visible, seed = _visible(task, state["outcomes"]), _seed(whole, run)
    done = {} if seed is None else seed["outcomes"]
    sends = [
        Send(
            task["id"] + ITEM,
            _fresh_item(task, inner, {"index": index, "value": value}, visible, run),
        )
        for index, value in enumerate(items)
        if not is_finished(done.get(str(index)))
    ]
    return Command(goto=sends or after, update=_fresh(whole, {}, seed))


def _fresh_item(
    task: PlannedTask, inner: PlanDocument, item: Item, visible: Outcomes, run: RunHandle
) -> dict[str, Any]:
    number = str(item["index"])
    scope: Scope = {**inner["scope"], "task": number, "single": task["for_each"]["single"]}
    plan: PlanDocument = {
        **inner,
        "run_id": f"{inner['run_id']}{INSIDE}{number}",
        "item": item,
        "scope": scope,
    }
    seed = _seed(plan, run)
    return {"plan": plan, "outcomes": visible} if seed is None else _fresh(plan, visible, seed)


def _items(task: PlannedTask, state: RunState, run: RunHandle) -> list[JsonValue]:
    """The items of a list.

    Raises:
        ExpressionError: They cannot be told, or are no list.
    """
    wanted = task["for_each"]["items"]
    if not isinstance(wanted, str):
        return wanted
    found = evaluate(
        {"kind": "cel", "expression": wanted},
        outcomes=state["outcomes"],
        input_data=task["input"],
        argument=None,
        callables=run.callables,
        scope=scope_of(state["plan"]),
    )
    try:
        items = json_object({"items": found}, at="the value")["items"]
    except NotJsonError as error:
        raise ExpressionError(f"{wanted!r}: {error}") from error
    if not isinstance(items, list):
        raise ExpressionError(f"{wanted!r} gives a {type(items).__name__}; it must give a list")
    if len(items) > MOST_ITEMS:
        raise ExpressionError(f"{wanted!r} gives {len(items):,} items; at most {MOST_ITEMS:,}")
    return items
