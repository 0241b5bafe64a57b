"""Texts ranked by the words of a query (BM25)."""

from __future__ import annotations

import difflib
import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import bm25s

_SHORTEST_TO_CORRECT: Final = 5
_ALIKE: Final = 0.82


class WordIndex:
    """The words of some texts, for queries about them.

    Args:
        texts: The words of each text.
    """

    def __init__(self, texts: Sequence[Sequence[str]]) -> None:
        self._size = len(texts)
        self._vocabulary = sorted({word for text in texts for word in text})
        self._known = frozenset(self._vocabulary)
        if self._vocabulary:
            self._index = _new_index()
            self._index.index([list(text) for text in texts], show_progress=False)

    def ranked(self, query: Sequence[str], *, most: int) -> list[int]:
        """Return which texts have words of the query, best first, those of equal score in order.

        A long word that no text has stands for the most similar one that some text has, so
        that a slip of the pen doesn't cost it; numbers and identifiers are left alone.
        """
        wanted = [self._in_texts(word) for word in dict.fromkeys(query)]
        known = [word for word in wanted if word in self._known]
        if not known:
            return []
        scores = self._index.get_scores(known).tolist()
        matching = [place for place in range(self._size) if scores[place] > 0]
        return sorted(matching, key=lambda place: -scores[place])[:most]

    def _in_texts(self, word: str) -> str:
        if word in self._known or len(word) < _SHORTEST_TO_CORRECT or not word.isalpha():
            return word
        return _most_similar(word, self._vocabulary)


def _new_index() -> bm25s.BM25:
    import bm25s  # noqa: PLC0415  heavy

    bm25s.logger.setLevel(logging.WARNING)  # it wants a line for each index in everybody's log
    return bm25s.BM25()


def _most_similar(word: str, vocabulary: Collection[str]) -> str:
    near = [
        other
        for other in vocabulary
        if other[0] == word[0] and abs(len(other) - len(word)) <= 2 and other.isalpha()  # noqa: PLR2004
    ]
    return next(iter(difflib.get_close_matches(word, near, n=1, cutoff=_ALIKE)), word)
