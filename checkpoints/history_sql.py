"""The messages of threads, as SQL on one SQLite connection.

Every function here runs inside a transaction of the group-commit writer.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS orchestration_messages (
    thread_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    run_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    role TEXT NOT NULL,
    message TEXT NOT NULL,
    created_at REAL NOT NULL,
    UNIQUE (thread_id, sequence),
    UNIQUE (thread_id, run_id, position)
);
CREATE TRIGGER IF NOT EXISTS orchestration_messages_stay
    BEFORE UPDATE ON orchestration_messages
    BEGIN SELECT RAISE(ABORT, 'a recorded message cannot be changed'); END;
CREATE TRIGGER IF NOT EXISTS orchestration_messages_go_with_their_thread
    BEFORE DELETE ON orchestration_messages
    WHEN EXISTS (SELECT 1 FROM orchestration_threads WHERE thread_id = OLD.thread_id)
    BEGIN SELECT RAISE(ABORT, 'messages go only with their thread: delete its row first'); END;
"""

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
