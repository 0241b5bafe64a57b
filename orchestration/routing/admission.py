"""Why an endpoint gets no calls now: small rules, asked in order; pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestration.routing.breaker import lets_by, opens_again

if TYPE_CHECKING:
    from orchestration.routing.endpoint_state import EndpointState

NEVER: Final = math.inf
"""Only something that happens ends it, not the time."""


PROBES_COUNT_FOR: Final = 5
"""So many intervals without a probe, and the last ones say nothing any more."""


class Hindrance(NamedTuple):
    """Why an endpoint gets no calls."""

    stage: str
    why: str
    until: float
    """When to look again, seconds since the epoch; `NEVER` if not by itself."""


Rule = Callable[["EndpointState", float], Hindrance | None]


def enabled(endpoint: EndpointState, _now: float) -> Hindrance | None:
    """Whether people want it to get calls."""
    if endpoint.switch != "enabled":
        return Hindrance("enabled", f"it is {endpoint.switch}", NEVER)
    if not endpoint.place.enabled:
        return Hindrance("enabled", "it is disabled in the configuration", NEVER)
    if endpoint.place.weight <= 0:
        return Hindrance("enabled", "its weight is 0", NEVER)
    return None


def healthy(endpoint: EndpointState, now: float) -> Hindrance | None:
    """Whether probes find it well, and it does as well as the others."""
    if endpoint.ejected_until > now:
        why = f"ejected: {endpoint.ejected_why}"
        return Hindrance("health", why, endpoint.ejected_until)
    policy = endpoint.resilience.probe
    if policy is not None and endpoint.failed_probes >= policy.failures:
        forgotten = endpoint.last_probe_at + PROBES_COUNT_FOR * policy.every.total_seconds()
        if now < forgotten:  # later, nobody probes any more
            return Hindrance("health", f"{endpoint.failed_probes} probes failed", forgotten)
    return None


def breaker_lets_by(endpoint: EndpointState, now: float) -> Hindrance | None:
    """Whether its breaker is closed, or lets a probe by."""
    breaker = endpoint.breaker
    if not breaker.is_open or lets_by(breaker, now):
        return None
    why = "its breaker is open"
    if now >= breaker.due:
        why = "its breaker is half-open, and a probe is under way"
    return Hindrance("breaker", why, opens_again(breaker))


def not_limited(endpoint: EndpointState, now: float) -> Hindrance | None:
    """Whether it has not asked to be left alone."""
    if endpoint.limited_until > now:
        return Hindrance("rate limit", "it asked for a pause", endpoint.limited_until)
    return None


def has_room(endpoint: EndpointState, _now: float) -> Hindrance | None:
    """Whether it may have one more call at a time."""
    most = endpoint.place.max_concurrency
    if most is not None and endpoint.outstanding >= most:
        return Hindrance("concurrency", f"it has {most} calls, as many as it may", NEVER)
    return None


RULES: Final[tuple[Rule, ...]] = (enabled, healthy, breaker_lets_by, not_limited, has_room)
ALL_THE_SAME: Final[tuple[Rule, ...]] = (breaker_lets_by, not_limited, has_room)
"""What holds for an endpoint too that only seems unwell."""


def hindrance(
    endpoint: EndpointState, now: float, rules: Iterable[Rule] = RULES
) -> Hindrance | None:
    """The first rule that keeps an endpoint from getting calls; None if it gets them."""
    for rule in rules:
        found = rule(endpoint, now)
        if found is not None:
            return found
    return None
