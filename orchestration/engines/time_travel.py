"""Going back in a run: its moments, and new runs that begin at one of them.

A fork is a run of its own, on a thread of its own. What had succeeded by the chosen moment
stands; everything else is done anew, under new idempotency keys, and asked anew: no answer
that somebody gave to the old run counts for the new one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from orchestration.engines.snapshots import belongs_to
from state.errors import ForkError
from state.jsonvalue import JsonObject, NotJsonError, json_object
from state.outcome import HARMLESS_SKIPS, Outcome
from state.plan import Plan
from state.plan_document import INSIDE, OF_A_CYCLE, PlanDocument, Seed
from state.status import TaskStatus

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.types import StateSnapshot

    from graph.compiler import CompiledPlan
    from state.run_state import Outcomes


class Moment(NamedTuple):
    """One checkpoint of a run."""

    checkpoint_id: str
    step: int
    """LangGraph's number of the superstep; -1 for the input."""
    at: str
    """ISO 8601, UTC."""
    next: tuple[str, ...]
    """Nodes that come next; none at the end."""
    outcomes: Mapping[str, str]
    """Status of each task that was tried by then."""
    asks: tuple[str, ...]
    """Tasks that wait for a person."""


async def timeline(
    graph: CompiledPlan,
    config: RunnableConfig,
    plan: Plan,
    *,
    limit: int,
) -> list[Moment]:
    """Return the moments of a thread's present run, the latest first."""
    return [
        _moment(snapshot)
        async for snapshot in graph.aget_state_history(config, limit=limit)
        if belongs_to(snapshot, plan)
    ]


def _moment(snapshot: StateSnapshot) -> Moment:
    outcomes: Outcomes = snapshot.values.get("outcomes", {})
    asks = [
        str(each.value.get("task_id", each.id)) if isinstance(each.value, dict) else each.id
        for each in snapshot.interrupts
    ]
    metadata: Mapping[str, Any] = snapshot.metadata or {}
    return Moment(
        checkpoint_id=snapshot.config["configurable"]["checkpoint_id"],
        step=int(metadata.get("step", 0)),
        at=snapshot.created_at or "",
        next=snapshot.next,
        outcomes={task_id: outcome["status"] for task_id, outcome in outcomes.items()},
        asks=tuple(asks),
    )


def forked_plan(  # noqa: PLR0913  one for each thing a fork may differ in
    plan: Plan,
    snapshot: StateSnapshot,
    *,
    run_id: str,
    inputs: Mapping[str, Mapping[str, Any]],
    undone: Collection[str] = (),
    user: str | None = None,
) -> Plan:
    """Return the plan of a run that begins where `snapshot` was.

    Args:
        plan: Of the run that is forked.
        snapshot: One of its moments.
        run_id: Of the new run.
        inputs: Input data for tasks that are done anew, in place of the old.
        undone: Tasks that were compensated since, or are to be: they do not stand.
        user: Who asks for the new run; by default who asked for the old one.

    Raises:
        ForkError: The moment is of another run, an input cannot be changed, it is not said
            who changes one, or a callable would be needed.
    """
    if inputs and user is None and plan.document["user"] is not None:
        raise ForkError(
            f"{plan.document['user']!r} asked for the old inputs; say with user= who asks for "
            "the new ones, as the requester may not approve them"
        )
    if not belongs_to(snapshot, plan):
        raise ForkError("that checkpoint is not one of the thread's present run")
    kept = {
        task_id: outcome
        for task_id, outcome in snapshot.values.get("outcomes", {}).items()
        if _stands(outcome) and task_id not in undone
    }
    _refuse_callables(plan, kept)
    document = cast("dict[str, Any]", {**plan.document, "run_id": run_id})
    document["user"] = user or document["user"]
    document["tasks"] = {**plan.document["tasks"]}
    for task_id, given in inputs.items():
        if "body" in document["tasks"].get(task_id, {}):
            raise ForkError(f"the input of {task_id!r} cannot be changed: it is made of others")
        if task_id not in document["tasks"] or task_id in kept:
            free = [each for each in plan.document["order"] if each not in kept]
            why = "stands as it is" if task_id in kept else "is no task of it"
            raise ForkError(f"the input of {task_id!r} cannot be changed: it {why}; use {free}")
        document["tasks"][task_id] = {**document["tasks"][task_id], "input": _checked(given)}
    seed: Seed = {"outcomes": kept}
    if "supervision" in plan.document:
        _keep_turns(document, seed, snapshot.values)
    route = snapshot.values.get("route") or {}
    if route.get("chosen"):
        seed["route"] = {"chosen": route["chosen"]}
    document["seed"] = seed
    return Plan(cast("PlanDocument", document))


def _keep_turns(document: dict[str, Any], seed: Seed, values: Mapping[str, Any]) -> None:
    """Let a cycle go on with the turn that it had then."""
    then: PlanDocument = values["plan"]
    for key in OF_A_CYCLE:
        if key in then:
            document[key] = then[key]
    seed["turns"] = [each for each in values.get("turns", []) if each["task"] is not None]


def _refuse_callables(plan: Plan, kept: Collection[str]) -> None:
    """Return if no Python callable is needed: the fork would have none, in any process."""
    done = [] if "supervision" in plan.document else [[task_id] for task_id in kept]
    for use, document in plan.callables():
        if document["key"].split(INSIDE)[1:2] not in done:
            raise ForkError(
                f"{use} is a Python callable, which a fork does not have; write it as a CEL "
                "expression string in workflows that are to be forked"
            )


def _stands(outcome: Outcome) -> bool:
    """Whether a task's outcome is kept in a fork: it succeeded, or was not needed."""
    if outcome["status"] == TaskStatus.SKIPPED:
        return outcome["because"] in HARMLESS_SKIPS
    return outcome["status"] == TaskStatus.SUCCEEDED


def _checked(given: Mapping[str, Any]) -> JsonObject:
    try:
        return json_object(given, at="input_data")
    except NotJsonError as error:
        raise ForkError(str(error)) from None
