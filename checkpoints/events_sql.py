"""The log of events, as SQL on one SQLite connection."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from checkpoints.events import LoggedEvent
from checkpoints.history import ALL

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from checkpoints.encryption import TextCipher
    from checkpoints.events import RunKey
    from checkpoints.history import KeepRuns

_APPEND = """
INSERT INTO orchestration_events (thread_id, run_id, sequence, kind, task_id, data, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_READ = """
SELECT sequence, kind, task_id, data FROM orchestration_events
WHERE thread_id = ? AND run_id = ? AND sequence > ? ORDER BY sequence LIMIT ?
"""
_LAST = """
SELECT sequence, kind, task_id, data FROM orchestration_events
WHERE thread_id = ? AND run_id = ? ORDER BY sequence DESC LIMIT 1
"""
_EARLIER = """
SELECT run_id FROM orchestration_events WHERE thread_id = ? AND run_id <> ? AND sequence = 1
ORDER BY created_at DESC
"""

Row = tuple[int, str, str, str, float]
"""Sequence, kind, task id, sealed data, time."""


def append(connection: sqlite3.Connection, key: RunKey, rows: Iterable[Row]) -> None:
    """Add events to a run's log."""
    connection.executemany(_APPEND, [(*key, *row) for row in rows])


def read(
    connection: sqlite3.Connection, key: RunKey, *, after: int, limit: int, cipher: TextCipher
) -> list[LoggedEvent]:
    """Return the first events after a sequence number."""
    rows = connection.execute(_READ, (*key, after, limit))
    return [
        LoggedEvent(sequence, kind, task_id, json.loads(cipher.open(data)))
        for sequence, kind, task_id, data in rows
    ]


def last(connection: sqlite3.Connection, key: RunKey, *, cipher: TextCipher) -> LoggedEvent | None:
    """Return a run's last event."""
    for sequence, kind, task_id, data in connection.execute(_LAST, key):
        return LoggedEvent(sequence, kind, task_id, json.loads(cipher.open(data)))
    return None


def forget_runs(
    connection: sqlite3.Connection, thread_id: str, *, present: str, keep: KeepRuns
) -> None:
    """Delete the logs of all runs of a thread but the present one and the last `keep` before it."""
    if keep == ALL:
        return
    earlier = connection.execute(_EARLIER, (thread_id, present)).fetchall()
    forget(connection, thread_id, [run_id for (run_id,) in earlier[keep:]])


def forget_earlier(connection: sqlite3.Connection, thread_id: str) -> None:
    """Delete the logs of all runs of a thread but the present one."""
    connection.execute(
        "DELETE FROM orchestration_events WHERE thread_id = ?1 AND run_id <> "
        "(SELECT run_id FROM orchestration_threads WHERE thread_id = ?1)",
        (thread_id,),
    )


def forget(connection: sqlite3.Connection, thread_id: str, run_ids: Sequence[str]) -> None:
    """Delete the logs of these runs of a thread."""
    connection.executemany(
        "DELETE FROM orchestration_events WHERE thread_id = ? AND run_id = ?",
        [(thread_id, run_id) for run_id in run_ids],
    )
