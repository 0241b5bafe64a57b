"""Work beside the calls that nobody waits for: shadow calls, closing of connections."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final

MOST_AT_ONCE: Final = 100
"""More than so many are not begun."""
SETTLE_SECONDS: Final = 10.0

log = logging.getLogger(__name__)


class Background:
    """Owns tasks of any event loop until they end."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, work: Coroutine[Any, Any, None], *, must_be: bool = False) -> bool:
        """Do something in the running loop; without one, or with too much to do, not at all.

        Args:
            work: What.
            must_be: Whether it is done however much there is to do.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            work.close()
            return False
        if len(self._tasks) >= MOST_AT_ONCE and not must_be:
            work.close()
            return False
        task = loop.create_task(_careful(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def settle(self, *, at_most: float = SETTLE_SECONDS) -> None:
        """Wait for what was begun in this loop; what takes longer than `at_most` is broken off."""
        here = asyncio.get_running_loop()
        mine = [task for task in self._tasks if task.get_loop() is here]
        if not mine:
            return
        _, late = await asyncio.wait(mine, timeout=at_most)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=at_most)


async def _careful(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception:
        log.exception("something beside the calls of agents failed")
