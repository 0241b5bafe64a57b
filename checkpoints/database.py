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

from checkpoints.encryption import PLAIN_TEXT, Keyring, SealedText, encryption_keys
from state.errors import DatabaseError

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.store.base import BaseStore

    from checkpoints.approvals import ApprovalLedger
    from checkpoints.encryption import EncryptionKey, TextCipher
    from checkpoints.events import EventLog
    from checkpoints.history import HistoryPolicy, HistoryStore
    from checkpoints.retention import Retention
    from checkpoints.spending import SpendingStore
    from checkpoints.threads import ThreadStore
    from checkpoints.traffic import TrafficStore

URL_VARIABLE: Final = "ORCHESTRATION_DATABASE_URL"
DEFAULT_URL: Final = "sqlite:///.orchestration/orchestration.db"
BUSY_SECONDS: Final = 30.0
"""How long a write waits for another process's before it gives up."""
PAUSE_SECONDS: Final = 0.02
"""Between tries at what SQLite does not wait for by itself."""

WAL_BYTES: Final = 8 << 20
"""To what the write-ahead log shrinks again after a large transaction; mostly it has 4 MB."""

_SYNCHRONOUS = ("FULL", "NORMAL")


@dataclass(frozen=True, slots=True)
class Database:
    """An open database; use it from any thread or event loop, and close it."""

    url: str
    checkpointer: BaseCheckpointSaver[str]
    threads: ThreadStore
    approvals: ApprovalLedger
    history: HistoryStore
    store: BaseStore
    durable: bool
    """Whether threads outlive the process."""
    retention: Retention
    """Trims, copies and deletes threads."""
    traffic: TrafficStore
    """What processes that share the database know together of agents' endpoints."""
    spending: SpendingStore
    """What runs have used up of their budgets."""
    events: EventLog
    """What happened in runs that somebody streams."""
    cipher: TextCipher
    """Seals texts that are kept beside the checkpoints; a plain one without encryption."""
    close: Callable[[], None]


def database_url(url: str | None = None) -> str:
    """Return `url`, else the environment's, else the default: a file in `.orchestration/`."""
    return url or os.environ.get(URL_VARIABLE) or DEFAULT_URL


def exists(url: str) -> bool:
    """Whether a database was made already; one in memory never was."""
    return url.startswith("sqlite:///") and _parse_sqlite(url)[0].exists()


def open_database(
    url: str | None = None,
    *,
    history: HistoryPolicy | None = None,
    encryption_key: EncryptionKey | None = None,
    clock: Callable[[], float] = time.time,
) -> Database:
    """Open a database, creating file, folder and tables as needed.

    Args:
        url: `sqlite:///relative.db`, `sqlite:////absolute.db` or `memory://`; by default
            the environment's `ORCHESTRATION_DATABASE_URL`. SQLite takes
            `?synchronous=NORMAL`, which is faster and may lose the last commits when the
            machine (not just the process) dies.
        history: What threads keep of earlier runs; by default what the environment says.
        encryption_key: Encrypts checkpoints and plans; 16, 24 or 32 bytes, raw or as hex or
            base64, or several: the first encrypts, all decrypt. By default the environment's
            `ORCHESTRATION_ENCRYPTION_KEY`; without one, nothing is encrypted.
        clock: What time it is for approvals, in seconds since the epoch.

    Raises:
        ConfigurationError: The key cannot be; nothing was opened.
        EncryptionError: The database was made without a key, or with another.
        DatabaseError: The URL is not understood, or the file cannot be used.
        ConfigurationError: The environment asks for what cannot be.
    """
    from checkpoints.history import HistoryPolicy, keep_runs_setting  # noqa: PLC0415

    keys = encryption_keys(encryption_key)
    keyring = Keyring(keys) if keys else None
    url = database_url(url)
    policy = history or HistoryPolicy(keep_runs=keep_runs_setting())
    if url == "memory://":
        return _open_memory(url, policy, keyring, clock)
    if url.startswith("sqlite:///"):
        return _open_sqlite(url, policy, keyring, clock)
    scheme = url.split("://", 1)[0]
    later = " (Postgres is planned, not built yet)" if scheme.startswith("postgres") else ""
    raise DatabaseError(
        f"database URL scheme {scheme!r} is not supported{later}; use "
        "'sqlite:///path/to/file.db' or 'memory://'"
    )


def _text_cipher(keyring: Keyring | None) -> TextCipher:
    return PLAIN_TEXT if keyring is None else SealedText(keyring)


