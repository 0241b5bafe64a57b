"""Agents that hand over to each other, or that a supervisor calls in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graph.steps import add_choice
from nodes.supervision import supervise
from state.plan import supervised
from state.plan_document import HANDOFF, SUPERVISOR

if TYPE_CHECKING:
    from graph.steps import PlanGraph
    from state.plan import Plan


def fill(graph: PlanGraph, plan: Plan, last: str) -> list[str]:
    """Add the node that says whose turn is next, and the tasks, which come back to it."""
    hub = SUPERVISOR if supervised(plan.document) else HANDOFF
    return add_choice(graph, hub, supervise, plan, last=last, following=hub)
