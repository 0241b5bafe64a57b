"""Reading the approval ledger, and its trail, as SQLAlchemy Core statements."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import and_, bindparam, delete, func, insert, or_, select

from checkpoints.approval_tables import AUDIT, REQUESTS, SIGNALS, VOTES
from checkpoints.approvals import (
    DECIDED,
    PENDING,
    ApprovalRequest,
    AuditEntry,
    Event,
    Filter,
    as_json,
)
from state.decision import Decider
from state.errors import RequestNotFoundError

if TYPE_CHECKING:
    from sqlalchemy.sql.elements import ColumnElement

    from checkpoints.encryption import TextCipher
    from checkpoints.statements import Execute
    from state.decision import Decision
    from state.jsonvalue import JsonObject

_COLUMNS = REQUESTS.c
_INSERT_ENTRY = insert(AUDIT)
_VOTES = (
    select(func.count())
    .select_from(VOTES)
    .where(VOTES.c.request_id == _COLUMNS.request_id)
    .scalar_subquery()
    .label("votes")
)
_SELECT = select(REQUESTS, _VOTES).order_by(_COLUMNS.created_at, _COLUMNS.request_id)
_ONE = _SELECT.where(_COLUMNS.request_id == bindparam("wanted"))
_OPEN = _SELECT.where(
    _COLUMNS.thread_id == bindparam("wanted"),
    or_(_COLUMNS.status == PENDING, _COLUMNS.status == DECIDED),
)
NOBODY = Decider(None)
SCHEMA_VERSION: Final = 1


class Said(NamedTuple):
    """An answer, and why it was given."""

    decision: Decision
    comment: str = ""

    def detail(self) -> JsonObject:
        """It all, for the trail."""
        detail: JsonObject = {"decision": json.loads(as_json(self.decision))}
        return detail | ({"comment": self.comment} if self.comment else {})


class Ledger(NamedTuple):
    """What the ledger's functions work with, inside one transaction."""

    execute: Execute
    cipher: TextCipher
    now: float


def find(ledger: Ledger, wanted: Filter) -> list[ApprovalRequest]:
    """Return requests, the oldest first."""
    conditions: list[ColumnElement[bool]] = [
        _COLUMNS.status.in_(wanted.statuses),
        _COLUMNS.kind.in_(wanted.kinds),
    ]
    if wanted.thread_id is not None:
        conditions.append(_COLUMNS.thread_id == wanted.thread_id)
    if wanted.tenant is not None:
        conditions.append(_COLUMNS.tenant == wanted.tenant)
    if wanted.after is not None:
        last = get(ledger, wanted.after)
        conditions.append(
            or_(
                _COLUMNS.created_at > last.created_at,
                and_(_COLUMNS.created_at == last.created_at, _COLUMNS.request_id > last.request_id),
            )
        )
    if wanted.role is not None:
        conditions.append(_may_be_decided_by(wanted.role))
    return requests(ledger, *conditions, limit=wanted.limit)


def seconds_until_due(ledger: Ledger) -> float | None:
    """Say when the clock has something to do next; below zero if it has been due for a while."""
    times = ("deadline_at", "remind_at", "escalate_at")
    first = [func.min(_COLUMNS[name]).label(name) for name in times]
    (row,) = ledger.execute(select(*first).where(_COLUMNS.status == PENDING))
    known = [float(row[name]) for name in times if row[name] is not None]
    return min(known) - ledger.now if known else None


def asking(ledger: Ledger) -> set[str]:
    """Return the threads with a question whose answer the run has not taken up."""
    open_ones = _COLUMNS.status.in_([PENDING, DECIDED])
    rows = ledger.execute(select(_COLUMNS.thread_id).where(open_ones).distinct())
    return {row["thread_id"] for row in rows}


def _may_be_decided_by(role: str) -> ColumnElement[bool]:
    """Roles stand as a JSON list of texts, and none means anybody.

    `LIKE` would not tell `Manager` from `manager` in SQLite; `replace` does everywhere.
    """
    without = func.replace(_COLUMNS.roles, as_json(role), "")
    return or_(_COLUMNS.roles == "[]", without != _COLUMNS.roles)


