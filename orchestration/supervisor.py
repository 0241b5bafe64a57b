"""The supervisor graph over a registry and a planner, for Studio and for other graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graph.compiler import Compiler
from graph.planner import plan
from graph.supervised import supervisor_graph
from nodes.run_handle import RunHandle
from state.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from langgraph.graph.state import CompiledStateGraph

    from graph.plan_request import PlanRequest
    from orchestration.agent_registry import AgentRegistry
    from state.jsonvalue import JsonObject
    from state.plan_document import PlanDocument

    Planning = Callable[[Sequence[JsonObject]], Awaitable[PlanRequest]]
    """Makes a request for a plan of messages."""


class RegistryDelegation:
    """Plans with a planner, and compiles for whatever checkpointer the graph around has."""

    def __init__(self, registry: AgentRegistry, planning: Planning) -> None:
        self._registry = registry
        self._planning = planning
        self._compiler = Compiler()

    async def plan(self, messages: Sequence[JsonObject], *, run_id: str) -> PlanDocument:
        """Plan what messages ask for."""
        request = await self._planning(messages)
        return plan(request, agents=self._registry, run_id=run_id).plan.document

    def graph_of(self, plan: PlanDocument) -> Any:  # noqa: ANN401  the port's
        """Return the compiled graph of a plan."""
        return self._compiler.compile(Plan(plan))


def compiled_supervisor(
    registry: AgentRegistry,
    planning: Planning,
    *,
    key: str,
    slots: AbstractAsyncContextManager[None] | None = None,
) -> CompiledStateGraph[Any, None, Any, Any]:
    """Compile the supervisor graph; see `graph.supervised.supervisor_graph`."""
    delegation = RegistryDelegation(registry, planning)

    def make_handle() -> RunHandle:
        return RunHandle(agents=registry, delegation=delegation, slots=slots)

    return supervisor_graph(make_handle, key=key)
