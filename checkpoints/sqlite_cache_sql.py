"""The statements of the cache in a SQLite file; each function runs inside a transaction."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from checkpoints.cache_values import Claim, Invalidation, Labels, Row
from state.errors import CacheError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from checkpoints.cache_store import Bounds, Kept

APPLICATION_ID: Final = 0x6F636163
"""Tells a cache of this project from any other SQLite file."""
SCHEMA: Final = 1
"""Of the tables; a file of another is emptied."""
REMEMBERED: Final = 1000
"""Invalidations; a call that began before them all counts as outdated."""
LONGEST_LEASE: Final = 600.0
"""Seconds; one that ends later was made up, or made before the clock was set back."""
OVERHEAD_BYTES: Final = 200
"""Of an entry, beside its record; the triggers below count it too."""

_TABLES: Final = """
CREATE TABLE entries (
    id TEXT PRIMARY KEY, namespace TEXT NOT NULL,
    agent_id TEXT, version TEXT, tenant TEXT,
    record BLOB NOT NULL, expires_at REAL NOT NULL
);
CREATE INDEX entries_by_namespace ON entries (namespace);
CREATE INDEX entries_by_agent ON entries (agent_id, version);
CREATE INDEX entries_by_tenant ON entries (tenant);
CREATE INDEX entries_by_expiry ON entries (expires_at);
CREATE TABLE entry_tags (tag TEXT, id TEXT, PRIMARY KEY (tag, id)) WITHOUT ROWID;
CREATE INDEX entry_tags_by_entry ON entry_tags (id);
CREATE TABLE claims (
    id TEXT PRIMARY KEY, holder TEXT NOT NULL, sequence INTEGER NOT NULL, expires_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE failures (
    holder TEXT PRIMARY KEY, record BLOB NOT NULL, expires_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE invalidations (
    sequence INTEGER PRIMARY KEY, agent_id TEXT, version TEXT, tenant TEXT, tag TEXT
);
CREATE TABLE totals (entries INTEGER NOT NULL, bytes INTEGER NOT NULL);
INSERT INTO totals VALUES (0, 0);
CREATE TRIGGER entry_added AFTER INSERT ON entries BEGIN
    UPDATE totals SET entries = entries + 1, bytes = bytes + length(NEW.record) + 200;
END;
CREATE TRIGGER entry_removed AFTER DELETE ON entries BEGIN
    UPDATE totals SET entries = entries - 1, bytes = bytes - length(OLD.record) - 200;
    DELETE FROM entry_tags WHERE id = OLD.id;
END;
"""

_MEETS: Final = """
    (:agent_id IS NULL OR agent_id = :agent_id) AND (:version IS NULL OR version = :version)
    AND (:tenant IS NULL OR tenant = :tenant)
    AND (:tag IS NULL OR id IN (SELECT id FROM entry_tags WHERE tag = :tag))
"""

LOOK: Final = """
SELECT (SELECT record FROM entries WHERE id = :id AND length(record) <= :most),
       (SELECT coalesce(max(sequence), 0) FROM invalidations),
       (SELECT holder FROM claims WHERE id = :id AND expires_at > :now AND expires_at <= :latest),
       (SELECT record FROM failures WHERE holder = :flight AND length(record) <= :most)
"""
LOAD: Final = "SELECT record FROM entries WHERE id = ? AND length(record) <= ?"

_OUTDATED: Final = """
SELECT :since < (SELECT coalesce(min(sequence), 0) FROM invalidations) - 1 OR EXISTS (
    SELECT 1 FROM invalidations WHERE sequence > :since
    AND (agent_id IS NULL OR agent_id = :agent_id) AND (version IS NULL OR version = :version)
    AND (tenant IS NULL OR tenant = :tenant)
    AND (tag IS NULL OR tag IN (SELECT value FROM json_each(:tags)))
)
"""


def prepare(connection: sqlite3.Connection) -> None:
    """Create the tables in a new file, and anew in one of another schema.

    Raises:
        CacheError: The file is something else.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (schema,) = connection.execute("PRAGMA user_version").fetchone()
    if (application, schema) == (APPLICATION_ID, SCHEMA):
        return
    objects = connection.execute(
        "SELECT type, name FROM sqlite_master WHERE type IN ('table', 'view')"
    ).fetchall()
    if application != APPLICATION_ID and (application or objects):
        raise CacheError(
            "the file is a SQLite database, but no cache; give the cache a file of its own"
        )
    for kind, name in objects:
        connection.execute(f'DROP {kind} "{name}"')
    for statement in _statements(_TABLES):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA}")


def _statements(script: str) -> Sequence[str]:
    """Split a script; `executescript` would commit first."""
    found: list[str] = []
    for line in script.strip().splitlines(keepends=True):
        if found and not _is_whole(found[-1]):
            found[-1] += line
        else:
            found.append(line)
    return found


def _is_whole(statement: str) -> bool:
    from sqlite3 import complete_statement  # noqa: PLC0415  only for a new file

    return complete_statement(statement)


def is_outdated(connection: sqlite3.Connection, labels: Labels, since: int) -> bool:
    """Whether something that meets the labels was invalidated since."""
    values = {**labels._asdict(), "tags": json.dumps(labels.tags), "since": since}
    (found,) = connection.execute(_OUTDATED, values).fetchone()
    return bool(found)


def claim(
    connection: sqlite3.Connection,
    entry_id: str,
    holder: str,
    *,
    labels: Labels,
    times: tuple[float, float],
) -> Claim:
    """Claim an entry; `times` are now, and when the lease would end."""
    now, until = times
    held = connection.execute(
        "SELECT holder, sequence FROM claims WHERE id = ? AND expires_at > ? AND expires_at <= ?",
        (entry_id, now, now + LONGEST_LEASE),
    ).fetchone()
    if held is not None and not is_outdated(connection, labels, held[1]):
        return Claim(mine=False, holder=held[0], sequence=held[1])
    connection.execute("DELETE FROM claims WHERE expires_at <= ?", (now,))
    connection.execute("DELETE FROM failures WHERE expires_at <= ?", (now,))
    (sequence,) = connection.execute(
        "SELECT coalesce(max(sequence), 0) FROM invalidations"
    ).fetchone()
    connection.execute(
        "INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?)", (entry_id, holder, sequence, until)
    )
    return Claim(mine=True, holder=holder, sequence=sequence)


def renew(connection: sqlite3.Connection, entry_id: str, holder: str, *, until: float) -> bool:
    """Prolong a lease."""
    changed = connection.execute(
        "UPDATE claims SET expires_at = ? WHERE id = ? AND holder = ?", (until, entry_id, holder)
    )
    return changed.rowcount > 0


def release(connection: sqlite3.Connection, entry_id: str, holder: str) -> None:
    """End a claim."""
    connection.execute("DELETE FROM claims WHERE id = ? AND holder = ?", (entry_id, holder))


def note_failure(
    connection: sqlite3.Connection, holder: str, record: bytes, *, until: float
) -> None:
    """Tell those who wait for a flight how it failed."""
    connection.execute("INSERT OR REPLACE INTO failures VALUES (?, ?, ?)", (holder, record, until))


def keep(
    connection: sqlite3.Connection, row: Row, kept: Kept, *, bounds: Bounds, now: float
) -> int | None:
    """Store an entry; return how many went to make room, or None if it was not stored."""
    if kept.holder:
        release(connection, row.entry_id, kept.holder)
    if kept.since is not None and is_outdated(connection, kept.labels, kept.since):
        return None
    connection.execute("DELETE FROM entries WHERE id = ?", (row.entry_id,))
    if len(row.record) + OVERHEAD_BYTES > bounds.bytes:
        return None
    agent_id, version, tenant, tags = row.labels
    connection.execute(
        "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)",
        (row.entry_id, row.namespace, agent_id, version, tenant, row.record, row.expires_at),
    )
    connection.executemany(
        "INSERT OR IGNORE INTO entry_tags VALUES (?, ?)", [(tag, row.entry_id) for tag in tags]
    )
    return _make_room(connection, bounds, now)


def _make_room(connection: sqlite3.Connection, bounds: Bounds, now: float) -> int:
    """Delete what has expired, then the oldest, until the bounds hold."""
    if _excess(connection, bounds) <= 0:
        return 0
    connection.execute("DELETE FROM entries WHERE expires_at <= ?", (now,))
    evicted = 0
    while (excess := _excess(connection, bounds)) > 0:
        gone = connection.execute(
            "DELETE FROM entries WHERE rowid IN (SELECT rowid FROM entries ORDER BY rowid LIMIT ?)",
            (excess,),
        )
        evicted += gone.rowcount
    return evicted


def _excess(connection: sqlite3.Connection, bounds: Bounds) -> int:
    """How many entries too many there are; where their bytes are too many, at least one."""
    entries, size = totals(connection)
    return max(entries - bounds.entries, int(size > bounds.bytes))


def totals(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return the number of entries, and their bytes."""
    entries, size = connection.execute("SELECT entries, bytes FROM totals").fetchone()
    return int(entries), int(size)


def invalidate(connection: sqlite3.Connection, invalidation: Invalidation) -> int:
    """Delete the entries that fit; note it for calls under way."""
    _note(connection, invalidation)
    gone = connection.execute(f"DELETE FROM entries WHERE {_MEETS}", invalidation._asdict())  # noqa: S608
    return gone.rowcount


def clear(connection: sqlite3.Connection, namespaces: Sequence[str] | None) -> None:
    """Delete the entries of namespaces, or all; note it for calls under way."""
    _note(connection, Invalidation())
    if namespaces is None:
        connection.execute("DELETE FROM entries")
    else:
        connection.executemany(
            "DELETE FROM entries WHERE namespace = ?", [(each,) for each in namespaces]
        )


def _note(connection: sqlite3.Connection, invalidation: Invalidation) -> None:
    noted = connection.execute(
        "INSERT INTO invalidations (agent_id, version, tenant, tag) VALUES (?, ?, ?, ?)",
        invalidation,
    )
    oldest = (noted.lastrowid or 0) - REMEMBERED
    connection.execute("DELETE FROM invalidations WHERE sequence <= ?", (oldest,))
