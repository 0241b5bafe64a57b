"""JSON values: what tasks carry, agents answer, and checkpoints store."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = "dict[str, JsonValue]"

_LARGEST, _SMALLEST = 2**63 - 1, -(2**63)


class NotJsonError(ValueError):
    """Raised for a value that JSON (as stored in checkpoints) cannot hold."""

    def __init__(self, path: str, why: str) -> None:
        self.path = path
        self.why = why
        super().__init__(path, why)

    def __str__(self) -> str:
        return f"{self.path} {self.why}"


def json_object(value: object, *, at: str) -> JsonObject:
    """Return a deep copy of `value`, which must be a JSON object.

    Args:
        value: A mapping with string keys and JSON values.
        at: How to name the value in an error, e.g. `input_data`.

    Raises:
        NotJsonError: With the path of the first part that is not JSON.
    """
    if not isinstance(value, dict):
        raise NotJsonError(at, f"is a {type(value).__name__}; it must be a dict (a JSON object)")
    return _copy_dict(value, at)


def _copy_dict(value: Mapping[object, object], at: str) -> JsonObject:
    copied: JsonObject = {}
    for key, item in value.items():
        if type(key) is not str:
            raise NotJsonError(at, f"has the key {key!r}; JSON keys are strings")
        if type(item) is str and item.isascii():  # by far the commonest leaf
            copied[key] = item
        else:
            copied[key] = _copy(item, f"{at}.{key}")
    return copied


def _copy(value: object, at: str) -> JsonValue:  # noqa: C901  one case for each JSON type
    match value:
        case None | bool():
            return value
        case str():
            return _text(value, at)
        case int():
            if not _SMALLEST <= value <= _LARGEST:
                raise NotJsonError(at, f"is {value}, which needs more than 64 bits; use a string")
            return int(value)
        case float():
            if not math.isfinite(value):
                raise NotJsonError(at, f"is {value}, which JSON does not have; use null")
            return float(value)
        case dict():
            return _copy_dict(value, at)
        case list() | tuple():
            return [_copy(item, f"{at}[{index}]") for index, item in enumerate(value)]
        case _:
            raise NotJsonError(
                at, f"is a {type(value).__name__} ({_brief(value)}), which is not a JSON value"
            )


def _text(value: str, at: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise NotJsonError(at, f"is text that UTF-8 cannot hold ({value[:40]!a})") from None
    return str(value)


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004
