"""One task after another, in one flat graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graph.steps import add_task, connect
from nodes.approval import first_node

if TYPE_CHECKING:
    from graph.steps import PlanGraph
    from state.plan import Plan


def fill(graph: PlanGraph, plan: Plan, last: str) -> list[str]:
    """Add the tasks of a sequential plan, leading to `last`; return where it begins.

    After a failure the remaining nodes still run, each only to record that it is skipped.
    """
    tasks = list(plan.tasks())
    for task, successor in zip(tasks, [*map(first_node, tasks[1:]), last], strict=True):
        ends = add_task(graph, task, [successor])
        if not ends.routes_itself:
            connect(graph, ends.exits, [successor])
    return [first_node(tasks[0])]
