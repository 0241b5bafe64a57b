"""Calls that wait, in order, until an endpoint has room; they may wait in several event loops."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from itertools import count, takewhile
from typing import Final, NamedTuple

PROMISED_SECONDS: Final = 1.0
"""For so long a place is kept for one that was woken; its event loop may have stopped."""


class Waiter(NamedTuple):
    """A call in line."""

    number: int
    """The lower, the earlier it came."""
    loop: asyncio.AbstractEventLoop
    woken: asyncio.Future[None]


class WaitingLine:
    """First come, first served. Not safe by itself: its owner holds a lock, but not in `wait`.

    One that is woken has a place promised until it has come, so that nobody takes it before.
    """

    def __init__(self) -> None:
        self._waiters: deque[Waiter] = deque()
        self._promised: dict[int, float] = {}
        """Until when, by number."""
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._waiters) + len(self._promised)

    @property
    def promised(self) -> int:
        """How many were woken and have not come yet."""
        if self._promised:
            now = time.monotonic()
            for number in [each for each, until in self._promised.items() if until < now]:
                del self._promised[number]
        return len(self._promised)

    def join(self, before: Waiter | None = None) -> Waiter:
        """Line up; one that was in line `before` and found no room gets its place again."""
        loop = asyncio.get_running_loop()
        number = next(self._numbers) if before is None else before.number
        waiter = Waiter(number, loop, loop.create_future())
        earlier = takewhile(lambda each: each.number < number, self._waiters)
        at = len(self._waiters) if before is None else sum(1 for _ in earlier)
        self._waiters.insert(at, waiter)
        return waiter

    @staticmethod
    async def wait(waiter: Waiter, *, at_most: float | None) -> None:
        """Wait to be woken.

        Args:
            waiter: Who.
            at_most: Seconds.

        Raises:
            TimeoutError: It took too long.
        """
        async with asyncio.timeout(at_most):
            await waiter.woken

    def come(self, waiter: Waiter) -> None:
        """Take note that one looks for room now, whether it was woken or not."""
        if self._promised.pop(waiter.number, None) is None:
            with suppress(ValueError):
                self._waiters.remove(waiter)

    def leave(self, waiter: Waiter) -> None:
        """Give up; if it was woken already, the next one is woken in its place."""
        if waiter in self._waiters:
            self._waiters.remove(waiter)
        else:
            self._promised.pop(waiter.number, None)
            self.wake()

    def wake(self, *, behind: Waiter | None = None) -> None:
        """Tell the first that there may be room, or the first of those behind one."""
        after = -1 if behind is None else behind.number
        while (waiter := self._first(after)) is not None:
            self._waiters.remove(waiter)
            if waiter.woken.cancelled():
                continue
            with suppress(RuntimeError):  # its loop is closed
                waiter.loop.call_soon_threadsafe(_wake, waiter.woken)
                self._promised[waiter.number] = time.monotonic() + PROMISED_SECONDS
                return

    def _first(self, after: int) -> Waiter | None:
        return next((each for each in self._waiters if each.number > after), None)

    def wake_all(self) -> None:
        """Tell all that things have changed."""
        for _ in range(len(self._waiters)):
            self.wake()


def _wake(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)
