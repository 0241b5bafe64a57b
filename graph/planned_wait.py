"""The planner's part for tasks that wait: for a time, a moment or a signal."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Final

from graph.planned_task import LONGEST_TIMEOUT, planned_seconds, planned_shell, seconds_of
from state.jsonvalue import described, plain_text
from state.task import Wait, WaitForSignal

if TYPE_CHECKING:
    from graph.plan_request import Draft, Place
    from state.plan_document import PlannedTask
    from state.waiting import WaitDocument

SIGNAL: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,99}")


def planned_wait(task: Wait | WaitForSignal, place: Place, draft: Draft) -> PlannedTask:
    """Plan a wait, noting every problem it has."""
    id_ = place.id_
    planned = planned_shell(task, place, draft)
    if task.requires_approval is not False:
        draft.problem(
            "bad_approval", f"task {id_!r} only waits, so nobody can approve it; leave it out", id_
        )
    planned["wait"] = (
        _signal(task, id_, draft) if isinstance(task, WaitForSignal) else _span(task, id_, draft)
    )
    return planned


def _signal(task: WaitForSignal, id_: str, draft: Draft) -> WaitDocument:
    name = task.signal
    if not isinstance(name, str) or not SIGNAL.fullmatch(name):
        draft.problem(
            "bad_signal",
            f"task {id_!r}: signal is {described(name)}; give a name of 1 to 100 letters, digits, "
            "'_', '-', '.' or ':'",
            id_,
        )
    timeout = None if task.timeout is None else planned_seconds(task, id_, draft)
    return {"kind": "signal", "signal": plain_text(str(name)), "timeout_seconds": timeout}


def _span(task: Wait, id_: str, draft: Draft) -> WaitDocument:
    span = task.span
    if isinstance(span, datetime):
        if span.tzinfo is not None:
            return {"kind": "until", "at": span.timestamp()}
        draft.problem(
            "bad_wait",
            f"task {id_!r} waits until {span}, which has no time zone; give one, e.g. "
            "datetime(..., tzinfo=timezone.utc)",
            id_,
        )
    seconds = None if isinstance(span, datetime) else seconds_of(span)
    if seconds is None and not isinstance(span, datetime):
        draft.problem(
            "bad_wait",
            f"task {id_!r} waits for {described(span)}; give a positive number of seconds (at most "
            f"{LONGEST_TIMEOUT:g}), a timedelta, or a moment with its time zone",
            id_,
        )
    return {"kind": "timer", "seconds": seconds or 0.0}
