"""JSON values in the parts of A2A messages, and back.

Data parts hold numbers as doubles. So whole numbers come back as `int`, and those beyond
2**53, which a double would change, travel as text.
"""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, Final, NamedTuple

from a2a.types import Part
from google.protobuf.json_format import (  # type: ignore[import-untyped]  # it has no types
    MessageToDict,
    ParseDict,
    ParseError,
)
from google.protobuf.struct_pb2 import Struct, Value  # type: ignore[import-untyped]  # likewise
from google.protobuf.timestamp_pb2 import Timestamp  # type: ignore[import-untyped]  # likewise

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from state.jsonvalue import JsonObject, JsonValue

MalformedError = ParseError
"""Raised by the SDK for JSON that is none of the protocol's messages."""
TEXT: Final = "text/plain"
JSON: Final = "application/json"
_EXACT: Final = 2**53


class Contents(NamedTuple):
    """What parts hold."""

    text: str
    """Of all text parts, one after the other."""
    data: list[JsonValue]
    files: list[JsonObject]
    """Each with `name`, `media_type`, and `url` or `base64`."""


def text_part(text: str, *, metadata: Mapping[str, JsonValue] | None = None) -> Part:
    """Return text as a part."""
    return Part(text=text, media_type=TEXT, metadata=struct(metadata or {}))


def data_part(value: JsonValue, *, metadata: Mapping[str, JsonValue] | None = None) -> Part:
    """Return a JSON value as a part."""
    data = Value()
    ParseDict(_to_doubles(value), data)
    return Part(data=data, media_type=JSON, metadata=struct(metadata or {}))


def contents(parts: Iterable[Part]) -> Contents:
    """Read parts of a message or an artifact."""
    found = Contents("", [], [])
    texts = []
    for part in parts:
        kind = part.WhichOneof("content")
        if kind == "text":
            texts.append(part.text)
        elif kind == "data":
            found.data.append(_from_doubles(MessageToDict(part.data)))
        elif kind is not None:
            found.files.append(_file(part, kind))
    return found._replace(text="".join(texts))


def struct(value: Mapping[str, JsonValue]) -> Struct:
    """Return a JSON object as metadata."""
    made = Struct()
    ParseDict(_to_doubles(dict(value)), made)
    return made


def plain(metadata: Struct) -> JsonObject:
    """Read metadata."""
    read = _from_doubles(MessageToDict(metadata))
    return read if isinstance(read, dict) else {}


def timestamp(seconds: float) -> Timestamp:
    """Return a moment, given in seconds since the epoch."""
    stamp = Timestamp()
    stamp.FromNanoseconds(int(seconds * 1e9))
    return stamp


def _file(part: Part, kind: str) -> JsonObject:
    file: JsonObject = {"name": part.filename, "media_type": part.media_type}
    if kind == "url":
        return {**file, "url": part.url}
    return {**file, "base64": base64.b64encode(part.raw).decode()}


def _to_doubles(value: JsonValue) -> JsonValue:
    match value:
        case bool() | None | str() | float():
            return value
        case int():
            return value if abs(value) <= _EXACT else str(value)
        case dict():
            return {key: _to_doubles(item) for key, item in value.items()}
        case _:
            return [_to_doubles(item) for item in value]


def _from_doubles(value: JsonValue) -> JsonValue:
    match value:
        case float():
            whole = math.isfinite(value) and value.is_integer() and abs(value) <= _EXACT
            return int(value) if whole else value
        case dict():
            return {key: _from_doubles(item) for key, item in value.items()}
        case list():
            return [_from_doubles(item) for item in value]
    return value
