"""Forgets the checkpoints of a thread's earlier runs, as each run begins with all it needs.

An agent that is a graph with a memory of its own (compiled with `checkpointer=True`) keeps it
in a namespace without task ids, which runs share: that is left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from checkpoints.history import ALL

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from langgraph.checkpoint.memory import InMemorySaver

    from checkpoints.history import KeepRuns

_BEGINNING = """
SELECT checkpoint_id FROM checkpoints
WHERE thread_id = ? AND checkpoint_ns = ''
    AND json_extract(CAST(metadata AS TEXT), '$.source') = 'input'
ORDER BY checkpoint_id DESC LIMIT 1 OFFSET ?
"""
"""A run's first checkpoint is that of its input; ids grow with time."""
_DELETE = """
DELETE FROM {table} WHERE thread_id = ?1
    AND (checkpoint_ns = '' OR instr(checkpoint_ns, ':')) AND (?2 IS NULL OR checkpoint_id < ?2)
"""


def forget_runs(connection: sqlite3.Connection, thread_id: str, *, keep: KeepRuns) -> None:
    """Delete checkpoints and writes of all runs but the last `keep`, in the caller's transaction.

    Only for a thread whose last run is over.
    """
    if keep == ALL:
        return
    first_kept: str | None = None
    if keep:
        row = connection.execute(_BEGINNING, (thread_id, keep - 1)).fetchone()
        if row is None:
            return
        (first_kept,) = row
    for table in ("checkpoints", "writes"):
        connection.execute(_DELETE.format(table=table), (thread_id, first_kept))


def forget_runs_in_memory(saver: InMemorySaver, thread_id: str, *, keep: KeepRuns) -> None:
    """Do the same to LangGraph's saver in memory."""
    spaces = saver.storage.get(thread_id)
    if keep == ALL or not spaces:
        return
    first_kept = _beginning(saver, spaces.get("", {}), keep) if keep else None
    if keep and first_kept is None:
        return
    for space in [each for each in spaces if not each or ":" in each]:
        checkpoints = spaces[space]
        gone = [id_ for id_ in checkpoints if first_kept is None or id_ < first_kept]
        used = set(_values(saver, (row for id_, row in checkpoints.items() if id_ not in gone)))
        for channel, version in set(_values(saver, map(checkpoints.pop, gone))) - used:
            saver.blobs.pop((thread_id, space, channel, version), None)
        for id_ in gone:
            saver.writes.pop((thread_id, space, id_), None)
        if not checkpoints:
            del spaces[space]


def _beginning(saver: InMemorySaver, checkpoints: dict[str, Any], keep: int) -> str | None:
    inputs = (
        id_
        for id_, (_, metadata, _) in sorted(checkpoints.items(), reverse=True)
        if saver.serde.loads_typed(metadata).get("source") == "input"
    )
    return next((id_ for number, id_ in enumerate(inputs, 1) if number == keep), None)


def _values(saver: InMemorySaver, rows: Iterable[Any]) -> Iterable[tuple[str, Any]]:
    """Which stored values checkpoints refer to, as channel and version."""
    for checkpoint, *_ in rows:
        yield from saver.serde.loads_typed(checkpoint)["channel_versions"].items()
