"""Requests, their trail and what became of answers as JSON, for `--json`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

from orchestration.cli.words import utc

if TYPE_CHECKING:
    from checkpoints.approvals import ApprovalRequest, AuditEntry
    from orchestration.approvals import Decided, Swept
    from state.jsonvalue import JsonObject

_TIMES = ("created_at", "deadline_at", "remind_at", "escalate_at", "decided_at")


def request_document(request: ApprovalRequest) -> JsonObject:
    """All of a request; times are UTC."""
    document = cast("JsonObject", request._asdict())
    for name in _TIMES:
        at = getattr(request, name)
        document[name] = None if at is None else utc(at)
    left = None if request.deadline_at is None else round(request.deadline_at - time.time(), 3)
    document["seconds_left"] = left
    document["may_decide"] = [*request.may_decide()]
    document["arguments"] = request.arguments
    return document


def entry_document(entry: AuditEntry) -> JsonObject:
    """One entry of the trail."""
    return {**cast("JsonObject", entry._asdict()), "at": utc(entry.at)}


def decided_document(decided: Decided) -> JsonObject:
    """What became of an answer."""
    return {
        "request": request_document(decided.request),
        "result": None if decided.result is None else decided.result.as_json(),
        "waits_for": decided.waits_for,
    }


def swept_document(swept: Swept) -> JsonObject:
    """What a sweep did."""
    return {
        "due": [
            {"event": event, "request": request_document(request)} for event, request in swept.due
        ],
        "resumed": [result.as_json() for result in swept.resumed],
        "reconciled": [*swept.reconciled],
        "left": [{"thread_id": thread_id, "why": why} for thread_id, why in swept.left],
    }
