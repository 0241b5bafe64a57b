"""One writer for each SQLite database in a process, which commits many writes at once.

A commit costs a disk flush, whatever it holds. So writes from concurrent runs queue up
while one commit is under way and share the next; and a write that nobody needs to be
durable at once (`lazy`) waits a few milliseconds for one that does.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

from state.errors import DatabaseError

LAZY_SECONDS: Final = 0.005
"""How long a lazy write waits for company."""
LARGEST_BATCH: Final = 500
"""Writes in one transaction; more would keep other processes waiting."""

T = TypeVar("T")
Write = Callable[[sqlite3.Connection], T]


class _Queued(NamedTuple):
    write: Write[Any]
    future: Future[Any]

    def run(self, connection: sqlite3.Connection) -> Callable[[], None]:
        """Do it in a savepoint; return how to report it once the group is committed.

        Raises:
            sqlite3.Error: SQLite gave up the whole transaction, as on a full disk.
        """
        connection.execute("SAVEPOINT write")
        try:
            value = self.write(connection)
        except Exception as error:  # it belongs to whoever asked for the write
            if not connection.in_transaction:
                raise
            connection.execute("ROLLBACK TO write")
            connection.execute("RELEASE write")
            return partial(self.fail, error)
        connection.execute("RELEASE write")
        return partial(self.future.set_result, value)

    def fail(self, error: Exception) -> None:
        """Report an error, unless something was reported before."""
        if not self.future.done():
            self.future.set_exception(error)


class GroupCommitWriter:
    """Runs writes one after another on its own thread, and commits them in groups.

    A write's future is done when its commit is: from then on it survives a crash. A write
    that raises is rolled back alone. The order of submission is kept.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        """`connect` is called on the writer's thread, before the first write."""
        self._connect = connect
        self._wake = threading.Condition()
        self._queue: list[_Queued] = []
        self._due: float | None = None
        self._closed = False
        self._thread: threading.Thread | None = None
        self.commits = 0
        """Commits so far; for tests and benchmarks."""

    def connect(self) -> sqlite3.Connection:
        """Open one more connection of the same kind; whoever asks closes it."""
        return self._connect()

    def submit(self, write: Write[T], *, lazy: bool = False) -> Future[T]:
        """Queue a write.

        Args:
            write: Called with the connection, inside a transaction; must not commit.
            lazy: Whether it may wait for another write, at most `LAZY_SECONDS`.

        Raises:
            DatabaseError: The writer was closed.
        """
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # a queued write is done, whoever waits for it
        with self._wake:
            if self._closed:
                raise DatabaseError("the database is closed; open it again")
            self._queue.append(_Queued(write, future))
            if lazy:
                if self._due is None:
                    self._due = time.monotonic() + LAZY_SECONDS
            else:
                self._due = 0.0
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="orchestration-sqlite-writer", daemon=True
                )
                self._thread.start()
            self._wake.notify()
        return future

    def close(self) -> None:
        """Write what is queued, then stop."""
        with self._wake:
            self._closed = True
            self._due = 0.0
            self._wake.notify()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        try:
            while batch := self._next_batch():
                try:
                    connection = connection or self._connect()
                    self._commit(connection, batch)
                except Exception as error:  # noqa: BLE001  reported to everyone in the batch
                    for queued in batch:
                        queued.fail(error)
        finally:
            if connection is not None:
                connection.close()

    def _next_batch(self) -> list[_Queued]:
        """Wait until something is due; an empty batch means that the writer is closed."""
        with self._wake:
            while not (self._queue and self._is_due()):
                if self._closed:
                    return []
                wait = None if self._due is None else max(self._due - time.monotonic(), 0.0)
                self._wake.wait(wait)
            batch = self._queue[:LARGEST_BATCH]
            del self._queue[:LARGEST_BATCH]
            if not self._queue:
                self._due = None
            return batch

    def _is_due(self) -> bool:
        return self._due is not None and self._due <= time.monotonic()

    def _commit(self, connection: sqlite3.Connection, batch: list[_Queued]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            reports = [queued.run(connection) for queued in batch]
            connection.commit()
        except BaseException:
            with suppress(sqlite3.Error):
                connection.rollback()
            raise
        self.commits += 1
        for report in reports:
            report()
