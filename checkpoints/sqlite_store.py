"""LangGraph's SQLite store, usable from any event loop and by many processes."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from typing import TYPE_CHECKING, Final

from langgraph.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langgraph.store.base import Op, Result

SETUP_SECONDS: Final = 30.0


class ThreadedSqliteStore(SqliteStore):
    """LangGraph's `SqliteStore` with async methods that run the sync ones in a thread.

    LangGraph's own async store is bound to one event loop and keeps its process alive
    until it is closed. Tables are created when the store is first used.
    """

    def setup(self) -> None:
        """Create or migrate the tables; several processes may do it at once.

        LangGraph's migrations are not atomic: a process that meets another's half-done one
        fails, and finds it done a moment later.
        """
        give_up = time.monotonic() + SETUP_SECONDS
        while True:
            try:
                return super().setup()
            except (sqlite3.OperationalError, sqlite3.IntegrityError):
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.02)

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Run operations in order, off the event loop."""
        return await asyncio.to_thread(self.batch, list(ops))
