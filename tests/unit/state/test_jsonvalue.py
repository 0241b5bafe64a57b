from __future__ import annotations

import enum
import json
import math
import types
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from checkpoints.serializer import strict_serializer
from state.jsonvalue import NotJsonError, json_object

texts = st.text(st.characters(codec="utf-8"), max_size=8)
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)
objects = st.dictionaries(texts, values, max_size=5)


def serializer() -> JsonPlusSerializer:
    return strict_serializer()


@given(objects)
def test_json_stays_as_it_is(value: dict[str, Any]) -> None:
    assert json_object(value, at="it") == value
    assert json.loads(json.dumps(json_object(value, at="it"))) == value


@given(objects)
def test_what_is_accepted_survives_a_checkpoint(value: dict[str, Any]) -> None:
    serde = serializer()
    assert serde.loads_typed(serde.dumps_typed(json_object(value, at="it"))) == value


@given(values)
def test_the_copy_shares_nothing_that_can_change(value: object) -> None:
    original = {"list": [value], "dict": {"inner": value}}
    copied = json_object(original, at="it")
    assert copied["list"] is not original["list"]
    assert copied["dict"] is not original["dict"]
    original["list"].clear()  # type: ignore[attr-defined]
    assert copied["list"] == [value]


@given(st.recursive(leaves, lambda inner: st.tuples(inner, inner), max_leaves=5))
def test_tuples_become_lists(value: object) -> None:
    copied = json_object({"x": value}, at="it")
    assert json.loads(json.dumps({"x": value})) == copied


class Level(enum.IntEnum):
    HIGH = 3


class Words(str):
    __slots__ = ()


class Ratio(float):
    __slots__ = ()


def test_subclasses_become_plain_values() -> None:
    copied = json_object(
        {"a": Level.HIGH, "b": Words("é"), "c": Ratio(0.5), "d": Words("e")}, at="x"
    )
    assert copied == {"a": 3, "b": "é", "c": 0.5, "d": "e"}
    assert [type(value) for value in copied.values()] == [int, str, float, str]


class Colour(str, enum.Enum):  # noqa: UP042  the older way, still the commonest
    RED = "red"


def test_an_enum_of_text_is_its_value() -> None:
    assert json_object({"colour": Colour.RED}, at="it") == json.loads(
        json.dumps({"colour": Colour.RED})
    )


@pytest.mark.parametrize(
    ("value", "path", "why"),
    [
        pytest.param([], "it", "is a list", id="a list"),
        pytest.param(None, "it", "is a NoneType", id="nothing"),
        pytest.param({1: 2}, "it", "has the key 1", id="a number as key"),
        pytest.param({"a": {None: 2}}, "it.a", "has the key None", id="None as key, inside"),
        pytest.param({"a": math.nan}, "it.a", "is nan", id="not a number"),
        pytest.param({"a": [1, math.inf]}, "it.a[1]", "is inf", id="infinity in a list"),
        pytest.param({"a": -math.inf}, "it.a", "is -inf", id="minus infinity"),
        pytest.param({"a": 2**63}, "it.a", "64 bits", id="a big number"),
        pytest.param({"a": -(2**63) - 1}, "it.a", "64 bits", id="a big negative number"),
        pytest.param({"a": "x\ud800"}, "it.a", "UTF-8", id="half a surrogate pair"),
        pytest.param({"a": [{"b": object()}]}, "it.a[0].b", "is a object", id="an object"),
        pytest.param({"a": {1, 2}}, "it.a", "is a set", id="a set"),
        pytest.param({"a": b"x"}, "it.a", "is a bytes", id="bytes"),
        pytest.param({"a": Decimal("1.5")}, "it.a", "is a Decimal", id="a decimal"),
        pytest.param({"a": datetime(2026, 1, 1, tzinfo=UTC)}, "it.a", "is a datetime", id="time"),
        pytest.param({"a": print}, "it.a", "is a builtin", id="a function"),
    ],
)
def test_what_is_not_json_is_refused_with_its_path(value: object, path: str, why: str) -> None:
    with pytest.raises(NotJsonError) as caught:
        json_object(value, at="it")
    assert caught.value.path == path
    assert why in str(caught.value)


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63)])
def test_the_largest_and_smallest_numbers_are_accepted(number: int) -> None:
    assert json_object({"a": number}, at="it") == {"a": number}


def test_a_long_object_is_cut_in_the_message() -> None:
    with pytest.raises(NotJsonError) as caught:
        json_object({"a": set(range(1000))}, at="it")
    assert len(str(caught.value)) < 200


def test_a_key_that_utf8_cannot_hold_is_refused() -> None:
    with pytest.raises(NotJsonError):
        json_object({"\ud800": 1}, at="it")


def test_an_object_that_holds_itself_is_refused() -> None:
    loop: dict[str, Any] = {}
    loop["self"] = loop
    with pytest.raises(NotJsonError):
        json_object(loop, at="it")


def test_a_mapping_is_accepted() -> None:
    assert json_object(types.MappingProxyType({"a": 1}), at="it") == {"a": 1}


class Unprintable:
    def __repr__(self) -> str:
        raise ValueError("no words")


def test_an_object_without_repr_is_refused_all_the_same() -> None:
    with pytest.raises(NotJsonError, match=r"it\.a"):
        json_object({"a": Unprintable()}, at="it")


def test_what_is_nested_too_deeply_for_a_checkpoint_is_refused() -> None:
    nested: dict[str, Any] = {}
    for _ in range(300):
        nested = {"in": nested}
    with pytest.raises(NotJsonError):
        json_object(nested, at="it")
