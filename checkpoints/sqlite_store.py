"""LangGraph's SQLite store, usable from any event loop and by many processes."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

from langgraph.store.sqlite import SqliteStore

from checkpoints.database import BUSY_SECONDS, PAUSE_SECONDS

if TYPE_CHECKING:
    from langgraph.store.base import Op, Result

SETUP_SECONDS: Final = BUSY_SECONDS


class ThreadedSqliteStore(SqliteStore):
    """LangGraph's `SqliteStore` with async methods that run the sync ones in a thread.

    LangGraph's own async store is bound to one event loop and keeps its process alive
    until it is closed. Tables are created when the store is first used.
    """

    def setup(self) -> None:
        """Create or migrate the tables; several processes may do it at once.

        LangGraph's migrations are not atomic: a process that meets another's half-done one
        fails, and finds it done a moment later. If it stays half done, its process died after
        adding a column and before saying so, and that is said here.
        """
        give_up = time.monotonic() + SETUP_SECONDS
        patience = time.monotonic() + min(1.0, SETUP_SECONDS / 2)
        while True:
            try:
                return super().setup()
            except (sqlite3.OperationalError, sqlite3.IntegrityError) as error:
                if time.monotonic() > give_up:
                    raise
                if "duplicate column" in str(error) and time.monotonic() > patience:
                    self.conn.execute(
                        "INSERT OR IGNORE INTO store_migrations "
                        "SELECT COALESCE(MAX(v), -1) + 1 FROM store_migrations"
                    )
                else:
                    time.sleep(PAUSE_SECONDS)

    @contextmanager
    def _cursor(self, *, transaction: bool = True) -> Iterator[sqlite3.Cursor]:
        """Yield a cursor; a transaction takes the write lock at once.

        LangGraph begins one that reads first, and SQLite refuses to let it write once another
        process wrote in between, without waiting.
        """
        if not transaction:
            with super()._cursor(transaction=False) as cursor:
                yield cursor
            return
        self.setup()
        with self.lock, closing(self.conn.cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
            except BaseException:
                cursor.execute("ROLLBACK")
                raise
            cursor.execute("COMMIT")

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Run operations in order, off the event loop."""
        return await asyncio.to_thread(self.batch, list(ops))
