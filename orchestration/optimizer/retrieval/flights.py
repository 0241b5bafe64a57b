"""Retrievals that several callers want at the same time, made once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

from nodes.shared_task import SharedTask

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


class Flights(Generic[T]):
    """Shares running work by key, within one event loop each."""

    def __init__(self) -> None:
        self._running: dict[tuple[asyncio.AbstractEventLoop, str], SharedTask[T]] = {}

    async def join(self, key: str, work: Callable[[], Coroutine[object, object, T]]) -> T:
        """Return what `work` returns, or what the same work returns that runs already.

        Raises:
            BaseException: What the work raised, to everybody who waits for it.
        """
        place = asyncio.get_running_loop(), key
        flight = self._running.get(place)
        if flight is None:
            flight = self._running[place] = self._begun(place, work())
        return await flight.wait()

    def _begun(
        self, place: tuple[asyncio.AbstractEventLoop, str], work: Coroutine[object, object, T]
    ) -> SharedTask[T]:
        flight = SharedTask(work)

        def over() -> None:
            if self._running.get(place) is flight:
                del self._running[place]

        flight.on_over = over
        flight.task.add_done_callback(lambda _: over())
        return flight
