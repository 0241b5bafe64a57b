"""Endpoints of an agent from the DNS: SRV records (RFC 2782)."""

from __future__ import annotations

import asyncio
import importlib.util
import math
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

from orchestration.agents.addresses import told
from orchestration.agents.spec import AgentSpec
from orchestration.routing.discovery.srv_records import (
    SrvRecord,
    endpoint_id,
    is_allowed,
    is_domain,
    plain,
    weighed,
    zone_of,
)
from state.errors import ConfigurationError, DiscoveryError
from state.jsonvalue import described

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver
    from dns.resolver import Answer

EXTRA: Final = "agent-orchestration-layer[discovery]"
MOST_ENDPOINTS: Final = 1000
_LONGEST_REASON: Final = 500
_SERVICE = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})+")


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsSettings:
    """How to ask, and what to believe.

    Args:
        nameservers: IP addresses to ask, one after the other; by default those of the system.
        port: Of the nameservers.
        timeout: Of one `find`, over all nameservers and repetitions.
        allowed: Suffixes that targets may have; by default the zone of the service's name,
            e.g. `example.com` for `_ticketing._tcp.example.com`.
        shortest: An answer is kept at least for this time, however short its TTL.
        longest: And at most for this time, however long its TTL.
        absent_is_empty: Whether a name that does not exist means that there are no endpoints
            now, as with Consul and Kubernetes; by default it is an error, since it is the
            same as a mistake in the name, and what was known before counts on.
    """

    nameservers: Sequence[str] = ()
    port: int = 53
    timeout: timedelta = timedelta(seconds=5)
    allowed: Sequence[str] = ()
    shortest: timedelta = timedelta(seconds=5)
    longest: timedelta = timedelta(minutes=10)
    absent_is_empty: bool = False


