"""How many tokens messages take: approximately, by a provider's counter, or learnt from usage."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

CHARACTERS_PER_TOKEN: Final = 4
TOKENS_PER_MESSAGE: Final = 3
DEEPEST_READ: Final = 100
"""Levels; what is nested deeper is taken for mere text."""
TOKENS_PER_IMAGE: Final = 85
LEAST_RATIO: Final = 0.5
GREATEST_RATIO: Final = 4.0
"""A token of Chinese is about one character, so an approximation may be four times too low."""

ROLES: Final[Mapping[str, str]] = {"human": "user", "ai": "assistant"}

TokenCounter = Callable[[list[Any]], int]
"""Says how many tokens a list of messages takes; it may be a call over the network."""


def approximate_tokens(messages: Sequence[Any]) -> int:
    """Count as `count_tokens_approximately` of LangChain does, without importing it.

    Of what that knows nothing of (a legacy `function_call`, a role of its own), characters
    count too; so the result is never below LangChain's.
    """
    return sum(tokens_of(message) for message in messages)


def tokens_of(message: Any) -> int:  # noqa: ANN401  a dict or a LangChain message
    """Count one message."""
    read: Callable[[str], Any] = (
        message.get if isinstance(message, Mapping) else lambda name: getattr(message, name, None)
    )
    content = read("content") or ""
    characters, tokens = _content_size(content)
    if (calls := read("tool_calls")) and not isinstance(content, list):
        characters += len(repr([_as_langchain_call(call) for call in calls]))
    if function_call := read("function_call"):
        characters += len(repr(function_call))
    characters += len(str(read("tool_call_id") or ""))
    characters += len(role_of(message)) + len(str(read("name") or ""))
    return tokens + math.ceil(characters / CHARACTERS_PER_TOKEN) + TOKENS_PER_MESSAGE


def role_of(message: Any) -> str:  # noqa: ANN401  a dict or a LangChain message
    """Return the role in OpenAI's words: system, developer, user, assistant, tool, function."""
    if isinstance(message, Mapping):
        role = str(message.get("role") or message.get("type") or "")
    else:
        role = str(message.type)
        if role == "chat":
            role = str(getattr(message, "role", role))
        if role == "system":
            role = str(message.additional_kwargs.get("__openai_role__", role))
    return ROLES.get(role, role)


def _content_size(content: Any) -> tuple[int, int]:  # noqa: ANN401  a string, blocks, anything
    if isinstance(content, str):
        return len(content), 0
    if not isinstance(content, list):
        return len(repr(content)), 0
    characters = tokens = 0
    for block in content:
        kind = block.get("type", "") if isinstance(block, dict) else None
        if isinstance(block, str):
            characters += len(block)
        elif kind in {"image", "image_url"}:
            tokens += TOKENS_PER_IMAGE
        elif kind == "text":
            characters += len(str(block.get("text", "")))
        else:
            characters += len(repr(block))
    return characters, tokens


def _as_langchain_call(call: Any) -> Any:  # noqa: ANN401  whatever stands in a message
    if not isinstance(call, Mapping):
        return call
    function = call.get("function")
    source = function if isinstance(function, Mapping) else call
    arguments = source.get("arguments", source.get("args"))
    if isinstance(arguments, str):
        arguments = parsed(arguments)
    return {
        "name": source.get("name"),
        "args": arguments,
        "id": call.get("id"),
        "type": "tool_call",
    }


def parsed(text: str) -> Any:  # noqa: ANN401  any JSON value
    """Return the JSON value of a text, or the text itself; also where it is nested too deep."""
    try:
        value = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return text
    return text if is_deep(value) else value


def is_deep(value: Any) -> bool:  # noqa: ANN401  any JSON value
    """Whether a value is nested so deep that it may be read and not be written again."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(DEEPEST_READ):
        inner = (each.values() if isinstance(each, dict) else each for each in level)
        level = [each for values in inner for each in values if isinstance(each, dict | list)]
        if not level:
            return False
    return True


@dataclass(frozen=True, slots=True)
class Calibration:
    """A counter: the approximate one times what usage has taught."""

    ratio: float = 1.0
    """Tokens that a provider counts for each approximate one, within bounds."""
    samples: int = 0

    def __call__(self, messages: list[Any]) -> int:
        """Count."""
        return math.ceil(approximate_tokens(messages) * self.ratio)

    def learn(self, approximate: int, actual: int) -> Calibration:
        """Return what is known after one more request: the mean of the last ones, the newest most.

        Args:
            approximate: Tokens of what was sent, tools included, by the approximate counter.
            actual: Tokens of it by the provider's usage.
        """
        if approximate <= 0 or actual <= 0:
            return self
        samples = min(self.samples + 1, 5)
        ratio = self.ratio + (bounded(actual / approximate) - self.ratio) / samples
        return Calibration(ratio, samples)

    @classmethod
    def of(cls, messages: Sequence[Any]) -> Calibration:
        """Learn from the usage that the assistant's earlier messages carry.

        `usage_metadata` of LangChain, or `usage` of a provider. Keep the value for the whole
        thread: one learnt anew from a compressed history would compare other messages.
        """
        known = cls()
        before = 0
        for message in messages:
            if actual := _input_tokens(message):
                known = known.learn(before, actual)
            before += tokens_of(message)
        return known


def bounded(ratio: float) -> float:
    """Return a ratio within what tokenisers do."""
    return min(max(ratio, LEAST_RATIO), GREATEST_RATIO)


def _input_tokens(message: Any) -> int | None:  # noqa: ANN401  a dict or a LangChain message
    for name in ("usage_metadata", "usage"):
        usage = message.get(name) if isinstance(message, Mapping) else getattr(message, name, None)
        for key in ("input_tokens", "prompt_tokens"):
            if isinstance(usage, Mapping) and isinstance(usage.get(key), int):
                return int(usage[key])
    return None
