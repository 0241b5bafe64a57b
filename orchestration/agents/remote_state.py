"""States of graphs on a server, said as replies are here."""

from __future__ import annotations

from typing import Any, Final

from langchain_core.messages import convert_to_messages, convert_to_openai_messages

from state.errors import UnknownReplyError
from state.jsonvalue import JsonObject, json_object

_KINDS: Final = frozenset({"human", "ai", "system", "tool", "function"})
_MISFITS: Final = (AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What reading something raises that only looks like a message."""


def reply_in(values: Any, *, where: str) -> JsonObject:  # noqa: ANN401  as a server sent it
    """Return a state as a reply.

    Its messages become OpenAI-style dicts. Where it has `messages`, the text of the last one
    of the model is the `content`, and what models used is the `usage`, unless the state has
    such keys itself.
    """
    if not isinstance(values, dict):
        raise UnknownReplyError(
            f"{where} has a {type(values).__name__} as state; a reply is an object"
        )
    try:
        reply: JsonObject = {**_said(values.get("messages")), **_plain(values)}
        return json_object(reply, at="its state")
    except _MISFITS as error:
        raise UnknownReplyError(f"{where} has a state that is no reply: {error!r}") from error


def text_in(event: Any) -> str:  # noqa: ANN401  as a server sent it
    """Return the piece of text in an event of the stream of messages; empty for others."""
    message = event[0] if isinstance(event, list) and event else None
    if not isinstance(message, dict) or message.get("type") != "AIMessageChunk":
        return ""
    return _text(message.get("content"))


def _said(messages: Any) -> JsonObject:  # noqa: ANN401
    """The text and the usage in messages as the server has them."""
    if not isinstance(messages, list):
        return {}
    by_model = [each for each in messages if isinstance(each, dict) and each.get("type") == "ai"]
    if not by_model:
        return {}
    said: JsonObject = {"content": _text(by_model[-1].get("content"))}
    used = [each["usage_metadata"] for each in by_model if each.get("usage_metadata")]
    if used:
        said["usage"] = {
            name: sum(int(each.get(name) or 0) for each in used)
            for name in ("input_tokens", "output_tokens")
        }
    return said


def _text(content: Any) -> str:  # noqa: ANN401
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(
        str(part["text"])
        for part in parts
        if isinstance(part, dict) and part.get("type") == "text" and "text" in part
    )


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Turn LangChain's messages in a state into OpenAI-style dicts."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get("type") in _KINDS and "content" in value and "additional_kwargs" in value:
        return convert_to_openai_messages(convert_to_messages([value])[0])
    return {name: _plain(each) for name, each in value.items()}
