"""What a run came to, in words that a person reads, each fact with the task that it is from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, TypedDict

from state.outcome import HARMLESS_SKIPS, is_finished
from state.status import TaskStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from state.jsonvalue import JsonObject
    from state.outcome import ErrorRecord, Outcome
    from state.plan_document import PlanDocument

NOT_UNDERSTOOD: Final[ErrorRecord] = {
    "code": "not_understood",
    "type": "NotUnderstoodError",
    "message": "the request was not understood, so nothing of it was done",
}
_TEXTS: Final = ("message", "content", "text", "answer", "response")
_LONGEST: Final = 500


class Fact(TypedDict):
    """What became of one task."""

    task: str
    agent: str
    status: str
    said: str
    """One sentence or two."""
    output: JsonObject
    """What the agent answered; the sentence is made of it."""


class Summary(TypedDict):
    """What a run came to."""

    text: str
    facts: list[Fact]


def summary_of(plan: PlanDocument, outcomes: Mapping[str, Outcome]) -> Summary:
    """Sum up a run, finished or not."""
    request = plan.get("request")
    if request is not None and request["not_understood"]:
        lines = ["I did nothing, as I did not understand all of it."]
        return {"text": "\n".join([*lines, *request["not_understood"]]), "facts": []}
    facts = [_fact(plan, id_, outcomes.get(id_)) for id_ in plan["order"]]
    lines = [f"{number}. {_cited(fact)}" for number, fact in enumerate(facts, 1)]
    if request is not None:
        lines += [f"Assumed: {assumption}" for assumption in request["assumptions"]]
    return {"text": "\n".join([_headline(facts), *lines]), "facts": facts}


def _cited(fact: Fact) -> str:
    by = f"{fact['task']}, {fact['agent']}" if fact["agent"] else fact["task"]
    return f"{fact['said']} [{by}]"


def _headline(facts: list[Fact]) -> str:
    statuses = [fact["status"] for fact in facts]
    if TaskStatus.PENDING in statuses:
        waiting = [fact["task"] for fact in facts if fact["status"] == TaskStatus.PENDING]
        return f"Not finished yet: {', '.join(waiting)}."
    if TaskStatus.REJECTED in statuses:
        return "It was rejected."
    bad = {TaskStatus.FAILED, TaskStatus.TIMED_OUT, TaskStatus.CANCELLED}
    if bad & {*statuses}:
        return "Not everything could be done." if TaskStatus.SUCCEEDED in statuses else "It failed."
    return "Done."


def _fact(plan: PlanDocument, id_: str, outcome: Outcome | None) -> Fact:
    task = plan["tasks"][id_]
    if outcome is None or not is_finished(outcome):
        said = "Not done yet." if not task["approval"] else "Not done yet; it needs approval."
        return Fact(task=id_, agent=task["agent"] or "", status="pending", said=said, output={})
    return Fact(
        task=id_,
        agent=outcome.get("agent") or task["agent"] or "",
        status=outcome["status"],
        said=_said(outcome),
        output=outcome.get("output", {}),
    )


def _said(outcome: Outcome) -> str:
    output, error = outcome.get("output", {}), outcome.get("error")
    reason = outcome.get("reason", "")
    match outcome["status"]:
        case TaskStatus.SUCCEEDED:
            return _words(output)
        case TaskStatus.COMPENSATED:
            undone = outcome.get("compensation", outcome).get("output", {})
            return f"Undone again: {_words(undone)} (It had been: {_words(output)})"
        case TaskStatus.SKIPPED:
            needless = outcome.get("because") in HARMLESS_SKIPS
            return f"{'Not needed' if needless else 'Not done'}: {_short(reason)}."
        case TaskStatus.REJECTED | TaskStatus.CANCELLED:
            return f"{outcome['status'].capitalize()}: {_short(reason) or 'without a reason'}."
    return f"Failed: {_short(error['message'] if error else reason)}"


def _words(output: JsonObject) -> str:
    """The agent's own sentence, or its answer as it is."""
    for field in _TEXTS:
        text = output.get(field)
        if isinstance(text, str) and text.strip():
            return _short(text)
    return _short(json.dumps(output, ensure_ascii=False)) if output else "Done."


def _short(text: str) -> str:
    """In one line, so that no agent can write facts of other tasks."""
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
