from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.cache_key import Asked, CacheKey, Sight, cache_key
from state.jsonvalue import JsonObject

ASKED = Asked(agent_id="weather", version="1", tenant="acme", user="ann")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


def key(given: JsonObject, **seen: Any) -> CacheKey:  # noqa: ANN401
    return cache_key(given, ASKED, sight=Sight(**seen))


def said(content: Any, **more: Any) -> JsonObject:  # noqa: ANN401
    return {"messages": [{"role": "user", "content": content, **more}]}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1}),
        ({"city": "K\u00f6ln"}, {"city": "Ko\u0308ln"}),
        ({"K\u00f6ln": 1}, {"Ko\u0308ln": 1}),
        (said("weather in Berlin"), said("  weather   in\tBerlin ")),
        (said("one\r\ntwo"), said("one\ntwo\n")),
        (said("hello"), said("hello", id="msg-1")),
        (said("hello"), said("hello", usage_metadata={"tokens": 3}, response_metadata={})),
        (said([{"type": "text", "text": "a  b"}]), said([{"type": "text", "text": "a b "}])),
    ],
)
def test_what_no_agent_should_tell_apart_has_one_key(one: JsonObject, other: JsonObject) -> None:
    assert key(one) == key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (said("weather in Berlin"), said("weather in berlin")),
        (said("really"), said("really?")),
        (said("order 42"), said("order 43")),
        (said("a b"), said("ab")),
        (said("if x:\n  y"), said("if x:\n    y")),
        (said("in code: `a  b`"), said("in code: `a b`")),
        (said('find "a  b"'), said('find "a b"')),
        ({"n": 1}, {"n": 1.5}),
        ({"n": 1}, {"n": "1"}),
        ({"n": True}, {"n": 1}),
        ({"n": None}, {}),
        ({"K\u00f6ln": 1, "Ko\u0308ln": 2}, {"K\u00f6ln": 1}),
        ({"K\u00f6ln": 1, "Ko\u0308ln": 2}, {"Ko\u0308ln": 2}),
        ({"a": {"Ko\u0308ln": 1, "K\u00f6ln": 2}}, {"a": {"K\u00f6ln": 2}}),
        (said("show 'a  b.txt'"), said("show 'a b.txt'")),
        (said("show “a  b”"), said("show “a b”")),
        (
            {"messages": [{"type": "item_reference", "id": "m1"}]},
            {"messages": [{"type": "item_reference", "id": "m2"}]},
        ),
        ({"text": "a  b"}, {"text": "a b"}),
        ({"items": [1, 2]}, {"items": [2, 1]}),
        (said("hi"), {"messages": [{"role": "system", "content": "hi"}]}),
        (said("hi"), said("hi", name="ann")),
        (said("hi"), {**said("hi"), "language": "de"}),
        ({"id": "4711"}, {"id": "4712"}),
        (
            {"messages": [{"role": "tool", "tool_call_id": "a", "content": "x"}]},
            {"messages": [{"role": "tool", "tool_call_id": "b", "content": "x"}]},
        ),
    ],
)
def test_what_an_agent_may_tell_apart_has_two(one: JsonObject, other: JsonObject) -> None:
    assert key(one) != key(other)


@pytest.mark.parametrize(
    "asked",
    [
        Asked(agent_id="weather", version="1", tenant="acme"),
        Asked(agent_id="weather", version="1", user="ann"),
        Asked(agent_id="weather", version="2", tenant="acme", user="ann"),
        Asked(agent_id="traffic", version="1", tenant="acme", user="ann"),
        Asked(agent_id="weather", version="1", capability="x", tenant="acme", user="ann"),
    ],
)
def test_who_asks_whom_counts(asked: Asked) -> None:
    assert cache_key({}, asked) != cache_key({}, ASKED)


@pytest.mark.parametrize(
    "seen",
    [
        {"upstream": {"crm": {"customer": 7}}},
        {"history": [{"role": "user", "content": "hi"}]},
        {"tags": ("beta",)},
    ],
)
def test_all_that_the_agent_sees_beside_its_input_counts(seen: dict[str, Any]) -> None:
    assert key({}, **seen) != key({})
    assert key({}, **seen) == key({}, **seen)


def test_history_is_read_like_messages() -> None:
    one = key({}, history=[{"role": "user", "content": " hi ", "id": "1"}])
    assert one == key({}, history=[{"role": "user", "content": "hi"}])


def test_in_the_scope_of_a_tenant_the_user_does_not_count() -> None:
    bob = Asked(agent_id="weather", version="1", tenant="acme", user="bob")
    shared = cache_key({}, ASKED, scope="tenant")
    assert shared == cache_key({}, bob, scope="tenant")
    nobody = Asked(agent_id="weather", version="1", tenant="acme")
    assert shared != cache_key({}, nobody)  # what is nobody's is not everybody's


def test_the_frame_leaves_only_the_last_question_out() -> None:
    one, other = key(said("weather?")), key(said("what weather?"))
    assert (one.frame, one.text) == (other.frame, "weather?")
    assert one.digest != other.digest
    assert key({**said("weather?"), "city": "Bonn"}).frame != one.frame


@pytest.mark.parametrize(
    "given_input",
    [
        {},
        {"messages": []},
        {"messages": [{"role": "assistant", "content": "x"}]},
        said([]),
        said(""),
    ],
)
def test_without_a_last_question_there_is_no_frame(given_input: JsonObject) -> None:
    assert (key(given_input).frame, key(given_input).text) == ("", "")


@given(JSON, JSON)
def test_the_input_stays_as_it_is_and_equal_inputs_have_equal_keys(one: Any, other: Any) -> None:  # noqa: ANN401
    given_input: JsonObject = {"messages": [{"content": one}, other], "x": other}
    before = repr(given_input)
    found = key(given_input)
    assert repr(given_input) == before
    assert found == key({name: given_input[name] for name in reversed(given_input)})


@given(st.text(max_size=20), st.text(max_size=20))
def test_texts_have_one_key_only_if_they_are_the_same(one: str, other: str) -> None:
    same = unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)
    assert (key({"q": one}) == key({"q": other})) == same
