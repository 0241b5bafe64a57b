"""Retention in SQLite: a thread at a time, and a bounded number of rows in each commit."""

from __future__ import annotations

import asyncio
import time
from contextlib import closing, suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from checkpoints import retention_sql
from checkpoints.retention import Removed, Vacuumed, check_keep, check_time
from checkpoints.retention_sql import BATCH
from checkpoints.sqlite_vacuum import vacuum
from state.errors import RetentionError, ThreadBusyError, ThreadError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from langgraph.checkpoint.serde.base import SerializerProtocol

    from checkpoints.group_commit import GroupCommitWriter
    from checkpoints.retention import Copied
    from checkpoints.retention_sql import Guard


BREATH_SECONDS: Final = 0.01
"""Between two transactions, so that other processes' writes get their turn."""


class SqliteRetention:
    """The `Retention` of a SQLite database; the work is done off the event loop."""

    def __init__(self, writer: GroupCommitWriter, serde: SerializerProtocol) -> None:
        self._writer = writer
        self._serde = serde

    async def prune(self, thread_ids: Sequence[str] | None = None, *, keep: int = 1) -> Removed:
        """Delete all but the latest `keep` checkpoints of each namespace."""
        check_keep(keep)
        if thread_ids is not None:
            return await asyncio.to_thread(self._prune, thread_ids, keep)
        return await asyncio.to_thread(self._prune_all, keep)

    def _prune(self, thread_ids: Sequence[str], keep: int) -> Removed:
        removed = Removed()
        for thread_id in thread_ids:
            guard = partial(retention_sql.check_idle, thread_id=thread_id)
            removed += prune(self._writer, thread_id, keep=keep, serde=self._serde, guard=guard)
        return removed

    def _prune_all(self, keep: int) -> Removed:
        with closing(self._writer.connect()) as connection:
            thread_ids = retention_sql.all_ids(connection)
        removed = Removed()
        for thread_id in thread_ids:
            with suppress(ThreadBusyError):
                removed += self._prune([thread_id], keep)
        return removed

    async def copy(self, source: str, target: str) -> Copied:
        """Copy a finished thread under another id, in one transaction."""
        write = partial(retention_sql.copy_thread, source=source, target=target)
        return await asyncio.wrap_future(self._writer.submit(write))

    async def delete(self, thread_id: str, *, force: bool = False) -> Removed:
        """Delete a thread; until the last transaction it is merely pruned."""
        guard = partial(retention_sql.check_deletable, thread_id=thread_id, force=force)
        return await asyncio.to_thread(
            delete, self._writer, thread_id, serde=self._serde, guard=guard
        )

    async def expire(self, thread_id: str, *, after: timedelta | None) -> None:
        """Say how long a thread is kept once it has finished."""
        check_time(after)
        seconds = None if after is None else after.total_seconds()
        write = partial(retention_sql.set_expiry, thread_id=thread_id, seconds=seconds)
        await asyncio.wrap_future(self._writer.submit(write))

    async def sweep(
        self, *, older_than: timedelta | None = None, now: float | None = None
    ) -> Removed:
        """Delete finished threads whose time is over, each in transactions of its own."""
        check_time(older_than)
        now = time.time() if now is None else now
        return await asyncio.to_thread(self._sweep, older_than, now)

    def _sweep(self, older_than: timedelta | None, now: float) -> Removed:
        seconds = None if older_than is None else older_than.total_seconds()
        with closing(self._writer.connect()) as connection:
            thread_ids = retention_sql.due(connection, default_seconds=seconds, now=now)
        removed = Removed()
        for thread_id in thread_ids:
            guard = partial(_check_due, thread_id=thread_id, older_than=older_than, now=now)
            with suppress(ThreadError):  # somebody used or deleted it meanwhile
                removed += delete(self._writer, thread_id, serde=self._serde, guard=guard)
        return removed

    async def vacuum(self, *, full: bool = False) -> Vacuumed:
        """Give free space back to the file system."""
        return await asyncio.to_thread(vacuum, self._writer.connect, full=full)


def prune(
    writer: GroupCommitWriter,
    thread_id: str,
    *,
    keep: int,
    serde: SerializerProtocol,
    guard: Guard = lambda _: None,
) -> Removed:
    """Prune one thread."""
    return _in_batches(
        writer,
        partial(retention_sql.prune_some, thread_id=thread_id, keep=keep, serde=serde, guard=guard),
    )


def delete(
    writer: GroupCommitWriter, thread_id: str, *, serde: SerializerProtocol, guard: Guard
) -> Removed:
    """Delete one thread: first what it does not need, then at once all that is left.

    If the process dies in between, the thread is pruned and whole.
    """
    removed = prune(writer, thread_id, keep=1, serde=serde, guard=guard)
    last = partial(retention_sql.delete_all, thread_id=thread_id, guard=guard)
    return removed + writer.submit(last).result()


def delete_for_runs(
    writer: GroupCommitWriter, run_ids: Sequence[str], *, serde: SerializerProtocol
) -> Removed:
    """Delete the checkpoints that runs made, in whatever threads."""
    removed = Removed()
    with closing(writer.connect()) as connection:
        found = retention_sql.doomed_by_runs(connection, run_ids)
    for thread_id, doomed in found.items():
        writer.submit(
            partial(retention_sql.forget_runs, thread_id=thread_id, run_ids=run_ids)
        ).result()
        removed += _in_batches(
            writer,
            partial(
                retention_sql.delete_run_checkpoints,
                thread_id=thread_id,
                doomed=doomed,
                serde=serde,
            ),
        )
    return removed


def _in_batches(
    writer: GroupCommitWriter, write: Callable[[sqlite3.Connection], Removed]
) -> Removed:
    """Commit a write again and again, until it finds less than it may remove at once."""
    total = Removed()
    while True:
        removed = writer.submit(write).result()
        total += removed
        if removed.checkpoints < BATCH:
            return total
        time.sleep(BREATH_SECONDS)


def _check_due(
    connection: sqlite3.Connection,
    *,
    thread_id: str,
    older_than: timedelta | None,
    now: float,
) -> None:
    """Return if a thread's time is over, also in this transaction.

    Raises:
        RetentionError: It is not, or not any more.
    """
    standing = retention_sql.standing_of(connection, thread_id)
    if standing is None or not standing.is_due(older_than=older_than, now=now):
        raise RetentionError(thread_id, "its time is not over; it is kept")
