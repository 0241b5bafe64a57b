"""Tasks of event loops, of which a process may have several, one after the other too."""

from __future__ import annotations

import asyncio
from typing import TypeVar

T = TypeVar("T")


def is_here(task: asyncio.Task[T]) -> bool:
    """Whether a task belongs to the running loop; one of a loop that has ended never goes on."""
    try:
        return task.get_loop() is asyncio.get_running_loop()
    except RuntimeError:
        return False
