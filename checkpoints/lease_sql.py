"""The rows of threads and their leases, as SQL on one SQLite connection.

Every function here runs inside a transaction of the group-commit writer.
"""

from __future__ import annotations

import json
import sqlite3
import time
from typing import TYPE_CHECKING, Any

from checkpoints.encryption import PLAIN_TEXT, TextCipher
from checkpoints.threads import RUNNING, UNFINISHED, Lease, Renewal, ThreadRecord
from state.cancellation import Cancellation
from state.errors import (
    LeaseLostError,
    NewerPlanError,
    ThreadBusyError,
    ThreadFinishedError,
    ThreadNotFoundError,
    ThreadPendingError,
)
from state.plan import Plan
from state.plan_document import PLAN_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Sequence

_COLUMNS = (
    "thread_id, plan, status, created_at, updated_at, lease_token, lease_holder, "
    "lease_expires_at, cancellation, EXISTS (SELECT 1 FROM orchestration_events AS event WHERE "
    "event.thread_id = orchestration_threads.thread_id "
    "AND event.run_id = orchestration_threads.run_id)"
)


def first_token() -> int:
    """Return the token of a thread's first lease: above those of a deleted thread of that id."""
    return time.time_ns() // 1000


def start(  # noqa: PLR0913  a row's parts
    connection: sqlite3.Connection,
    thread_id: str,
    plan: Plan,
    *,
    holder: str,
    seconds: float,
    cipher: TextCipher = PLAIN_TEXT,
) -> Lease:
    """Store the plan of a new run and claim its thread; see `ThreadStore.start`."""
    now = time.time()
    row = connection.execute(
        "SELECT status, lease_token, lease_holder, lease_expires_at "
        "FROM orchestration_threads WHERE thread_id = ?",
        (thread_id,),
    ).fetchone()
    token = first_token()
    if row is not None:
        status, last_token, last_holder, expires_at = row
        if last_holder is not None and expires_at > now:
            raise ThreadBusyError(thread_id, last_holder, expires_at)
        if status in UNFINISHED:
            raise ThreadPendingError(thread_id)
        token = last_token + 1
    lease = Lease(thread_id, token, holder, now + seconds)
    definition = plan.document.get("definition")
    connection.execute(
        "INSERT INTO orchestration_threads (thread_id, schema_version, run_id, plan, signature, "
        "status, created_at, updated_at, lease_token, lease_holder, lease_expires_at, "
        "definition_name, definition_version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (thread_id) DO UPDATE SET schema_version = excluded.schema_version, "
        "run_id = excluded.run_id, plan = excluded.plan, signature = excluded.signature, "
        "status = excluded.status, updated_at = excluded.updated_at, "
        "lease_token = excluded.lease_token, lease_holder = excluded.lease_holder, "
        "lease_expires_at = excluded.lease_expires_at, cancellation = NULL, "
        "definition_name = excluded.definition_name, "
        "definition_version = excluded.definition_version",
        (
            thread_id,
            PLAN_SCHEMA,
            plan.run_id,
            cipher.seal(json.dumps(plan.document)),
            cipher.seal(plan.signature()),
            RUNNING,
            now,
            now,
            token,
            holder,
            lease.expires_at,
            *((definition["name"], definition["version"]) if definition else (None, None)),
        ),
    )
    return lease


def resume(
    connection: sqlite3.Connection,
    thread_id: str,
    *,
    holder: str,
    seconds: float,
    cipher: TextCipher = PLAIN_TEXT,
) -> tuple[ThreadRecord, Lease]:
    """Claim a thread as it is; see `ThreadStore.resume`."""
    now = time.time()
    record = get(connection, thread_id, cipher=cipher)
    last = record.lease
    if last is not None and last.expires_at > now:
        raise ThreadBusyError(thread_id, last.holder, last.expires_at)
    connection.execute(
        "UPDATE orchestration_threads SET lease_token = lease_token + 1, lease_holder = ?, "
        "lease_expires_at = ? WHERE thread_id = ?",
        (holder, now + seconds, thread_id),
    )
    (token,) = connection.execute(
        "SELECT lease_token FROM orchestration_threads WHERE thread_id = ?", (thread_id,)
    ).fetchone()
    return record, Lease(thread_id, token, holder, now + seconds)


def exists(connection: sqlite3.Connection, thread_id: str) -> bool:
    """Whether the thread has a row."""
    row = connection.execute(
        "SELECT 1 FROM orchestration_threads WHERE thread_id = ?", (thread_id,)
    ).fetchone()
    return row is not None


def check_token(connection: sqlite3.Connection, thread_id: str, token: int) -> None:
    """Return if the token is the thread's latest.

    Raises:
        LeaseLostError: Somebody claimed the thread since.
    """
    row = connection.execute(
        "SELECT lease_token FROM orchestration_threads WHERE thread_id = ?", (thread_id,)
    ).fetchone()
    if row is None or row[0] != token:
        raise LeaseLostError(thread_id)


