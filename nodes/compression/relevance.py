"""How much the current turn and the open tasks refer to each sentence or record."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from nodes.compression.atoms import words_of
from nodes.compression.draft import Draft

FOCUS: Final = 2.0
ASKED: Final = 1.0
FOUND: Final = 1.0
EARLIER: Final = 0.5
"""How much a word counts: of the open tasks, of the user's last message, of the last call and its
results, of the user's earlier messages."""
NONE: Final[frozenset[str]] = frozenset()
SHORTEST_WORD: Final = 3
MOST_OF: Final = 50
"""One sentence in so many refers as much as any does; so a single odd one is no measure."""


def relevance(draft: Draft, *, latest: frozenset[int], focus: Sequence[str]) -> list[float]:
    """Return for each sentence or record from 0 to 1; rare words count most.

    Nothing is relevant for what it says itself: the last result is compared with what the user
    said, the user's messages with the last ones.

    Args:
        draft: The history.
        latest: Places of the messages of the latest turn.
        focus: Open tasks, in words.
    """
    users = [place for place, view in enumerate(draft.views) if view.side == "user"]
    asked = [place for place in users if place in latest]
    found = sorted(latest - set(asked))
    tasks = _weighted((words_of(text) for text in focus), FOCUS)
    earlier = _weighted((_words(draft, place) for place in users), EARLIER)
    question = _weighted((_words(draft, place) for place in asked), ASKED)
    result = _weighted((_words(draft, place) for place in found), FOUND)
    query = {**earlier, **result, **question, **tasks}
    queries: list[Mapping[str, float]] = [query] * len(draft.atoms.contexts)
    for places, own in (
        (users, {**result, **question, **tasks}),
        (asked, {**result, **tasks}),
        (found, {**earlier, **question, **tasks}),
    ):
        for context in _contexts(draft, places):
            queries[context] = own
    return _scaled(draft, queries, set(_contexts(draft, sorted(latest))))


def _scaled(draft: Draft, queries: Sequence[Mapping[str, float]], latest: set[int]) -> list[float]:
    contexts = draft.atoms.contexts
    hits = [
        NONE if query.keys().isdisjoint(words) else query.keys() & words
        for query, words in zip(queries, contexts, strict=True)
    ]
    counts: dict[str, int] = {}
    for words in hits:
        for word in words:
            counts[word] = counts.get(word, 0) + 1
    rarity = {word: math.log(1 + len(contexts) / (1 + count)) for word, count in counts.items()}
    sums = [
        math.fsum(rarity[word] * query[word] for word in words)
        for query, words in zip(queries, hits, strict=True)
    ]
    others = sorted(each for context, each in enumerate(sums) if context not in latest)
    others = others or sorted(sums)
    most = others[-1 - len(others) // MOST_OF] if others else 0.0
    return [min(1.0, each / most) if most else 0.0 for each in sums]


def _weighted(texts: Iterable[list[str]], weight: float) -> dict[str, float]:
    return {word: weight for words in texts for word in words if len(word) >= SHORTEST_WORD}


def _words(draft: Draft, place: int) -> list[str]:
    told = (draft.atoms.contexts[context] for context in _contexts(draft, [place]))
    return [word for words in told for word in words]


def _contexts(draft: Draft, places: Sequence[int]) -> Iterator[int]:
    seen = {
        draft.atoms.rows[atom].context: None
        for place in places
        for atom in range(*draft.texts[place])
    }
    return (context for context in seen if context >= 0)
