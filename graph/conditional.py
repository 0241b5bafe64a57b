"""A router, and the tasks it can choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graph.steps import add_choice
from nodes.routing import route
from state.plan_document import ROUTER

if TYPE_CHECKING:
    from graph.steps import PlanGraph
    from state.plan import Plan


def fill(graph: PlanGraph, plan: Plan, last: str) -> list[str]:
    """Add a router that goes to one task, or to `last`; return where it begins."""
    return add_choice(graph, ROUTER, route, plan, last=last, following=last)
