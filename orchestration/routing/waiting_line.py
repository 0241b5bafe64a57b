"""Calls that wait, in order, until an endpoint has room; they may wait in several event loops."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta

    Waiter = tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]


class WaitingLine:
    """First come, first served. Not safe by itself: its owner holds a lock, but not in `wait`."""

    def __init__(self) -> None:
        self._waiters: deque[Waiter] = deque()

    def __len__(self) -> int:
        return len(self._waiters)

    def join(self, *, first: bool = False) -> Waiter:
        """Line up; `first` is for one that was woken and found no room after all."""
        loop = asyncio.get_running_loop()
        waiter = (loop, loop.create_future())
        if first:
            self._waiters.appendleft(waiter)
        else:
            self._waiters.append(waiter)
        return waiter

    @staticmethod
    async def wait(waiter: Waiter, *, at_most: timedelta | None) -> None:
        """Wait to be woken.

        Raises:
            TimeoutError: It took too long.
        """
        seconds = None if at_most is None else at_most.total_seconds()
        async with asyncio.timeout(seconds):
            await waiter[1]

    def leave(self, waiter: Waiter) -> None:
        """Give up; if it was woken already, the next one is woken in its place."""
        if waiter in self._waiters:
            self._waiters.remove(waiter)
        else:
            self.wake()

    def wake(self) -> None:
        """Tell the first that there may be room."""
        while self._waiters:
            loop, woken = self._waiters.popleft()
            if not loop.is_closed() and not woken.cancelled():
                loop.call_soon_threadsafe(_wake, woken)
                return

    def wake_all(self) -> None:
        """Tell all that things have changed."""
        for _ in range(len(self._waiters)):
            self.wake()


def _wake(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)