def renew(
    connection: sqlite3.Connection,
    leases: Sequence[Lease],
    *,
    seconds: float,
    cipher: TextCipher = PLAIN_TEXT,
) -> Renewal:
    """Extend leases; see `ThreadStore.renew`."""
    expires_at = time.time() + seconds
    lost, cancelled = set(), {}
    for lease in leases:
        row = connection.execute(
            "UPDATE orchestration_threads SET lease_expires_at = ? "
            "WHERE thread_id = ? AND lease_token = ? AND lease_holder IS NOT NULL "
            "RETURNING cancellation",
            (expires_at, lease.thread_id, lease.token),
        ).fetchone()
        if row is None:
            lost.add(lease.thread_id)
        elif cancellation := _cancellation(row[0], cipher):
            cancelled[lease.thread_id] = cancellation
    return Renewal(lost, cancelled)


def cancel(
    connection: sqlite3.Connection,
    thread_id: str,
    *,
    cancellation: Cancellation,
    cipher: TextCipher = PLAIN_TEXT,
) -> None:
    """Note that a thread's run is called off; see `ThreadStore.cancel`."""
    record = get(connection, thread_id, cipher=cipher)
    if record.status not in UNFINISHED:
        raise ThreadFinishedError(thread_id, record.status)
    connection.execute(
        "UPDATE orchestration_threads SET cancellation = COALESCE(cancellation, ?) "
        "WHERE thread_id = ?",
        (cipher.seal(cancellation.as_text()), thread_id),
    )


def cancellation_of(
    connection: sqlite3.Connection, lease: Lease, *, cipher: TextCipher = PLAIN_TEXT
) -> Cancellation | None:
    """Say whether the run that holds this lease has been called off."""
    row = connection.execute(
        "SELECT cancellation FROM orchestration_threads WHERE thread_id = ? AND lease_token = ?",
        (lease.thread_id, lease.token),
    ).fetchone()
    return None if row is None else _cancellation(row[0], cipher)


def release(connection: sqlite3.Connection, lease: Lease, *, status: str) -> None:
    """End a lease; see `ThreadStore.release`."""
    changed = connection.execute(
        "UPDATE orchestration_threads SET lease_holder = NULL, lease_expires_at = 0, "
        "status = ?, updated_at = ? "
        "WHERE thread_id = ? AND lease_token = ? AND lease_holder IS NOT NULL",
        (status, time.time(), lease.thread_id, lease.token),
    )
    if changed.rowcount == 0:
        raise LeaseLostError(lease.thread_id)


def get(
    connection: sqlite3.Connection, thread_id: str, *, cipher: TextCipher = PLAIN_TEXT
) -> ThreadRecord:
    """Return one record; see `ThreadStore.get`."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM orchestration_threads WHERE thread_id = ?",  # noqa: S608
        (thread_id,),
    ).fetchone()
    if row is None:
        raise ThreadNotFoundError(thread_id, recent_ids(connection, limit=5))
    record = _record(row, cipher)
    schema = record.plan.document["schema"]
    if schema > PLAN_SCHEMA:  # what its words mean is not known here, so nothing is done by them
        raise NewerPlanError(thread_id, schema, PLAN_SCHEMA)
    return record


def recent_ids(connection: sqlite3.Connection, *, limit: int) -> list[str]:
    """Return the ids of threads, the last changed first."""
    rows = connection.execute(
        "SELECT thread_id FROM orchestration_threads ORDER BY updated_at DESC LIMIT ?", (limit,)
    )
    return [thread_id for (thread_id,) in rows]


def recent(
    connection: sqlite3.Connection,
    *,
    limit: int,
    status: str | None,
    workflow: str | None = None,
    cipher: TextCipher = PLAIN_TEXT,
) -> list[ThreadRecord]:
    """Return records, the last changed first."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM orchestration_threads "  # noqa: S608
        "WHERE (?1 IS NULL OR status = ?1) AND (?2 IS NULL OR definition_name = ?2) "
        "ORDER BY updated_at DESC LIMIT ?3",
        (status, workflow, limit),
    )
    return [_record(row, cipher) for row in rows]


def _record(row: tuple[Any, ...], cipher: TextCipher) -> ThreadRecord:
    (thread_id, plan, status, created_at, updated_at, token, holder, expires_at) = row[:8]
    cancelled, streamed = row[8:]
    lease = None if holder is None else Lease(thread_id, token, holder, expires_at)
    return ThreadRecord(
        thread_id,
        Plan(json.loads(cipher.open(plan))),
        status,
        created_at,
        updated_at,
        lease,
        _cancellation(cancelled, cipher),
        bool(streamed),
    )


def _cancellation(sealed: str | None, cipher: TextCipher) -> Cancellation | None:
    return None if sealed is None else Cancellation.of_text(cipher.open(sealed))
