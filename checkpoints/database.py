"""Open a database URL into a checkpointer, a store and thread records."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from state.errors import DatabaseError

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.store.base import BaseStore

    from checkpoints.approvals import ApprovalLedger
    from checkpoints.threads import ThreadStore

URL_VARIABLE: Final = "ORCHESTRATION_DATABASE_URL"
DEFAULT_URL: Final = "sqlite:///.orchestration/orchestration.db"
BUSY_SECONDS: Final = 30.0
"""How long a write waits for another process's before it gives up."""
PAUSE_SECONDS: Final = 0.02
"""Between tries at what SQLite does not wait for by itself."""

_SYNCHRONOUS = ("FULL", "NORMAL")


@dataclass(frozen=True, slots=True)
class Database:
    """An open database; use it from any thread or event loop, and close it."""

    url: str
    checkpointer: BaseCheckpointSaver[str]
    threads: ThreadStore
    approvals: ApprovalLedger
    store: BaseStore
    durable: bool
    """Whether threads outlive the process."""
    close: Callable[[], None]


def database_url(url: str | None = None) -> str:
    """Return `url`, else the environment's, else the default: a file in `.orchestration/`."""
    return url or os.environ.get(URL_VARIABLE) or DEFAULT_URL


def open_database(url: str | None = None, *, clock: Callable[[], float] = time.time) -> Database:
    """Open a database, creating file, folder and tables as needed.

    Args:
        url: `sqlite:///relative.db`, `sqlite:////absolute.db` or `memory://`; by default
            the environment's `ORCHESTRATION_DATABASE_URL`. SQLite takes
            `?synchronous=NORMAL`, which is faster and may lose the last commits when the
            machine (not just the process) dies.
        clock: What time it is for approvals, in seconds since the epoch.

    Raises:
        DatabaseError: The URL is not understood, or the file cannot be used.
    """
    url = database_url(url)
    if url == "memory://":
        return _open_memory(url, clock)
    if url.startswith("sqlite:///"):
        return _open_sqlite(url, clock)
    scheme = url.split("://", 1)[0]
    later = " (Postgres is planned, not built yet)" if scheme.startswith("postgres") else ""
    raise DatabaseError(
        f"database URL scheme {scheme!r} is not supported{later}; use "
        "'sqlite:///path/to/file.db' or 'memory://'"
    )


def _open_memory(url: str, clock: Callable[[], float]) -> Database:
    from langgraph.checkpoint.memory import InMemorySaver  # noqa: PLC0415  heavy
    from langgraph.store.memory import InMemoryStore  # noqa: PLC0415  heavy

    from checkpoints.approval_ledgers import MemoryApprovals  # noqa: PLC0415  heavy
    from checkpoints.memory_threads import MemoryThreads  # noqa: PLC0415
    from checkpoints.serializer import strict_serializer  # noqa: PLC0415  heavy

    approvals = MemoryApprovals(clock=clock)
    return Database(
        url=url,
        checkpointer=InMemorySaver(serde=strict_serializer()),
        threads=MemoryThreads(approvals),
        approvals=approvals,
        store=InMemoryStore(),
        durable=False,
        close=approvals.close,
    )


def _open_sqlite(url: str, clock: Callable[[], float]) -> Database:
    from checkpoints.approval_ledgers import WrittenApprovals  # noqa: PLC0415  heavy
    from checkpoints.group_commit import GroupCommitWriter  # noqa: PLC0415  with the heavy ones
    from checkpoints.serializer import strict_serializer  # noqa: PLC0415  heavy
    from checkpoints.sqlite_saver import GroupCommitSqliteSaver  # noqa: PLC0415  heavy
    from checkpoints.sqlite_store import ThreadedSqliteStore  # noqa: PLC0415  heavy
    from checkpoints.sqlite_threads import SqliteThreads  # noqa: PLC0415

    path, synchronous = _parse_sqlite(url)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _create_tables(path, synchronous)
        reader = connect(path, synchronous)
        shelf = connect(path, synchronous)
    except (OSError, sqlite3.Error) as error:
        raise DatabaseError(f"cannot use {path} as a SQLite database: {error}") from error
    writer = GroupCommitWriter(lambda: connect(path, synchronous))

    saver = GroupCommitSqliteSaver(writer, reader, serde=strict_serializer())
    store = ThreadedSqliteStore(shelf)
    approvals = WrittenApprovals(writer, clock=clock)

    def close() -> None:
        """Close when no thread is inside SQLite any more: it would take the process along."""
        writer.close()
        with saver.lock, store.lock:
            reader.close()
            shelf.close()

    return Database(
        url=url,
        checkpointer=saver,
        threads=SqliteThreads(writer, approvals),
        approvals=approvals,
        store=store,
        durable=True,
        close=close,
    )


def connect(path: Path, synchronous: str = "FULL") -> sqlite3.Connection:
    """Open one connection in autocommit mode: transactions are begun explicitly."""
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.execute(f"PRAGMA synchronous={synchronous}")
    return connection


def retry_while_locked(action: Callable[[], object]) -> None:
    """Do it again while others hold the file, for as long as a write would wait for them.

    SQLite does not run its busy handler for the switch to WAL.

    Raises:
        sqlite3.OperationalError: It is locked for too long, or something else is wrong.
    """
    give_up = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            action()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(PAUSE_SECONDS)
        else:
            return


def _create_tables(path: Path, synchronous: str) -> None:
    """Switch to WAL and create what is missing; several processes may do it at once."""
    from langgraph.checkpoint.sqlite import SqliteSaver  # noqa: PLC0415  heavy

    from checkpoints.migrate import is_current, migrate_sqlite  # noqa: PLC0415

    def create() -> None:
        with closing(connect(path, synchronous)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            SqliteSaver(connection).setup()
            if not is_current(connection):
                migrate_sqlite(lambda: connect(path, synchronous))

    retry_while_locked(create)


def _parse_sqlite(url: str) -> tuple[Path, str]:
    location, _, query = url.removeprefix("sqlite:///").partition("?")
    synchronous = "FULL"
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        if name != "synchronous" or value.upper() not in _SYNCHRONOUS:
            raise DatabaseError(
                f"database URL option {part!r} is unknown; "
                f"use synchronous=FULL or synchronous=NORMAL"
            )
        synchronous = value.upper()
    if not location or location == ":memory:":
        raise DatabaseError(f"database URL {url!r} names no file; use 'memory://' for memory")
    return Path(location), synchronous
