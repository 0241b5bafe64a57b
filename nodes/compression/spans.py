"""A history as turns of groups that live or go together, with what has no counterpart repaired."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from nodes.compression.view import (
    View,
    assistant_text,
    inset,
    rewritten,
    user_message,
    view_of,
)


class Group(NamedTuple):
    """Messages that live or go together: a call with all its results, or one message."""

    first: int
    """Index of its first message."""
    end: int


class Turn(NamedTuple):
    """A user's message and what followed until the next one.

    The message that opens it and its last group go only together, and after all between them;
    so whatever goes, users and assistants still take turns.
    """

    groups: tuple[Group, ...]
    has_user: bool


def repaired(views: Sequence[View]) -> list[View]:
    """Return the history without calls that have no result and results that have no call.

    Where taking one out would let two turns of one side meet, it becomes plain text.
    """
    kept: list[View] = []
    place = 0
    while place < len(views):
        end = _end_of_results(views, place + 1)
        if views[place].calls:
            kept.extend(_matched(views[place:end], kept, views[end : end + 1]))
            place = end
        else:
            kept.extend(_without_call(views, place, kept))
            place += 1
    return kept


def _end_of_results(views: Sequence[View], place: int) -> int:
    while place < len(views) and views[place].side == "tool":
        place += 1
    return place


def _matched(run: Sequence[View], before: Sequence[View], after: Sequence[View]) -> Iterator[View]:
    """Yield a call and its results, without what is not answered, or answers nothing."""
    called = {call.call_id for call in run[0].calls}
    answered: set[str] = set()
    results: list[View] = []
    for view in run[1:]:
        fitting = [each for each in view.results if each in called and each not in answered]
        answered.update(fitting)
        if fitting:
            lost = {each for each in view.results if each not in fitting}
            results.append(view_of(rewritten(view, view.texts, lost)) if lost else view)
    if answered == called:
        yield run[0]
    elif answered or any(text and text.strip() for text in run[0].texts):
        yield view_of(rewritten(run[0], run[0].texts, called - answered))
    elif before and after and before[-1].side != "assistant" and after[0].side == "user":
        names = ", ".join(call.name for call in run[0].calls)
        yield view_of(assistant_text(run[0], f"[no result of {names}]"))
    yield from results


def _without_call(views: Sequence[View], place: int, before: Sequence[View]) -> Iterator[View]:
    """Yield a message that calls nothing; a result among these has lost its call."""
    view = views[place]
    if view.side != "tool":
        yield view
        return
    following = views[place + 1].side if place + 1 < len(views) else ""
    if before and before[-1].side == "assistant" and following == "assistant":
        text = inset("\n".join(text for text in view.texts if text))
        yield view_of(user_message(f"[result of a call that is gone] {text}", like=view.message))


def turns_of(views: Sequence[View]) -> list[Turn]:
    """Return the turns of a repaired history; system messages belong to none."""
    turns: list[Turn] = []
    place = 0
    while place < len(views):
        side = views[place].side
        end = _end_of_results(views, place + 1) if views[place].calls else place + 1
        group = Group(place, end)
        if side == "user" or (side != "system" and not turns):
            turns.append(Turn((group,), side == "user"))
        elif side != "system":
            turns[-1] = Turn((*turns[-1].groups, group), turns[-1].has_user)
        place = end
    return turns


def views_of(messages: Sequence[Any]) -> list[View]:
    """Read messages and repair them."""
    return repaired([view_of(message) for message in messages])
