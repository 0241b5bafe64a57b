"""Deleting and copying threads, as SQL on one SQLite connection.

Every function here runs inside a transaction, most of them the group-commit writer's.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Final

from checkpoints import events_sql, spending_sql
from checkpoints.chains import CheckpointKey, Link, needed_by, retained
from checkpoints.lease_sql import exists, first_token, recent_ids
from checkpoints.retention import (
    NO_SECOND_RUN,
    RESUME_OR_FORCE,
    Copied,
    Removed,
    Standing,
    taken,
)
from checkpoints.statements import on_sqlite
from state.errors import ThreadNotFoundError

if TYPE_CHECKING:
    from langgraph.checkpoint.serde.base import SerializerProtocol

BATCH: Final = 500
"""Checkpoints deleted in one transaction; others wait for it."""

THREAD_TABLES: Final = (
    "orchestration_thread_expiry",
    "orchestration_assignments",
    "orchestration_dispatches",
    "orchestration_approvals",
    "orchestration_turns",
    "orchestration_upgrades",
    "orchestration_signals",
    "orchestration_events",
    "orchestration_threads",
    "orchestration_messages",
)
"""What a thread has beside checkpoints, by `thread_id`; it goes when the thread is deleted.

Messages go last, as a trigger keeps those of a thread that is there. The trail of approvals
stays for ever, and so does what its calls cost: the accounts of an agent or a tenant would
otherwise change with what is tidied up.
"""

Guard = Callable[[sqlite3.Connection], object]
"""Raises if the thread must be left alone; called in each transaction."""


class StoredChains:
    """The checkpoints of one thread in SQLite; a `Chains`."""

    def __init__(
        self, connection: sqlite3.Connection, thread_id: str, serde: SerializerProtocol
    ) -> None:
        self._connection = connection
        self._thread_id = thread_id
        self._serde = serde

    @cached_property
    def newest_first(self) -> dict[str, list[str]]:
        """Ids by namespace; read from the index alone."""
        rows = self._connection.execute(
            "SELECT checkpoint_ns, checkpoint_id FROM checkpoints WHERE thread_id = ? "
            "ORDER BY checkpoint_ns, checkpoint_id DESC",
            (self._thread_id,),
        )
        found = defaultdict(list)
        for namespace, id_ in rows:
            found[namespace].append(id_)
        return found

    def link(self, key: CheckpointKey) -> Link | None:
        """Return a checkpoint's link; None if it is gone."""
        row = self._connection.execute(
            "SELECT parent_checkpoint_id, metadata FROM checkpoints "
            "WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?",
            (self._thread_id, *key),
        ).fetchone()
        return None if row is None else Link.of(row[0], json.loads(row[1] or "{}"))

    def holds(self, key: CheckpointKey) -> frozenset[str]:
        """Return the channels whose values a checkpoint has itself."""
        row = self._connection.execute(
            "SELECT type, checkpoint FROM checkpoints "
            "WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?",
            (self._thread_id, *key),
        ).fetchone()
        return frozenset(() if row is None else self._serde.loads_typed(row)["channel_values"])


def prune_some(
    connection: sqlite3.Connection,
    thread_id: str,
    *,
    keep: int,
    serde: SerializerProtocol,
    guard: Guard,
) -> Removed:
    """Delete up to `BATCH` checkpoints that a thread does not need, the oldest first."""
    guard(connection)
    if keep == 1:  # then nothing else of earlier runs is kept either
        events_sql.forget_earlier(connection, thread_id)
    chains = StoredChains(connection, thread_id, serde)
    needed = retained(chains.newest_first, chains, keep=keep)
    known = {(ns, id_) for ns, ids in chains.newest_first.items() for id_ in ids}
    return delete_checkpoints(connection, thread_id, _oldest(known - needed))


def delete_checkpoints(
    connection: sqlite3.Connection, thread_id: str, keys: Iterable[CheckpointKey]
) -> Removed:
    """Delete checkpoints and their writes."""
    rows = [(thread_id, *key) for key in keys]
    where = "WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?"
    checkpoints = connection.executemany(f"DELETE FROM checkpoints {where}", rows)  # noqa: S608
    writes = connection.executemany(f"DELETE FROM writes {where}", rows)  # noqa: S608
    return Removed(max(checkpoints.rowcount, 0), max(writes.rowcount, 0))


