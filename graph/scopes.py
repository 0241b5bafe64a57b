"""The graph of a task that is made of others: once, in turns, or for each item of a list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langgraph.graph import START, StateGraph

from graph.steps import add_ending
from graph.strategies import fill
from nodes.agent_call import NEXT_NODES
from nodes.scope import again, enter, leave
from state.plan import Plan
from state.plan_document import AGAIN, END_NODE, ENTER, ITEM, LEAVE
from state.run_state import CoreOutput, CyclicState, RunState

if TYPE_CHECKING:
    from graph.steps import PlanGraph
    from state.plan_document import PlannedTask


def scope_graph(task: PlannedTask) -> PlanGraph:
    """Return the graph of the plan inside a task; its output is the task's outcome."""
    graph = _empty(Plan(task["body"]))
    leaving = _add_leave(graph, task)
    if "for_each" in task:
        item = task["id"] + ITEM
        graph.add_node(item, _item_graph(task).compile())
        graph.add_edge(item, leaving)
        entries = [item]
        after = [leaving]
    else:
        entries = _fill(graph, task, leaving)
        after = entries
    entering = task["id"] + ENTER
    ways = dict.fromkeys((*entries, *after, END_NODE))
    graph.add_node(entering, enter, metadata={NEXT_NODES: after}, destinations=tuple(ways))
    graph.add_edge(START, entering)
    return graph


def _item_graph(task: PlannedTask) -> PlanGraph:
    """The graph for one item; LangGraph is sent the state that it begins with."""
    graph = _empty(Plan(task["body"]))
    for entry in _fill(graph, task, _add_leave(graph, task)):
        graph.add_edge(START, entry)
    return graph


def _empty(body: Plan) -> PlanGraph:
    state = CyclicState if "supervision" in body.document else RunState
    return StateGraph(state, output_schema=CoreOutput)


def _add_leave(graph: PlanGraph, task: PlannedTask) -> str:
    leaving = task["id"] + LEAVE
    graph.add_node(leaving, leave)
    graph.add_edge(leaving, END_NODE)
    return leaving


def _fill(graph: PlanGraph, task: PlannedTask, leaving: str) -> list[str]:
    """Add what is inside the task; return where it begins."""
    body = Plan(task["body"])
    last = add_ending(graph, body, leaving)
    if "repeat" not in task:
        return fill(graph, body, last)
    deciding = task["id"] + AGAIN
    entries: list[str] = []  # a join needs the node that it leads to, before they are known
    ways = {last: "done"}
    graph.add_node(deciding, again, metadata={NEXT_NODES: (entries, last)}, destinations=ways)
    entries += fill(graph, body, deciding)
    ways |= dict.fromkeys(entries, "next turn")
    return entries
