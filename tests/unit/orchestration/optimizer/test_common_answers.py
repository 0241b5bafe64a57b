"""Answers to common questions, found by their text."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from checkpoints.response_caches import open_cache
from orchestration.agents.chat import AgentReply
from orchestration.optimizer.common_answers import CommonAnswers, normal_query
from state.jsonvalue import NotJsonError

QUERY = "What time does the game start?"


class Clock:
    time = 1_700_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory://", "sqlite:///{}"])
def answers(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Clock
) -> Iterator[CommonAnswers]:
    store = open_cache(request.param.format(tmp_path / "cache.db"), clock=clock)
    yield CommonAnswers(store)
    asyncio.run(store.aclose())


def test_an_answer_is_found_for_an_hour(answers: CommonAnswers, clock: Clock) -> None:
    assert answers.get(QUERY) is None
    assert answers.put(QUERY, "at eight")
    clock.time += 3599
    assert answers.get(QUERY) == "at eight"
    clock.time += 2
    assert answers.get(QUERY) is None
    assert (answers.hits, answers.misses) == (1, 2)


@pytest.mark.parametrize(
    "query",
    [
        "what time does the game start",
        "  What   time does\nthe GAME start?! ",
        "What time does the game start...",
        "\uff37hat time does the game start\uff1f",
    ],
)
def test_case_space_form_and_closing_marks_do_not_count(answers: CommonAnswers, query: str) -> None:
    answers.put(QUERY, "at eight")
    assert answers.get(query) == "at eight"


@pytest.mark.parametrize("query", ["What time does game 2 start?", "does the game start", "", "?"])
def test_other_questions_have_other_answers(answers: CommonAnswers, query: str) -> None:
    answers.put(QUERY, "at eight")
    assert answers.get(query) is None


@pytest.mark.parametrize("other", ["what is 102?", "what is 10\u2082?", "what is 10 2?"])
def test_numerals_are_no_form_of_others(answers: CommonAnswers, other: str) -> None:
    answers.put("what is 10\u00b2?", 100)
    assert answers.get("What is 10\u00b2") == 100
    assert answers.get(other) is None


@pytest.mark.parametrize("response", ["text", 3, 2.5, False, [], ["a", {"b": None}], {}, {"x": 1}])
def test_any_json_value_is_an_answer(answers: CommonAnswers, response: object) -> None:
    answers.put(QUERY, response)
    assert answers.get(QUERY) == response
    assert type(answers.get(QUERY)) is type(response)


def test_a_reply_of_an_agent_is_one_again(answers: CommonAnswers) -> None:
    answers.put(QUERY, AgentReply({"content": "at eight"}))
    found = answers.get(QUERY)
    assert isinstance(found, AgentReply)
    assert str(found) == "at eight"


def test_who_changes_an_answer_changes_no_other(answers: CommonAnswers) -> None:
    answers.put(QUERY, {"list": [1]})
    answers.get(QUERY)["list"].append(2)
    assert answers.get(QUERY) == {"list": [1]}


@pytest.mark.parametrize(
    ("asker", "sees"),
    [
        ({"tenant": "acme", "user": "ann"}, True),
        ({"tenant": "acme"}, False),
        ({"tenant": "globex", "user": "ann"}, False),
        ({"user": "ann"}, False),
        ({}, False),
    ],
)
def test_only_who_asked_sees_the_answer(
    answers: CommonAnswers, asker: dict[str, str], sees: object
) -> None:
    answers.put(QUERY, "secret", tenant="acme", user="ann")
    assert (answers.get(QUERY, **asker) == "secret") is sees


def test_answers_are_invalidated_by_tag_and_tenant(answers: CommonAnswers) -> None:
    answers.put(QUERY, "at eight", tags=("games",))
    answers.put(QUERY, "at nine", tags=("games",), tenant="acme")
    assert answers._store.invalidate(tag="games", tenant="acme") == 1
    assert answers.get(QUERY) == "at eight"
    assert answers._store.invalidate(tag="games") == 1
    assert answers.get(QUERY) is None


@pytest.mark.parametrize("response", [object(), {1: 2}, float("nan"), {"a": {3}}, 2**70])
def test_what_is_no_json_is_refused(answers: CommonAnswers, response: object) -> None:
    with pytest.raises(NotJsonError, match="answer"):
        answers.put(QUERY, response)
    assert answers.get(QUERY) is None


def test_nothing_is_no_answer(answers: CommonAnswers) -> None:
    with pytest.raises(ValueError, match="response is None"):
        answers.put(QUERY, None)


@pytest.mark.parametrize("ttl", [timedelta(0), timedelta(-1), 60])
def test_a_ttl_that_cannot_be_is_refused(answers: CommonAnswers, ttl: Any) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match="ttl is"):
        answers.put(QUERY, "x", ttl=ttl)


@pytest.mark.parametrize("tags", ["games", [""], [3]])
def test_tags_that_cannot_be_are_refused(answers: CommonAnswers, tags: Any) -> None:  # noqa: ANN401
    with pytest.raises(TypeError, match="tags is"):
        answers.put(QUERY, "x", tags=tags)


def test_a_query_may_be_text_that_utf_8_cannot_hold(answers: CommonAnswers) -> None:
    answers.put("half of a pair: \ud800", "odd")
    assert answers.get("half of a pair: \ud800") == "odd"


@pytest.mark.parametrize("query", [None, 3, b"bytes"])
def test_a_query_that_is_no_text_is_refused(answers: CommonAnswers, query: Any) -> None:  # noqa: ANN401
    with pytest.raises(TypeError, match="query is"):
        answers.get(query)


def test_a_query_may_be_long_but_not_endless(answers: CommonAnswers) -> None:
    with pytest.raises(ValueError, match="at most 100000"):
        answers.get("x" * 100_001)


def test_without_a_server_there_are_no_answers_and_no_errors() -> None:
    store = open_cache("redis://127.0.0.1:9/0")
    answers = CommonAnswers(store)
    assert answers.get(QUERY) is None
    assert not answers.put(QUERY, "at eight")
    asyncio.run(store.aclose())


def test_a_query_of_marks_alone_stays_what_it_is() -> None:
    assert normal_query(" ?! ") == "?!"
