"""How much of what the next tool call needs is left of a compressed transcript."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.compression_talk import Message, Script
from nodes.compression import approximate_tokens, compress

Cut = Callable[[list[Message], int], list[Message]]
"""Cuts a history to so many tokens."""


class Tally(NamedTuple):
    """Argument values over many calls."""

    wanted: int = 0
    """Those that stood in the history."""
    kept: int = 0
    """Those of them that still do."""
    tokens: int = 0
    left: int = 0
    """Tokens after the system message, before and after."""

    def __add__(self, other: object) -> Tally:
        """Add up."""
        if not isinstance(other, Tally):
            return NotImplemented
        return Tally(*(one + another for one, another in zip(self, other, strict=True)))

    @property
    def retention(self) -> float:
        """The share of the values that is left."""
        return self.kept / max(1, self.wanted)

    @property
    def ratio(self) -> float:
        """The share of the tokens that is left."""
        return self.left / max(1, self.tokens)


def ours(messages: list[Message], max_tokens: int) -> list[Message]:
    """Compress."""
    return compress(messages, max_tokens=max_tokens).messages


def keep_the_last(messages: list[Message], max_tokens: int) -> list[Message]:
    """Keep the system message and as many of the last messages as fit, from a whole span on."""
    left = max_tokens - approximate_tokens(messages[:1])
    kept: list[Message] = []
    for message in reversed(messages[1:]):
        left -= approximate_tokens([message])
        if left < 0:
            break
        kept.append(message)
    while kept and kept[-1]["role"] == "tool":
        kept.pop()
    return [*messages[:1], *reversed(kept)]


def judge(script: Script, cut: Cut, *, share: float, seeds: Iterable[int]) -> Tally:
    """Cut each history that stands before a tool call, and look for what the call is given.

    Args:
        script: Writes the transcripts.
        cut: What is judged.
        share: The part of the tokens after the system message that may be left.
        seeds: One for each transcript.
    """
    tally = Tally()
    for seed in seeds:
        messages = script(random.Random(seed))
        for place, message in enumerate(messages):
            if wanted := list(_arguments(message)):
                tally += _of_call(messages[:place], wanted, cut=cut, share=share)
    return tally


def _of_call(history: list[Message], wanted: list[Any], *, cut: Cut, share: float) -> Tally:
    system, tokens = approximate_tokens(history[:1]), approximate_tokens(history[1:])
    left = cut(history, system + int(tokens * share))
    before, after = text_of(history[1:]), text_of(left[1:])
    values = [value for value in wanted if _stands(value, before)]
    kept = sum(_stands(value, after) for value in values)
    return Tally(len(values), kept, tokens, approximate_tokens(left[1:]))


def _arguments(message: Message) -> Iterator[Any]:
    """Yield the single values that the calls of a message are given."""
    if message["role"] != "assistant":
        return
    for call in message.get("tool_calls", ()):
        yield from _leaves(json.loads(call["function"]["arguments"]))
    if isinstance(message["content"], list):
        for block in message["content"]:
            yield from _leaves(block.get("input"))


def _leaves(value: Any) -> Iterator[Any]:  # noqa: ANN401  any JSON value
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each)
    elif value is not None and value != "" and not isinstance(value, bool):
        yield value


def text_of(messages: Sequence[Message]) -> str:
    """Return all texts and arguments of messages."""
    told: list[str] = []
    for message in messages:
        told += map(str, _leaves(message["content"]))
        told += map(str, _arguments(message))
    return "\n".join(told)


def _stands(value: Any, text: str) -> bool:  # noqa: ANN401  any JSON value
    """Say whether a value stands in a text, as it is or as JSON writes it."""
    written = str(value)
    return any(
        each in text
        for each in (
            written,
            json.dumps(written)[1:-1],
            json.dumps(written, ensure_ascii=False)[1:-1],
        )
    )
