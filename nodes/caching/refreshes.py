"""Answers that are fetched anew in the background, each once."""

from __future__ import annotations

import asyncio
import logging
from contextvars import Context
from threading import Lock
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from nodes.caching.question import FullKey

RETRY_SECONDS: Final = 1.0
"""After a fetch that failed, nobody begins another for so long."""

_log = logging.getLogger(__name__)


class Refreshes:
    """Owns the background tasks of each event loop."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._by_loop: WeakKeyDictionary[
            asyncio.AbstractEventLoop, dict[FullKey, asyncio.Task[bool]]
        ] = WeakKeyDictionary()
        self.done = 0
        self.failed = 0

    def begin(self, key: FullKey, work: Coroutine[Any, Any, bool]) -> None:
        """Begin to fetch, unless it is being fetched."""
        loop = asyncio.get_running_loop()
        with self._lock:
            tasks = self._by_loop.setdefault(loop, {})
        if key in tasks:
            work.close()
            return
        apart = Context()  # a refresh is nobody's: an agent that is a graph must not write for one
        tasks[key] = task = asyncio.create_task(work, context=apart)
        task.add_done_callback(lambda ended: self._ended(tasks, key, ended))

    async def aclose(self) -> None:
        """Cancel what is being fetched, and wait for this loop's to end."""
        here = asyncio.get_running_loop()
        with self._lock:
            found = [(loop, list(tasks.values())) for loop, tasks in self._by_loop.items()]
        for loop, tasks in found:
            for task in tasks:
                if loop is here:
                    task.cancel()
                elif loop.is_running():
                    loop.call_soon_threadsafe(task.cancel)
            if loop is here and tasks:
                await asyncio.wait(tasks)

    def _ended(
        self, tasks: dict[FullKey, asyncio.Task[bool]], key: FullKey, task: asyncio.Task[bool]
    ) -> None:
        error = None if task.cancelled() else task.exception()
        if error is None:
            del tasks[key]
            self.done += not task.cancelled() and task.result()
            return
        self.failed += 1
        task.get_loop().call_later(RETRY_SECONDS, tasks.pop, key)
        _log.warning("a kept answer of agent %r could not be refreshed: %s", key[0][1], error)
