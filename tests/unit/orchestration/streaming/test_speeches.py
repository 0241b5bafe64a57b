"""Pieces of text and verdicts belong to an attempt, whenever its beginning is heard of."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from orchestration.streaming.speeches import Speeches
from orchestration.streaming.told import Fact, Happening, Told, fact_of
from state.jsonvalue import JsonObject

FIRST = Fact("task_started", "a", 1)
SECOND = FIRST._replace(number=2)
BEGUN = Happening("task_started", "a", {"attempt": 1})
TEXTS = st.lists(st.text("ab", min_size=1, max_size=3), max_size=6)


def heard(happenings: Iterable[Happening]) -> list[str]:
    return [str(each.data.get("text", each.kind)) for each in happenings]


def knowing(*pieces: str, asked: bool = False) -> Speeches:
    """Speeches that take up a log in which the first attempt has said this."""
    speeches = Speeches()
    logged = [BEGUN, *(Happening("token", "a", {"text": text}) for text in pieces)]
    if asked:
        logged.append(Happening("approval_requested", "a", {"id": "q", "value": None}))
    for each in logged:
        speeches.learn(each, fact_of(each))
    speeches.learned()
    return speeches


def said(speeches: Speeches, *pieces: str) -> list[str]:
    told = heard(speeches.begin(FIRST))
    for text in pieces:
        told += heard(speeches.say("a", text))
    return told + heard(speeches.end(FIRST))


def test_what_is_found_before_the_beginning_is_told_after_it() -> None:
    speeches = Speeches()
    assert heard(speeches.find("a", "cache", {"verdict": "miss"})) == []
    assert heard(speeches.begin(FIRST)) == ["verdict"]
    assert speeches.hears(FIRST)
    assert not speeches.hears(SECOND)


def test_a_beginning_that_is_heard_of_twice_is_one() -> None:
    speeches = Speeches()
    assert heard(speeches.begin(FIRST)) == []
    assert heard(speeches.say("a", "one ")) == ["one "]
    assert heard(speeches.begin(FIRST)) == []
    assert heard(speeches.say("a", "two")) == ["two"]


def test_an_agent_that_asked_a_person_goes_on_or_begins_again() -> None:
    assert said(knowing("I ask ", asked=True), "thanks") == ["thanks"]
    assert said(knowing("I ask ", asked=True), "I ask ", "thanks") == ["thanks"]


@given(before=TEXTS, again=TEXTS)
def test_the_log_always_ends_with_what_the_agent_said_last(
    before: list[str], again: list[str]
) -> None:
    text = "".join(before)
    for piece in said(knowing(*before), *again):
        text = "" if piece == "token_restart" else text + piece
    assert text == ("".join(again) or "".join(before))


@given(before=TEXTS, rest=TEXTS)
def test_what_goes_on_as_before_never_begins_anew(before: list[str], rest: list[str]) -> None:
    told = said(knowing(*before), *before, *rest)
    assert "token_restart" not in told
    assert "".join(told) == "".join(rest)


def test_a_result_that_comes_again_is_told_again_only_if_it_is_another() -> None:
    told, done = Told(), Fact("task_finished", "a", 1)
    result: JsonObject = {"attempts": 1, "status": "succeeded", "output": {}, "error": None}
    told.learn(Happening("task_finished", "a", result))
    assert not told.is_new(done)
    assert told.in_log(done)
    assert not told.is_otherwise(done, {**result, "status": "compensated"})
    other: JsonObject = {**result, "output": {"n": 2}}
    assert told.is_otherwise(done, other)
    assert not told.is_otherwise(done, other)