def get(ledger: Ledger, request_id: str) -> ApprovalRequest:
    """Return one request; see `ApprovalLedger.get`."""
    if request_id.isprintable():  # what UTF-8 cannot hold, no database may be asked for
        for row in ledger.execute(_ONE, {"wanted": request_id}):
            return _request(ledger, row)
    pending = [each.request_id for each in find(ledger, Filter(limit=5))]
    raise RequestNotFoundError(request_id, pending)


def history(
    ledger: Ledger, *, request_id: str | None = None, thread_id: str | None = None
) -> list[AuditEntry]:
    """Return the trail, the oldest entry first."""
    statement = select(AUDIT).order_by(AUDIT.c.entry)
    if request_id is not None:
        statement = statement.where(AUDIT.c.request_id == request_id)
    if thread_id is not None:
        statement = statement.where(AUDIT.c.thread_id == thread_id)
    return [
        AuditEntry(
            **{
                **row,
                "roles": json.loads(row["roles"]),
                "detail": json.loads(ledger.cipher.open(row["detail"])),
            }
        )
        for row in ledger.execute(statement)
    ]


def requests(
    ledger: Ledger, *conditions: ColumnElement[bool], limit: int | None = None
) -> list[ApprovalRequest]:
    """Return the requests that satisfy all conditions, the oldest first."""
    rows = ledger.execute(_SELECT.where(*conditions).limit(limit))
    return [_request(ledger, row) for row in rows]


def open_requests(ledger: Ledger, thread_id: str) -> list[ApprovalRequest]:
    """Return the requests of a thread that are not closed, the oldest first."""
    return [_request(ledger, row) for row in ledger.execute(_OPEN, {"wanted": thread_id})]


def forget(ledger: Ledger, thread_id: str) -> None:
    """Delete what a thread asked and got; its trail stays."""
    of_thread = select(_COLUMNS.request_id).where(_COLUMNS.thread_id == thread_id)
    ledger.execute(delete(VOTES).where(VOTES.c.request_id.in_(of_thread)))
    for table in (REQUESTS, SIGNALS):
        ledger.execute(delete(table).where(table.c.thread_id == thread_id))


def row_of(ledger: Ledger, request: ApprovalRequest) -> dict[str, Any]:
    """A new request as a row."""
    row = request._asdict()
    del row["decision"], row["votes"]
    return {
        **row,
        "schema_version": SCHEMA_VERSION,
        "roles": as_json([*request.policy["roles"]]),
        "policy": as_json(request.policy),
        "payload": ledger.cipher.seal(as_json(request.payload)),
        "answer": None,
    }


def _request(ledger: Ledger, row: Mapping[str, Any]) -> ApprovalRequest:
    values = {name: row[name] for name in ApprovalRequest._fields if name in row}
    answer = row["answer"]
    values["policy"] = json.loads(row["policy"])
    values["payload"] = json.loads(ledger.cipher.open(row["payload"]))
    values["escalated"] = bool(row["escalated"])
    values["decision"] = None if answer is None else json.loads(ledger.cipher.open(answer))
    return ApprovalRequest(**values)


def note(
    ledger: Ledger,
    request: ApprovalRequest,
    event: Event,
    *,
    who: Decider = NOBODY,
    said: Said | None = None,
) -> None:
    """Add an entry to the trail."""
    ledger.execute(
        _INSERT_ENTRY,
        {
            "request_id": request.request_id,
            "thread_id": request.thread_id,
            "task_id": request.task_id,
            "at": ledger.now,
            "event": event,
            "actor": who.by,
            "roles": as_json(sorted(who.roles)),
            "decision": "" if said is None else said.decision["type"],
            "detail": ledger.cipher.seal(as_json({} if said is None else said.detail())),
            "seen_hash": request.seen_hash,
        },
    )