def delete_all(connection: sqlite3.Connection, thread_id: str, *, guard: Guard) -> Removed:
    """Delete everything that is kept of a thread."""
    guard(connection)
    connection.execute(
        "DELETE FROM orchestration_approval_votes WHERE request_id IN "
        "(SELECT request_id FROM orchestration_approvals WHERE thread_id = ?)",
        (thread_id,),
    )
    spending_sql.forget(on_sqlite(connection), thread_id)
    counts = {
        table: connection.execute(
            f"DELETE FROM {table} WHERE thread_id = ?",  # noqa: S608
            (thread_id,),
        ).rowcount
        for table in ("checkpoints", "writes", *THREAD_TABLES)
    }
    was_there = counts["checkpoints"] or counts["orchestration_threads"]
    return Removed(counts["checkpoints"], counts["writes"], (thread_id,) if was_there else ())


def doomed_by_runs(
    connection: sqlite3.Connection, run_ids: Iterable[str]
) -> dict[str, set[CheckpointKey]]:
    """Find the checkpoints of runs, by thread; this reads the whole table."""
    rows = connection.execute(
        "SELECT thread_id, checkpoint_ns, checkpoint_id FROM checkpoints "
        "WHERE json_extract(CAST(metadata AS TEXT), '$.run_id') IN "
        "(SELECT value FROM json_each(?))",
        (json.dumps(list(run_ids)),),
    )
    found = defaultdict(set)
    for thread_id, *key in rows:
        found[thread_id].add((key[0], key[1]))
    return found


def delete_run_checkpoints(
    connection: sqlite3.Connection,
    thread_id: str,
    doomed: set[CheckpointKey],
    *,
    serde: SerializerProtocol,
) -> Removed:
    """Delete up to `BATCH` of them, but none that others' `DeltaChannel`s are made from."""
    check_idle(connection, thread_id)
    chains = StoredChains(connection, thread_id, serde)
    known = {(ns, id_) for ns, ids in chains.newest_first.items() for id_ in ids}
    needed = {ancestor for key in known - doomed for ancestor in needed_by(key, chains)}
    return delete_checkpoints(connection, thread_id, _oldest(known & doomed - needed))


def forget_runs(connection: sqlite3.Connection, thread_id: str, run_ids: Iterable[str]) -> None:
    """Delete the row of a thread whose last run is among these: resuming would run it again.

    Raises:
        ThreadBusyError: Somebody runs it.
    """
    check_idle(connection, thread_id)
    events_sql.forget(connection, thread_id, [*run_ids])
    connection.execute(
        "DELETE FROM orchestration_threads WHERE thread_id = ? "
        "AND run_id IN (SELECT value FROM json_each(?))",
        (thread_id, json.dumps(list(run_ids))),
    )
    if not exists(connection, thread_id):  # then nobody will ask where its calls went
        connection.execute("DELETE FROM orchestration_dispatches WHERE thread_id = ?", (thread_id,))


def copy_checkpoints(connection: sqlite3.Connection, source: str, target: str) -> Copied:
    """Copy checkpoints and writes to an id that has none.

    Raises:
        RetentionError: It has some.
    """
    if _has_checkpoints(connection, target):
        raise taken(target)
    checkpoints = connection.execute(
        "INSERT INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, "
        "type, checkpoint, metadata) SELECT ?, checkpoint_ns, checkpoint_id, "
        "parent_checkpoint_id, type, checkpoint, metadata FROM checkpoints WHERE thread_id = ?",
        (target, source),
    )
    writes = connection.execute(
        "INSERT INTO writes (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, "
        "channel, type, value) SELECT ?, checkpoint_ns, checkpoint_id, task_id, task_path, idx, "
        "channel, type, value FROM writes WHERE thread_id = ?",
        (target, source),
    )
    return Copied(checkpoints.rowcount, writes.rowcount)


