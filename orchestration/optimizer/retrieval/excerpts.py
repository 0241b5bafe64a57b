"""The part of a text that says most about a question, cut at the ends of sentences."""

from __future__ import annotations

import math
import re
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
_MOST_MISSES: Final = 4
"""After so many sentences in a row that don't fit, no other is tried."""
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
            stop = end if end - start <= _LONGEST else _blank_before(text, start, start + _LONGEST)
            spans.append(Span(start, stop))
            start = stop
    return spans


def excerpt(text: str, *, about: Collection[str], fits: Callable[[str], bool]) -> str:
    """Return what of a text fits: all, or the sentences that say most about some words.

    Args:
        text: Any text.
        about: The words, as `terms.words` makes them.
        fits: Whether a text of some length may be returned; asked for growing ones.

    Returns:
        Sentences in their order, with `…` for what is left out; empty where none fits.
    """
    if fits(text):
        return text
    spans = sentences(text)
    taken: list[int] = []
    cut = ""
    misses = 0
    for place in _by_worth(text, spans, about):
        grown = sorted([*taken, place])
        candidate = _joined(text, [spans[each] for each in grown])
        if fits(candidate):
            taken, cut, misses = grown, candidate, 0
        elif (misses := misses + 1) >= _MOST_MISSES:
            break
    return cut


def _is_abbreviation(text: str, end: re.Match[str]) -> bool:
    before = text[max(end.start() - _LONGEST_ABBREVIATION, 0) : end.start() + 1]
    return _ABBREVIATION.search(before) is not None


def _by_worth(text: str, spans: Sequence[Span], about: Collection[str]) -> list[int]:
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


def _blank_before(text: str, start: int, end: int) -> int:
    """Where to divide what has no end: after the last blank, if there is one."""
    blank = max(text.rfind(" ", start, end), text.rfind("\t", start, end))
    return blank + 1 if blank > start else end
