"""Work beside the calls that nobody waits for: shadow calls, closing of connections."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final

MOST_AT_ONCE: Final = 100
"""More than so many are not begun."""

log = logging.getLogger(__name__)


class Background:
    """Owns tasks of any event loop until they end."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do something in the running loop; without one, or with too much to do, not at all."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            work.close()
            return False
        if len(self._tasks) >= MOST_AT_ONCE:
            work.close()
            return False
        task = loop.create_task(_careful(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def settle(self) -> None:
        """Wait for what was begun in this loop."""
        here = asyncio.get_running_loop()
        mine = [task for task in self._tasks if task.get_loop() is here]
        if mine:
            await asyncio.wait(mine)


async def _careful(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception:
        log.exception("something beside the calls of agents failed")
