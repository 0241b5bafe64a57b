"""An endpoint for one call: at once, in line, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from state.errors import AgentOverloadedError, AgentUnavailableError

if TYPE_CHECKING:
    from collections.abc import Collection

    from orchestration.routing.agent_group import VersionState
    from orchestration.routing.pool import Pick
    from orchestration.routing.router import Router
    from orchestration.routing.waiting_line import Waiter

_SHOWN: Final = 5


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
    woken = False
    while True:
        with router.lock:
            behind = version.line and not woken and busy(version, tried, only)
            pick = None if behind else _begun(router, version, tried, only)
            if pick is not None:
                return pick
            waiter = _lined_up(router, version, tried, only, first=woken)
        try:
            await version.line.wait(waiter, at_most=version.spec.queue_timeout)
        except BaseException as error:
            with router.lock:
                version.line.leave(waiter)
            if isinstance(error, TimeoutError):
                raise _overloaded(version, "it waited too long for an endpoint") from None
            raise
        woken = True


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


def _lined_up(
    router: Router,
    version: VersionState,
    tried: Collection[str],
    only: str | None,
    *,
    first: bool,
) -> Waiter:
    """Line up for an endpoint that has as many calls as it may.

    Raises:
        AgentOverloadedError: Too many wait already.
        AgentUnavailableError: No call's end would help.
    """
    if not busy(version, tried, only):
        version.line.wake()  # those who wait would find the same, and nobody else tells them
        raise _unavailable(router, version, tried, only)
    most = version.spec.max_queue
    if most is not None and len(version.line) >= most and not first:
        raise _overloaded(version, f"{most} calls wait for an endpoint already")
    return version.line.join(first=first)


def busy(version: VersionState, tried: Collection[str], only: str | None) -> bool:
    """Whether an endpoint would take a call once one of its calls has ended."""
    return any(
        held.stage == "concurrency" and (id_ == only if only is not None else id_ not in tried)
        for id_, held in version.pool.skipped.items()
    )


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
