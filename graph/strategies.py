"""Which builder fills the graph of which strategy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graph import conditional, cyclic, parallel, sequential
from state.status import CoordinationStrategy

if TYPE_CHECKING:
    from graph.steps import PlanGraph
    from state.plan import Plan

_FILLS = {
    CoordinationStrategy.SEQUENTIAL: sequential.fill,
    CoordinationStrategy.PARALLEL: parallel.fill,
    CoordinationStrategy.CONDITIONAL: conditional.fill,
    CoordinationStrategy.CYCLIC: cyclic.fill,
}


def fill(graph: PlanGraph, plan: Plan, last: str) -> list[str]:
    """Add a plan's tasks to a graph, leading to the node `last`; return where they begin."""
    return _FILLS[plan.strategy](graph, plan, last)
