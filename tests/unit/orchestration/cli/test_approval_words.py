from __future__ import annotations

import json

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from checkpoints.approvals import ApprovalRequest, AuditEntry, Event
from orchestration.cli import approval_words as words
from orchestration.cli.approval_answers import answer, edit, edited
from orchestration.cli.options import who_decides
from state.approval import DEFAULT_POLICY
from state.decision import Decision
from state.jsonvalue import JsonObject, JsonValue

APPROVE: Decision = {"type": "approve"}
ARGUMENTS: JsonObject = {"amount": 5, "note": "7"}


def request(
    payload: JsonValue, *, kind: str = "approval", status: str = "pending"
) -> ApprovalRequest:
    return ApprovalRequest(
        request_id="abcd",
        thread_id="t",
        run_id="r",
        task_id="pay",
        interrupt_id="abcd",
        kind=kind,
        action="finance",
        tenant=None,
        requester=None,
        policy=DEFAULT_POLICY,
        payload=payload,
        seen_hash="",
        status=status,
        created_at=0.0,
        deadline_at=None,
        remind_at=None,
        escalate_at=None,
        escalated=False,
        decision=None,
        decided_by=None,
        decided_at=None,
    )


def asking(*arguments: JsonObject) -> JsonObject:
    return {"action_requests": [{"name": "finance", "args": each} for each in arguments]}


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.2, "less than 1 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3725, "1 h 2 min"),
        (3 * 86400 - 1, "2 d 23 h"),
        (86400 + 5, "1 d 5 s"),
    ],
)
def test_a_time_span_is_said_in_its_two_largest_units(seconds: float, expected: str) -> None:
    assert words.span(seconds) == expected


def test_ids_are_abbreviated_as_far_as_they_differ() -> None:
    assert words.short_ids(["a" * 32]) == {"a" * 32: "a" * 8}
    alike = ["a" * 32, "a" * 32 + "-2", "a" * 9 + "b" * 23]
    assert len({*words.short_ids(alike).values()}) == 3


def test_every_event_has_a_style() -> None:
    assert words.EVENT_STYLES.keys() == {*Event.__args__}  # type: ignore[attr-defined]


def test_a_lapsed_request_says_so() -> None:
    lapsed = words.outcome(request(asking(ARGUMENTS), status="lapsed"))
    assert lapsed == "lapsed: the run ended, or went on, without an answer"


def test_changes_are_lines_before_and_after() -> None:
    assert words.changes({"a": 1, "b": 2}, {"a": 1, "b": 3}) == [
        " {",
        '   "a": 1,',
        '-  "b": 2',
        '+  "b": 3',
        " }",
    ]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(values, values)
def test_different_values_have_changes_and_equal_ones_none(
    before: JsonValue, after: JsonValue
) -> None:
    assert words.changes(before, before) == []
    is_equal = json.dumps(before, sort_keys=True) == json.dumps(after, sort_keys=True)
    assert (words.changes(before, after) == []) == is_equal


@pytest.mark.parametrize(
    ("payload", "expected"),
    [("Which seat?", "Which seat?"), ({"which": "seat"}, "Task 'pay' asks:")],
)
def test_a_question_that_is_no_approval_is_said_as_it_is(payload: JsonValue, expected: str) -> None:
    assert words.asked_for(request(payload)) == expected


def test_an_answer_decides_about_every_call_that_is_asked_about() -> None:
    assert answer(request(asking(ARGUMENTS)), APPROVE) == {"decisions": [APPROVE]}
    assert answer(request(asking({}, {})), APPROVE) == {"decisions": [APPROVE, APPROVE]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("window", "window"), ("5", 5), ('{"row": 1}', {"row": 1}), ("NaN", "NaN")],
)
def test_a_question_is_answered_with_json_or_text(text: str, expected: JsonValue) -> None:
    asked = request("Which seat?", kind="question")
    assert answer(asked, {"type": "respond", "message": text}) == expected


def test_a_question_cannot_be_approved() -> None:
    with pytest.raises(typer.BadParameter, match="approvals respond"):
        answer(request("Which seat?", kind="question"), APPROVE)


@pytest.mark.parametrize("payload", ["Which seat?", asking({}, {})])
def test_only_a_single_call_can_be_edited(payload: JsonValue) -> None:
    with pytest.raises(typer.BadParameter, match="none to edit"):
        edit(request(payload), {"row": 1})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("amount=6", {"amount": 6, "note": "7"}),
        ("note=8", {"amount": 5, "note": "8"}),
        ("note=a=b", {"amount": 5, "note": "a=b"}),
        ('note="quoted"', {"amount": 5, "note": "quoted"}),
        ("new=[1]", {"amount": 5, "note": "7", "new": [1]}),
        ("amount=", {"amount": "", "note": "7"}),
    ],
)
def test_an_edited_text_stays_a_text(change: str, expected: JsonObject) -> None:
    assert edited(ARGUMENTS, changes=[change], whole=None) == expected
    assert ARGUMENTS == {"amount": 5, "note": "7"}


def test_single_changes_come_on_top_of_all_arguments() -> None:
    assert edited(ARGUMENTS, changes=["b=2"], whole='{"a": 1}') == {"a": 1, "b": 2}


def test_who_decides_is_known_to_the_system_where_the_environment_is_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(variable, "")
    assert who_decides("ann") == "ann"
    assert who_decides(None)


def test_the_audit_trail_says_what_was_decided_on_instead() -> None:
    decision: JsonObject = {
        "type": "edit",
        "edited_action": {"name": "budget", "args": {"attempts": 5}},
    }
    detail: JsonObject = {"decision": decision, "comment": "the last time"}
    entry = AuditEntry(1, "abcd", "t", "pay", 0.0, "decided", "bob", [], "edit", detail, "")
    assert words.entry_saying(entry) == 'with {"attempts": 5}\nthe last time'
