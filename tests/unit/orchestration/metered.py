"""A registry whose agents say what their calls cost, as those with endpoints do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nodes.ports import NO_TERMS, Terms, Told
from orchestration import AgentRegistry

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from state.agent_context import AgentContext
    from state.jsonvalue import JsonObject


class Metered:
    """An agent for one call, which costs something."""

    may_retry = True

    def __init__(self, agent: Any, price: float, terms: Terms) -> None:  # noqa: ANN401  the registry's own
        self._agent, self._price, self._terms, self.spec = agent, price, terms, agent.spec
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
