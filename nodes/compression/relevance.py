"""How much the current turn and the open tasks refer to each sentence or record."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from nodes.compression.atoms import words_of
from nodes.compression.draft import Draft

FOCUS: Final = 2.0
LATEST: Final = 1.0
EARLIER: Final = 0.5
"""How much a word of the open tasks, of the latest turn, of the user's earlier turns counts."""
SHORTEST_WORD: Final = 3
MOST_OF: Final = 50
"""One sentence in so many refers as much as any does; so a single odd one is no measure."""


def relevance(draft: Draft, *, latest: frozenset[int], focus: Sequence[str]) -> list[float]:
    """Return for each sentence or record from 0 to 1; rare words count most.

    Args:
        draft: The history.
        latest: Places of the messages of the latest turn.
        focus: Open tasks, in words.
    """
    contexts = draft.atoms.contexts
    query = _query(draft, latest, focus)
    hits = [query.keys() & words for words in contexts]
    counts = dict.fromkeys(query, 0)
    for words in hits:
        for word in words:
            counts[word] += 1
    rarity = {
        word: weight * math.log(1 + len(contexts) / (1 + counts[word]))
        for word, weight in query.items()
    }
    sums = [math.fsum(rarity[word] for word in words) for words in hits]
    most = sorted(sums)[-1 - len(sums) // MOST_OF] if sums else 0.0
    return [min(1.0, each / most) if most else 0.0 for each in sums]


def _query(draft: Draft, latest: frozenset[int], focus: Sequence[str]) -> dict[str, float]:
    query: dict[str, float] = {}
    for place, view in enumerate(draft.views):
        if place in latest or view.side == "user":
            weight = LATEST if place in latest else EARLIER
            for word in _words(draft, place):
                query[word] = max(weight, query.get(word, 0.0))
    for text in focus:
        query.update(dict.fromkeys(words_of(text), FOCUS))
    return {word: weight for word, weight in query.items() if len(word) >= SHORTEST_WORD}


def _words(draft: Draft, place: int) -> list[str]:
    rows = draft.atoms.rows
    contexts = {rows[atom].context: None for atom in range(*draft.texts[place])}
    return [word for context in contexts for word in draft.atoms.contexts[context]]
