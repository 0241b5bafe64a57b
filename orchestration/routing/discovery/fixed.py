"""Small sources: one that says the same for ever, one asked seldom, one that looks up names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from state.errors import DiscoveryError

if TYPE_CHECKING:
    from orchestration.agents.spec import AgentSpec
    from orchestration.routing.discovery.source import DiscoverySource

DNS_METADATA: Final = "dns"
"""Under this key of an agent's metadata, `DnsSettings` may be given."""
_NEVER: Final = float("-inf")


class Fixed:
    """Agents that neither come nor go."""

    def __init__(self, name: str, specs: Sequence[AgentSpec]) -> None:
        self.name = name
        self.specs = tuple(specs)

    async def find(self) -> Sequence[AgentSpec]:
        """Return them."""
        return self.specs


class Seldom:
    """A source that is dear to ask, and so is asked only now and then."""

    def __init__(
        self, source: DiscoverySource, *, every_seconds: float, clock: Callable[[], float]
    ) -> None:
        self.name = source.name
        self._source = source
        self._every = every_seconds
        self._clock = clock
        self._asked_at = _NEVER
        self._said: Sequence[AgentSpec] = ()

    @property
    def problems(self) -> Sequence[Exception]:
        """Why some of its agents are missing, if it knows."""
        found: Sequence[Exception] = getattr(self._source, "problems", ())
        return found

    async def find(self) -> Sequence[AgentSpec]:
        """Return what it says, or said not long ago."""
        if self._clock() >= self._asked_at + self._every:
            self._said = await self._source.find()
            self._asked_at = self._clock()
        return self._said


class WithNames:
    """A source whose agents may be at an SRV name, which the DNS turns into endpoints.

    Such an agent has one endpoint, whose host begins with an underscore:
    `https://_ticketing._tcp.example.com/agent`. What the DNS cannot say now counts as before.
    """

    def __init__(self, source: DiscoverySource, *, clock: Callable[[], float]) -> None:
        self.name = source.name
        self._source = source
        self._clock = clock
        self._lookups: dict[tuple[str, str], _Lookup] = {}

    async def find(self) -> Sequence[AgentSpec]:
        """Return its agents, with endpoints for names.

        Raises:
            DiscoveryError: A name that was never looked up successfully cannot be now.
        """
        found: list[AgentSpec] = []
        for spec in await self._source.find():
            found.extend(await self._at_name(spec) if is_at_name(spec) else (spec,))
        return found

    async def _at_name(self, spec: AgentSpec) -> Sequence[AgentSpec]:
        key = (spec.agent_id, spec.version)
        lookup = self._lookups.get(key)
        if lookup is None or lookup.spec != spec:
            lookup = self._lookups[key] = _Lookup(spec, self._clock)
        return await lookup.find()


class _Lookup:
    """What the DNS says of one agent."""

    def __init__(self, spec: AgentSpec, clock: Callable[[], float]) -> None:
        from orchestration.routing.discovery.dns_srv import (  # noqa: PLC0415  an extra
            DnsSettings,
            DnsSrvSource,
        )

        self.spec = spec
        said = dict(spec.metadata.get(DNS_METADATA, {}))
        unknown = said.keys() - {field.name for field in fields(DnsSettings)}
        if unknown:
            raise DiscoveryError(
                f"agent {spec.agent_id!r}: metadata.{DNS_METADATA} has {sorted(unknown)!r}, which "
                f"are no settings; there are {[each.name for each in fields(DnsSettings)]!r}"
            )
        self._source = DnsSrvSource(spec, settings=DnsSettings(**said), clock=clock)
        self._said: Sequence[AgentSpec] | None = None

    async def find(self) -> Sequence[AgentSpec]:
        """Return the agent with its endpoints, or as they were where the DNS cannot say."""
        try:
            self._said = await self._source.find()
        except DiscoveryError:
            if self._said is None:
                raise
        return self._said or ()


def is_at_name(spec: AgentSpec) -> bool:
    """Whether an agent is where an SRV name says."""
    return spec.endpoint is not None and is_name(spec.endpoint)


def is_name(address: str) -> bool:
    """Whether an address has an SRV name for its host."""
    return (urlsplit(address).hostname or "").startswith("_")
