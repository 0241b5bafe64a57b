"""Retention in this process only."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from checkpoints.retention import (
    NO_SECOND_RUN,
    RESUME_OR_FORCE,
    Removed,
    Vacuumed,
    check_keep,
    check_time,
    taken,
)
from state.errors import ThreadNotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from checkpoints.memory_saver import MemorySaver
    from checkpoints.memory_threads import MemoryThreads
    from checkpoints.retention import Copied, Standing


class MemoryRetention:
    """The `Retention` of `memory://`; no method waits inside, which makes them atomic."""

    def __init__(self, saver: MemorySaver, threads: MemoryThreads) -> None:
        self._saver = saver
        self._threads = threads

    async def prune(self, thread_ids: Sequence[str] | None = None, *, keep: int = 1) -> Removed:
        """Delete all but the latest `keep` checkpoints of each namespace."""
        check_keep(keep)
        removed = Removed()
        for thread_id in self._idle() if thread_ids is None else thread_ids:
            self._saver.check_idle(thread_id)
            removed += self._saver.prune_thread(thread_id, keep=keep)
        return removed

    def _idle(self) -> list[str]:
        standings = ((each, self._threads.standing(each)) for each in self._threads.ids)
        return [each for each, standing in standings if standing and standing.holder is None]

    async def copy(self, source: str, target: str) -> Copied:
        """Copy a finished thread under another id."""
        standing = self._existing(source)
        standing.check_idle(source, now=time.time())
        standing.check_finished(source, instead=NO_SECOND_RUN)
        if self._threads.standing(target) is not None:
            raise taken(target)
        copied = self._saver.copy_checkpoints(source, target)
        self._threads.copy(source, target)
        return copied

    async def delete(self, thread_id: str, *, force: bool = False) -> Removed:
        """Delete a thread."""
        standing = self._threads.standing(thread_id)
        if standing is not None:
            standing.check_idle(thread_id, now=time.time())
            if not force:
                standing.check_finished(thread_id, instead=RESUME_OR_FORCE)
        elif not any(self._saver.keys(thread_id)):
            raise self._not_found(thread_id)
        return self._delete(thread_id)

    async def expire(self, thread_id: str, *, after: timedelta | None) -> None:
        """Say how long a thread is kept once it has finished."""
        check_time(after)
        self._existing(thread_id)
        self._threads.set_expiry(thread_id, None if after is None else after.total_seconds())

    async def sweep(
        self, *, older_than: timedelta | None = None, now: float | None = None
    ) -> Removed:
        """Delete finished threads whose time is over."""
        check_time(older_than)
        now = time.time() if now is None else now
        removed = Removed()
        for thread_id in self._threads.ids:
            standing = self._threads.standing(thread_id)
            if standing is not None and standing.is_due(older_than=older_than, now=now):
                removed += self._delete(thread_id)
        return removed

    async def vacuum(self, *, full: bool = False) -> Vacuumed:  # noqa: ARG002  there is no file
        """Do nothing: memory has no file."""
        return Vacuumed("none", 0, 0)

    def _delete(self, thread_id: str) -> Removed:
        keys = tuple(self._saver.keys(thread_id))
        writes = sum(len(self._saver.writes.get((thread_id, *key), ())) for key in keys)
        self._saver.delete_thread(thread_id)
        return Removed(len(keys), writes, (thread_id,))

    def _existing(self, thread_id: str) -> Standing:
        standing = self._threads.standing(thread_id)
        if standing is None:
            raise self._not_found(thread_id)
        return standing

    def _not_found(self, thread_id: str) -> ThreadNotFoundError:
        return ThreadNotFoundError(thread_id, self._threads.ids[:-6:-1])
