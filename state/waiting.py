"""What a task waits for that calls no agent: a time, or a signal from outside."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypedDict

from state.question import is_own

if TYPE_CHECKING:
    from state.jsonvalue import JsonObject, JsonValue
    from state.plan_document import PlanDocument, PlannedTask

TIMER: Final = "timer"
SIGNAL: Final = "signal"


class TimerWait(TypedDict):
    """Wait for some time, counted from when the task begins."""

    kind: Literal["timer"]
    seconds: float


class UntilWait(TypedDict):
    """Wait until a moment."""

    kind: Literal["until"]
    at: float
    """Seconds since the epoch."""


class SignalWait(TypedDict):
    """Wait until somebody sends a signal of this name to the thread."""

    kind: Literal["signal"]
    signal: str
    timeout_seconds: float | None


WaitDocument = TimerWait | UntilWait | SignalWait


class Awaited(NamedTuple):
    """What a paused run waits for, as it asks for it."""

    kind: Literal["timer", "signal"]
    signal: str
    """The name; empty for a timer."""
    deadline_at: float | None
    """When a timer is due, or a signal's wait is over; seconds since the epoch."""


def signal_names(plan: PlanDocument) -> set[str]:
    """The signals that tasks of a plan wait for, also inside others."""
    names = set()
    for task in plan["tasks"].values():
        if "wait" in task and task["wait"]["kind"] == "signal":
            names.add(task["wait"]["signal"])
        if "body" in task:
            names |= signal_names(task["body"])
    return names


def due_at(wait: WaitDocument, *, now: float) -> float | None:
    """When a wait that begins now is over without anybody's doing."""
    if wait["kind"] == "until":
        return wait["at"]
    seconds = wait["seconds"] if wait["kind"] == "timer" else wait["timeout_seconds"]
    return None if seconds is None else now + seconds


def timer_question(task_id: str, *, due: float) -> JsonObject:
    """What a run asks that waits for a time."""
    return {"wait": TIMER, "task_id": task_id, "due_at": due}


def signal_question(task_id: str, *, signal: str, deadline: float | None) -> JsonObject:
    """What a run asks that waits for a signal."""
    return {"wait": SIGNAL, "task_id": task_id, "signal": signal, "deadline_at": deadline}


def awaited(question: JsonValue) -> Awaited | None:
    """Read what `timer_question` or `signal_question` made; None if it is something else."""
    match question:
        case {"wait": "timer", "due_at": int() | float() as due} if _is_time(due):
            return Awaited(TIMER, "", due)
        case {"wait": "signal", "signal": str(name), "deadline_at": deadline} if name:
            if deadline is None:
                return Awaited(SIGNAL, name, None)
            if isinstance(deadline, int | float) and _is_time(deadline):
                return Awaited(SIGNAL, name, deadline)
    return None


def asked_by(task: PlannedTask, question: JsonValue) -> Awaited | None:
    """What the run waits for, if this task is one that waits so; an agent may ask anything."""
    asked = awaited(question) if is_own(question) else None
    if "wait" not in task or asked is None:
        return None
    wait = task["wait"]
    wanted = wait["signal"] if wait["kind"] == "signal" else ""
    return asked if asked.signal == wanted else None


def _is_time(value: float) -> bool:
    return not isinstance(value, bool) and math.isfinite(value)
