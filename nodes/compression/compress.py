"""Compress a history to a budget of tokens, so that what a later call needs is still there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from nodes.compression.counting import TokenCounter, approximate_tokens
from nodes.compression.fitting import Fitted, Fitting
from nodes.compression.spans import views_of
from nodes.compression.transcript import transcript
from state.errors import CompressionError, PromptTooLongError

Summarise = Callable[[str, int], str]
"""Gets the text of the messages that go, and how many tokens its summary may take."""
AsyncSummarise = Callable[[str, int], Awaitable[str]]

LANGCHAIN_TYPES: Final = ("human", "ai", "system", "tool", "function", "chat")
"""What stands for a role in a LangChain message that became a dict."""
SUMMARY_SHARE: Final = 0.2
"""The share of the budget, system messages left out, that a model's summary may take."""
LEAST_SUMMARY: Final = 16
"""Tokens below which a model is not asked at all."""


class Compressed(NamedTuple):
    """A history that fits, and what it took."""

    messages: list[Any]
    """Of the kind that was given; those that nothing was cut from are the same objects."""
    tokens_before: int
    tokens_after: int
    dropped_messages: int
    """How many stand no longer in their place; the digest may tell of them."""
    cut_messages: int
    """How many stand there with less text."""
    summarised: bool
    """Whether a model's summary is part of it."""


class _Request(NamedTuple):
    text: str
    max_tokens: int


_Steps = Generator[_Request, str, Compressed]


def compress(
    messages: Sequence[Any],
    *,
    max_tokens: int,
    counter: TokenCounter | None = None,
    summarise: Summarise | None = None,
    focus: Sequence[str] = (),
) -> Compressed:
    """Return the history cut to `max_tokens`, valid for every provider.

    The latest turn and system messages stay; these are cut too, in this order, if nothing
    else is left to go: the last call and its results, system messages, the last message of
    the user. A history that fits is returned as it is, but for calls without a result and
    results without a call, which no provider takes.

    Args:
        messages: Dicts of OpenAI's or Anthropic's form, or LangChain messages; never changed.
        max_tokens: The budget, by `counter`.
        counter: The provider's count, perhaps over the network: it is asked a few times.
            By default, characters are counted as LangChain does.
        summarise: Called once, if messages are dropped; what it raises, is raised.
        focus: Open tasks, in words: what they refer to is kept longer.

    Raises:
        CompressionError: For messages or a budget that cannot be.
        PromptTooLongError: If even the least that is valid does not fit.
    """
    steps = _steps(
        messages,
        max_tokens=max_tokens,
        counter=counter,
        focus=focus,
        asks=summarise is not None,
    )
    try:
        request = next(steps)
        while summarise is not None:
            request = steps.send(summarise(*request))
    except StopIteration as stop:
        compressed: Compressed = stop.value
        return compressed
    raise AssertionError(request)


async def acompress(
    messages: Sequence[Any],
    *,
    max_tokens: int,
    counter: TokenCounter | None = None,
    summarise: AsyncSummarise | None = None,
    focus: Sequence[str] = (),
) -> Compressed:
    """Return the same as `compress`, with a summary from an asynchronous model."""
    steps = _steps(
        messages,
        max_tokens=max_tokens,
        counter=counter,
        focus=focus,
        asks=summarise is not None,
    )
    try:
        request = next(steps)
        while summarise is not None:
            request = steps.send(await summarise(*request))
    except StopIteration as stop:
        compressed: Compressed = stop.value
        return compressed
    raise AssertionError(request)


def _steps(
    messages: Sequence[Any],
    *,
    max_tokens: int,
    counter: TokenCounter | None,
    focus: Sequence[str],
    asks: bool,
) -> _Steps:
    """Yield what a model is to summarise, if one is to; return the history that fits."""
    _check(messages, max_tokens)
    count = counter or approximate_tokens
    views = views_of(messages)
    whole = [view.message for view in views]
    before = count(whole)
    if before <= max_tokens:
        return Compressed(whole, before, before, len(messages) - len(whole), 0, False)  # noqa: FBT003  a field
    fitting = Fitting(views, count=count, tokens=before, max_tokens=max_tokens, focus=focus)
    fitted = fitting.fit()
    is_summarised = False
    if asks and fitting.gone():
        told = yield from _summary(fitting)
        is_summarised = told is not None
        fitted = told or fitting.fit()
    draft = fitting.draft
    dropped = len(messages) - sum(draft.standing)
    return Compressed(fitted.messages, before, fitted.tokens, dropped, draft.cut(), is_summarised)


def _summary(fitting: Fitting) -> Generator[_Request, str, Fitted | None]:
    """Make room for a summary, ask for it, and put it in; None if it does not fit."""
    allowance = int(fitting.rest * SUMMARY_SHARE)
    if allowance < LEAST_SUMMARY:
        return None
    try:
        fitting.fit(reserve=allowance)
    except PromptTooLongError:
        return None
    summary = yield _Request(transcript(fitting.gone()), allowance)
    return fitting.fit_with(summary, max_tokens=allowance)


def _check(messages: Sequence[Any], max_tokens: int) -> None:
    if isinstance(max_tokens, bool) or not isinstance(max_tokens, int) or max_tokens < 1:
        raise CompressionError(f"max_tokens={max_tokens!r}; give a whole number from 1 on.")
    if isinstance(messages, str | bytes | Mapping) or not isinstance(messages, Sequence):
        raise CompressionError(
            f"messages is a {type(messages).__name__}; give a list of dicts or LangChain messages."
        )
    for place, message in enumerate(messages):
        is_dict = isinstance(message, Mapping) and (
            "role" in message or message.get("type") in LANGCHAIN_TYPES
        )
        calls = message.get("tool_calls") if isinstance(message, Mapping) else None
        if calls is not None and not isinstance(calls, list | tuple):
            raise CompressionError(
                f"messages[{place}].tool_calls is {str(calls)[:80]!r}; give a list of calls."
            )
        if not is_dict and not (hasattr(message, "content") and hasattr(message, "model_copy")):
            raise CompressionError(
                f"messages[{place}] is {str(message)[:80]!r}; a message is a dict with a `role`, "
                "or a LangChain message."
            )
