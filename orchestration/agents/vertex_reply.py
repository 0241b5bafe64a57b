"""Replies of agents on Vertex AI that may have any form: their text, and what was used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from state.jsonvalue import JsonObject

_TEXT_FIELDS: Final = ("content", "output", "text", "generated_text", "answer", "response")
_TOKEN_FIELDS: Final = (
    ("input_tokens", "output_tokens"),
    ("prompt_token_count", "candidates_token_count"),
    ("promptTokenCount", "candidatesTokenCount"),
    ("prompt_tokens", "completion_tokens"),
)
"""As this project, LangChain and Anthropic say it; Google, in two ways; OpenAI and vLLM."""
_USAGE_FIELDS: Final = ("usage", "usage_metadata", "usageMetadata")
_ASSISTANT: Final = frozenset({"assistant", "ai", "AIMessageChunk", "model"})
_DEEPEST: Final = 5


def text_in(value: Any, *, fields: tuple[str, ...] = _TEXT_FIELDS, depth: int = 0) -> str:  # noqa: ANN401
    """Return the text that a value of JSON says; empty if it says none.

    Text itself; of a list its blocks of text, or the first item that has some; of an object one
    of the fields for text, the parts of Gemini's `content`, or what the assistant says in the
    last of its `messages`.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        within: list[Any] = [_blocks(value), *value]
    elif isinstance(value, Mapping):
        parts = value.get("parts")
        named = map(value.get, fields)
        within = [parts if isinstance(parts, list) else None, *named]
        within.append(last_message(value).get("content"))
    else:
        return ""
    if depth > _DEEPEST:
        return ""
    said = (text_in(each, fields=fields, depth=depth + 1) for each in within)
    return next(filter(None, said), "")


def last_message(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the last of the `messages` of an object, if the assistant says it; else nothing.

    LangChain's messages come plain, or in the form that it stores objects in.
    """
    messages = value.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    if not isinstance(last, Mapping):
        return {}
    plain = last.get("kwargs", last)
    if not isinstance(plain, Mapping):
        return {}
    role = plain.get("role") or plain.get("type")
    return plain if role in _ASSISTANT else {}


def _blocks(items: list[Any]) -> str:
    """The text of blocks of content, put together."""
    said = (each.get("text") for each in items if isinstance(each, Mapping))
    return "".join(text for text in said if isinstance(text, str))


def usage_in(value: Any) -> JsonObject:  # noqa: ANN401
    """Return `{"usage": …}` if a value says, in a form that is known, what a model used."""
    if not isinstance(value, Mapping):
        return {}
    for holder in (value, last_message(value)):
        for name in _USAGE_FIELDS:
            if found := _tokens(holder.get(name)):
                return {"usage": found}
    return {}


def usage_in_metadata(metadata: Any) -> JsonObject:  # noqa: ANN401
    """Return `{"usage": …}` from what Google says about a prediction."""
    counts = metadata.get("tokenMetadata") if isinstance(metadata, Mapping) else None
    if not isinstance(counts, Mapping):
        return {}
    given, made = (
        count.get("totalTokens") if isinstance(count, Mapping) else None
        for count in (counts.get("inputTokenCount"), counts.get("outputTokenCount"))
    )
    found = _tokens({"input_tokens": given, "output_tokens": made})
    return {"usage": found} if found else {}


def _tokens(said: Any) -> JsonObject | None:  # noqa: ANN401
    if not isinstance(said, Mapping):
        return None
    for first, second in _TOKEN_FIELDS:
        given, made = _whole(said.get(first)), _whole(said.get(second))
        if given is not None and made is not None:
            return {"input_tokens": given, "output_tokens": made}
    return None


def _whole(value: object) -> int | None:
    """A number of tokens; protocol buffers have whole numbers as floats."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value < 2**53 and value == int(value) else None
