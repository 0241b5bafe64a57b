from __future__ import annotations

import pytest

from orchestration.cli.progress import running_now
from orchestration.cli.tables import verdict
from orchestration.cli.terminal import printable
from orchestration.cli.words import STYLES, duration, event_line, question, said
from orchestration.workflow_events import EventKind, WorkflowEvent
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


@pytest.mark.parametrize(
    ("middleware", "note"),
    [
        ({}, ""),
        ({"cache": {"verdict": "miss"}}, ""),
        ({"cache": {"verdict": "hit"}}, ", from the cache"),
        ({"cache": {"verdict": "joined"}}, ", with the answer to another's call"),
        ({"budget": {"verdict": "exceeded"}}, ", over its budget"),
    ],
)
def test_what_came_from_a_cache_or_goes_over_a_budget_is_told(
    middleware: JsonObject, note: str
) -> None:
    task: JsonObject = {
        "status": "succeeded",
        "attempts": 1,
        "duration_seconds": 0.002,
        "middleware": middleware,
    }
    line = event_line(WorkflowEvent(1, "task_finished", "t", "call", task))
    assert line is not None
    assert line[0] == f"✓ call succeeded in 2 ms{note}"


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


def undone(status: str, **more: object) -> JsonObject:
    undoing = {"status": status, "attempts": 1, "error": None, "output": {}, **more}
    return {"status": "succeeded", "error": None, "compensation": undoing}  # type: ignore[dict-item]


NO = {"message": "too late", "code": "agent_refused"}


@pytest.mark.parametrize(
    ("kind", "data", "line"),
    [
        ("compensation_started", {"attempt": 1}, "← undoing buy"),
        ("compensation_started", {"attempt": 2}, "← undoing buy, attempt 2"),
        (
            "compensation_finished",
            undone("succeeded", output={"message": "Order 1 is cancelled."}),
            "✓ buy undone: Order 1 is cancelled.",
        ),
        ("compensation_finished", undone("succeeded"), "✓ buy undone"),
        (
            "compensation_finished",
            undone("failed", error=NO),
            "✗ buy could not be undone: too late (agent_refused)",
        ),
        (
            "compensation_retrying",
            undone("pending", error=NO),
            "↻ buy not undone yet: too late (agent_refused)",
        ),
    ],
)
def test_undoing_is_told(kind: EventKind, data: JsonObject, line: str) -> None:
    told = event_line(WorkflowEvent(1, kind, "t", "buy", data))
    assert told is not None
    assert told[0] == line


def test_the_verdict_says_what_was_undone_and_what_could_not_be() -> None:
    tasks = [{"status": "compensated"}, {"status": "succeeded"}, {"status": "rejected"}]
    result = {"status": "rejected", "tasks": tasks, "uncompensated": ["pay"]}
    assert str(verdict(result)) == (
        "Rejected: 2 of 3 tasks succeeded. 1 of them undone. "
        "Could not be undone: pay; what it did stands."
    )


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ([], "saving"),
        (["buy"], "running: buy"),
        (["buy", "loop", "loop#2/all", "loop#2/all/0/one"], "running: buy, loop#2/all/0/one"),
        ([f"all/{n}/one" for n in range(10)], "all/7/one and 2 more"),
    ],
)
def test_what_runs_now_is_said_by_the_innermost(paths: list[str], expected: str) -> None:
    assert running_now(paths).endswith(expected)


@pytest.mark.parametrize(
    ("kind", "path", "turn", "expected"),
    [
        ("turn_started", "loop", {"turn": 2, "by": "loop"}, "↻ loop: turn 2"),
        ("turn_started", "a", {"turn": 1, "by": "start"}, "↻ turn 1: a begins"),
        (
            "turn_started",
            "talk/b",
            {"turn": 2, "by": "handoff", "sender": "a", "message": "", "reason": "too dear"},
            "↻ turn 2: a hands over to talk/b: too dear",
        ),
        (
            "turn_started",
            "b",
            {"turn": 2, "by": "supervisor"},
            "↻ turn 2: the supervisor calls b",
        ),
        ("turn_started", "b", {"turn": 2, "by": "resumed"}, "↻ turn 2: b goes on"),
        ("turns_ended", "", {"turn": 4, "by": "max_turns"}, "· after turn 4 no turn is left"),
        ("turns_ended", "talk", {"turn": 4, "by": "end"}, "· talk: after turn 4 nobody is next"),
    ],
)
def test_a_turn_is_told_in_words(
    kind: EventKind, path: str, turn: JsonObject, expected: str
) -> None:
    data: JsonObject = {"message": "", "reason": "", "sender": "", **turn}
    line = event_line(WorkflowEvent(1, kind, "t", path, data))
    assert line is not None
    assert line[0] == expected
