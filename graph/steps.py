"""The nodes of one task, in any graph: condition, approval, agent call."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from langgraph.graph import START, StateGraph

from nodes.agent_call import AGAIN_NODE, NEXT_NODES, call_agent, call_agent_with_retry
from nodes.aggregate import aggregate
from nodes.approval import (
    APPROVAL,
    BUDGET,
    CONDITION,
    approve,
    before_call,
    decide_condition,
    first_node,
)
from nodes.budget_gate import ask_for_budget
from nodes.compensate import compensate
from nodes.plan_loader import LoaderInput, load_plan
from nodes.waiting import wait_for_signal, wait_for_time
from state.plan import asks_first
from state.plan_document import AGGREGATE, COMPENSATE, END_NODE, LOADER
from state.run_state import CoreOutput, CoreState, CyclicOutput, CyclicState, RunOutput, RunState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from langgraph.types import Command

    from state.plan import Plan
    from state.plan_document import PlannedTask

    PlanGraph = StateGraph[Any, None, Any, Any]
    ChoosingNode = Callable[..., Awaitable[Command[str]]]


class Ends(NamedTuple):
    """Where a part of a graph is entered, and which of its nodes are the last."""

    entries: list[str]
    exits: list[str]
    routes_itself: bool = False
    """Its one exit names its successors itself (`Command(goto=...)`), so it has no edges."""


def open_graph(plan: Plan, *, loads_plan: bool) -> tuple[PlanGraph, str]:
    """Return an empty graph, and the node after which its first tasks come.

    Args:
        plan: Decides which keys the state needs.
        loads_plan: Whether the graph carries its plan along, or gets it as input.
    """
    if not loads_plan and plan.is_plain():
        return StateGraph(CoreState, output_schema=CoreOutput), START
    cyclic = "supervision" in plan.document
    state, output = (CyclicState, CyclicOutput) if cyclic else (RunState, RunOutput)
    if not loads_plan:
        return StateGraph(state, output_schema=output), START
    graph: PlanGraph = StateGraph(state, input_schema=LoaderInput, output_schema=output)
    graph.add_node(LOADER, load_plan, input_schema=LoaderInput)
    graph.add_edge(START, LOADER)
    return graph, LOADER


def add_task(graph: PlanGraph, task: PlannedTask, following: list[str]) -> Ends:
    """Add the nodes of a task that goes on to the nodes `following`."""
    if "wait" in task:
        graph.add_node(
            task["id"],
            wait_for_signal if task["wait"]["kind"] == "signal" else wait_for_time,
            metadata={NEXT_NODES: following},
            destinations=(task["id"], *following),
        )
        return Ends([task["id"]], [task["id"]], routes_itself=True)
    before: list[str] = []
    if task["approval"]:
        if asks_first(task):
            graph.add_node(task["id"] + CONDITION, decide_condition)
            before.append(task["id"] + CONDITION)
        graph.add_node(task["id"] + APPROVAL, approve)
        before.append(task["id"] + APPROVAL)
    if "budgeted" in task:
        graph.add_node(task["id"] + BUDGET, ask_for_budget)
        before.append(task["id"] + BUDGET)
    for node, successor in pairwise([*before, task["id"]]):
        graph.add_edge(node, successor)
    if "body" in task:
        from graph.scopes import scope_graph  # noqa: PLC0415  which adds tasks in turn

        graph.add_node(task["id"], scope_graph(task).compile())
    elif not may_come_back(task):
        graph.add_node(task["id"], call_agent)
    else:
        graph.add_node(
            task["id"],
            call_agent_with_retry,
            metadata={NEXT_NODES: following, AGAIN_NODE: before_call(task)},
            destinations=(before_call(task), *following),
        )
    return Ends([first_node(task)], [task["id"]], routes_itself=may_come_back(task))


def may_come_back(task: PlannedTask) -> bool:
    """Whether the node of a task may not be done with it, and so says itself what comes next."""
    return "body" not in task and (task["retry"] is not None or "budgeted" in task)


def add_choice(  # noqa: PLR0913  a node, and where it and the tasks lead to
    graph: PlanGraph, hub: str, choose: ChoosingNode, plan: Plan, *, last: str, following: str
) -> list[str]:
    """Add a node that goes to one of the plan's tasks, or to `last`; return where it begins.

    Args:
        graph: To add to.
        hub: The name of that node.
        choose: The node itself.
        plan: Whose tasks are added, too.
        last: Where `choose` goes when no task is left to do.
        following: Where each task goes on to: the hub again, or `last`.
    """
    tasks = list(plan.tasks())
    graph.add_node(
        hub,
        choose,
        metadata={NEXT_NODES: last},
        destinations=(*map(first_node, tasks), last),
    )
    for task in tasks:
        ends = add_task(graph, task, [following])
        if not ends.routes_itself:
            connect(graph, ends.exits, [following])
    return [hub]


def connect(graph: PlanGraph, exits: list[str], entries: list[str]) -> None:
    """Make every entry wait for all exits."""
    for entry in entries:
        graph.add_edge(exits[0] if len(exits) == 1 else exits, entry)


def add_ending(graph: PlanGraph, plan: Plan, last: str = END_NODE) -> str:
    """Add what comes between the last task and `last`; return where the tasks lead to.

    Compensations come before the aggregation, which is made of what was not undone.
    """
    if plan.document["aggregate"] is not None:
        graph.add_node(AGGREGATE, aggregate)
        graph.add_edge(AGGREGATE, last)
        last = AGGREGATE
    if plan.traits.compensates:
        graph.add_node(
            COMPENSATE, compensate, metadata={NEXT_NODES: [last]}, destinations=(COMPENSATE, last)
        )
        last = COMPENSATE
    return last
