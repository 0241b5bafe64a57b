"""The port to whatever knows which agents there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestration.agents.spec import AgentSpec


class DiscoverySource(Protocol):
    """Knows agents that may come and go; it is asked again and again."""

    @property
    def name(self) -> str:
        """How people call it, e.g. `dns:_ticketing._tcp.example.com`."""
        ...

    async def find(self) -> Sequence[AgentSpec]:
        """Return the agents that there are now, all of them.

        Raises:
            DiscoveryError, AgentFileError: It cannot say; what it said before counts on.
        """
        ...
