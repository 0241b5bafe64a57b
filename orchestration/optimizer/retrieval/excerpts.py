"""The part of a text that says most about a question, cut at the ends of sentences."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestration.optimizer.retrieval.terms import has_exact, words

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

_END: Final = re.compile(r"[.!?…][\"'”’)\]]*(?=\s)|[。！？]|\n+")  # noqa: RUF001  CJK stops
_ABBREVIATION: Final = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|st|inc|ltd|co|no|nr|fig|sec|approx|vs|etc|dept|e\.g|i\.e|z\.b|bzw"
    r"|ca)|\b[^\W\d_])\.$",
    re.IGNORECASE,
)
_LONGEST_ABBREVIATION: Final = 8
_LONGEST: Final = 400
"""Characters; what has no end for longer is divided at blanks."""
_GAP: Final = " … "
_MOST_TRIED: Final = 4
"""Sentences after the first that doesn't fit: a shorter one may."""
_EXACT_COUNTS: Final = 2.0


class Span(NamedTuple):
    """A sentence's place in its text."""

    start: int
    end: int


def sentences(text: str) -> list[Span]:
    """Return a text's sentences, which together are all of it."""
    ends = [
        match.end()
        for match in _END.finditer(text)
        if "\n" in match.group() or not _is_abbreviation(text, match)
    ]
    spans: list[Span] = []
    start = 0
    for end in [*ends, len(text)]:
        while start < end:
            span = Span(start, end)
            if end - start > _LONGEST:
                span = _up_to_a_blank(text, Span(start, start + _LONGEST))
            spans.append(span)
            start = span.end
    return spans


def excerpt(text: str, *, about: Collection[str], fits: Callable[[str], bool]) -> str:
    """Return what of a text fits: all, or the sentences that say most about some words.

    Args:
        text: Any text.
        about: The words, as `terms.words` makes them.
        fits: Whether a text may be returned. If a longer one fits, a shorter one should.

    Returns:
        Sentences in their order, with `…` for what is left out; empty where none fits.
    """
    if fits(text):
        return text
    spans = sentences(text)
    order = _by_worth(text, spans, about=about)

    def joined(places: Sequence[int]) -> str:
        return _joined(text, [spans[place] for place in sorted(places)])

    def is_too_much(last: int) -> bool:
        return not fits(joined(order[: last + 1]))

    room = bisect_left(range(len(order)), 1, key=is_too_much)
    taken = order[:room]
    for place in order[room : room + _MOST_TRIED]:
        if fits(joined([*taken, place])):
            taken.append(place)
    return joined(taken) if taken else ""


def _is_abbreviation(text: str, end: re.Match[str]) -> bool:
    before = text[max(end.start() - _LONGEST_ABBREVIATION, 0) : end.start() + 1]
    return _ABBREVIATION.search(before) is not None


def _by_worth(text: str, spans: Sequence[Span], *, about: Collection[str]) -> list[int]:
    """Places of sentences: those with the words first, then the neighbours of the best one."""
    found = [set(words(text[start:end])).intersection(about) for start, end in spans]
    spread = Counter(word for each in found for word in each)
    worth = [
        sum(
            math.log1p(len(spans) / spread[word]) * (_EXACT_COUNTS if has_exact(word) else 1.0)
            for word in sorted(each)
        )
        for each in found
    ]
    best = max(range(len(spans)), key=lambda place: (worth[place], -place), default=0)
    return sorted(range(len(spans)), key=lambda place: (-worth[place], abs(place - best), place))


def _joined(text: str, spans: Sequence[Span]) -> str:
    pieces: list[str] = []
    end = 0
    for span in spans:
        if span.start > end:
            pieces.append(_GAP)
        sentence = text[span.start : span.end]
        pieces.append(sentence if span.start == end else sentence.lstrip())
        end = span.end
    if end < len(text):
        pieces.append(_GAP)
    return "".join(pieces).strip()


def _up_to_a_blank(text: str, span: Span) -> Span:
    """A span without its last word, which may go on; the span itself if it has no blank."""
    blank = max(text.rfind(" ", *span), text.rfind("\t", *span))
    return Span(span.start, blank + 1) if blank > span.start else span
