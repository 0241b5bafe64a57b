"""Under what an answer is kept: all that the agent can see, and who may see the answer."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from state.caching import Scope
    from state.jsonvalue import JsonObject, JsonValue

_RUN = re.compile(r"\s+")
_VERBATIM = re.compile(r"""[\n"`“”„«»\u2018「」]|(?<!\w)'""")
"""Text with several lines, quotations or code: white space inside may mean something."""
_BOOKKEEPING: Final = frozenset({"id", "response_metadata", "usage_metadata"})
"""Of a message: how it was made, not what it says."""


@dataclass(frozen=True, slots=True)
class CacheKey:
    """Stands for one question to one version of one agent; make it with `cache_key`."""

    agent_id: str
    version: str
    capability: str | None
    tenant: str | None
    user: str | None
    """None where all users of the tenant share, or where the user is not known."""
    scope: Scope
    digest: str
    """SHA-256 of all that the agent can see, as hexadecimal digits."""
    frame: str = field(default="", compare=False)
    """The same of all but the text of the last message, if that is a user's; else empty."""
    text: str = field(default="", compare=False)
    """The text of that message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What an agent can see beside its input, and what of it changes its answer."""

    upstream: Mapping[str, JsonObject] = field(default_factory=dict)
    history: Sequence[JsonObject] = ()
    tags: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who is asked by whom."""

    agent_id: str
    version: str
    capability: str | None = None
    tenant: str | None = None
    user: str | None = None


def cache_key(
    input_data: JsonObject, asked: Asked, *, scope: Scope = "user", sight: Sight | None = None
) -> CacheKey:
    """Return the key of a question; equal for questions that no agent should tell apart.

    The order of keys, the Unicode form, white space around and between words, and ids of
    messages do not count. Numbers, case and punctuation do.
    """
    sight = sight or Sight()
    seen: dict[str, JsonValue] = {
        "input": _normal_input(input_data),
        "upstream": {name: _normal(output) for name, output in sight.upstream.items()},
        "history": _messages(list(sight.history)),
        "tags": list(sight.tags),
    }
    digest = _digest(seen)
    text = _take_last_question(seen["input"])
    return CacheKey(
        agent_id=asked.agent_id,
        version=asked.version,
        capability=asked.capability,
        tenant=asked.tenant,
        user=asked.user if scope == "user" else None,
        scope=scope,
        digest=digest,
        frame=_digest(seen) if text else "",
        text=text,
    )


def canonical(value: object) -> str:
    """Write JSON in the one way that equal values share; the text is ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _digest(value: object) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def _normal(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return value if value.isascii() else unicodedata.normalize("NFC", value)
    if isinstance(value, Mapping):
        return _normal_object(value)
    if isinstance(value, list):
        return [_normal(item) for item in value]
    return value


def _normal_input(input_data: JsonObject) -> JsonValue:
    messages = input_data.get("messages")
    if not isinstance(messages, list):
        return _normal(input_data)
    rest = {name: value for name, value in input_data.items() if name != "messages"}
    return {**_normal_object(rest), "messages": _messages(messages)}


def _normal_object(value: Mapping[str, JsonValue]) -> JsonObject:
    """Normalise names too, unless two would become one: then one could hide behind the other."""
    normal = {str(_normal(name)): _normal(item) for name, item in value.items()}
    if len(normal) == len(value):
        return normal
    return {name: _normal(item) for name, item in value.items()}


def _messages(messages: Sequence[JsonValue]) -> list[JsonValue]:
    return [_message(each) if isinstance(each, Mapping) else _normal(each) for each in messages]


def _message(message: JsonObject) -> JsonObject:
    if "content" not in message:  # of a mere reference, the id is all that it says
        return _normal_object(message)
    said = {name: value for name, value in message.items() if name not in _BOOKKEEPING}
    return _normal_object({**said, "content": _content(message["content"])})


def _content(content: JsonValue) -> JsonValue:
    if isinstance(content, str):
        return _text(content)
    if isinstance(content, list):
        return [_part(each) for each in content]
    return content


def _part(part: JsonValue) -> JsonValue:
    if isinstance(part, Mapping) and isinstance(text := part.get("text"), str):
        return {**part, "text": _text(text)}
    return part


def _text(text: str) -> str:
    text = text.replace("\r\n", "\n").strip()
    return text if _VERBATIM.search(text) else _RUN.sub(" ", text)


def _take_last_question(given: JsonValue) -> str:
    """Cut the text out of the last message, if it is a user's, and return it."""
    messages = given.get("messages") if isinstance(given, dict) else None
    last = messages[-1] if isinstance(messages, list) and messages else None
    if not isinstance(last, dict) or last.get("role") != "user":
        return ""
    text = last.get("content")
    if not isinstance(text, str) or not text:
        return ""
    last["content"] = ""
    return text