def copy_thread(connection: sqlite3.Connection, source: str, target: str) -> Copied:
    """Copy a finished thread with its row; see `Retention.copy`."""
    now = time.time()
    standing = _existing(connection, source)
    standing.check_idle(source, now=now)
    standing.check_finished(source, instead=NO_SECOND_RUN)
    if standing_of(connection, target) is not None:
        raise taken(target)
    copied = copy_checkpoints(connection, source, target)
    connection.execute(
        "INSERT INTO orchestration_threads (thread_id, schema_version, run_id, plan, signature, "
        "status, created_at, updated_at, lease_token, lease_holder, lease_expires_at, "
        "definition_name, definition_version) "
        "SELECT ?, schema_version, run_id, plan, signature, status, ?, ?, ?, NULL, 0, "
        "definition_name, definition_version FROM orchestration_threads WHERE thread_id = ?",
        (target, now, now, first_token(), source),
    )
    connection.execute(
        "INSERT INTO orchestration_messages (thread_id, sequence, run_id, position, role, message, "
        "created_at) SELECT ?, sequence, run_id, position, role, message, created_at "
        "FROM orchestration_messages WHERE thread_id = ?",
        (target, source),
    )
    connection.execute(
        "INSERT INTO orchestration_turns (thread_id, run_id, turn, status, result, finished_at) "
        "SELECT ?, run_id, turn, status, result, finished_at "
        "FROM orchestration_turns WHERE thread_id = ?",
        (target, source),
    )
    connection.execute(
        "INSERT INTO orchestration_assignments (thread_id, agent_id, version) "
        "SELECT ?, agent_id, version FROM orchestration_assignments WHERE thread_id = ?",
        (target, source),
    )
    set_expiry(connection, target, standing.expires_after_seconds)
    return copied


def set_expiry(connection: sqlite3.Connection, thread_id: str, seconds: float | None) -> None:
    """Store a thread's time to live; None is none.

    Raises:
        ThreadNotFoundError: There is no such thread.
    """
    _existing(connection, thread_id)
    if seconds is None:
        connection.execute(
            "DELETE FROM orchestration_thread_expiry WHERE thread_id = ?", (thread_id,)
        )
    else:
        connection.execute(
            "INSERT OR REPLACE INTO orchestration_thread_expiry VALUES (?, ?)",
            (thread_id, seconds),
        )


def all_ids(connection: sqlite3.Connection) -> list[str]:
    """Return the ids of every thread that has a row."""
    rows = connection.execute("SELECT thread_id FROM orchestration_threads ORDER BY thread_id")
    return [thread_id for (thread_id,) in rows]


def due(connection: sqlite3.Connection, *, default_seconds: float | None, now: float) -> list[str]:
    """Return finished threads whose time is over, the longest ago first."""
    rows = connection.execute(
        "SELECT thread_id FROM orchestration_threads "
        "LEFT JOIN orchestration_thread_expiry USING (thread_id) "
        "WHERE updated_at + COALESCE(expires_after_seconds, ?) <= ? "
        "AND status NOT IN ('running', 'interrupted') ORDER BY updated_at",
        (default_seconds, now),
    )
    return [thread_id for (thread_id,) in rows]


def standing_of(connection: sqlite3.Connection, thread_id: str) -> Standing | None:
    """Return how a thread's row stands; None if it has none."""
    row = connection.execute(
        "SELECT status, updated_at, lease_holder, lease_expires_at, expires_after_seconds "
        "FROM orchestration_threads LEFT JOIN orchestration_thread_expiry USING (thread_id) "
        "WHERE thread_id = ?",
        (thread_id,),
    ).fetchone()
    return None if row is None else Standing(*row)


def check_idle(connection: sqlite3.Connection, thread_id: str) -> None:
    """Return if nobody runs the thread.

    Raises:
        ThreadBusyError: Somebody does.
    """
    standing = standing_of(connection, thread_id)
    if standing is not None:
        standing.check_idle(thread_id, now=time.time())


def check_deletable(connection: sqlite3.Connection, thread_id: str, *, force: bool) -> None:
    """Return if a thread may be deleted; see `Retention.delete`."""
    standing = standing_of(connection, thread_id)
    if standing is None:
        if not _has_checkpoints(connection, thread_id):
            raise _not_found(connection, thread_id)
        return  # left by another of LangGraph's savers
    standing.check_idle(thread_id, now=time.time())
    if not force:
        standing.check_finished(thread_id, instead=RESUME_OR_FORCE)


def _oldest(keys: Iterable[CheckpointKey]) -> list[CheckpointKey]:
    return sorted(keys, key=lambda key: key[1])[:BATCH]


def _existing(connection: sqlite3.Connection, thread_id: str) -> Standing:
    standing = standing_of(connection, thread_id)
    if standing is None:
        raise _not_found(connection, thread_id)
    return standing


def _not_found(connection: sqlite3.Connection, thread_id: str) -> ThreadNotFoundError:
    return ThreadNotFoundError(thread_id, recent_ids(connection, limit=5))


def _has_checkpoints(connection: sqlite3.Connection, thread_id: str) -> bool:
    row = connection.execute("SELECT 1 FROM checkpoints WHERE thread_id = ? LIMIT 1", (thread_id,))
    return row.fetchone() is not None
