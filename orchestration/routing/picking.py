"""An endpoint for one call: at once, in line, or none."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from state.errors import AgentOverloadedError, AgentUnavailableError

if TYPE_CHECKING:
    from collections.abc import Collection

    from orchestration.routing.agent_group import VersionState
    from orchestration.routing.pool import Pick
    from orchestration.routing.router import Router
    from orchestration.routing.waiting_line import Waiter

_SHOWN: Final = 5
_LEAST_WAIT: Final = 0.05
"""Seconds; whoever waits in line does not look more often by itself."""


async def endpoint_for(
    router: Router, version: VersionState, tried: Collection[str], only: str | None
) -> Pick:
    """Pick an endpoint for a call, which counts as begun; wait in line if all are busy.

    Args:
        router: Has the lock, the clock and the random numbers.
        version: Of whose endpoints.
        tried: Those that are not to be picked.
        only: The one that may be picked; None for any.

    Raises:
        AgentOverloadedError: Too many wait already, or it took too long.
        AgentUnavailableError: None takes calls now.
    """
    line = version.line
    waiter: Waiter | None = None
    longest = version.spec.queue_timeout
    until = None if longest is None else time.monotonic() + longest.total_seconds()
    while True:
        with router.lock:
            if waiter is not None:
                line.come(waiter)
            behind = waiter is None and is_behind(version, tried, only)
            pick = None if behind else _begun(router, version, tried, only)
            if waiter is not None and version.pool.serving > line.promised:
                line.wake(behind=waiter)  # for room that this one cannot use, or leaves
            if pick is not None:
                return pick
            waiter = _lined_up(router, version, tried, only, before=waiter, behind=behind)
            seconds = _to_wait(router, version, until)
        try:
            await line.wait(waiter, at_most=seconds)
        except BaseException as error:
            if isinstance(error, TimeoutError) and (until is None or time.monotonic() < until):
                continue
            with router.lock:
                line.leave(waiter)
            if isinstance(error, TimeoutError):
                raise _overloaded(version, "it waited too long for an endpoint") from None
            raise


def _to_wait(router: Router, version: VersionState, until: float | None) -> float | None:
    """For how many seconds to wait in line: an endpoint may be back before a call ends."""
    back = version.pool.next_due(router.clock())
    known = [] if back is None else [max(back, _LEAST_WAIT)]
    if until is not None:
        known.append(max(0.0, until - time.monotonic()))
    return min(known, default=None)


def _begun(
    router: Router, version: VersionState, tried: Collection[str], only: str | None
) -> Pick | None:
    now = router.clock()
    if only is not None:
        tried = [id_ for id_ in version.pool.endpoints if id_ != only]
    pick = version.pool.decide(now, router.random, tried)
    if pick is not None:
        version.pool.begin(pick, now)
    return pick


def _lined_up(  # noqa: PLR0913  what the call is like, and where it stood
    router: Router,
    version: VersionState,
    tried: Collection[str],
    only: str | None,
    *,
    before: Waiter | None,
    behind: bool,
) -> Waiter:
    """Line up for an endpoint that has as many calls as it may.

    Raises:
        AgentOverloadedError: Too many wait already.
        AgentUnavailableError: No call's end would help.
    """
    if not behind and not busy(version, tried, only):
        version.line.wake()  # those who wait would find the same, and nobody else tells them
        raise _unavailable(router, version, tried, only)
    most = version.spec.max_queue
    if most is not None and len(version.line) >= most and before is None:
        raise _overloaded(version, f"{most} calls wait for an endpoint already")
    return version.line.join(before)


def is_behind(version: VersionState, tried: Collection[str], only: str | None) -> bool:
    """Whether a call that has just come has to let others go first: there is no room but theirs."""
    line, pool = version.line, version.pool
    if not line:
        return False
    if only is not None:
        takes_calls = only in pool.endpoints and pool.endpoints[only].serving
        return not takes_calls and busy(version, tried, only)
    free = pool.serving - sum(
        id_ in pool.endpoints and pool.endpoints[id_].serving for id_ in tried
    )
    promised = line.promised
    return free <= promised and (promised > 0 or busy(version, tried, only))


def busy(version: VersionState, tried: Collection[str], only: str | None) -> bool:
    """Whether an endpoint would take a call once one of its calls has ended."""
    pool = version.pool
    if only is not None:
        return pool.would_have_room(only)
    return any(id_ not in tried and pool.would_have_room(id_) for id_ in pool.skipped)


def _unavailable(
    router: Router, version: VersionState, tried: Collection[str], only: str | None
) -> AgentUnavailableError:
    pool, spec = version.pool, version.spec
    held = {id_: each.why for id_, each in pool.skipped.items() if only is None or id_ == only}
    shown = "; ".join(f"{id_}: {why}" for id_, why in list(held.items())[:_SHOWN])
    if tried:
        shown = "; ".join(filter(None, [shown, f"tried already: {sorted(tried)!r}"]))
    return AgentUnavailableError(
        f"no endpoint of agent {spec.agent_id!r} version {spec.version} takes calls now "
        f"({shown}); `orchestration agents health` shows them all",
        retry_after=pool.next_due(router.clock()),
    )


def _overloaded(version: VersionState, why: str) -> AgentOverloadedError:
    spec = version.spec
    return AgentOverloadedError(
        f"agent {spec.agent_id!r} version {spec.version}: {why}. Raise max_concurrency, "
        "max_queue or queue_timeout, add an endpoint, or send less at once"
    )
