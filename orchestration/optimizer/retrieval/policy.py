"""How documents are retrieved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta

from state.errors import ConfigurationError

_SHARES = ("diversity", "near_duplicate", "near_duplicate_vectors", "largest_share")
_COUNTS = ("queries", "candidates", "at_once", "longest_query")
_WAITS = ("timeout", "model_timeout", "ttl")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalPolicy:
    """How documents are retrieved, ranked and packed; part of what a cached result is known by.

    Raises:
        ConfigurationError: A value cannot be.
    """

    queries: int = 4
    """At most so many are asked for one question, the question itself among them."""
    candidates: int = 50
    """Of what a retriever finds for a query, so many at most; vector stores are asked for them."""
    at_once: int = 8
    """Calls of retrievers."""
    timeout: timedelta = timedelta(seconds=10)
    """For each call of a retriever, and for the embeddings."""
    model_timeout: timedelta = timedelta(seconds=5)
    """For a model's queries."""
    longest_query: int = 4000
    """Characters."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """What a retriever's ranks count, by its name; 1 where it has none."""
    expansion_weight: float = 0.5
    """What the ranks for a query other than the question itself count."""
    lexical_weight: float = 1.0
    """What the ranks by words count; at 0 words are not compared."""
    exact_weight: float = 2.0
    """What it counts that a document has a quotation or an identifier of the question."""
    rank_constant: float = 10.0
    """The higher, the less the first places count against the later ones."""
    diversity: float = 0.3
    """What being unlike the documents before it counts against a document's rank, 0 to 1."""
    near_duplicate: float = 0.6
    """Texts that have this share of their word triples in common are the same."""
    near_duplicate_vectors: float = 0.97
    """Where there are embeddings: texts with this cosine are the same."""
    largest_share: float = 0.5
    """Of the token budget, for one document among several."""
    ttl: timedelta | None = timedelta(hours=1)
    """How long a result is kept in the cache; None keeps none."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", dict(self.weights))
        problems = [
            *(f"{name}={value!r} must be from 0 to 1" for name, value in self._outside()),
            *(f"{name} must be at least 1" for name in _COUNTS if getattr(self, name) < 1),
            *(f"{name} must be longer than 0" for name in _WAITS if self._is_no_time(name)),
            *(f"{name} must not be below 0" for name in self._negative()),
        ]
        if problems:
            raise ConfigurationError(f"RetrievalPolicy: {'; '.join(problems)}.")

    def fingerprint(self) -> str:
        """Return a text that is the same for equal policies only."""
        return json.dumps(asdict(self), sort_keys=True, default=str)

    def _outside(self) -> list[tuple[str, float]]:
        values = [(name, getattr(self, name)) for name in _SHARES]
        return [(name, value) for name, value in values if not 0 <= value <= 1]

    def _is_no_time(self, name: str) -> bool:
        value: timedelta | None = getattr(self, name)
        return value is not None and value <= timedelta()

    def _negative(self) -> list[str]:
        single = ("expansion_weight", "lexical_weight", "exact_weight", "rank_constant")
        values = {name: getattr(self, name) for name in single} | {
            f"weights[{name!r}]": weight for name, weight in self.weights.items()
        }
        return [name for name, value in values.items() if not value >= 0]
