"""The messages of threads, as SQL on one SQLite connection.

Every function here runs inside a transaction of the group-commit writer.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

_APPEND = """
INSERT INTO orchestration_messages
    (thread_id, sequence, run_id, position, role, message, created_at)
SELECT ?1, COALESCE(MAX(sequence), 0) + 1, ?2, ?3, ?4, ?5, ?6
FROM orchestration_messages WHERE thread_id = ?1
ON CONFLICT (thread_id, run_id, position) DO NOTHING
"""
_LAST = """
SELECT message FROM orchestration_messages
WHERE thread_id = ? AND run_id <> ? AND role NOT IN ('system', 'developer')
ORDER BY sequence DESC LIMIT ?
"""
_PAGE = """
SELECT sequence, run_id, message, created_at FROM orchestration_messages
WHERE thread_id = ?1 AND (?2 IS NULL OR sequence < ?2) ORDER BY sequence DESC LIMIT ?3
"""


def append(
    connection: sqlite3.Connection,
    thread_id: str,
    messages: Sequence[tuple[str, str]],
    *,
    run_id: str,
    position: int,
) -> None:
    """Add a run's messages, each a role and a text, from that position of the run on.

    Those that the run has recorded before are left alone.
    """
    now = time.time()
    connection.executemany(
        _APPEND,
        [
            (thread_id, run_id, position + number, role, text, now)
            for number, (role, text) in enumerate(messages)
        ],
    )


def last(
    connection: sqlite3.Connection, thread_id: str, *, besides_run: str, limit: int
) -> list[str]:
    """Return the last messages that are nobody's instructions, newest first."""
    return [text for (text,) in connection.execute(_LAST, (thread_id, besides_run, limit))]


def page(
    connection: sqlite3.Connection, thread_id: str, *, before: int | None, limit: int
) -> list[tuple[Any, ...]]:
    """Return rows of sequence, run id, message and time, newest first."""
    return connection.execute(_PAGE, (thread_id, before, limit)).fetchall()
