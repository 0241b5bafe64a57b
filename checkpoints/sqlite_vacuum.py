"""Giving a SQLite file's free space back, while other connections use the file."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from checkpoints.database import PAUSE_SECONDS
from checkpoints.retention import Vacuumed
from state.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Callable

INCREMENTAL: Final = 2
"""SQLite's number for a file that can give back its free pages a few at a time."""
LOG_SECONDS: Final = 10.0
"""How long to try to cut off the write-ahead log."""
PAGES: Final = 2_000
"""Pages given back in one transaction: 8 MB."""


def vacuum(connect: Callable[[], sqlite3.Connection], *, full: bool) -> Vacuumed:
    """Vacuum a file; see `Retention.vacuum`.

    A file that cannot give back pages one by one is rewritten once, and can from then on.

    Raises:
        DatabaseError: Others kept the file busy for too long.
    """
    try:
        with closing(connect()) as connection:
            (_, _, file), *_ = connection.execute("PRAGMA database_list")
            before = _size(Path(file))
            rewrite = full or _number(connection, "auto_vacuum") != INCREMENTAL
            if rewrite:
                connection.execute(f"PRAGMA auto_vacuum={INCREMENTAL}")
                connection.execute("VACUUM")
            else:
                _give_back(connection)
            _empty_log(connection)
            after = _size(Path(file))
            return Vacuumed("full" if rewrite else "incremental", before, after)
    except sqlite3.Error as error:
        raise DatabaseError(
            f"the database could not be vacuumed, nothing is lost: {error}. Try again when it is "
            "used less, or free some space on the disk."
        ) from error


def _give_back(connection: sqlite3.Connection) -> None:
    """Move pages to the end and cut them off, a bounded number in each transaction."""
    while free := _number(connection, "freelist_count"):
        # as a script: `execute` would stop after the first page
        connection.executescript(f"PRAGMA incremental_vacuum({PAGES})")
        if _number(connection, "freelist_count") >= free:
            return  # others free pages as fast as they are given back
        time.sleep(PAUSE_SECONDS)  # other processes' writes get their turn


def _empty_log(connection: sqlite3.Connection) -> None:
    """Move the write-ahead log into the file and cut it off.

    SQLite does not wait for another connection that is moving it, but says that it is busy.
    If others keep it in use all the time, it stays; the next vacuum can cut it off.
    """
    give_up = time.monotonic() + LOG_SECONDS
    while time.monotonic() < give_up:
        busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not busy:
            return
        time.sleep(PAUSE_SECONDS)


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    (value,) = connection.execute(f"PRAGMA {pragma}").fetchone()
    return int(value)


def _size(file: Path) -> int:
    """Size of a database with its write-ahead log; whoever closes last removes the log."""
    total = 0
    for path in (file, file.with_name(file.name + "-wal")):
        if path.exists():
            total += path.stat().st_size
    return total
