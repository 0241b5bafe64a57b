"""How requests, their policies and what became of them are said in words: pure functions."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Final

from checkpoints.approvals import CLOCK, DEADLINE, PENDING
from orchestration.cli.words import shortened, utc

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from checkpoints.approvals import ApprovalRequest, AuditEntry
    from state.jsonvalue import JsonObject, JsonValue

SHORTEST_ID: Final = 8
"""Letters of a request id in a table, at least."""
_MINUTE, _HOUR, _DAY = 60, 3600, 86400

EVENT_STYLES: Final = {
    "requested": "bold yellow",
    "voted": "yellow",
    "decided": "bold",
    "expired": "bold red",
    "reminded": "cyan",
    "escalated": "yellow",
    "applied": "green",
    "lapsed": "dim",
    "fired": "bold",
    "signalled": "cyan",
}
"""Colour for each event of a request's history."""


def short_ids(ids: Sequence[str]) -> dict[str, str]:
    """Abbreviate ids as far as they stay different."""
    length = SHORTEST_ID
    while len({each[:length] for each in ids}) < len(set(ids)):
        length += 1
    return {each: each[:length] for each in ids}


def span(seconds: float) -> str:
    """Say a time span in its two largest units, e.g. `2 d 3 h`."""
    if seconds < 1:
        return "less than 1 s"
    rest, parts = int(seconds), []
    for name, size in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])


def ago(at: float, *, now: float) -> str:
    """Say when something was."""
    return f"{utc(at)}, {span(now - at)} ago"


def deadline(request: ApprovalRequest, *, now: float) -> str:
    """Say until when a request waits, and what happens then."""
    at = request.deadline_at
    if at is None:
        return "none; it waits as long as it takes"
    then = {"reject": "rejected", "approve": "approved"}[request.policy["at_deadline"]]
    if request.status != PENDING:
        return utc(at)
    if at <= now:
        return f"{utc(at)}, over; it is {then} by the next sweep or resume"
    return f"{utc(at)}, in {span(at - now)}; it is {then} then"


def who_may(request: ApprovalRequest) -> str:
    """Say who may decide."""
    roles = request.may_decide()
    who = "anybody" if not roles else "who has the role " + " or ".join(roles)
    if request.policy["separation_of_duties"] and request.requester is not None:
        who += f", but not {request.requester}, who asked for it"
    return who


def quorum(request: ApprovalRequest, history: Sequence[AuditEntry]) -> str:
    """Say how many must agree, and who has answered so far."""
    needed = request.policy["quorum"]
    if needed == 1:
        return "one answer decides"
    votes = [f"{each.actor}: {each.decision}" for each in history if each.event == "voted"]
    said = f" ({', '.join(votes)})" if votes else ""
    return (
        f"{needed} people must give the same answer, one rejection is enough; "
        f"{len(votes)} so far{said}"
    )


def progress_of_quorum(request: ApprovalRequest) -> str:
    """Say how far a request is from being decided."""
    return (
        f"{request.votes} answered so far, and {request.policy['quorum']} must give the same "
        "answer, so it stays open"
    )


def prompts(request: ApprovalRequest, *, now: float) -> Iterator[tuple[str, str]]:
    """Say when somebody is reminded, and when others may decide too."""
    policy = request.policy
    if request.remind_at is not None:
        yield "Reminder", _due(request.remind_at, now=now)
    if policy["escalate_to"]:
        others = " or ".join(policy["escalate_to"])
        if request.escalated:
            yield "Escalated", f"{others} may decide too"
        elif request.escalate_at is not None:
            yield "Escalation", f"{_due(request.escalate_at, now=now)}; to {others}"


def outcome(request: ApprovalRequest) -> str:
    """Say what was decided, by whom and when."""
    if request.decision is None or request.decided_at is None:
        return "lapsed: the run ended, or went on, without an answer"
    who = decider(request.decided_by)
    said = f"{request.decision['type']} by {who} at {utc(request.decided_at)}"
    message = request.decision.get("message")
    return f"{said}: {message}" if message else said


def decider(by: str | None) -> str:
    """Name who decided."""
    return {DEADLINE: "the deadline", CLOCK: "the clock"}.get(by or "", by or "somebody")


def entry_saying(entry: AuditEntry) -> str:
    """Say an answer's reason and comment, and what was decided on instead."""
    match entry.detail.get("decision"):
        case {"message": str(message)}:
            said = [message]
        case {"edited_action": {"args": arguments}}:
            said = [shortened(f"with {json.dumps(arguments, ensure_ascii=False)}")]
        case _:
            said = []
    comment = entry.detail.get("comment")
    return "\n".join([*said, *([comment] if isinstance(comment, str) else [])])


def changes(before: JsonValue, after: JsonValue) -> list[str]:
    """Compare two JSON values line by line; each line begins with `-`, `+` or a space."""
    lines = [*difflib.unified_diff(_lines(before), _lines(after), n=2, lineterm="")][2:]
    return [line for line in lines if not line.startswith("@@")]


def edited_arguments(request: ApprovalRequest) -> JsonObject | None:
    """Return the arguments that somebody decided on instead, or None."""
    if request.decision is None or "edited_action" not in request.decision:
        return None
    return request.decision["edited_action"]["args"]


def asked_for(request: ApprovalRequest) -> str:
    """Say what is asked."""
    match request.payload:
        case {"action_requests": [{"description": str(text)}, *_]}:
            return text
        case str(text):
            return text
    return f"Task {request.task_id!r} asks:" if request.task_id else "The run asks:"


def upstream(request: ApprovalRequest) -> JsonObject:
    """Return what was achieved before, by task id."""
    match request.payload:
        case {"upstream": dict(results)}:
            return results
    return {}


def pretty(value: JsonValue) -> str:
    """Return JSON for people."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def _lines(value: JsonValue) -> list[str]:
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True).splitlines()


def _due(at: float, *, now: float) -> str:
    return f"at {utc(at)}, in {span(at - now)}" if at > now else f"due since {utc(at)}"
