"""One task after another, in one flat graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graph.steps import add_ending, add_task, connect, open_graph
from nodes.approval import first_node

if TYPE_CHECKING:
    from graph.steps import PlanGraph
    from state.plan import Plan


def build(plan: Plan, *, loads_plan: bool = False) -> PlanGraph:
    """Compile nothing yet: return the graph of a sequential plan.

    After a failure the remaining nodes still run, each only to record that it is skipped.
    """
    graph, begin = open_graph(plan, loads_plan=loads_plan)
    last = add_ending(graph, plan)
    tasks = list(plan.tasks())
    graph.add_edge(begin, first_node(tasks[0]))
    for task, successor in zip(tasks, [*map(first_node, tasks[1:]), last], strict=True):
        ends = add_task(graph, task, [successor])
        if not ends.routes_itself:
            connect(graph, ends.exits, [successor])
    return graph
