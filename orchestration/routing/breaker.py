"""A circuit breaker, as pure steps: what a call's end makes of it, and whether it lets calls by.

Nygard's three phases. Half-open is not stored: it is what an open breaker is once its time is
over, until a probe has closed it or opened it anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from orchestration.routing.policies import BreakerPolicy

Phase = Literal["closed", "open", "half_open"]

PROBE_SECONDS: Final = 60.0
"""After this a probe without an end counts for nothing: its process may have died."""


class Breaker(NamedTuple):
    """How a breaker stands; times are seconds since the epoch."""

    is_open: bool = False
    failures: int = 0
    """In a row."""
    recent: int = 0
    """The last calls as bits, the latest lowest; 1 is a failure."""
    calls: int = 0
    """How many of those bits count."""
    due: float = 0.0
    """When an open one becomes half-open."""
    openings: int = 0
    """In a row, without having been closed."""
    passed: int = 0
    """Probes in a row that succeeded."""
    probe_until: float = 0.0
    """A probe is under way, and counts until then; 0 if none is."""


CLOSED: Final = Breaker()


def phase(breaker: Breaker, now: float) -> Phase:
    """Name how it stands."""
    if not breaker.is_open:
        return "closed"
    return "half_open" if now >= breaker.due else "open"


def lets_by(breaker: Breaker, now: float) -> bool:
    """Whether a call may be made; of an open one that is a probe, and there is one at a time."""
    return not breaker.is_open or (now >= breaker.due and now >= breaker.probe_until)


def opens_again(breaker: Breaker) -> float:
    """When an open one lets a call by again, as far as is known."""
    return max(breaker.due, breaker.probe_until)


def probe_begun(breaker: Breaker, now: float) -> Breaker:
    """Note that a probe is under way."""
    return breaker._replace(probe_until=now + PROBE_SECONDS)


def probe_left(breaker: Breaker) -> Breaker:
    """Note that a probe ended without saying anything of the endpoint."""
    return breaker._replace(probe_until=0.0)


def succeeded(breaker: Breaker, policy: BreakerPolicy, *, probe: bool) -> Breaker:
    """Count a call that the endpoint answered."""
    if not breaker.is_open:
        return _counted(breaker, policy, failed=False)._replace(failures=0)
    if not probe:  # it began before the breaker opened
        return breaker
    passed = breaker.passed + 1
    if passed >= policy.probes:
        return CLOSED
    return breaker._replace(passed=passed, probe_until=0.0)


def failed(breaker: Breaker, policy: BreakerPolicy, now: float, *, probe: bool) -> Breaker:
    """Count a call that the endpoint failed."""
    if breaker.is_open:
        return _opened(breaker, policy, now) if probe else breaker
    counted = _counted(breaker, policy, failed=True)._replace(failures=breaker.failures + 1)
    in_a_row = counted.failures >= policy.failures
    judged = counted.calls >= policy.least_calls
    rate = counted.recent.bit_count() / counted.calls
    if in_a_row or (judged and rate >= policy.failure_rate):
        return _opened(counted, policy, now)
    return counted


def _counted(breaker: Breaker, policy: BreakerPolicy, *, failed: bool) -> Breaker:
    window = policy.window
    recent = (breaker.recent << 1 | failed) & ((1 << window) - 1)
    return breaker._replace(recent=recent, calls=min(breaker.calls + 1, window))


def _opened(breaker: Breaker, policy: BreakerPolicy, now: float) -> Breaker:
    longest = policy.longest_open.total_seconds()
    doubled = policy.open_for.total_seconds() * 2.0 ** min(breaker.openings, 30)
    return Breaker(is_open=True, due=now + min(doubled, longest), openings=breaker.openings + 1)
