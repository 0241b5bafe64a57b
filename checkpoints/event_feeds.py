"""What readers of this process have not read yet, each in a bounded buffer."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict, deque
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from checkpoints.events import LoggedEvent, RunKey

BUFFERED_EVENTS: Final = 1000
"""Events that wait for one reader; of more, the oldest are read from the log again."""


class Feed:
    """One reader's buffer: filled from any thread, emptied in the reader's event loop."""

    def __init__(self, newest: int | None = None) -> None:
        """`newest` is the last event there is, where that is known."""
        self._buffer: deque[LoggedEvent] = deque(maxlen=BUFFERED_EVENTS)
        self._newest = newest
        self._lock = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._woken = asyncio.Event()
        self._is_waking = False

    def offer(self, events: Sequence[LoggedEvent]) -> None:
        """Take over events that are in the log now."""
        with self._lock:
            self._buffer.extend(events)
            self._newest = events[-1].sequence
            is_waking, self._is_waking = self._is_waking, True
        if not is_waking:
            self.wake()

    def wake(self) -> None:
        """Let the reader look again."""
        if threading.get_ident() == self._thread:
            self._woken.set()
            return
        with suppress(RuntimeError):  # its event loop is closed
            self._loop.call_soon_threadsafe(self._woken.set)

    def take(self, after: int) -> list[LoggedEvent] | None:
        """Return what comes next after a sequence number; None if only the log knows."""
        with self._lock:
            self._is_waking = False
            buffer = self._buffer
            while buffer and buffer[0].sequence <= after:
                buffer.popleft()
            if buffer and buffer[0].sequence == after + 1:
                found = [*buffer]
                buffer.clear()
                return found
            return [] if self._newest is not None and self._newest <= after else None

    async def wait(self, seconds: float | None) -> bool:
        """Wait until there may be something new, at most so long; whether this process says so."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        is_woken = self._woken.is_set()
        self._woken.clear()
        return is_woken


class Feeds:
    """The readers of this process, by run."""

    def __init__(self) -> None:
        self._feeds: defaultdict[RunKey, list[Feed]] = defaultdict(list)
        self._lock = threading.Lock()

    def publish(self, key: RunKey, events: Sequence[LoggedEvent]) -> None:
        """Hand events that are in the log to whoever follows the run."""
        with self._lock:
            feeds = [*self._feeds.get(key, ())]
        for feed in feeds:
            feed.offer(events)

    @contextmanager
    def follow(self, key: RunKey, *, newest: int | None = None) -> Iterator[Feed]:
        """Collect what this process adds to a run's log while the body reads."""
        feed = Feed(newest)
        with self._lock:
            self._feeds[key].append(feed)
        try:
            yield feed
        finally:
            with self._lock:
                self._feeds[key].remove(feed)
                if not self._feeds[key]:
                    del self._feeds[key]
