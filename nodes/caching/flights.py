"""Calls under way in this process: who asks the same waits for the same one."""

from __future__ import annotations

import asyncio
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import Any

    from nodes.caching.question import FullKey
    from nodes.caching.verdict import Cached


class Flight:
    """One call, in a task of its own, so that no caller's cancellation ends it for the others."""

    def __init__(self, work: Coroutine[Any, Any, Cached], *, sequence: int) -> None:
        """Begin; `sequence` is the number of the latest invalidation before it."""
        self.sequence = sequence
        self.task = asyncio.create_task(work)
        self.task.add_done_callback(_seen)
        self._callers = 0

    async def wait(self, abandon: Callable[[], None]) -> Cached:
        """Wait for the answer; the last caller to be cancelled calls `abandon` and ends it.

        Raises:
            Exception: Whatever the call raises.
        """
        self._callers += 1
        try:
            return await asyncio.shield(self.task)
        finally:
            self._callers -= 1
            if not self._callers and not self.task.done():
                abandon()
                self.task.cancel()
                await asyncio.wait([self.task])  # so that nothing of it outlives the run


class Flights:
    """The flights of each event loop."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[FullKey, Flight]] = (
            WeakKeyDictionary()
        )

    async def join(
        self,
        key: FullKey,
        begin: Callable[[], Coroutine[Any, Any, Cached]],
        *,
        sequence: int,
        is_outdated: Callable[[int], Awaitable[bool]],
    ) -> tuple[Cached, bool]:
        """Wait for the flight that answers a question; begin it if there is none.

        Args:
            key: Of the question.
            begin: Makes the call.
            sequence: The number of the latest invalidation that the caller knows of.
            is_outdated: Whether one after a number concerns the question; a flight that began
                before it is left to those who asked earlier.

        Returns:
            The answer, and whether this caller began the flight.

        Raises:
            Exception: Whatever the call raises.
        """
        flights = self._here()
        while (flight := flights.get(key)) is not None:
            if flight.sequence < sequence and await is_outdated(flight.sequence):
                _forget(flights, key, flight)
            elif flights.get(key) is flight:
                return await flight.wait(lambda: _forget(flights, key, flight)), False
        begun = Flight(begin(), sequence=sequence)
        flights[key] = begun
        begun.task.add_done_callback(lambda _: _forget(flights, key, begun))
        return await begun.wait(lambda: _forget(flights, key, begun)), True

    def _here(self) -> dict[FullKey, Flight]:
        loop = asyncio.get_running_loop()
        with self._lock:
            return self._by_loop.setdefault(loop, {})


def _forget(flights: dict[FullKey, Flight], key: FullKey, flight: Flight) -> None:
    if flights.get(key) is flight:
        del flights[key]


def _seen(task: asyncio.Task[Cached]) -> None:
    """Look at a task's error, as its callers may all be gone."""
    if not task.cancelled():
        task.exception()
