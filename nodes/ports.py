"""What nodes need from above, and nothing about who provides it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from state.agent_context import AgentContext
    from state.errors import Problem
    from state.jsonvalue import JsonObject
    from state.plan_document import PlanDocument
    from state.proposal import PlanningRequest, Proposal


class Agent(Protocol):
    """One version of one agent, ready to be called."""

    @property
    def agent_id(self) -> str:
        """Who it is."""
        ...

    @property
    def version(self) -> str:
        """Which version of it."""
        ...

    def call(self, input_data: JsonObject, context: AgentContext) -> Awaitable[JsonObject]:
        """Do one task and answer with a JSON object.

        Raises:
            AgentError: It could not or would not; anything else that is raised counts as
                a failure too.
        """
        ...


class Agents(Protocol):
    """Finds agents for tasks."""

    def choose(self, *, agent_id: str | None, capability: str | None) -> Agent:
        """Pick who does a task that names an agent or, failing that, a capability.

        Raises:
            AgentNotFoundError: Nobody enabled fits.
        """
        ...

    @property
    def need_store(self) -> bool:
        """Whether any of them is a LangChain Runnable, which may ask LangGraph for its store."""
        ...

    def problem_with(self, *, agent_id: str | None, capability: str | None) -> Problem | None:
        """Say why a task for this agent or capability could not run, before anything does."""
        ...


class Clock(Protocol):
    """Wall time and waiting, so that tests need not wait."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class Planner(Protocol):
    """Splits a request in plain words into tasks."""

    async def propose(self, request: PlanningRequest) -> Proposal:
        """Plan a request, or say what was not understood.

        Raises:
            AgentError: It could not; e.g. the model behind it does not answer.
        """
        ...


class Delegation(Protocol):
    """Makes plans of requests inside a graph, and graphs of plans."""

    async def plan(self, messages: Sequence[JsonObject], *, run_id: str) -> PlanDocument:
        """Plan what messages ask for; without tasks if they were not understood."""
        ...

    def graph_of(self, plan: PlanDocument) -> Any:  # noqa: ANN401  LangGraph's type is heavy
        """Return the compiled graph of a plan."""
        ...


class LeaseGuard(Protocol):
    """Tells whether this process may still act for a thread."""

    async def confirm(self) -> None:
        """Return if it may.

        Raises:
            LeaseLostError: It may not.
        """
        ...
