"""Changing a thread's plan while it is held, and results of turns, as SQL on one connection.

Every function here runs inside a transaction of the group-commit writer.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from checkpoints import lease_sql
from checkpoints.run_pruning import forget_runs
from checkpoints.upgrades import TurnResult, UpgradeRecord
from state.plan_document import PLAN_SCHEMA

if TYPE_CHECKING:
    import sqlite3

    from checkpoints.encryption import TextCipher
    from checkpoints.threads import Lease
    from state.jsonvalue import JsonObject
    from state.plan import Plan

_TURN = """
INSERT INTO orchestration_turns (thread_id, run_id, turn, status, result, finished_at)
SELECT ?1, ?2, COALESCE(MAX(turn), 0) + 1, ?3, ?4, ?5
FROM orchestration_turns WHERE thread_id = ?1
ON CONFLICT (thread_id, run_id) DO NOTHING
"""


def replace_plan(
    connection: sqlite3.Connection,
    lease: Lease,
    plan: Plan,
    record: UpgradeRecord,
    cipher: TextCipher,
) -> None:
    """Let a thread go on under another plan, which holds what was achieved under the old one.

    The run's checkpoints are of the old plan's graph, so they go.

    Raises:
        LeaseLostError: The thread belongs to another.
    """
    thread_id = lease.thread_id
    lease_sql.check_token(connection, thread_id, lease.token)
    definition = plan.document.get("definition")
    connection.execute(
        "UPDATE orchestration_threads SET schema_version = ?, plan = ?, signature = ?, "
        "definition_name = ?, definition_version = ?, updated_at = ? WHERE thread_id = ?",
        (
            PLAN_SCHEMA,
            cipher.seal(json.dumps(plan.document)),
            cipher.seal(plan.signature()),
            *((definition["name"], definition["version"]) if definition else (None, None)),
            time.time(),
            thread_id,
        ),
    )
    forget_runs(connection, thread_id, keep=0)
    connection.execute(
        "INSERT INTO orchestration_upgrades (thread_id, run_id, name, old_version, new_version, "
        "old_signature, new_signature, differences, by, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            thread_id,
            record.run_id,
            record.name,
            record.old_version,
            record.new_version,
            cipher.seal(record.old_signature),
            cipher.seal(record.new_signature),
            cipher.seal(json.dumps([*record.differences], ensure_ascii=False)),
            record.by,
            time.time(),
        ),
    )


def upgrades(
    connection: sqlite3.Connection, thread_id: str, cipher: TextCipher
) -> list[UpgradeRecord]:
    """Return a thread's upgrades, the oldest first."""
    rows = connection.execute(
        "SELECT run_id, name, old_version, new_version, old_signature, new_signature, differences, "
        "by, at FROM orchestration_upgrades WHERE thread_id = ? ORDER BY entry",
        (thread_id,),
    )
    return [
        UpgradeRecord(
            run_id=run_id,
            name=name,
            old_version=old,
            new_version=new,
            old_signature=cipher.open(old_signature),
            new_signature=cipher.open(new_signature),
            differences=json.loads(cipher.open(differences)),
            by=by,
            at=at,
        )
        for run_id, name, old, new, old_signature, new_signature, differences, by, at in rows
    ]


def record_turn(  # noqa: PLR0913  a row's parts
    connection: sqlite3.Connection,
    lease: Lease,
    *,
    run_id: str,
    status: str,
    result: JsonObject,
    cipher: TextCipher,
) -> None:
    """Record what a turn came to; doing so again changes nothing."""
    sealed = cipher.seal(json.dumps(result, ensure_ascii=False))
    connection.execute(_TURN, (lease.thread_id, run_id, status, sealed, time.time()))


def turns(connection: sqlite3.Connection, thread_id: str, cipher: TextCipher) -> list[TurnResult]:
    """Return the results of a thread's turns, the oldest first."""
    rows = connection.execute(
        "SELECT turn, run_id, status, result, finished_at FROM orchestration_turns "
        "WHERE thread_id = ? ORDER BY turn",
        (thread_id,),
    )
    return [
        TurnResult(turn, run_id, status, json.loads(cipher.open(result)), finished_at)
        for turn, run_id, status, result, finished_at in rows
    ]
