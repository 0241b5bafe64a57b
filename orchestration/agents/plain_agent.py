"""An agent that is one handler in this process: its calls take a short way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nodes.concurrency import ConcurrencyLimit
from orchestration.agents.local import call_of

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from nodes.ports import Told
    from orchestration.agents.local import Call
    from orchestration.agents.spec import AgentSpec
    from orchestration.routing.agent_group import VersionState
    from state.agent_context import AgentContext
    from state.jsonvalue import JsonObject


class PlainAgent:
    """One version of one agent that is a handler and nothing else; the nodes' `Agent`.

    It needs no choice of an endpoint, so its calls take a short way.
    """

    __slots__ = ("_call", "_limit", "agent_id", "calls", "state", "told", "version")

    def __init__(self, spec: AgentSpec, state: VersionState) -> None:
        place = spec.places[0]
        self.agent_id = spec.agent_id
        self.version = spec.version
        self.state = state
        self.calls = 0
        self.told: Told | None = None
        self._call: Call = call_of(place.handler)
        most = place.max_concurrency
        self._limit = None if most is None else ConcurrencyLimit(most)

    @property
    def may_retry(self) -> bool:
        """A handler may always be called again: it gets the same key."""
        return True

    def call(self, input_data: JsonObject, context: AgentContext) -> Awaitable[Any]:
        """Do one task; what comes back is checked by the node."""
        self.calls += 1
        if self._limit is None:
            return self._call(input_data, context)
        return self._call_in_turn(self._limit, input_data, context)

    async def _call_in_turn(
        self, limit: ConcurrencyLimit, input_data: JsonObject, context: AgentContext
    ) -> Any:  # noqa: ANN401
        async with limit:
            return await self._call(input_data, context)