def _open_memory(
    url: str, policy: HistoryPolicy, keyring: Keyring | None, clock: Callable[[], float]
) -> Database:
    from langgraph.store.memory import InMemoryStore  # noqa: PLC0415  heavy

    from checkpoints.approval_ledgers import MemoryApprovals  # noqa: PLC0415  heavy
    from checkpoints.memory_events import MemoryEvents  # noqa: PLC0415
    from checkpoints.memory_history import MemoryHistory  # noqa: PLC0415
    from checkpoints.memory_retention import MemoryRetention  # noqa: PLC0415  heavy
    from checkpoints.memory_saver import MemorySaver  # noqa: PLC0415  heavy
    from checkpoints.memory_threads import MemoryThreads  # noqa: PLC0415
    from checkpoints.memory_traffic import MemoryTraffic  # noqa: PLC0415
    from checkpoints.serializer import strict_serializer  # noqa: PLC0415  heavy
    from checkpoints.spending import MemorySpending  # noqa: PLC0415

    approvals, spending = MemoryApprovals(clock=clock), MemorySpending()
    threads = MemoryThreads(approvals)
    threads.on_forget.append(spending.forget)
    traffic = MemoryTraffic(threads)
    events = MemoryEvents(threads)
    saver = MemorySaver(threads, serde=strict_serializer(keyring))
    return Database(
        url=url,
        checkpointer=saver,
        threads=threads,
        approvals=approvals,
        history=MemoryHistory(threads, saver, policy, traffic, events),
        store=InMemoryStore(),
        durable=False,
        retention=MemoryRetention(saver, threads),
        traffic=traffic,
        spending=spending,
        events=events,
        cipher=_text_cipher(keyring),
        close=approvals.close,
    )


def _open_sqlite(
    url: str, policy: HistoryPolicy, keyring: Keyring | None, clock: Callable[[], float]
) -> Database:
    from checkpoints.approval_ledgers import WrittenApprovals  # noqa: PLC0415  heavy
    from checkpoints.group_commit import GroupCommitWriter  # noqa: PLC0415  with the heavy ones
    from checkpoints.serializer import strict_serializer  # noqa: PLC0415  heavy
    from checkpoints.sqlite_events import SqliteEvents  # noqa: PLC0415
    from checkpoints.sqlite_history import SqliteHistory  # noqa: PLC0415
    from checkpoints.sqlite_retention import SqliteRetention  # noqa: PLC0415  heavy
    from checkpoints.sqlite_saver import GroupCommitSqliteSaver  # noqa: PLC0415  heavy
    from checkpoints.sqlite_spending import SqliteSpending  # noqa: PLC0415  heavy
    from checkpoints.sqlite_store import ThreadedSqliteStore  # noqa: PLC0415  heavy
    from checkpoints.sqlite_threads import SqliteThreads  # noqa: PLC0415
    from checkpoints.traffic_stores import SqliteTraffic  # noqa: PLC0415  heavy

    path, synchronous = _parse_sqlite(url)
    cipher, serializer = _text_cipher(keyring), strict_serializer(keyring)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _create_tables(path, synchronous)
        _check_key(path, cipher)
        reader = connect(path, synchronous)
        shelf = connect(path, synchronous)
    except (OSError, sqlite3.Error) as error:
        raise DatabaseError(f"cannot use {path} as a SQLite database: {error}") from error
    writer = GroupCommitWriter(lambda: connect(path, synchronous))

    saver = GroupCommitSqliteSaver(writer, reader, serde=serializer)
    store = ThreadedSqliteStore(shelf)
    approvals = WrittenApprovals(writer, cipher=cipher, clock=clock)
    threads = SqliteThreads(writer, approvals, cipher)
    events = SqliteEvents(writer, cipher)

    def close() -> None:
        """Close when no thread is inside SQLite any more: it would take the process along."""
        writer.close()
        events.close()
        with saver.lock, store.lock:
            reader.close()
            shelf.close()

    return Database(
        url=url,
        checkpointer=saver,
        threads=threads,
        approvals=approvals,
        history=SqliteHistory(writer, threads, policy, cipher=cipher),
        store=store,
        durable=True,
        retention=SqliteRetention(writer, serializer),
        traffic=SqliteTraffic(writer),
        spending=SqliteSpending(writer),
        events=events,
        cipher=cipher,
        close=close,
    )


def _check_key(path: Path, cipher: TextCipher) -> None:
    """Return if the latest plan can be read, so that nobody mixes keys in one database.

    Raises:
        EncryptionError: It cannot.
    """
    with closing(connect(path)) as connection:
        latest = connection.execute(
            "SELECT plan FROM orchestration_threads ORDER BY updated_at DESC LIMIT 1"
        ).fetchone()
    if latest is not None:
        cipher.open(latest[0])


def connect(path: Path, synchronous: str = "FULL") -> sqlite3.Connection:
    """Open one connection in autocommit mode: transactions are begun explicitly."""
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.execute(f"PRAGMA synchronous={synchronous}")
    connection.execute(f"PRAGMA journal_size_limit={WAL_BYTES}")
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
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # has an effect in a new file
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
