"""One writer for each SQLite database in a process, which commits many writes at once.

A commit costs a disk flush, whatever it holds. So writes from concurrent runs queue up
while one commit is under way and share the next; and a write that nobody needs to be
durable at once (`lazy`) waits a few milliseconds for one that does. What only has to survive
this process, and not the machine (`flush=False`), is committed at once and without a flush.
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
_NORMAL: Final = 1
"""SQLite's `synchronous` level that flushes only when the log is moved into the file."""

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


class _Batch(NamedTuple):
    """Writes of one transaction."""

    writes: list[_Queued]
    flush: bool


class GroupCommitWriter:
    """Runs writes one after another on its own thread, and commits them in groups.

    A write's future is done when its commit is: from then on it survives a crash. A write
    that raises is rolled back alone. The order of submission is kept, but that writes without
    a flush may come before others: so none is ever later than what was submitted after it.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        """`connect` is called on the writer's thread, before the first write."""
        self._connect = connect
        self._wake = threading.Condition()
        self._queue: list[_Queued] = []
        self._unflushed: list[_Queued] = []
        self._due: float | None = None
        self._closed = False
        self._thread: threading.Thread | None = None
        self._flushes = True
        self._level: int | None = None
        self.commits = 0
        """Commits so far; for tests and benchmarks."""

    def connect(self) -> sqlite3.Connection:
        """Open one more connection of the same kind; whoever asks closes it."""
        return self._connect()

    def submit(self, write: Write[T], *, lazy: bool = False, flush: bool = True) -> Future[T]:
        """Queue a write.

        Args:
            write: Called with the connection, inside a transaction; must not commit.
            lazy: Whether it may wait for another write, at most `LAZY_SECONDS`.
            flush: Whether its commit has to reach the disk. Without, it outlives the process,
                but may be lost with the machine.

        Raises:
            DatabaseError: The writer was closed.
        """
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # a queued write is done, whoever waits for it
        with self._wake:
            if self._closed:
                raise DatabaseError("the database is closed; open it again")
            (self._queue if flush else self._unflushed).append(_Queued(write, future))
            if flush and not lazy:
                self._due = 0.0
            elif flush and self._due is None:
                self._due = time.monotonic() + LAZY_SECONDS
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
                    for queued in batch.writes:
                        queued.fail(error)
        finally:
            if connection is not None:
                connection.close()

    def _next_batch(self) -> _Batch | None:
        """Wait until something is due; None means that the writer is closed."""
        with self._wake:
            while not (self._unflushed or (self._queue and self._is_due())):
                if self._closed:
                    return None
                wait = None if self._due is None else max(self._due - time.monotonic(), 0.0)
                self._wake.wait(wait)
            batch, self._unflushed = self._unflushed, []
            if not (self._queue and self._is_due()):
                return _Batch(batch, flush=False)
            batch += self._queue[:LARGEST_BATCH]
            del self._queue[:LARGEST_BATCH]
            if not self._queue:
                self._due = None
            return _Batch(batch, flush=True)

    def _is_due(self) -> bool:
        return self._due is not None and self._due <= time.monotonic()

    def _commit(self, connection: sqlite3.Connection, batch: _Batch) -> None:
        self._set_flush(connection, batch.flush)
        connection.execute("BEGIN IMMEDIATE")
        try:
            reports = [queued.run(connection) for queued in batch.writes]
            connection.commit()
        except BaseException:
            with suppress(sqlite3.Error):
                connection.rollback()
            raise
        self.commits += 1
        for report in reports:
            report()

    def _set_flush(self, connection: sqlite3.Connection, flush: bool) -> None:  # noqa: FBT001
        """Let the next commit reach the disk, or only the operating system."""
        if flush == self._flushes:
            return
        if self._level is None:
            (self._level,) = connection.execute("PRAGMA synchronous").fetchone()
        if self._level > _NORMAL:
            connection.execute(f"PRAGMA synchronous={self._level if flush else _NORMAL}")
        self._flushes = flush
