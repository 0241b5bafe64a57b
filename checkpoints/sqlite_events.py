"""The log of events in SQLite, through the group-commit writer but without its flushes."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from checkpoints import events_sql
from checkpoints.encryption import PLAIN_TEXT
from checkpoints.event_feeds import Feeds
from checkpoints.events import PAGE, RunKey
from checkpoints.lease_sql import check_token

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future
    from contextlib import AbstractContextManager

    from checkpoints.encryption import TextCipher
    from checkpoints.event_feeds import Feed
    from checkpoints.events import LoggedEvent
    from checkpoints.group_commit import GroupCommitWriter
    from checkpoints.threads import Lease

T = TypeVar("T")


class SqliteEvents:
    """An `EventLog` in the same file as threads and checkpoints.

    It has no connection of its own for writing: two would wait for each other by sleeping. The
    order of submission to the one writer makes what was said before an outcome durable with it.
    """

    def __init__(self, writer: GroupCommitWriter, cipher: TextCipher = PLAIN_TEXT) -> None:
        self._writer = writer
        self._cipher = cipher
        self._feeds = Feeds()
        self._reader: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    def appender(
        self, lease: Lease, run_id: str, *, refused: Callable[[BaseException], None]
    ) -> SqliteAppender:
        """Return what adds to a run's log."""
        key = RunKey(lease.thread_id, run_id)
        publish = partial(self._feeds.publish, key)
        write = partial(_write, key=key, token=lease.token, cipher=self._cipher)
        return SqliteAppender(self._writer, write, publish, refused)

    async def read(self, key: RunKey, *, after: int, limit: int = PAGE) -> Sequence[LoggedEvent]:
        """Return the first events after a sequence number."""
        read = partial(events_sql.read, key=key, after=after, limit=limit, cipher=self._cipher)
        return await asyncio.to_thread(self._read, read)

    async def last(self, key: RunKey) -> LoggedEvent | None:
        """Return the last event."""
        read = partial(events_sql.last, key=key, cipher=self._cipher)
        return await asyncio.to_thread(self._read, read)

    def follow(self, key: RunKey, *, newest: int | None = None) -> AbstractContextManager[Feed]:
        """Collect what this process adds to a run's log, for one reader."""
        return self._feeds.follow(key, newest=newest)

    def close(self) -> None:
        """Close the reading connection, when no thread is inside SQLite any more."""
        with self._lock:
            if self._reader is not None:
                self._reader.close()
                self._reader = None

    def _read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        with self._lock:
            if self._reader is None:
                self._reader = self._writer.connect()
            return read(self._reader)


class SqliteAppender:
    """Adds events to one run's log; those that come while a write is queued go with it."""

    def __init__(
        self,
        writer: GroupCommitWriter,
        write: Callable[..., None],
        publish: Callable[[Sequence[LoggedEvent]], None],
        refused: Callable[[BaseException], None],
    ) -> None:
        self._writer = writer
        self._write = write
        self._publish = publish
        self._refused = refused
        self._lock = threading.Lock()
        self._open: list[tuple[LoggedEvent, str, float]] | None = None
        self._last: Future[None] | None = None
        self._error: BaseException | None = None

    def add(self, event: LoggedEvent) -> None:
        """Queue an event."""
        if self._error is not None:  # else readers would see a gap
            return
        entry = (event, json.dumps(event.data), time.time())  # as it is now, whoever changes it
        with self._lock:
            if self._open is not None:
                self._open.append(entry)
                return
            batch = self._open = [entry]
        self._last = self._writer.submit(partial(self._commit, batch=batch), flush=False)
        self._last.add_done_callback(partial(self._done, batch))

    async def settle(self) -> None:
        """Wait until everything that was added is in the log."""
        if self._last is not None:
            await asyncio.wrap_future(self._last)
        if self._error is not None:
            raise self._error

    def _commit(
        self, connection: sqlite3.Connection, batch: list[tuple[LoggedEvent, str, float]]
    ) -> None:
        """Write a batch, on the writer's thread; what comes from now on is another."""
        with self._lock:
            self._open = None
        if self._error is not None:
            raise self._error
        self._write(connection, batch=batch)

    def _done(self, batch: list[tuple[LoggedEvent, str, float]], written: Future[None]) -> None:
        error = written.exception()
        if error is None:
            self._publish([event for event, _, _ in batch])
        elif self._error is None:
            self._error = error
            self._refused(error)


def _write(
    connection: sqlite3.Connection,
    batch: Sequence[tuple[LoggedEvent, str, float]],
    *,
    key: RunKey,
    token: int,
    cipher: TextCipher,
) -> None:
    """Add a batch of events, if the lease still holds.

    Raises:
        LeaseLostError: Another process has claimed the thread.
    """
    check_token(connection, key.thread_id, token)
    rows: list[Any] = [
        (event.sequence, event.kind, event.task_id, cipher.seal(text), at)
        for event, text, at in batch
    ]
    events_sql.append(connection, key, rows)
