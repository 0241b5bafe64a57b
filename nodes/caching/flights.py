"""Calls under way in this process: who asks the same waits for the same one."""

from __future__ import annotations

import asyncio
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from nodes.shared_task import SharedTask

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import Any

    from nodes.caching.question import FullKey
    from nodes.caching.verdict import Cached


class Flight(SharedTask["Cached"]):
    """One call that answers a question."""

    def __init__(self, work: Coroutine[Any, Any, Cached], *, sequence: int) -> None:
        """Begin; `sequence` is the number of the latest invalidation before it."""
        super().__init__(work)
        self.sequence = sequence


class Flights:
    """The flights of each event loop."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[FullKey, Flight]] = (
            WeakKeyDictionary()
        )

    async def find(
        self, key: FullKey, *, sequence: int, is_outdated: Callable[[int], Awaitable[bool]]
    ) -> Flight | None:
        """Return the flight that answers a question, if there is one; wait for it at once.

        Args:
            key: Of the question.
            sequence: The number of the latest invalidation that the caller knows of.
            is_outdated: Whether one after a number concerns the question; a flight that began
                before it is left to those who asked earlier.
        """
        flights = self._here()
        while (flight := flights.get(key)) is not None:
            if flight.sequence < sequence and await is_outdated(flight.sequence):
                _forget(flights, key, flight)
            elif flights.get(key) is flight:
                return flight
        return None

    def begin(self, key: FullKey, work: Coroutine[Any, Any, Cached], *, sequence: int) -> Flight:
        """Begin the flight for a question that has none."""
        flights, flight = self._here(), Flight(work, sequence=sequence)
        flights[key] = flight
        flight.on_over = partial(_forget, flights, key, flight)
        flight.task.add_done_callback(lambda _: flight.on_over())
        return flight

    def _here(self) -> dict[FullKey, Flight]:
        loop = asyncio.get_running_loop()
        with self._lock:
            return self._by_loop.setdefault(loop, {})


def _forget(flights: dict[FullKey, Flight], key: FullKey, flight: Flight) -> None:
    if flights.get(key) is flight:
        del flights[key]
