"""An agent that is one handler in this process: its calls take a short way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nodes.concurrency import ConcurrencyLimit
from orchestration.agents.local import call_of
from orchestration.routing.sent_before import made_nowhere_else

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from nodes.ports import CallSettings, DispatchJournal, Told
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
    def read_only(self) -> bool:
        """Whether the agent changes nothing anywhere."""
        return self.state.spec.read_only

    @property
    def settings(self) -> CallSettings:
        """What it says of its calls."""
        return self.state.spec.call_settings

    async def settle(self, context: AgentContext) -> None:
        """There is one version only."""

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


class WaryAgent:
    """A plain agent for a task whose call may have begun elsewhere, as it was another one then."""

    __slots__ = (
        "_journal",
        "_plain",
        "agent_id",
        "may_retry",
        "read_only",
        "settings",
        "told",
        "version",
    )

    def __init__(self, plain: PlainAgent, journal: DispatchJournal) -> None:
        self.agent_id = plain.agent_id
        self.version = plain.version
        self.may_retry = True
        self.told: Told | None = None
        self.read_only = plain.read_only
        self.settings = plain.settings
        self._plain = plain
        self._journal = journal

    async def settle(self, context: AgentContext) -> None:
        """There is one version only."""

    async def call(self, input_data: JsonObject, context: AgentContext) -> Any:  # noqa: ANN401
        """Do one task.

        Raises:
            AgentError: It may have begun elsewhere.
        """
        sent = await self._journal.sent(context.idempotency_key)
        spec = self._plain.state.spec
        here = (spec.agent_id, spec.version, spec.places[0].endpoint_id)
        endpoint = self._plain.state.pool.endpoints[here[2]]
        is_here = sent is None or (
            sent[:3] == here and sent.whereabouts in {"", endpoint.whereabouts}
        )
        if sent is not None and not is_here:
            self.may_retry = False
            raise made_nowhere_else(sent, "and the task has another agent now")
        return await self._plain.call(input_data, context)
