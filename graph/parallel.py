"""Tasks beside each other, as far as what they build on allows.

LangGraph ends a superstep only when its slowest node does. So a chain that runs beside
others, and a task that may be tried again or has to be approved, becomes a subgraph: the
superstep around it is as long as the branch, and the branches do not wait for each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langgraph.graph import START, StateGraph

from graph.layout import direct_needs
from graph.steps import Ends, add_task, connect
from state.plan_document import END_NODE
from state.run_state import BranchOutput, RunState

if TYPE_CHECKING:
    from graph.steps import PlanGraph
    from state.plan import Plan
    from state.plan_document import PlannedTask, Region


def fill(graph: PlanGraph, plan: Plan, last: str) -> list[str]:
    """Add the tasks of a parallel plan, leading to `last`; return where it begins."""
    ends = _Builder(plan.document["tasks"]).add(graph, plan.document["layout"], [last])
    if not ends.routes_itself:
        connect(graph, ends.exits, [last])
    return ends.entries


class _Builder:
    """Adds regions to graphs; holds the plan's tasks."""

    def __init__(self, tasks: dict[str, PlannedTask]) -> None:
        self._tasks = tasks

    def add(self, graph: PlanGraph, region: Region, following: list[str]) -> Ends:
        """Add a region that the nodes `following` come after."""
        match region["kind"]:
            case "task":
                return add_task(graph, self._tasks[region["tasks"][0]], following)
            case "series":
                return self._series(graph, region, following)
            case "parallel":
                branches = [self._branch(graph, part) for part in region["parts"]]
                return Ends(branches, branches)
            case "mesh":
                return self._mesh(graph, region)

    def _series(self, graph: PlanGraph, region: Region, following: list[str]) -> Ends:
        """Add the parts from the last to the first, as each must know what comes next."""
        exits: Ends | None = None
        for part in reversed(region["parts"]):
            ends = self.add(graph, part, following)
            if exits is None:
                exits = ends
            elif not ends.routes_itself:
                connect(graph, ends.exits, following)
            following = ends.entries
        assert exits is not None  # noqa: S101  a series has at least two parts
        return Ends(following, exits.exits, exits.routes_itself)

    def _mesh(self, graph: PlanGraph, region: Region) -> Ends:
        needs = {id_: self._tasks[id_]["needs"] for id_ in region["tasks"]}
        direct = direct_needs(region["tasks"], needs)
        for id_ in region["tasks"]:
            self._branch(graph, {"kind": "task", "tasks": [id_]})
        for id_, others in direct.items():
            if others:
                connect(graph, others, [id_])
        needed = {other for others in direct.values() for other in others}
        return Ends(
            [id_ for id_, others in direct.items() if not others],
            [id_ for id_ in region["tasks"] if id_ not in needed],
        )

    def _branch(self, graph: PlanGraph, region: Region) -> str:
        """Add what runs beside others as one node, and return its name."""
        if region["kind"] == "task" and not _may_linger(self._tasks[region["tasks"][0]]):
            return self.add(graph, region, []).exits[0]
        inner: PlanGraph = StateGraph(RunState, output_schema=BranchOutput)
        ends = self.add(inner, region, [END_NODE])
        connect(inner, [START], ends.entries)
        if not ends.routes_itself:
            connect(inner, ends.exits, [END_NODE])
        name = _branch_name(region["tasks"])
        graph.add_node(name, inner.compile())
        return name


def _may_linger(task: PlannedTask) -> bool:
    """Whether the task can hold up its superstep: by waiting to retry, or for anything else."""
    asks = bool(task["approval"]) or "budgeted" in task
    return task["retry"] is not None or asks or "wait" in task


def _branch_name(tasks: list[str]) -> str:
    """A name that no task can have: ids hold no dots."""
    return tasks[0] if len(tasks) == 1 else f"{tasks[0]}..{tasks[-1]}"
