"""The same said twice is left out, and what is new comes before what is similar (MMR)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from orchestration.optimizer.retrieval.terms import exact_terms, negations, words

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHINGLE: Final = 3
"""Words in a row that are compared together."""


class Similarity(Protocol):
    """How similar two texts are, each given by its place among the texts."""

    def __call__(self, one: int, other: int, /) -> float:
        """Return 1 for the same, 0 for nothing in common."""
        ...


def by_words(texts: Sequence[str]) -> Similarity:
    """Compare texts by the share of word triples that they have in common."""
    shingles = [_shingles(words(text)) for text in texts]

    def similarity(one: int, other: int, /) -> float:
        left, right = shingles[one], shingles[other]
        shared = len(left & right)
        return shared / (len(left) + len(right) - shared) if shared else 0.0

    return similarity


def by_vectors(vectors: Sequence[Sequence[float]]) -> Similarity:
    """Compare texts by the cosine of their embeddings."""
    import numpy as np  # noqa: PLC0415  heavy

    matrix = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    unit = np.divide(matrix, lengths, out=np.zeros_like(matrix), where=lengths > 0)
    cosines: list[list[float]] = np.clip(unit @ unit.T, 0.0, 1.0).tolist()

    def similarity(one: int, other: int, /) -> float:
        return cosines[one][other]

    return similarity


def duplicates(texts: Sequence[str], similarity: Similarity, *, threshold: float) -> dict[int, int]:
    """Return which texts, of some in order of rank, only repeat a better one, and which one.

    A text that is similar but has a number, an identifier or a negation of its own is no
    duplicate: last year's prices look much like this year's.
    """
    exact = [frozenset(map(str.casefold, exact_terms(text))) for text in texts]
    denied = [negations(text) for text in texts]

    def repeats(place: int, better: int) -> bool:
        return (
            exact[place] <= exact[better]
            and denied[place] == denied[better]
            and similarity(better, place) >= threshold
        )

    kept: list[int] = []
    repeated: dict[int, int] = {}
    for place in range(len(texts)):
        same = next((better for better in kept if repeats(place, better)), None)
        if same is None:
            kept.append(place)
        else:
            repeated[place] = same
    return repeated


def diverse(
    relevance: Sequence[float], similarity: Similarity, *, diversity: float, most: int
) -> list[int]:
    """Choose places one by one: what is relevant, less what is similar to those chosen before.

    Args:
        relevance: Of each place, best first; the first is always chosen first.
        similarity: Of two places.
        diversity: What dissimilarity counts against relevance, 0 to 1; at 0 the order stays.
        most: How many are chosen.
    """
    chosen: list[int] = []
    nearest = dict.fromkeys(range(len(relevance)), 0.0)
    scale = max(relevance, default=0.0) or 1.0
    while nearest and len(chosen) < most:
        best = max(
            nearest,
            key=lambda place: (
                (1 - diversity) * relevance[place] / scale - diversity * nearest[place],
                -place,
            ),
        )
        chosen.append(best)
        del nearest[best]
        for place, so_far in nearest.items():
            nearest[place] = max(so_far, similarity(best, place))
    return chosen


def _shingles(text: Sequence[str]) -> frozenset[tuple[str, ...]]:
    last = max(len(text) - _SHINGLE, 0)
    return frozenset(tuple(text[start : start + _SHINGLE]) for start in range(last + 1))
