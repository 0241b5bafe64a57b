"""Health probes: endpoints that get no calls are asked whether they are well."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestration.agents.connector import SlowToStart
from orchestration.routing.breaker import (
    failed,
    lets_by,
    phase,
    probe_begun,
    probe_left,
    succeeded,
)
from state.errors import AgentTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestration.agents.connector import Connector
    from orchestration.routing.endpoint_state import EndpointState
    from orchestration.routing.policies import ProbePolicy
    from orchestration.routing.router import Router

MOST_AT_ONCE: Final = 8
"""Probes at the same time, whatever the number of endpoints."""
JITTER: Final = 0.2
"""Between two probes an interval passes, give or take this share of it."""


class Probed(NamedTuple):
    """What a probe found."""

    endpoint: EndpointState
    seconds: float
    error: str | None
    """None if the endpoint is well."""


def wants_probe(endpoint: EndpointState, now: float) -> bool:
    """Whether an endpoint is to be asked now: it is idle or left out, and its time has come."""
    policy = endpoint.resilience.probe
    if policy is None or not endpoint.place.is_remote or not endpoint.can_be_probed:
        return False
    if now < endpoint.next_probe_at or endpoint.switch == "disabled":
        return False
    if endpoint.breaker.is_open:
        return lets_by(endpoint.breaker, now)
    every = policy.every.total_seconds()
    left_out = endpoint.ejected_until > now or endpoint.failed_probes > 0
    idle = endpoint.outstanding == 0 and now >= endpoint.last_call_at + every
    return (idle or left_out) and now >= endpoint.last_probe_at + every * (1 - JITTER)


def next_probe(policy: ProbePolicy, now: float, random: Callable[[], float]) -> float:
    """When to ask an endpoint again."""
    every = policy.every.total_seconds()
    return now + every * (1 + JITTER * (2 * random() - 1))


class HealthProbes:
    """Probes the endpoints of a router, a few at a time, each at a time of its own."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._slots = asyncio.Semaphore(MOST_AT_ONCE)

    async def look(self) -> list[Probed]:
        """Probe what is to be probed now; whoever is seen first gets a random time to come."""
        return await self._probe_all(list(self._due()))

    async def all(self) -> list[Probed]:
        """Probe every endpoint that can be, whether its time has come or not."""
        wanted = [
            endpoint
            for endpoint in self._router.endpoints()
            if endpoint.place.is_remote and endpoint.resilience.probe is not None
        ]
        return await self._probe_all(wanted)

    def _due(self) -> Iterator[EndpointState]:
        now, random = self._router.clock(), self._router.random
        for endpoint in self._router.endpoints():
            policy = endpoint.resilience.probe
            if policy is None:
                continue
            if endpoint.next_probe_at == 0:
                endpoint.next_probe_at = now + policy.every.total_seconds() * random()
            elif wants_probe(endpoint, now):
                endpoint.next_probe_at = next_probe(policy, now, random)
                yield endpoint

    async def _probe_all(self, endpoints: list[EndpointState]) -> list[Probed]:
        found = await asyncio.gather(*map(self._probe, endpoints))
        return [each for each in found if each is not None]

    async def _probe(self, endpoint: EndpointState) -> Probed | None:
        """Probe one endpoint; None if it cannot be, or another process has just done it."""
        policy = endpoint.resilience.probe
        assert policy is not None  # noqa: S101  the caller has looked
        router = self._router
        async with self._slots:
            with router.lock:
                probe = phase(endpoint.breaker, router.clock()) == "half_open"
            if probe and not lets_by(endpoint.breaker, router.clock()):
                return None  # a call is the probe
            try:
                if not await self._claim(endpoint, probe=probe):
                    return None
                connector = router.connector(endpoint)
                if isinstance(connector, SlowToStart):
                    await connector.get_ready()
                begun = time.perf_counter()
                error = await self._asked(connector, policy)
            except BaseException as raised:
                self._left(endpoint, probe=probe)
                if not isinstance(raised, NotImplementedError):
                    raise
                endpoint.can_be_probed = False
                return None
            seconds = time.perf_counter() - begun
        self._found(endpoint, error)
        return Probed(endpoint, seconds, None if error is None else str(error))

    @staticmethod
    async def _asked(connector: Connector, policy: ProbePolicy) -> Exception | None:
        """Ask an endpoint, and return what is wrong with it.

        Raises:
            NotImplementedError: Its kind cannot be asked.
        """
        try:
            async with asyncio.timeout(policy.timeout.total_seconds()):
                await connector.probe()
        except NotImplementedError:
            raise
        except TimeoutError:
            return AgentTimeoutError("it did not answer the probe in time")
        except Exception as error:  # noqa: BLE001  of a client; it keeps no other from being asked
            return error
        return None

    async def _claim(self, endpoint: EndpointState, *, probe: bool) -> bool:
        """Whether this process, of all that share the database, is to ask now.

        Args:
            endpoint: Whom.
            probe: Whether its half-open breaker waits for the answer.
        """
        router, now = self._router, self._router.clock()
        with router.lock:
            endpoint.last_probe_at = now
            if probe:
                endpoint.breaker = probe_begun(endpoint.breaker, now)
                router.refresh(endpoint)
        if router.sharing is None:
            return True
        if probe:
            return await router.sharing.claim_probe(endpoint)
        return await router.sharing.claim_check(endpoint)

    def _left(self, endpoint: EndpointState, *, probe: bool) -> None:
        """Let somebody else be the probe."""
        if probe:
            with self._router.lock:
                endpoint.breaker = probe_left(endpoint.breaker)
                self._router.refresh(endpoint)
                self._router.changed(endpoint)

    def _found(self, endpoint: EndpointState, error: Exception | None) -> None:
        router, now = self._router, self._router.clock()
        with router.lock:
            before, probing = endpoint.failed_probes, endpoint.breaker.probe_until > 0
            endpoint.failed_probes = 0 if error is None else before + 1
            policy = endpoint.resilience.breaker
            if policy is not None and endpoint.breaker.is_open and probing:
                endpoint.breaker = (
                    succeeded(endpoint.breaker, policy, probe=True)
                    if error is None
                    else failed(endpoint.breaker, policy, now, probe=True)
                )
            router.refresh(endpoint)
            if probing or endpoint.failed_probes != before:
                router.changed(endpoint)
