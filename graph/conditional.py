"""A router, and the tasks it can choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graph.steps import END_NODE, add_ending, add_task, connect, open_graph
from nodes.approval import first_node
from nodes.routing import route
from state.plan import ROUTER

if TYPE_CHECKING:
    from graph.steps import PlanGraph
    from state.plan import Plan


def build(plan: Plan, *, loads_plan: bool = False) -> PlanGraph:
    """Return the graph of a conditional plan: the router goes to one task, or to the end."""
    graph, begin = open_graph(plan, loads_plan=loads_plan)
    last = add_ending(graph, plan)
    tasks = list(plan.tasks())
    graph.add_node(ROUTER, route, destinations=(*map(first_node, tasks), END_NODE))
    graph.add_edge(begin, ROUTER)
    for task in tasks:
        ends = add_task(graph, task, [last])
        if not ends.routes_itself:
            connect(graph, ends.exits, [last])
    return graph
