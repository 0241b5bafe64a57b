"""Asking, answering and the clock in the approval ledger, as SQLAlchemy Core statements."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import and_, bindparam, insert, or_, select, update

from checkpoints.approval_tables import REQUESTS, VOTES
from checkpoints.approvals import (
    APPLIED,
    DEADLINE,
    DECIDED,
    LAPSED,
    PENDING,
    UNANSWERED,
    WAITS,
    Answer,
    ApprovalRequest,
    Asked,
    Due,
    Event,
    NewRequest,
    OpenQuestions,
    Taken,
    as_json,
    seen_hash,
)
from checkpoints.ledger_claims import claim
from checkpoints.ledger_rows import Ledger, Said, get, note, open_requests, requests, row_of
from checkpoints.waits_sql import entered, is_over, time_over
from state.decision import Decider, Decision, Question, Refused, Vote, judge, read_answer
from state.errors import AlreadyDecidedError, DecisionError, NotAllowedError
from state.jsonvalue import NotJsonError, json_object

if TYPE_CHECKING:
    from sqlalchemy.sql.elements import ColumnElement


_COLUMNS = REQUESTS.c
_INSERT = insert(REQUESTS)
_EARLIER = select(_COLUMNS.thread_id, _COLUMNS.status, _COLUMNS.seen_hash).where(
    or_(
        and_(_COLUMNS.thread_id == bindparam("thread"), _COLUMNS.interrupt_id == bindparam("id")),
        _COLUMNS.request_id == bindparam("id"),
    )
)
_CLOSE = (
    update(REQUESTS)
    .where(_COLUMNS.request_id == bindparam("wanted"))
    .values(status=bindparam("now"))
)


# -- asking ---------------------------------------------------------------------------------


def record(ledger: Ledger, asked: Sequence[NewRequest]) -> list[Due]:
    """Note questions; those that are open already stay as they are. Return the new ones."""
    new = []
    for request in asked:
        thread_id, interrupt_id = request.thread_id, request.asked.interrupt_id
        seen = seen_hash(request.asked.value)
        found = ledger.execute(_EARLIER, {"thread": thread_id, "id": interrupt_id})
        earlier = [row for row in found if row["thread_id"] == thread_id]
        if any(row["status"] in {PENDING, DECIDED} and row["seen_hash"] == seen for row in earlier):
            continue
        request_id = _free_id(ledger, interrupt_id, len(earlier) + 1) if found else interrupt_id
        new.append(Due("requested", _insert(ledger, request, request_id, seen)))
    return new


def _free_id(ledger: Ledger, interrupt_id: str, number: int) -> str:
    """Name the `number`th question of an interrupt; a copy of a thread may have taken names."""
    request_id = interrupt_id if number == 1 else f"{interrupt_id}-{number}"
    taken = ledger.execute(select(_COLUMNS.request_id).where(_COLUMNS.request_id == request_id))
    return _free_id(ledger, interrupt_id, number + 1) if taken else request_id


def _insert(ledger: Ledger, request: NewRequest, request_id: str, seen: str) -> ApprovalRequest:
    policy, now, asked = request.policy, ledger.now, request.asked
    deadline = _after(now, policy["deadline_seconds"])
    new = ApprovalRequest(
        request_id=request_id,
        thread_id=request.thread_id,
        run_id=request.run_id,
        task_id=asked.task_id,
        interrupt_id=asked.interrupt_id,
        kind=request.kind,
        action=request.action,
        tenant=request.tenant,
        requester=request.requester,
        policy=policy,
        payload=asked.value,
        seen_hash=seen,
        status=PENDING,
        created_at=now,
        deadline_at=deadline if request.deadline_at is None else request.deadline_at,
        remind_at=_after(now, policy["reminder_seconds"]),
        escalate_at=_after(now, policy["escalation_seconds"]),
        escalated=False,
        decision=None,
        decided_by=None,
        decided_at=None,
    )
    ledger.execute(_INSERT, row_of(ledger, new))
    note(ledger, new, "requested", who=Decider(request.requester))
    return entered(ledger, new) if new.kind in WAITS else new


def take(ledger: Ledger, thread_id: str, asked: Sequence[NewRequest]) -> Taken:
    """Note questions; see `ApprovalLedger.take`."""
    new = record(ledger, asked)
    return Taken(answers(ledger, thread_id, [each.asked for each in asked]), new)


def settle(ledger: Ledger, thread_id: str, asked: Sequence[NewRequest]) -> tuple[list[Due], bool]:
    """Note what a run asks, and close what it does not ask any more.

    Returns:
        What is new, and whether an answer waits for what it asks.
    """
    new = record(ledger, asked)
    still_asked = {(each.asked.interrupt_id, seen_hash(each.asked.value)) for each in asked}
    waiting = False
    for request in open_requests(ledger, thread_id):
        if (request.interrupt_id, request.seen_hash) not in still_asked:
            _close(ledger, request)
        elif request.status == DECIDED:
            waiting = True
        elif is_over(ledger, request):
            new.append(time_over(ledger, request))
            waiting = True
    return new, waiting


def is_answered(ledger: Ledger, thread_id: str, *, but: Collection[str]) -> bool:
    """Whether an answer waits for a run, other than those to these interrupts."""
    return any(
        request.status == DECIDED and request.interrupt_id not in but
        for request in open_requests(ledger, thread_id)
    )


def applied(ledger: Ledger, thread_id: str, interrupt_ids: Collection[str]) -> None:
    """Note that a run took answers up."""
    for request in requests(
        ledger,
        _COLUMNS.thread_id == thread_id,
        _COLUMNS.status == DECIDED,
        _COLUMNS.interrupt_id.in_(interrupt_ids),
    ):
        _close(ledger, request)


def _close(ledger: Ledger, request: ApprovalRequest) -> None:
    event: Event = "applied" if request.status == DECIDED else "lapsed"
    status = APPLIED if request.status == DECIDED else LAPSED
    ledger.execute(_CLOSE, {"wanted": request.request_id, "now": status})
    note(ledger, request, event)


# -- answering ------------------------------------------------------------------------------


def decide(ledger: Ledger, answers: Sequence[Answer], decider: Decider) -> list[ApprovalRequest]:
    """Claim questions; see `ApprovalLedger.decide`."""
    return [_decide(ledger, answer, decider) for answer in answers]


def _decide(ledger: Ledger, answer: Answer, decider: Decider) -> ApprovalRequest:
    request = get(ledger, answer.request_id)
    if request.status != PENDING:
        raise AlreadyDecidedError(
            request.thread_id,
            request.task_id,
            status=request.status,
            decided_by=request.decided_by,
            decided_at=request.decided_at,
            decision=(request.decision or {"type": ""})["type"],
            asked_anew=_asked_anew(ledger, request),
        )
    if request.kind in WAITS:
        raise DecisionError(request.thread_id, _why_nobody_decides(request))
    decision = _read(request, answer.answer)
    votes = _votes(ledger, request.request_id) if request.policy["quorum"] > 1 else []
    verdict = judge(
        question(ledger, request),
        decision,
        who=decider,
        votes=votes,
        now=ledger.now,
    )
    if isinstance(verdict, Refused):
        raise _refusal(request, verdict)
    said = Said(decision, answer.comment)
    if verdict.final:
        return claim(ledger, request, decider, said)
    _vote(ledger, request, decider, decision)
    note(ledger, request, "voted", who=decider, said=said)
    return request._replace(votes=len(votes) + 1)


def _asked_anew(ledger: Ledger, request: ApprovalRequest) -> str:
    """The question that took the place of one that lapsed; empty if there is none."""
    if request.status != LAPSED:
        return ""
    wanted = (request.run_id, request.task_id)
    found = open_requests(ledger, request.thread_id)
    return next((e.request_id for e in found if (e.run_id, e.task_id) == wanted), "")


def _why_nobody_decides(request: ApprovalRequest) -> str:
    if request.kind == "timer":
        return f"{request.task_id!r} waits for a time, so nobody can answer it; a sweep does then"
    return (
        f"{request.task_id!r} waits for the signal {request.action!r}, so it takes no answer; send "
        f"the signal: orchestration threads signal {request.thread_id} {request.action}"
    )


def _read(request: ApprovalRequest, answer: object) -> Decision:
    """The answer in the form that fits the question.

    Raises:
        DecisionError: It is none.
    """
    if request.kind == "question":
        if answer is None or answer == {}:  # LangGraph takes these for no answer at all
            raise DecisionError(
                request.thread_id, f"{answer!r} is no answer; give what was asked for"
            )
        try:
            told = json_object({"answer": answer}, at="it")
        except NotJsonError as error:
            raise DecisionError(request.thread_id, f"this is no answer: {error}") from None
        return {"type": "respond", "message": as_json(told["answer"])}
    decision = read_answer(answer)
    if isinstance(decision, str):
        raise DecisionError(request.thread_id, decision)
    return decision


def _refusal(request: ApprovalRequest, refused: Refused) -> DecisionError:
    why = f"{request.task_id!r}: {refused.why}. The request stays open."
    if refused.code == "invalid":
        return DecisionError(request.thread_id, why)
    return NotAllowedError(request.thread_id, why, reason=refused.code)


def _vote(ledger: Ledger, request: ApprovalRequest, decider: Decider, decision: Decision) -> None:
    ledger.execute(
        insert(VOTES).values(
            request_id=request.request_id,
            voter=decider.by,
            decision=ledger.cipher.seal(as_json(decision)),
            voted_at=ledger.now,
        )
    )


def _votes(ledger: Ledger, request_id: str) -> list[Vote]:
    rows = ledger.execute(select(VOTES).where(VOTES.c.request_id == request_id))
    return [Vote(row["voter"], json.loads(ledger.cipher.open(row["decision"]))) for row in rows]


def question(ledger: Ledger, request: ApprovalRequest) -> Question:
    """What answers to a request are judged by; an escalation counts from its moment on."""
    return Question(
        action=request.action,
        arguments=request.arguments,
        policy=request.policy,
        requester=request.requester,
        deadline_at=request.deadline_at,
        escalated=request.escalated or _is_over(request.escalate_at, ledger.now),
    )


def _is_over(at: float | None, now: float) -> bool:
    return at is not None and at <= now


def answers(ledger: Ledger, thread_id: str, asked: Sequence[Asked]) -> dict[str, object]:
    """What a run is to be resumed with, by interrupt id."""
    return open_questions(ledger, thread_id).answers(asked)


def open_questions(ledger: Ledger, thread_id: str) -> OpenQuestions:
    """What a thread asks and nobody has taken up, with the answers there are."""
    return OpenQuestions(
        {
            (request.interrupt_id, request.seen_hash): _resume_value(request)
            for request in open_requests(ledger, thread_id)
        }
    )


def _resume_value(request: ApprovalRequest) -> object:
    decision = request.decision
    if decision is None:
        return UNANSWERED
    if request.kind != "approval":
        return json.loads(decision["message"])
    return {"decisions": [decision], "by": request.decided_by}


# -- the clock ------------------------------------------------------------------------------


def work_off(ledger: Ledger, *, thread_id: str | None = None) -> list[Due]:
    """Apply passed deadlines; claim due reminders and escalations."""
    here: list[ColumnElement[bool]] = [_COLUMNS.status == PENDING]
    if thread_id is not None:
        here.append(_COLUMNS.thread_id == thread_id)
    expired = [
        _expire(ledger, request)
        for request in requests(ledger, *here, _COLUMNS.deadline_at <= ledger.now)
    ]
    escalated = [
        _escalate(ledger, request)
        for request in requests(ledger, *here, _COLUMNS.escalate_at <= ledger.now)
    ]
    reminded = [
        _remind(ledger, request)
        for request in requests(ledger, *here, _COLUMNS.remind_at <= ledger.now)
    ]
    return [*expired, *escalated, *reminded]


def _expire(ledger: Ledger, request: ApprovalRequest) -> Due:
    if request.kind in WAITS:
        return time_over(ledger, request)
    decision: Decision = {"type": request.policy["at_deadline"]}
    if decision["type"] == "reject":
        decision["message"] = "nobody decided before the deadline"
    said = Said(decision)
    return Due("expired", claim(ledger, request, Decider(DEADLINE), said, event="expired"))


def _escalate(ledger: Ledger, request: ApprovalRequest) -> Due:
    now = request._replace(escalate_at=None, escalated=True)
    _change(ledger, request, escalate_at=None, escalated=True, roles=as_json(now.may_decide()))
    note(ledger, request, "escalated")
    return Due("escalated", now)


def _remind(ledger: Ledger, request: ApprovalRequest) -> Due:
    _change(ledger, request, remind_at=None)
    note(ledger, request, "reminded")
    return Due("reminded", request._replace(remind_at=None))


def _change(ledger: Ledger, request: ApprovalRequest, **values: object) -> None:
    ledger.execute(
        update(REQUESTS).where(_COLUMNS.request_id == request.request_id).values(**values)
    )


def _after(now: float, seconds: float | None) -> float | None:
    return None if seconds is None else now + seconds
