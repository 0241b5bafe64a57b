"""From a plan to LangGraph's compiled graph, which plans of equal shape share."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from graph.steps import add_ending, open_graph
from graph.strategies import fill
from nodes.plan_loader import TEMPLATE_KEY
from nodes.run_handle import RunHandle, Template, offer_template

if TYPE_CHECKING:
    from collections.abc import Hashable

    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.store.base import BaseStore

    from graph.steps import PlanGraph
    from state.plan import Plan
    from state.run_state import RunState

    CompiledPlan = CompiledStateGraph[RunState, None, RunState, Any]

KEPT_GRAPHS: Final = 256


def build(plan: Plan, *, loads_plan: bool = False) -> PlanGraph:
    """Return the graph of a plan, not yet compiled.

    Args:
        plan: Its shape decides.
        loads_plan: Whether the graph carries its plan along, or gets it as input.
    """
    graph, begin = open_graph(plan, loads_plan=loads_plan)
    last = add_ending(graph, plan)
    entries = fill(graph, plan, last) if plan.document["order"] else [last]
    for entry in entries:
        graph.add_edge(begin, entry)
    return graph


def compile_template(
    plan: Plan, make_handle: Callable[[], RunHandle], *, key: str | None = None
) -> CompiledPlan:
    """Compile a graph that carries its plan along, to be invoked or embedded by anybody.

    Args:
        plan: Every invocation is a new run of it.
        make_handle: Makes what serves a run in this process.
        key: Names the template; needed where another process shall resume its runs.
    """
    key = key or f"template-{uuid.uuid4().hex}"
    offer_template(key, Template(plan.document, make_handle))
    return compile_with_key(build(plan, loads_plan=True), key, name=str(plan.strategy))


def compile_with_key(graph: PlanGraph, key: str, *, name: str) -> CompiledPlan:
    """Compile a graph whose runs are served under `key`."""
    return graph.compile(name=name).with_config(configurable={TEMPLATE_KEY: key})


class Compiler:
    """Compiles plans for one checkpointer; keeps the graphs used last."""

    def __init__(
        self,
        checkpointer: BaseCheckpointSaver[str] | None = None,
        store: BaseStore | None = None,
    ) -> None:
        self._checkpointer = checkpointer
        self._store = store
        self._graphs: OrderedDict[Hashable, CompiledPlan] = OrderedDict()

    def compile(self, plan: Plan, *, with_store: bool = True) -> CompiledPlan:
        """Return the compiled graph for plans of this shape.

        LangGraph looks after a store in every step, so who needs none does without.
        """
        shape = (plan.shape(), with_store)
        graph = self._graphs.get(shape)
        if graph is not None:
            self._graphs.move_to_end(shape)
            return graph
        graph = build(plan).compile(
            checkpointer=self._checkpointer,
            store=self._store if with_store else None,
            name=str(plan.strategy),
        )
        self._graphs[shape] = graph
        if len(self._graphs) > KEPT_GRAPHS:
            self._graphs.popitem(last=False)
        return graph
