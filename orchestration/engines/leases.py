"""Keeps the leases of this process's running threads alive."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import socket
import time
import uuid
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from state.errors import ConfigurationError, LeaseLostError

if TYPE_CHECKING:
    from checkpoints.threads import Lease, ThreadStore
    from nodes.brake import Brake

_log = logging.getLogger(__name__)

LEASE_VARIABLE: Final = "ORCHESTRATION_LEASE_SECONDS"
DEFAULT_LEASE_SECONDS: Final = 30.0


def lease_seconds(wanted: float | None = None) -> float:
    """Return how long a lease lasts without a heartbeat.

    Raises:
        ConfigurationError: It is not a positive number.
    """
    given = os.environ.get(LEASE_VARIABLE) or DEFAULT_LEASE_SECONDS if wanted is None else wanted
    source = f"{LEASE_VARIABLE}={given!r}" if wanted is None else f"lease_seconds={given!r}"
    try:
        seconds = float(given)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ConfigurationError(f"{source} cannot be; use a positive number of seconds")
    return seconds


@cache
def holder_name() -> str:
    """Name this process to others: host, process id, and a part that is never reused."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


@dataclass(slots=True, eq=False)
class HeldLease:
    """One lease of this process; the `LeaseGuard` of the nodes' port."""

    lease: Lease
    heart: _Heart | None
    """Keeps it alive; None where nobody else can take it."""
    runner: asyncio.Task[object] | None
    sure_until: float
    """Until when nobody can have taken the thread; in terms of `time.monotonic`."""
    lost: bool = False
    brake: Brake | None = None
    """Pulled when somebody cancels the run."""

    async def confirm(self) -> None:
        """Return if the thread is still this process's.

        Raises:
            LeaseLostError: Another process took it.
        """
        if self.heart is not None and not self.lost and time.monotonic() > self.sure_until:
            await self.heart.renew()
        if self.lost:
            raise LeaseLostError(self.lease.thread_id)

    def lose(self) -> None:
        """Let the run end, as another process took the thread; unless it is let go already."""
        if self.heart is not None and self.heart.keeps(self) and not self.lost:
            self.lost = True
            if self.runner is not None:
                self.runner.cancel()

    def keep(self) -> None:
        """Keep it alive (again)."""
        if self.heart is not None:
            self.heart.add(self)

    def drop(self) -> None:
        """Stop keeping it alive."""
        if self.heart is not None:
            self.heart.drop(self)


def unguarded(lease: Lease) -> HeldLease:
    """A lease that nobody else can take, and that needs no heartbeat."""
    return HeldLease(lease, None, None, math.inf)


class LeaseKeeper:
    """Renews held leases three times per lease time; cancels the run of a lost one.

    Each event loop that runs threads keeps the leases of its own: it may end before others.
    """

    def __init__(self, threads: ThreadStore, seconds: float) -> None:
        self._threads = threads
        self._seconds = seconds
        self._hearts: WeakKeyDictionary[asyncio.AbstractEventLoop, _Heart] = WeakKeyDictionary()

    def hold(self, lease: Lease, *, since: float) -> HeldLease:
        """Keep a lease alive that was claimed at monotonic time `since`, for this task."""
        loop = asyncio.get_running_loop()
        heart = self._hearts.get(loop)
        if heart is None:
            heart = self._hearts[loop] = _Heart(self._threads, self._seconds)
        held = HeldLease(lease, heart, asyncio.current_task(), since + self._seconds)
        heart.add(held)
        return held


class _Heart:
    """The held leases of one event loop."""

    def __init__(self, threads: ThreadStore, seconds: float) -> None:
        self._threads = threads
        self._seconds = seconds
        self._held: set[HeldLease] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._renewal: asyncio.Task[None] | None = None

    def add(self, held: HeldLease) -> None:
        """Keep a lease alive from now on."""
        self._held.add(held)
        if self._timer is None:
            self._schedule()

    def drop(self, held: HeldLease) -> None:
        """Stop keeping a lease alive."""
        self._held.discard(held)
        if not self._held and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def keeps(self, held: HeldLease) -> bool:
        """Whether a lease is kept alive."""
        return held in self._held

    async def renew(self) -> None:
        """Renew every held lease now."""
        held = list(self._held)
        since = time.monotonic()
        leases = [each.lease for each in held]
        lost, cancelled = await self._threads.renew(leases, seconds=self._seconds)
        for each in held:
            if each.lease.thread_id not in lost:
                each.sure_until = since + self._seconds
                if each.brake is not None and each.lease.thread_id in cancelled:
                    each.brake.cancel(cancelled[each.lease.thread_id])
            else:
                each.lose()

    def _schedule(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._seconds / 3, self._beat)

    def _beat(self) -> None:
        self._schedule()
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.ensure_future(self.renew())
            self._renewal.add_done_callback(_report)


def _report(renewal: asyncio.Task[None]) -> None:
    """A renewal that failed is tried again at the next beat; until then the lease holds."""
    if not renewal.cancelled() and (error := renewal.exception()) is not None:
        _log.warning("could not renew leases, will try again: %s", error)
