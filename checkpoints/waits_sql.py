"""What runs wait for, in the approval ledger: times, and signals that may come early.

A signal answers one question, and a question takes one signal, the oldest first. Whether a
signal or the deadline was first is told by their times alone, whenever they are looked at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, insert, select, update

from checkpoints.approval_tables import AUDIT, REQUESTS, SIGNALS
from checkpoints.approvals import (
    CLOCK,
    DEADLINE,
    PENDING,
    WAITS,
    ApprovalRequest,
    Due,
    as_json,
)
from checkpoints.ledger_claims import claim
from checkpoints.ledger_rows import SCHEMA_VERSION, Ledger, Said, requests
from checkpoints.signals import NewSignal, Signal
from checkpoints.threads import UNFINISHED, ThreadRecord
from state.decision import Decider, Decision
from state.errors import SignalError, ThreadFinishedError, UnknownSignalError
from state.jsonvalue import JsonObject
from state.waiting import SIGNAL, TIMER, signal_names

if TYPE_CHECKING:
    from collections.abc import Sequence

_COLUMNS = SIGNALS.c
_INSERT = insert(SIGNALS)
_NOTE = insert(AUDIT)
_BY_ID = select(SIGNALS).where(
    _COLUMNS.thread_id == bindparam("thread"), _COLUMNS.signal_id == bindparam("wanted")
)
_OF_THREAD = (
    select(SIGNALS).where(_COLUMNS.thread_id == bindparam("thread")).order_by(_COLUMNS.number)
)
_KEPT = (
    select(SIGNALS)
    .where(
        _COLUMNS.thread_id == bindparam("thread"),
        _COLUMNS.run_id == bindparam("run"),
        _COLUMNS.name == bindparam("wanted"),
        _COLUMNS.taken_for.is_(None),
    )
    .order_by(_COLUMNS.number)
    .limit(1)
)
_TAKE = (
    update(SIGNALS)
    .where(
        _COLUMNS.thread_id == bindparam("thread"),
        _COLUMNS.signal_id == bindparam("wanted"),
        _COLUMNS.taken_for.is_(None),
    )
    .values(taken_for=bindparam("request"))
)


# -- signals --------------------------------------------------------------------------------


def accept(ledger: Ledger, new: NewSignal, record: ThreadRecord) -> Signal:
    """Keep a signal for the thread's run, or give it to what waits for it.

    Raises:
        SignalError: Its id was used for another signal.
        UnknownSignalError: No task of the run waits for such signals.
        ThreadFinishedError: The run is over.
    """
    for row in ledger.execute(_BY_ID, {"thread": new.thread_id, "wanted": new.signal_id}):
        return _same(_signal(ledger, row), new)
    if record.status not in UNFINISHED:
        raise ThreadFinishedError(new.thread_id, record.status)
    names = sorted(signal_names(record.plan.document))
    if names is not None and new.name not in names:
        raise UnknownSignalError(new.thread_id, new.name, names)
    return send(ledger, new, run_id=record.plan.run_id)


def _same(known: Signal, new: NewSignal) -> Signal:
    if (known.name, as_json(known.payload)) == (new.name, as_json(new.payload)):
        return known
    raise SignalError(
        new.thread_id,
        f"the signal id {new.signal_id!r} was used before, for {known.name!r} with other contents; "
        "use a new id for a new signal",
    )


def send(ledger: Ledger, new: NewSignal, *, run_id: str) -> Signal:
    """Enter a signal; the question of this run that waits longest for such a one takes it."""
    for request in _pending(ledger, new.thread_id):
        if is_over(ledger, request):
            time_over(ledger, request)
    signal = Signal(
        signal_id=new.signal_id,
        thread_id=new.thread_id,
        run_id=run_id,
        name=new.name,
        payload=new.payload,
        sent_by=new.sent_by,
        sent_at=ledger.now,
        taken_for=None,
    )
    payload = ledger.cipher.seal(as_json(signal.payload))
    row = {**signal._asdict(), "schema_version": SCHEMA_VERSION, "payload": payload}
    ledger.execute(_INSERT, row)
    _note(ledger, signal)
    for request in _pending(ledger, new.thread_id):
        if (request.kind, request.action, request.run_id) == (SIGNAL, signal.name, run_id):
            _take(ledger, signal, request)
            return signal._replace(taken_for=request.request_id)
    return signal


def signals(ledger: Ledger, thread_id: str) -> list[Signal]:
    """Return the signals of a thread, the oldest first."""
    return [_signal(ledger, row) for row in ledger.execute(_OF_THREAD, {"thread": thread_id})]


def _signal(ledger: Ledger, row: Mapping[str, Any]) -> Signal:
    values = {name: row[name] for name in Signal._fields}
    return Signal(**{**values, "payload": json.loads(ledger.cipher.open(row["payload"]))})


def _take(ledger: Ledger, signal: Signal, request: ApprovalRequest) -> ApprovalRequest:
    ledger.execute(
        _TAKE,
        {
            "thread": signal.thread_id,
            "wanted": signal.signal_id,
            "request": request.request_id,
        },
    )
    answer: JsonObject = {
        "signal": signal.name,
        "payload": signal.payload,
        "sent_by": signal.sent_by,
        "sent_at": signal.sent_at,
    }
    return claim(ledger, request, Decider(signal.sent_by), _said(SIGNAL, answer))


def _note(ledger: Ledger, signal: Signal) -> None:
    """Add to the trail that it came; what it answered, if anything, is an entry of its own."""
    detail = {"signal_id": signal.signal_id, "payload": signal.payload}
    ledger.execute(
        _NOTE,
        {
            "request_id": "",
            "thread_id": signal.thread_id,
            "task_id": "",
            "at": ledger.now,
            "event": "signalled",
            "actor": signal.sent_by,
            "roles": "[]",
            "decision": signal.name,
            "detail": ledger.cipher.seal(as_json(detail)),
            "seen_hash": "",
        },
    )


# -- what waits -----------------------------------------------------------------------------


def entered(ledger: Ledger, request: ApprovalRequest) -> ApprovalRequest:
    """Answer a wait that has just been entered, if a signal came early or its time is over."""
    if request.kind == SIGNAL:
        key = {"thread": request.thread_id, "run": request.run_id, "wanted": request.action}
        for row in ledger.execute(_KEPT, key):
            signal = _signal(ledger, row)
            if request.deadline_at is None or signal.sent_at < request.deadline_at:
                return _take(ledger, signal, request)
    return time_over(ledger, request).request if is_over(ledger, request) else request


def is_over(ledger: Ledger, request: ApprovalRequest) -> bool:
    """Whether this is a wait whose time is over."""
    deadline = request.deadline_at
    return request.kind in WAITS and deadline is not None and deadline <= ledger.now


def time_over(ledger: Ledger, request: ApprovalRequest) -> Due:
    """Decide a wait by the clock."""
    if request.kind == TIMER:
        said, who = _said("fired", {"fired_at": ledger.now}), Decider(CLOCK)
        return Due("fired", claim(ledger, request, who, said, event="fired"))
    said, who = _said("timed_out", {"timed_out": True}), Decider(DEADLINE)
    return Due("expired", claim(ledger, request, who, said, event="expired"))


def _pending(ledger: Ledger, thread_id: str) -> Sequence[ApprovalRequest]:
    columns = REQUESTS.c
    return requests(
        ledger,
        columns.thread_id == thread_id,
        columns.status == PENDING,
        columns.kind.in_(WAITS),
    )


def _said(kind: str, answer: JsonObject) -> Said:
    """What the run goes on with, as it stands in the ledger."""
    decision: Decision = {"type": kind, "message": as_json(answer)}
    return Said(decision)
