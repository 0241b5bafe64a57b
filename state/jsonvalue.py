"""JSON values: what tasks carry, agents answer, and checkpoints store."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, Final, TypeAlias, TypeGuard

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = "dict[str, JsonValue]"

DEEPEST: Final = 100
"""Levels of nesting; a checkpoint holds some 250, and a state adds levels of its own."""
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
    if type(value) is not dict and not isinstance(value, Mapping):
        raise NotJsonError(at, f"is a {type(value).__name__}; it must be a dict (a JSON object)")
    return _copy_object(value, at, 0)


def json_like(value: object) -> JsonValue:
    """Show any value as JSON: the same before and after it stood in a checkpoint.

    A checkpoint gives models and dataclasses back as dicts, and tuples as lists; what JSON
    does not have at all becomes its text.
    """
    value = _bare(value)
    if isinstance(value, Mapping):
        return {str(key): json_like(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_like(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(map(json_like, value), key=str)
    if isinstance(value, str):
        return plain_text(value)
    return value if _is_scalar(value) else str(value)


def _bare(value: object) -> object:
    """The data of a model, a dataclass or an enum; other values as they are."""
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    dump = getattr(value, "model_dump", None)
    return dump() if callable(dump) else value


def _is_scalar(value: object) -> TypeGuard[bool | float | None]:
    """Whether JSON and a checkpoint both have it."""
    if isinstance(value, int):
        return _SMALLEST <= value <= _LARGEST
    return value is None or (isinstance(value, float) and math.isfinite(value))


def plain_text(value: str) -> str:
    """Return text as a plain `str`: of an enum of strings, its value."""
    return str.__str__(value)


def described(value: object) -> str:
    """Show a value in an error, shortened, whatever its `repr` does."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  its author's; the type says enough
        return f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004


def _copy_object(value: Mapping[object, Any], at: str, depth: int) -> JsonObject:
    if depth > DEEPEST:
        raise NotJsonError(at, f"is nested more than {DEEPEST} levels deep (or holds itself)")
    copied: JsonObject = {}
    for key, item in value.items():
        if type(key) is not str or not key.isascii():
            key = _key(key, at)  # noqa: PLW2901
        kind = type(item)
        if (kind is str and item.isascii()) or kind is bool or item is None:
            copied[key] = item  # the commonest leaves
        elif kind is int and _SMALLEST <= item <= _LARGEST:
            copied[key] = item
        else:
            copied[key] = _copy(item, at, key, depth)
    return copied


def _copy(value: object, at: str, key: str | int, depth: int) -> JsonValue:
    kind = type(value)
    if kind is bool or value is None:
        return value  # type: ignore[return-value]  # `kind` says which
    if isinstance(value, str):
        return _text(value, _path(at, key))
    if isinstance(value, bool | int | float):
        return _number(value, _path(at, key))
    if kind is dict or isinstance(value, Mapping):
        return _copy_object(value, _path(at, key), depth + 1)  # type: ignore[arg-type]
    if isinstance(value, list | tuple):
        path = _path(at, key)
        if depth >= DEEPEST:
            raise NotJsonError(path, f"is nested more than {DEEPEST} levels deep")
        return [_copy(item, path, index, depth + 1) for index, item in enumerate(value)]
    raise NotJsonError(
        _path(at, key), f"is a {kind.__name__} ({described(value)}), which is not a JSON value"
    )


def _path(at: str, key: str | int) -> str:
    return f"{at}.{key}" if isinstance(key, str) else f"{at}[{key}]"


def _key(key: object, at: str) -> str:
    if type(key) is not str:
        raise NotJsonError(at, f"has the key {described(key)}; JSON keys are strings")
    return _text(key, f"a key of {at}")


def _number(value: float, at: str) -> JsonValue:
    if isinstance(value, int):
        if not _SMALLEST <= value <= _LARGEST:
            raise NotJsonError(
                at, f"is {described(value)}, which needs more than 64 bits; use a string"
            )
        return int(value)
    if not math.isfinite(value):
        raise NotJsonError(at, f"is {value}, which JSON does not have; use null")
    return float(value)


def _text(value: str, at: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise NotJsonError(at, f"is text that UTF-8 cannot hold ({value[:40]!a})") from None
    return plain_text(value)
