"""How waits for a time or a signal are said in words, and what lets a run go on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from checkpoints.approvals import WAITS
from orchestration.cli.approval_words import span
from orchestration.cli.options import command_line
from orchestration.cli.words import utc
from state.waiting import SIGNAL, awaited

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from checkpoints.approvals import ApprovalRequest
    from checkpoints.signals import Signal
    from orchestration.cli.words import Json
    from state.jsonvalue import JsonObject, JsonValue
    from state.plan_document import PlannedTask


def is_wait(interrupt: Json) -> bool:
    """Whether a question of `questions.with_requests` is none, but a wait."""
    return interrupt.get("kind") in WAITS


def waits_for(question: JsonValue, *, now: float) -> str:
    """Say what a run waits for, e.g. `the signal 'paid', until 2027-01-15 08:00:00 UTC`."""
    waited_for = awaited(question)
    if waited_for is None:
        return "something"
    until = ""
    if waited_for.deadline_at is not None:
        until = f"until {moment(waited_for.deadline_at, now=now)}"
    if waited_for.kind == SIGNAL:
        return f"the signal {waited_for.signal!r}" + (f", {until}" if until else "")
    return until


def moment(at: float, *, now: float) -> str:
    """Say a moment to come, or that it has passed."""
    return f"{utc(at)} (in {span(at - now)})" if at > now else f"{utc(at)} (over)"


def saying(interrupt: Json, *, now: float) -> str:
    """Say what a paused run waits for as a sentence."""
    value: JsonValue = interrupt["value"]
    words = waits_for(value, now=now)
    task_id = value.get("task_id") if isinstance(value, dict) else None
    waits = f"{task_id} waits" if task_id else "It waits"
    return f"{waits} {words}." if words.startswith("until") else f"{waits} for {words}."


def commands(
    question: JsonValue, thread_id: str, *, database: str | None
) -> Iterator[tuple[str, str]]:
    """The commands that let a run go on, and what each is for."""
    waited_for = awaited(question)
    if waited_for is not None and waited_for.kind == SIGNAL:
        words = ("signal", thread_id, waited_for.signal, "--payload", "{}")
        yield command_line("threads", *words, database=database), "send it; any JSON will do"
    if waited_for is None or waited_for.deadline_at is not None:
        sweep = command_line("approvals", "sweep", "--every", "60", database=database)
        yield sweep, "lets every run go on whose time has come"


def term(task: PlannedTask) -> str:
    """Say what a planned task waits for; nothing if it calls an agent."""
    wait = task.get("wait")
    if wait is None:
        return ""
    if wait["kind"] == "timer":
        return f"waits {span(wait['seconds'])}"
    if wait["kind"] == "until":
        return f"waits until {utc(wait['at'])}"
    timeout = wait["timeout_seconds"]
    limit = "" if timeout is None else f", at most {span(timeout)}"
    return f"waits for the signal {wait['signal']!r}{limit}"


def answered_by(request: ApprovalRequest) -> str:
    """Say who lets a waiting run go on."""
    return f"the signal {request.action!r}" if request.kind == SIGNAL else "the clock"


def outcome(request: ApprovalRequest) -> str:
    """Say what ended a wait; only for one that is over."""
    answer = json.loads((request.decision or {"message": "{}"}).get("message", "{}"))
    at = utc(request.decided_at or 0.0)
    if "fired_at" in answer:
        return f"the time had come at {at}"
    if "timed_out" in answer:
        return f"no signal came in time; over at {at}"
    return f"the signal came at {at}, from {answer.get('sent_by') or 'somebody'}"


def standing(signal: Signal, *, run_id: str, over: bool) -> str:
    """Say what became of a signal: `taken`, `kept` for later, or `unused` as its run is over.

    Args:
        signal: One of the thread's.
        run_id: The thread's present run.
        over: Whether that has ended.
    """
    if signal.taken_for is not None:
        return "taken"
    return "unused" if over or signal.run_id != run_id else "kept"


def signal_documents(signals: Sequence[Signal], *, run_id: str, over: bool) -> list[JsonObject]:
    """Signals as JSON objects; times are UTC."""
    return [signal_document(each, standing(each, run_id=run_id, over=over)) for each in signals]


def signal_document(signal: Signal, state: str) -> JsonObject:
    """A signal, and what became of it, as a JSON object."""
    return {
        "signal_id": signal.signal_id,
        "thread_id": signal.thread_id,
        "run_id": signal.run_id,
        "name": signal.name,
        "payload": signal.payload,
        "sent_by": signal.sent_by,
        "sent_at": utc(signal.sent_at),
        "state": state,
        "taken_for": signal.taken_for,
    }
