"""A router, and the tasks it can choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graph.steps import add_task, connect
from nodes.agent_call import NEXT_NODES
from nodes.approval import first_node
from nodes.routing import route
from state.plan_document import ROUTER

if TYPE_CHECKING:
    from graph.steps import PlanGraph
    from state.plan import Plan


def fill(graph: PlanGraph, plan: Plan, last: str) -> list[str]:
    """Add a router that goes to one task, or to `last`; return where it begins."""
    tasks = list(plan.tasks())
    graph.add_node(
        ROUTER,
        route,
        metadata={NEXT_NODES: last},
        destinations=(*map(first_node, tasks), last),
    )
    for task in tasks:
        ends = add_task(graph, task, [last])
        if not ends.routes_itself:
            connect(graph, ends.exits, [last])
    return [ROUTER]
