"""How results are said in words: pure functions from JSON results to text."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from checkpoints.threads import ThreadRecord
    from orchestration.workflow_events import WorkflowEvent

    Json = Mapping[str, Any]
    """A JSON object whose shape the caller knows, such as `TaskResult.as_json()`."""

LONGEST_SAYING: Final = 600

STYLES: Final = {
    "completed": "bold green",
    "succeeded": "green",
    "partial": "bold yellow",
    "interrupted": "bold yellow",
    "skipped": "dim",
    "pending": "dim",
    "running": "cyan",
    "unfinished": "bold yellow",
    "cancelled": "yellow",
    "compensated": "yellow",
    "rejected": "bold red",
    "timed_out": "bold red",
    "failed": "bold red",
}
"""Colour for each status of a task, workflow or thread."""

_SIGNS = {"succeeded": "✓", "failed": "✗", "timed_out": "✗", "rejected": "✗"}


_SERVED: Final = {
    "hit": "from the cache",
    "stale": "from the cache, though old",
    "joined": "with the answer to another's call",
}


def duration(seconds: float) -> str:
    """Say how long something took."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:  # noqa: PLR2004  a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s"


def said(task: Json) -> str:
    """Say what an agent answered, or why there is no answer; of an undone task, how that went."""
    if undoing := task.get("compensation"):
        return _undoing(undoing)
    if task["error"]:
        return shortened(f"{task['error']['message']} ({task['error']['code']})")
    if task["reason"]:
        return shortened(str(task["reason"]))
    if inside := task.get("tasks"):
        done = sum(each["status"] == "succeeded" for each in inside)
        return f"{done} of {len(inside)} inside succeeded"
    return _answer(task["output"])


def _undoing(undoing: Json) -> str:
    """Say how undoing a task went."""
    if undoing["error"]:
        error = shortened(f"{undoing['error']['message']} ({undoing['error']['code']})")
        again = undoing["status"] == "pending"
        return f"{'not undone yet' if again else 'could not be undone'}: {error}"
    answer = _answer(undoing["output"])
    return f"undone: {answer}" if answer else "undone"


def _answer(output: Json) -> str:
    for name in ("message", "content"):
        if isinstance(output.get(name), str):
            return shortened(output[name])
    return shortened(json.dumps(output, ensure_ascii=False)) if output else ""


def event_line(event: WorkflowEvent) -> tuple[str, str] | None:
    """Say one event of a run as a line and its style; None if there is nothing to say."""
    match event.kind:
        case "task_started" | "compensation_started":
            return _began(event)
        case "compensation_finished" | "compensation_retrying":
            return _undone(event.task_id, event.data)
        case "task_finished" | "task_retrying":
            return _ended(event.task_id, event.data, again=event.kind == "task_retrying")
        case "turn_started" | "turns_ended":
            return _turn_line(event)
        case "task_waiting":
            line = f"… {event.task_id} waits {_awaited(event.data)}"
        case "approval_requested":
            line = f"? {event.task_id} waits for a person's approval"
        case _:
            return None
    return line, STYLES["interrupted"]


def _awaited(data: Json) -> str:
    """Say what a task has begun to wait for."""
    until = "" if data["due_at"] is None else f"until {utc(data['due_at'])}"
    if data["signal"] is None:
        return until
    return f"for the signal {data['signal']!r}" + (f", {until}" if until else "")


def _began(event: WorkflowEvent) -> tuple[str, str]:
    attempt = event.data.get("attempt", 1)
    again = f", attempt {attempt}" if attempt != 1 else ""
    if event.kind == "task_started":
        return f"→ {event.task_id} started{again}", "cyan"
    return f"← undoing {event.task_id}{again}", "cyan"


def _turn_line(event: WorkflowEvent) -> tuple[str, str]:
    say = _turn if event.kind == "turn_started" else _turns_ended
    return say(event.task_id, event.data), "dim"


def _turn(path: str, turn: Json) -> str:
    """Say whose turn begins, and why."""
    match turn["by"]:
        case "loop":
            return f"↻ {path}: turn {turn['turn']}"
        case "handoff":
            how = f"{turn['sender']} hands over to {path}"
        case "supervisor":
            how = f"the supervisor calls {path}"
        case "start":
            how = f"{path} begins"
        case _:
            how = f"{path} goes on"
    return f"↻ turn {turn['turn']}: {how}{_because(turn)}"


def _turns_ended(path: str, turn: Json) -> str:
    """Say what ended a cycle."""
    why = {
        "until": "its end is reached",
        "supervisor": "the supervisor finishes",
        "max_turns": "no turn is left",
        "failure": "a task did not succeed",
        "handoff": "it was handed over to nobody",
        "cancelled": "it was cancelled",
    }.get(turn["by"], "nobody is next")
    where = f"{path}: " if path else ""
    return f"· {where}after turn {turn['turn']} {why}{_because(turn)}"


def _because(turn: Json) -> str:
    said = turn["message"] or turn["reason"]
    return f": {shortened(said)}" if said else ""


def question(interrupt: Json) -> str:
    """Say what a thread waits for."""
    match interrupt["value"]:
        case {"action_requests": [{"description": str(text)}, *_]}:
            return text
    return shortened(json.dumps(interrupt["value"], ensure_ascii=False))


def standing(record: ThreadRecord, *, now: float) -> str:
    """Say how a thread stands; a run that nobody keeps running is `unfinished`."""
    if record.status == "running" and not is_held(record, now=now):
        return "unfinished"
    return record.status


def is_held(record: ThreadRecord, *, now: float) -> bool:
    """Whether some process has the right to run the thread now."""
    return record.lease is not None and record.lease.expires_at > now


def utc(seconds: float) -> str:
    """Say a time, e.g. `2026-11-23 09:30:00 UTC`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _ended(task_id: str, task: Json, *, again: bool) -> tuple[str, str]:
    status = str(task["status"])
    if again:
        return f"↻ {task_id} failed and will be tried again: {said(task)}", STYLES["partial"]
    took = f" in {duration(task['duration_seconds'])}" if task["attempts"] else ""
    why = "" if status == "succeeded" else f": {said(task)}"
    found = "".join(f", {note}" for note in _notes(task.get("middleware") or {}))
    line = f"{_SIGNS.get(status, '-')} {task_id} {status.replace('_', ' ')}{took}{found}{why}"
    return line, STYLES[status]


def _notes(verdicts: Json) -> Iterator[str]:
    """What layers found out that whoever looks on wants to know."""
    if (kept := verdicts.get("cache", {}).get("verdict")) in _SERVED:
        yield _SERVED[kept]
    if verdicts.get("budget", {}).get("verdict") == "exceeded":
        yield "over its budget"


def _undone(task_id: str, task: Json) -> tuple[str, str]:
    status = str(task["compensation"]["status"])
    if status == "succeeded":
        return f"✓ {task_id} {said(task)}", STYLES["compensated"]
    sign, style = ("↻", "partial") if status == "pending" else ("✗", "failed")
    return f"{sign} {task_id} {said(task)}", STYLES[style]


def shortened(text: str) -> str:
    """A text with no more of it than a table has room for."""
    return text if len(text) <= LONGEST_SAYING else f"{text[:LONGEST_SAYING]} …"
