from __future__ import annotations

import pytest

from orchestration.cli.terminal import printable
from orchestration.cli.words import STYLES, duration, event_line, question, said
from orchestration.workflow_events import WorkflowEvent
from state.jsonvalue import JsonObject
from state.status import TaskStatus, WorkflowStatus


def test_every_status_has_a_style() -> None:
    assert {*TaskStatus, *WorkflowStatus, "running", "unfinished"} <= STYLES.keys()


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0 ms"), (0.0164, "16 ms"), (1.25, "1.2 s"), (59.0, "59.0 s"), (125, "2 min 05 s")],
)
def test_durations_are_short(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ({"error": None, "reason": "", "output": {"message": "hi"}}, "hi"),
        ({"error": None, "reason": "", "output": {"content": "hi"}}, "hi"),
        ({"error": None, "reason": "", "output": {"seats": 2}}, '{"seats": 2}'),
        ({"error": None, "reason": "", "output": {}}, ""),
        ({"error": None, "reason": "not needed", "output": {}}, "not needed"),
        ({"error": {"message": "no", "code": "c"}, "reason": "", "output": {}}, "no (c)"),
    ],
)
def test_what_an_agent_said_is_its_message_or_why_there_is_none(
    task: dict[str, object], expected: str
) -> None:
    assert said(task) == expected


def test_long_sayings_are_cut() -> None:
    text = said({"error": None, "reason": "", "output": {"message": "x" * 5000}})
    assert len(text) < 700
    assert text.endswith("…")


def test_what_a_terminal_would_act_on_is_replaced() -> None:
    told = printable("a\x1b[2Jb\x9bc\u202ed\ud800e\r\nf\tg")
    assert told == "a�[2Jb�c�d�e\nf    g"


def test_a_retry_is_told_with_its_reason() -> None:
    task: JsonObject = {
        "status": "pending",
        "attempts": 1,
        "duration_seconds": 0.0,
        "error": {"message": "line busy", "code": "agent_failed"},
        "reason": "",
        "output": {},
    }
    line = event_line(WorkflowEvent(1, "task_retrying", "t", "call", task))
    assert line is not None
    assert line[0] == "↻ call failed and will be tried again: line busy (agent_failed)"
    again = event_line(WorkflowEvent(2, "task_started", "t", "call", {"attempt": 2}))
    assert again is not None
    assert again[0] == "→ call started, attempt 2"


def test_a_question_that_is_no_approval_is_shown_as_it_is() -> None:
    assert question({"value": {"which": "seat"}}) == '{"which": "seat"}'
