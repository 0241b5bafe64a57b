"""What may be said about how calls are spread, and what becomes of endpoints that fail."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

WEIGHTED_ROUND_ROBIN: Final = "weighted_round_robin"
LEAST_OUTSTANDING: Final = "least_outstanding"
LATENCY: Final = "latency"
COST: Final = "cost"
BALANCING: Final = (WEIGHTED_ROUND_ROBIN, LEAST_OUTSTANDING, LATENCY, COST)
"""How one of several endpoints is picked: in turn by weight; by the fewest calls under way;
by the lower expected latency of two drawn at random; the cheapest that takes calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """When an endpoint gets no more calls, and when it gets one again."""

    failures: int = 5
    """This many in a row open it."""
    failure_rate: float = 0.5
    """So does this share of the last `window` calls, if there were `least_calls`."""
    window: int = 20
    least_calls: int = 10
    open_for: timedelta = timedelta(seconds=10)
    """Then one call at a time is let through as a probe: half-open."""
    longest_open: timedelta = timedelta(minutes=5)
    """Each probe that fails doubles the time, up to this."""
    probes: int = 1
    """This many in a row have to succeed to close it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlierPolicy:
    """When an endpoint that does worse than the others is left out for a while."""

    most_ejected: float = 0.5
    """Share of a pool's endpoints that may be without calls for it to eject one more; those
    with an open breaker count. A pool never ejects its last."""
    least_calls: int = 20
    """Calls of an endpoint within `interval` before it is judged."""
    interval: timedelta = timedelta(seconds=30)
    success_gap: float = 0.2
    """It is ejected if its success rate is lower than the others' median by more than this."""
    latency_factor: float = 3.0
    """Or if its mean latency is more than this many times the others' median,"""
    latency_gap: timedelta = timedelta(milliseconds=50)
    """and by more than this above it: among quick endpoints a hiccup says nothing."""
    ejected_for: timedelta = timedelta(seconds=30)
    """Times how often it was ejected in a row, up to `longest`."""
    longest: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbePolicy:
    """How endpoints that get no calls are asked whether they are well."""

    every: timedelta = timedelta(seconds=10)
    """Between probes of an endpoint, give or take a fifth; only while it is idle or left out."""
    timeout: timedelta = timedelta(seconds=2)
    failures: int = 3
    """This many failed probes in a row make an endpoint unhealthy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resilience:
    """How a version's endpoints are watched, and when a call is made elsewhere."""

    breaker: BreakerPolicy | None = field(default_factory=BreakerPolicy)
    """None leaves failing endpoints in."""
    outliers: OutlierPolicy | None = field(default_factory=OutlierPolicy)
    probe: ProbePolicy | None = field(default_factory=ProbePolicy)
    failovers: int = 2
    """Other endpoints that one attempt at a task may be tried at, where that is safe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp:
    """How a version's weight grows: a canary's."""

    since: float
    """Seconds since the epoch."""
    points: tuple[tuple[float, float], ...]
    """Seconds after `since`, and the weight then; in between it grows evenly."""
