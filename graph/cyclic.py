"""Agents that hand over to each other, or that a supervisor calls in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graph.steps import add_task, connect
from nodes.agent_call import NEXT_NODES
from nodes.approval import first_node
from nodes.supervision import supervise
from state.plan import supervised
from state.plan_document import HANDOFF, SUPERVISOR

if TYPE_CHECKING:
    from graph.steps import PlanGraph
    from state.plan import Plan


def fill(graph: PlanGraph, plan: Plan, last: str) -> list[str]:
    """Add the node that says whose turn is next, and the tasks, which come back to it."""
    tasks = list(plan.tasks())
    hub = SUPERVISOR if supervised(plan.document) else HANDOFF
    graph.add_node(
        hub,
        supervise,
        metadata={NEXT_NODES: last},
        destinations=(*map(first_node, tasks), last),
    )
    for task in tasks:
        ends = add_task(graph, task, [hub])
        if not ends.routes_itself:
            connect(graph, ends.exits, [hub])
    return [hub]
