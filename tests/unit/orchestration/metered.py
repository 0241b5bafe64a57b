"""A registry whose agents say what their calls cost, as those with endpoints do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nodes.ports import NO_TERMS, Agent, Terms, Told
from orchestration import AgentRegistry

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from state.agent_context import AgentContext
    from state.jsonvalue import JsonObject


class Metered:
    """An agent for one call, which costs something."""

    may_retry = True

    def __init__(self, agent: Agent, price: float, terms: Terms) -> None:
        self._agent, self._price, self._terms = agent, price, terms
        self.agent_id, self.version = agent.agent_id, agent.version
        self.told: Told | None = None

    def call(self, input_data: JsonObject, context: AgentContext) -> Awaitable[JsonObject]:
        self.told = {"cost": self._terms.cost + self._price, "endpoint": "here"}
        reply: Awaitable[JsonObject] = self._agent.call(input_data, context)
        return reply


class MeteredRegistry(AgentRegistry):
    """Charges a price for every call, and keeps under what terms they were made."""

    def __init__(self, price: float = 1.0) -> None:
        super().__init__()
        self.price = price
        self.terms: list[Terms] = []

    def choose(
        self,
        *,
        agent_id: str | None,
        capability: str | None,
        thread_id: str = "",
        terms: Terms = NO_TERMS,
    ) -> Any:  # noqa: ANN401  an agent of another kind than the registry's own
        self.terms.append(terms)
        agent = super().choose(
            agent_id=agent_id, capability=capability, thread_id=thread_id, terms=terms
        )
        return Metered(agent, self.price, terms)
