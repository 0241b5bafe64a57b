"""Work that several callers want at the same time, done once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


class Flights(Generic[T]):
    """Shares running work by key, within one event loop each.

    A caller that is cancelled takes nobody else's result away; work that nobody waits for
    any more is cancelled.
    """

    def __init__(self) -> None:
        self._running: dict[tuple[asyncio.AbstractEventLoop, str], _Flight[T]] = {}

    async def join(self, key: str, work: Callable[[], Coroutine[object, object, T]]) -> T:
        """Return what `work` returns, or what the same work returns that runs already.

        Raises:
            BaseException: What the work raised, to everybody who waits for it.
        """
        place = asyncio.get_running_loop(), key
        flight = self._running.get(place)
        if flight is None:
            flight = self._running[place] = _Flight(asyncio.create_task(work()))
            flight.task.add_done_callback(lambda task: self._landed(place, task))
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                self._landed(place, flight.task)
                flight.task.cancel()

    def _landed(self, place: tuple[asyncio.AbstractEventLoop, str], task: asyncio.Task[T]) -> None:
        flight = self._running.get(place)
        if flight is not None and flight.task is task:
            del self._running[place]
        if task.done() and not task.cancelled():
            task.exception()  # its callers have it; where none is left, nobody misses it


class _Flight(Generic[T]):
    def __init__(self, task: asyncio.Task[T]) -> None:
        self.task = task
        self.waiting = 0
