"""What the end of a call says of its endpoint, and which endpoints do worse than the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestration.routing.breaker import failed, probe_left, succeeded
from orchestration.routing.failover import is_endpoints_fault
from orchestration.routing.outliers import Tally, outliers
from state.errors import AgentRateLimitedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestration.routing.endpoint_state import EndpointState
    from orchestration.routing.policies import OutlierPolicy
    from orchestration.routing.pool import Pool

LIMITED_SECONDS: Final = 1.0
"""How long an endpoint is left alone that asks for a pause and does not say how long."""
LOOKS: Final = 10
"""How often in an interval it is looked for outliers."""


def judged(
    endpoint: EndpointState,
    error: Exception | None,
    now: float,
    *,
    seconds: float,
    probe: bool,
) -> bool:
    """Count the end of a call; return whether others should know how the endpoint stands now."""
    if isinstance(error, AgentRateLimitedError):
        _limit(endpoint, error, now, probe=probe)
        return True
    faulty = error is not None and is_endpoints_fault(error)
    before, policy = endpoint.breaker, endpoint.resilience.breaker
    endpoint.tally.count(answered=not faulty, seconds=seconds)
    if faulty:
        endpoint.failures += 1
        if policy is not None:
            endpoint.breaker = failed(before, policy, now, probe=probe)
    else:
        endpoint.measured(seconds, now)
        endpoint.failed_probes = 0
        if policy is not None:
            endpoint.breaker = succeeded(before, policy, probe=probe)
    after = endpoint.breaker
    if (before.is_open, before.due, before.passed) == (after.is_open, after.due, after.passed):
        return False
    endpoint.tally = Tally()
    return True


def _limit(
    endpoint: EndpointState, error: AgentRateLimitedError, now: float, *, probe: bool
) -> None:
    pause = LIMITED_SECONDS if error.retry_after is None else error.retry_after
    endpoint.limited_until = max(endpoint.limited_until, now + pause)
    if probe:
        endpoint.breaker = probe_left(endpoint.breaker)


class Ejection:
    """Leaves out the outliers of a pool, a few times in an interval."""

    def __init__(self) -> None:
        self._looked_at = 0.0
        self._turned_over_at = 0.0

    def due(self, pool: Pool, now: float) -> Iterator[EndpointState]:
        """Eject what is to be ejected now; yield it."""
        policy = pool.resilience.outliers
        if policy is None or len(pool.endpoints) == 1:
            return
        interval = policy.interval.total_seconds()
        if now < self._looked_at + interval / LOOKS:
            return
        self._looked_at = now
        tallies = {id_: endpoint.tally for id_, endpoint in pool.endpoints.items()}
        for id_, why in outliers(tallies, pool.without_calls(), policy):
            endpoint = pool.endpoints[id_]
            _eject(endpoint, why, policy, now)
            yield endpoint
        if now >= self._turned_over_at + interval:
            self._turned_over_at = now
            for endpoint in pool.endpoints.values():
                if endpoint.ejections and endpoint.ejected_until + interval < now:
                    endpoint.ejections -= 1
                endpoint.tally.turn_over()


def _eject(endpoint: EndpointState, why: str, policy: OutlierPolicy, now: float) -> None:
    endpoint.ejections += 1
    span = policy.ejected_for.total_seconds() * endpoint.ejections
    endpoint.ejected_until = now + min(span, policy.longest.total_seconds())
    endpoint.ejected_why = why
    endpoint.tally = Tally()
    endpoint.latency = None
