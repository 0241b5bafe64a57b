"""The router node: decides which task runs, records it, and never raises."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core.runnables import RunnableConfig
from langgraph.types import Command

from nodes.agent_call import called_off
from nodes.approval import first_node
from nodes.expressions import ExpressionError, evaluate
from nodes.run_handle import RunHandle, handle_of
from state.capability import AgentCapability
from state.jsonvalue import described
from state.outcome import Outcome, skipped
from state.run_state import RouteRecord, RunState
from state.status import SkipCause

if TYPE_CHECKING:
    from state.plan import PlanDocument, RouterDocument


async def route(state: RunState, config: RunnableConfig) -> Command[str]:  # noqa: ARG001  LangGraph's signature
    """Ask the router; skip every task but the one it chose."""
    plan = state["plan"]
    run = handle_of(state)
    if (cancelled := called_off(run)) is not None:
        return Command(goto="__end__", update={"outcomes": dict.fromkeys(plan["order"], cancelled)})
    record = state.get("route") or _decide(plan, run)  # a fork keeps its way
    chosen = record.get("chosen")
    if chosen is None:
        return Command(goto="__end__", update={"route": record})
    reason = f"the router chose {chosen!r}"
    others: dict[str, Outcome] = {
        id_: skipped(reason, because=SkipCause.NOT_ROUTED, because_of=chosen)
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
    try:
        answer = _ask(router, plan, run)
    except ExpressionError as error:
        return {"error": f"the router failed: {error}"}
    if not isinstance(answer, str):
        return {
            "error": f"the router returned {described(answer)}, a {type(answer).__name__}; "
            f"it must return one of {_targets(plan)}"
        }
    chosen = _task_for(plan, answer)
    if chosen is None:
        return {"error": f"the router returned {answer!r}; it must return one of {_targets(plan)}"}
    return {"chosen": chosen}


def _ask(router: RouterDocument, plan: PlanDocument, run: RunHandle) -> object:
    given = plan["router_input"]
    input_data = plan["tasks"][plan["order"][0]]["input"] if given is None else given
    if router["kind"] != "map":
        return evaluate(
            router, outcomes={}, input_data=input_data, argument=input_data, callables=run.callables
        )
    for expression, target in router["cases"]:
        case = {"kind": "cel", "expression": expression}
        if evaluate(case, outcomes={}, input_data=input_data, argument=None, callables={}):  # type: ignore[arg-type]
            return target
    raise ExpressionError("no case of the router map holds; add one for 'true'")


def _task_for(plan: PlanDocument, answer: str) -> str | None:
    """The task with that id, else the first for that agent or capability."""
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
