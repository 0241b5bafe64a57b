"""Answers kept in a SQLite file of their own, for all processes of a machine."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from checkpoints import sqlite_cache_sql as sql
from checkpoints.cache_records import Setting
from checkpoints.cache_store import FAILURE_SECONDS, Bounds, ResponseStore, closed
from checkpoints.cache_values import Claim, Invalidation, Labels, Look, Row, StoreStats
from checkpoints.database import connect, retry_while_locked
from checkpoints.group_commit import GroupCommitWriter
from checkpoints.sqlite_cache_sql import LONGEST_LEASE
from state.errors import CacheError, CacheUnreachableError, DatabaseError

if TYPE_CHECKING:
    from langgraph.cache.base import FullKey

    from checkpoints.cache_store import Kept

T = TypeVar("T")


class SqliteCache(ResponseStore):
    """A `ResponseStore` in a file; it is disposable, so nothing waits for the disk.

    Reads of one row take some microseconds and are done in place; a thread would take
    twenty times as long. Writes run on one thread, in groups.
    """

    def __init__(self, path: Path, setting: Setting, bounds: Bounds = Bounds()) -> None:  # noqa: B008  frozen
        """Open the file, creating it and its folder as needed.

        Raises:
            CacheError: The file cannot be used, or is no cache.
        """
        super().__init__(setting)
        self._bounds = bounds
        self._lock = Lock()
        self._evicted = 0
        open_one = partial(connect, path, "NORMAL")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _touch(path)
            retry_while_locked(partial(_create, open_one))
            self._reader: sqlite3.Connection | None = open_one()
        except CacheError as error:
            raise CacheError(f"cannot use {path} as a cache: {error}") from None
        except (OSError, sqlite3.Error) as error:
            raise CacheError(
                f"cannot use {path} as a cache: {error}; a cache is disposable, so if it is "
                "damaged, delete it"
            ) from error
        self._writer = GroupCommitWriter(open_one)

    async def look(self, key: FullKey, *, flight: str = "") -> Look:
        """Say what is known about a key."""
        entry_id = self.entry_id(key)
        now = self._clock()
        latest, most = now + LONGEST_LEASE, self._bounds.bytes
        asked = {"id": entry_id, "now": now, "latest": latest, "flight": flight, "most": most}
        with self._reading() as reader:
            record, sequence, holder, failure = reader.execute(sql.LOOK, asked).fetchone()
        return Look(
            value=self._records.value(entry_id, record),
            sequence=sequence,
            holder=holder,
            failure=self._records.value(flight, failure),
        )

    async def claim(
        self, key: FullKey, holder: str, *, labels: Labels, lease_seconds: float
    ) -> Claim:
        """Become who makes the call, unless another is."""
        entry_id, now = self.entry_id(key), self._clock()
        until = now + min(lease_seconds, LONGEST_LEASE)
        return await self._awrite(
            lambda connection: sql.claim(
                connection, entry_id, holder, labels=labels, times=(now, until)
            )
        )

    async def renew(self, key: FullKey, holder: str, *, lease_seconds: float) -> bool:
        """Prolong one's lease."""
        entry_id = self.entry_id(key)
        until = self._clock() + min(lease_seconds, LONGEST_LEASE)
        return await self._awrite(
            lambda connection: sql.renew(connection, entry_id, holder, until=until)
        )

    async def end(
        self, key: FullKey, holder: str, *, failure: Mapping[str, Any] | None = None
    ) -> None:
        """End one's claim without an answer."""
        entry_id, until = self.entry_id(key), self._clock() + FAILURE_SECONDS
        record = None if failure is None else self._records.sealed(holder, failure, until)

        def write(connection: sqlite3.Connection) -> None:
            sql.release(connection, entry_id, holder)
            if record is not None:
                sql.note_failure(connection, holder, record, until=until)

        await self._awrite(write)

    async def is_outdated(self, labels: Labels, *, since: int) -> bool:
        """Whether something that meets the labels was invalidated since."""
        with self._reading() as reader:
            return sql.is_outdated(reader, labels, since)

    async def stats(self) -> StoreStats:
        """Say how much is held."""
        with self._reading() as reader:
            entries, size = sql.totals(reader)
        return StoreStats(entries=entries, bytes=size, evicted=self._evicted)

    async def aclose(self) -> None:
        """Write what is under way, and close the file."""
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """Write what is under way, and close the file."""
        self._writer.close()
        with self._lock:
            reader, self._reader = self._reader, None
            if reader is not None:
                reader.close()

    def _load(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        found = {}
        with self._reading() as reader:
            for each in ids:
                row = reader.execute(sql.LOAD, (each, self._bounds.bytes)).fetchone()
                if row is not None:
                    found[each] = row[0]
        return found

    async def _aload(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        return self._load(ids)

    def _keep(self, row: Row, kept: Kept) -> bool:
        return self._counted(self._write(self._keeping(row, kept)))

    async def _akeep(self, row: Row, kept: Kept) -> bool:
        return self._counted(await self._awrite(self._keeping(row, kept)))

    def _keeping(self, row: Row, kept: Kept) -> Callable[[sqlite3.Connection], int | None]:
        now = self._clock()
        return lambda connection: sql.keep(connection, row, kept, bounds=self._bounds, now=now)

    def _counted(self, evicted: int | None) -> bool:
        self._evicted += evicted or 0
        return evicted is not None

    def _invalidate(self, invalidation: Invalidation) -> int:
        return self._write(lambda connection: sql.invalidate(connection, invalidation))

    async def _ainvalidate(self, invalidation: Invalidation) -> int:
        return await self._awrite(lambda connection: sql.invalidate(connection, invalidation))

    def _clear(self, namespaces: Sequence[str] | None) -> None:
        self._write(lambda connection: sql.clear(connection, namespaces))

    async def _aclear(self, namespaces: Sequence[str] | None) -> None:
        await self._awrite(lambda connection: sql.clear(connection, namespaces))

    def _write(self, write: Callable[[sqlite3.Connection], T]) -> T:
        with _unreachable():
            return self._writer.submit(write).result()

    async def _awrite(self, write: Callable[[sqlite3.Connection], T]) -> T:
        with _unreachable():
            return await asyncio.wrap_future(self._writer.submit(write))

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _unreachable():
            if self._reader is None:
                raise closed()
            yield self._reader


@contextmanager
def _unreachable() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise CacheUnreachableError(f"the cache's file cannot be used now: {error}") from error
    except UnicodeEncodeError as error:  # half a character, in a tenant or a tag
        raise CacheUnreachableError(f"the cache's file cannot hold that text: {error}") from error
    except DatabaseError:  # its writer was closed
        raise closed() from None


def _touch(path: Path) -> None:
    """Make a new file that nobody else may read: it will hold what all users were answered.

    Whoever wants to share it makes it first; SQLite gives its other files the same mode.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _create(open_one: Callable[[], sqlite3.Connection]) -> None:
    """Switch to WAL and create the tables; several processes may do it at once."""
    with closing(open_one()) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            sql.prepare(connection)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode=WAL")