class DnsSrvSource:
    """A version of an agent whose endpoints are in the DNS; a `DiscoverySource`.

    Args:
        template: The version, with one endpoint whose host is the service's name, e.g.
            `https://_ticketing._tcp.example.com/agent`. All that is said of it holds for each
            endpoint that is found; of the address, the host and port are replaced.
        settings: How to ask.
        clock: Seconds, for how long an answer is good.

    Raises:
        ConfigurationError: dnspython is not installed, or something given cannot be.
    """

    def __init__(
        self,
        template: AgentSpec,
        *,
        settings: DnsSettings | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings or DnsSettings()
        self._clock = clock
        self._template = template
        if importlib.util.find_spec("dns") is None:
            raise ConfigurationError(
                f"DNS discovery needs dnspython; run `pip install '{EXTRA}'`, or leave out "
                f"the source of agent {template.agent_id!r}"
            )
        found = [*_template_problems(template), *_settings_problems(self._settings)]
        if found:
            raise ConfigurationError(
                f"DNS discovery of agent {template.agent_id!r}: {'; '.join(found)}"
            )
        self._url = urlsplit(str(template.places[0].address))
        self._service = _service_of(self._url)
        self._allowed = tuple(map(plain, self._settings.allowed)) or (zone_of(self._service),)
        if not all(self._allowed):
            raise ConfigurationError(
                f"DNS discovery of agent {template.agent_id!r}: {self._service!r} has no zone "
                "that its targets could be in; give `allowed`"
            )
        self._known: Sequence[AgentSpec] = ()
        self._good_until = -math.inf

    @property
    def name(self) -> str:
        """E.g. `dns:_ticketing._tcp.example.com`."""
        return f"dns:{self._service}"

    async def find(self) -> Sequence[AgentSpec]:
        """Return the version with its endpoints; nothing if the service is not available.

        The DNS is not asked again before the last answer's TTL is over.

        Raises:
            DiscoveryError: No answer, or one that names a target that is not allowed; what it
                said before counts on.
        """
        if self._clock() < self._good_until:
            return self._known
        records, seconds = await self._ask()
        self._known = self._specs(records)
        shortest, longest = self._settings.shortest, self._settings.longest
        kept = min(max(seconds, shortest.total_seconds()), longest.total_seconds())
        self._good_until = self._clock() + kept
        return self._known

    async def _ask(self) -> tuple[list[SrvRecord], float]:
        """What the DNS says, and for how many seconds that is good."""
        # the import and the system's configuration would hold the loop up
        resolver = await asyncio.to_thread(self._resolver)
        from dns.exception import DNSException  # noqa: PLC0415  loaded by now
        from dns.resolver import NXDOMAIN, NoAnswer  # noqa: PLC0415

        try:
            answer = await resolver.resolve(f"{self._service}.", "SRV")
        except (NXDOMAIN, NoAnswer) as absent:
            if self._settings.absent_is_empty:
                return [], 0.0
            raise self._error(f"{absent}; correct the name, or say absent_is_empty") from absent
        except (DNSException, OSError) as failed:
            raise self._error(str(failed) or type(failed).__name__) from failed
        return list(_records(answer)), float(answer.chaining_result.minimum_ttl)

    def _resolver(self) -> Resolver:
        """Made for each question, so that a change of the system's settings counts."""
        from dns.asyncresolver import Resolver  # noqa: PLC0415  a tenth of a second, and an extra
        from dns.exception import DNSException  # noqa: PLC0415

        settings = self._settings
        try:
            resolver = Resolver(configure=not settings.nameservers)
        except (DNSException, OSError) as failed:
            raise self._error(f"the system's nameservers cannot be read: {failed}") from failed
        if settings.nameservers:
            resolver.nameservers = list(settings.nameservers)
            resolver.port = settings.port
        resolver.lifetime = settings.timeout.total_seconds()
        # one that is silent must leave time for asking again, or the next one
        resolver.timeout = min(resolver.timeout, resolver.lifetime / 2)
        return resolver

    def _specs(self, records: Sequence[SrvRecord]) -> Sequence[AgentSpec]:
        """The version with an endpoint for each record; none without records."""
        places = [each for each in records if each.target]
        if refused := [each for each in places if not is_allowed(each, self._allowed)]:
            named = ", ".join(f"{each.target}:{each.port}" for each in refused)
            raise self._error(
                f"a target has to be a host in {', '.join(self._allowed)} with a port from 1, so "
                "nothing of the answer is believed; correct the records, or `allowed`, for "
                f"{described(named)}"
            )
        if len(places) > MOST_ENDPOINTS:
            raise self._error(f"{len(places)} records; at most {MOST_ENDPOINTS} are taken")
        if not places:
            return ()
        template, only = self._template, self._template.places[0]
        endpoints = [
            replace(
                only,
                endpoint_id=endpoint_id(record),
                address=self._url._replace(netloc=f"{record.target}:{record.port}").geturl(),
                priority=-record.priority,
                weight=weight,
            )
            for record, weight in weighed(places)
        ]
        return (replace(template, endpoint=None, endpoints=endpoints, kind=None),)

    def _error(self, reason: str) -> DiscoveryError:
        return DiscoveryError(f"{self.name}: {reason[:_LONGEST_REASON]}")


def _records(answer: Answer) -> Iterator[SrvRecord]:
    from dns.rdtypes.IN.SRV import SRV  # noqa: PLC0415  loaded by now

    for each in answer:
        if isinstance(each, SRV):
            target = each.target.to_text(omit_final_dot=True).lower()
            host = "" if each.target.labels == (b"",) else target
            yield SrvRecord(each.priority, each.weight, each.port, host)


def _service_of(url: SplitResult) -> str:
    return plain(url.hostname or "")


def _template_problems(template: AgentSpec) -> Iterator[str]:
    if len(template.places) != 1 or template.places[0].address is None:
        yield "give one endpoint, whose host is the service's name"
        return
    address = template.places[0].address
    try:
        url = urlsplit(address)
        has_port = url.port is not None
    except ValueError as error:
        yield f"the endpoint {told(address)!r} is no URL: {error}"
        return
    if url.scheme not in ("http", "https") or not _SERVICE.fullmatch(_service_of(url)):
        yield (
            f"the endpoint is {told(address)!r}; give a URL such as "
            "https://_ticketing._tcp.example.com/agent"
        )
    if has_port or url.username is not None or url.password is not None:
        yield "the endpoint's URL has a port or a user; the port comes from the DNS"


def _settings_problems(settings: DnsSettings) -> Iterator[str]:
    for each in settings.nameservers:
        try:
            ip_address(each)
        except ValueError:
            yield f"nameserver {described(each)} is no IP address"
    if type(settings.port) is not int or not 0 < settings.port < 2**16:
        yield f"port is {described(settings.port)}; give a number from 1 to 65535"
    if settings.timeout <= timedelta():
        yield f"timeout is {settings.timeout}; give more than nothing"
    if not timedelta() <= settings.shortest <= settings.longest:
        yield f"shortest is {settings.shortest} and longest {settings.longest}; give 0 or more"
    for suffix in settings.allowed:
        if not is_domain(plain(suffix)):
            yield f"allowed has {described(suffix)}; give a domain such as 'example.com'"
