"""Work that several wait for at once, in a task of its own.

So no caller's cancellation ends it for the others; when the last one is gone, it is cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class SharedTask(Generic[T]):
    """Work that has begun on the running event loop."""

    def __init__(self, work: Coroutine[Any, Any, T]) -> None:
        self.task = asyncio.create_task(work)
        self.task.add_done_callback(_seen)
        self.on_over: Callable[[], object] = lambda: None
        """Called when nobody is to join it any more."""
        self._callers = 0

    async def wait(self) -> T:
        """Wait for what it returns.

        Raises:
            Exception: Whatever it raises.
        """
        self._callers += 1
        try:
            return await asyncio.shield(self.task)
        finally:
            self._callers -= 1
            if not self._callers and not self.task.done():
                self.on_over()
                self.task.cancel()
                await asyncio.wait([self.task])  # so that nothing of it outlives its callers


def _seen(task: asyncio.Task[Any]) -> None:
    """Look at a task's error, as its callers may all be gone."""
    if not task.cancelled():
        task.exception()
