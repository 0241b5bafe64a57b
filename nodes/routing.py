"""The router node: decides which task runs, records it, and never raises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from langchain_core.runnables import RunnableConfig
from langgraph.types import Command

from nodes.agent_call import NEXT_NODES, called_off
from nodes.approval import first_node
from nodes.expressions import ExpressionError, evaluate, scope_of
from nodes.run_handle import RunHandle, handle_of
from state.capability import AgentCapability
from state.jsonvalue import JsonObject, JsonValue, described, json_object
from state.outcome import Outcome, skipped
from state.plan import in_turn
from state.run_state import RouteRecord, RunState
from state.status import SkipCause

if TYPE_CHECKING:
    from state.plan_document import ExpressionDocument, PlanDocument, RouterDocument


async def route(state: RunState, config: RunnableConfig) -> Command[str]:
    """Ask the router; skip every task but the one it chose."""
    plan = state["plan"]
    run, after = handle_of(state), config["metadata"][NEXT_NODES]
    if (cancelled := called_off(run)) is not None:
        ended = dict.fromkeys(plan["order"], in_turn(cancelled, plan))
        return Command(goto=after, update={"outcomes": ended})
    record = state.get("route") or _decide(plan, run)  # a fork keeps its way
    chosen = record.get("chosen")
    if chosen is None:
        return Command(goto=after, update={"route": record})
    reason = f"the router chose {chosen!r}"
    others: dict[str, Outcome] = {
        id_: in_turn(skipped(reason, because=SkipCause.NOT_ROUTED, because_of=chosen), plan)
        for id_ in plan["order"]
        if id_ != chosen
    }
    if run.observe is not None:
        for id_, outcome in others.items():
            run.observe(id_, outcome)
    return Command(
        goto=first_node(plan["tasks"][chosen]), update={"route": record, "outcomes": others}
    )


def _decide(plan: PlanDocument, run: RunHandle) -> RouteRecord:
    router = plan["router"]
    if router is None:
        return {"error": "the plan has no router"}
    given = plan["router_input"]
    input_data = plan["tasks"][plan["order"][0]]["input"] if given is None else given
    try:
        answer = _ask(router, Known(input_data, {}, input_data, scope_of(plan)), run)
    except ExpressionError as error:
        return {"error": f"the router failed: {error}"}
    if not isinstance(answer, str):
        return {
            "error": f"the router returned {described(answer)}, a {type(answer).__name__}; "
            f"it must return one of {_targets(plan)}"
        }
    chosen = task_for(plan, answer)
    if chosen is None:
        return {"error": f"the router returned {answer!r}; it must return one of {_targets(plan)}"}
    return {"chosen": chosen}


class Known(NamedTuple):
    """What a router sees."""

    argument: Mapping[str, Any]
    """What a callable gets; it gets a copy."""
    outcomes: Mapping[str, Outcome]
    input_data: JsonObject
    scope: Mapping[str, JsonValue]


def choice(router: RouterDocument, state: RunState, run: RunHandle) -> object:
    """What a supervisor that is no agent answers; a callable gets the outcomes so far.

    Raises:
        ExpressionError: It gives no answer.
    """
    outcomes = state["outcomes"]
    return _ask(router, Known(outcomes, outcomes, {}, scope_of(state["plan"])), run)


def _ask(router: RouterDocument, known: Known, run: RunHandle) -> object:
    if router["kind"] != "map":
        return _answer(router, known, run)
    for expression, target in router["cases"]:
        if _answer({"kind": "cel", "expression": expression}, known, run):
            return target
    raise ExpressionError("no case of the router map holds; add one for 'true'")


def _answer(expression: ExpressionDocument, known: Known, run: RunHandle) -> object:
    by_callable = expression["kind"] == "callable"
    return evaluate(
        expression,
        outcomes=known.outcomes,
        input_data=known.input_data,
        argument=json_object(known.argument, at="it") if by_callable else None,
        callables=run.callables,
        scope=known.scope,
    )


def task_for(plan: PlanDocument, answer: str) -> str | None:
    """Find the task with that id, else the first for that agent or capability."""
    if answer in plan["tasks"]:
        return answer
    for id_ in plan["order"]:
        task = plan["tasks"][id_]
        if answer == task["agent"] or _is_capability(answer, task["capability"]):
            return id_
    return None


def _is_capability(answer: str, capability: str | None) -> bool:
    return capability is not None and bool(answer.strip()) and AgentCapability(answer) == capability


def _targets(plan: PlanDocument) -> list[str]:
    agents = [plan["tasks"][id_]["agent"] for id_ in plan["order"]]
    return list(dict.fromkeys([*plan["order"], *(agent for agent in agents if agent)]))
