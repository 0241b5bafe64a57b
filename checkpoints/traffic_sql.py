"""The state of agents' endpoints, where calls went and what they cost, as SQL for any database.

Every function here runs inside somebody else's transaction. Nothing of it is encrypted: these
are names of agents, ids and numbers.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from checkpoints.call_records import storable
from checkpoints.traffic import CallRecord, Place, Sample, SharedState, Switched, Totals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import TextClause

    from checkpoints.statements import Execute
    from checkpoints.traffic import GroupBy
    from state.jsonvalue import JsonObject

_AT = "agent_id = :agent_id AND version = :version AND endpoint = :endpoint"
_STATES: Final = text("SELECT * FROM orchestration_endpoint_states")
_STATE: Final = text(f"SELECT * FROM orchestration_endpoint_states WHERE {_AT}")  # noqa: S608
_FIRST: Final = text(
    "INSERT INTO orchestration_endpoint_states "
    "(agent_id, version, endpoint, state, revision, updated_at) "
    "VALUES (:agent_id, :version, :endpoint, :state, 1, :at) "
    "ON CONFLICT DO NOTHING RETURNING revision"
)
_NEXT: Final = text(
    "UPDATE orchestration_endpoint_states "  # noqa: S608
    "SET state = :state, revision = revision + 1, updated_at = :at "
    f"WHERE {_AT} AND revision = :revision RETURNING revision"
)
_SWITCH: Final = text(
    "INSERT INTO orchestration_switches "
    "(agent_id, version, endpoint, switch, switched_by, reason, switched_at) "
    "VALUES (:agent_id, :version, :endpoint, :switch, :by, :reason, :at) "
    "ON CONFLICT (agent_id, version, endpoint) DO UPDATE SET switch = excluded.switch, "
    "switched_by = excluded.switched_by, reason = excluded.reason, "
    "switched_at = excluded.switched_at"
)
_SWITCHES: Final = text("SELECT * FROM orchestration_switches")
_VERSION: Final = text(
    "SELECT version FROM orchestration_assignments "
    "WHERE thread_id = :thread_id AND agent_id = :agent_id"
)
_ASSIGN: Final = text(
    "INSERT INTO orchestration_assignments (thread_id, agent_id, version) "
    "VALUES (:thread_id, :agent_id, :version) "
    "ON CONFLICT (thread_id, agent_id) DO UPDATE SET version = excluded.version "
    "WHERE orchestration_assignments.version = CAST(:instead_of AS TEXT) RETURNING version"
)
_HAD: Final = text(
    "INSERT INTO orchestration_assignments (thread_id, agent_id, version) "
    "VALUES (:thread_id, :agent_id, :version) ON CONFLICT (thread_id, agent_id) DO NOTHING"
)
_SENT: Final = text(
    "SELECT agent_id, version, endpoint FROM orchestration_dispatches WHERE idempotency_key = :key"
)
_NOTE: Final = text(
    "INSERT INTO orchestration_dispatches "
    "(idempotency_key, thread_id, agent_id, version, endpoint) "
    "VALUES (:key, :thread_id, :agent_id, :version, :endpoint) "
    "ON CONFLICT (idempotency_key) DO UPDATE SET thread_id = excluded.thread_id, "
    "agent_id = excluded.agent_id, version = excluded.version, endpoint = excluded.endpoint"
)
_UNSENT: Final = text("DELETE FROM orchestration_dispatches WHERE idempotency_key = :key")
_OVER: Final = text("DELETE FROM orchestration_dispatches WHERE thread_id = :thread_id")
_COLUMNS = ", ".join(CallRecord._fields)
_VALUES = ", ".join(f":{name}" for name in CallRecord._fields)
_CHANGES = ", ".join(f"{name} = excluded.{name}" for name in CallRecord._fields[2:])
_RECORD: Final = text(
    f"INSERT INTO orchestration_calls ({_COLUMNS}) VALUES ({_VALUES}) "  # noqa: S608
    f"ON CONFLICT (run_id, path) DO UPDATE SET {_CHANGES}"
)
_SUCCEEDED = "status IN ('succeeded', 'compensated')"
_KEYS: Final[Mapping[GroupBy, str]] = {
    "thread": "thread_id",
    "tenant": "COALESCE(tenant, '')",
    "agent": "agent_id",
    "version": "agent_id || '@' || version",
}


def _totals(key: str, where: str) -> TextClause:
    return text(
        f"SELECT {key} AS key, COUNT(*) AS tasks, "  # noqa: S608
        f"SUM(CASE WHEN {_SUCCEEDED} THEN 1 ELSE 0 END) AS succeeded, "
        "SUM(calls) AS calls, CAST(SUM(input_tokens) AS BIGINT) AS input_tokens, "
        "CAST(SUM(output_tokens) AS BIGINT) AS output_tokens, COALESCE(SUM(cost), 0) AS cost "
        f"FROM orchestration_calls WHERE {where} "
        f"GROUP BY {key} ORDER BY COALESCE(SUM(cost), 0) DESC, COUNT(*) DESC, {key}"
    )


_TOTALS: Final = {by: _totals(key, "finished_at > :since") for by, key in _KEYS.items()}
_TOTALS_OF_TENANT: Final = {
    by: _totals(key, "tenant = :tenant AND finished_at > :since") for by, key in _KEYS.items()
}
_SAMPLES: Final = text(
    f"SELECT version, CASE WHEN {_SUCCEEDED} THEN 1 ELSE 0 END AS succeeded, seconds, cost "  # noqa: S608
    "FROM orchestration_calls WHERE agent_id = :agent_id AND finished_at > :since "
    "AND status IN ('succeeded', 'compensated', 'failed', 'timed_out') ORDER BY finished_at, path"
)


# -- endpoints ------------------------------------------------------------------------------


def states(execute: Execute) -> list[SharedState]:
    """Return the state of every endpoint that has one."""
    return [_state(row) for row in execute(_STATES, {})]


def write(execute: Execute, state: SharedState) -> SharedState | None:
    """Write a state; see `TrafficStore.write`."""
    values = {
        **state.place._asdict(),
        "state": json.dumps(state.state),
        "at": state.updated_at,
    }
    if state.revision:
        written = execute(_NEXT, {**values, "revision": state.revision})
    else:
        written = execute(_FIRST, values)
    if written:
        return None
    found = execute(_STATE, state.place._asdict())
    return _state(found[0]) if found else SharedState(state.place, {}, 0, 0.0)


def switch(execute: Execute, switched: Switched) -> None:
    """Switch a place."""
    values = switched._asdict()
    execute(_SWITCH, {**values.pop("place")._asdict(), **values})


def switches(execute: Execute) -> dict[Place, Switched]:
    """Return how places are switched."""
    return {
        _place(row): Switched(
            _place(row), row["switch"], row["switched_by"], row["reason"], row["switched_at"]
        )
        for row in execute(_SWITCHES, {})
    }


def _state(row: Mapping[str, Any]) -> SharedState:
    """Read a row; one that somebody spoilt says nothing, and hides no other row."""
    revision = row["revision"] if isinstance(row["revision"], int) else 0
    return SharedState(_place(row), _json(row["state"]), revision, row["updated_at"])


def _json(written: object) -> JsonObject:
    try:
        read = json.loads(written) if isinstance(written, str) else None
    except (ValueError, RecursionError):
        read = None
    return read if isinstance(read, dict) else {}


def _place(row: Mapping[str, Any]) -> Place:
    return Place(row["agent_id"], row["version"], row["endpoint"])


# -- threads --------------------------------------------------------------------------------


def version_of(execute: Execute, thread_id: str, agent_id: str) -> str | None:
    """Return the version of an agent that a thread has."""
    rows = execute(_VERSION, {"thread_id": thread_id, "agent_id": agent_id})
    return rows[0]["version"] if rows else None


def assign(
    execute: Execute, thread_id: str, agent_id: str, version: str, *, instead_of: str | None
) -> str:
    """Give a thread its version of an agent; return the one it has."""
    values = {"thread_id": thread_id, "agent_id": agent_id, "version": version}
    if execute(_ASSIGN, {**values, "instead_of": instead_of}):
        return version
    return version_of(execute, thread_id, agent_id) or version


def keep_versions(execute: Execute, records: Sequence[CallRecord]) -> None:
    """Let a thread stay with the versions that did its tasks, where it was given none."""
    had = {(each.thread_id, each.agent_id): each.version for each in reversed(records)}
    for (thread_id, agent_id), version in had.items():
        execute(_HAD, {"thread_id": thread_id, "agent_id": agent_id, "version": version})


def sent(execute: Execute, key: str) -> Place | None:
    """Return where a call may have begun."""
    rows = execute(_SENT, {"key": key})
    return _place(rows[0]) if rows else None


def note(execute: Execute, key: str, place: Place | None, *, thread_id: str) -> None:
    """Remember where a call is about to be sent; None that it did not begin there."""
    if place is None:
        execute(_UNSENT, {"key": key})
    else:
        execute(_NOTE, {"key": key, "thread_id": thread_id, **place._asdict()})


def forget_sent(execute: Execute, thread_id: str) -> None:
    """Forget where calls of a thread went, as its run is over."""
    execute(_OVER, {"thread_id": thread_id})


# -- accounts -------------------------------------------------------------------------------


def record(execute: Execute, records: Sequence[CallRecord]) -> None:
    """Write records; one of the same run and path is replaced."""
    for each in records:
        execute(_RECORD, storable(each)._asdict())


def totals(execute: Execute, by: GroupBy, *, since: float, tenant: str | None) -> list[Totals]:
    """Sum up records, the dearest group first."""
    if tenant is None:
        rows = execute(_TOTALS[by], {"since": since})
    else:
        rows = execute(_TOTALS_OF_TENANT[by], {"since": since, "tenant": tenant})
    return [Totals(**row) for row in rows]


def samples(execute: Execute, agent_id: str, *, since: float) -> list[Sample]:
    """Return the finished tasks of an agent, the oldest first."""
    return [
        Sample(row["version"], bool(row["succeeded"]), row["seconds"], row["cost"])
        for row in execute(_SAMPLES, {"agent_id": agent_id, "since": since})
    ]
