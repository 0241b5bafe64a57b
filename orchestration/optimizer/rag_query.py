"""A question for retrieval: its queries at once, and its documents when awaited."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestration.optimizer.retrieval.retrieval import Retrieved


class OptimizedQuery:
    """What rules make of a question; `await` it for the documents."""

    def __init__(
        self, queries: Sequence[str], retrieve: Callable[[], Awaitable[Retrieved]]
    ) -> None:
        self.queries = tuple(queries)
        """The normalised question, and what else is asked for it."""
        self._retrieve = retrieve

    @property
    def query(self) -> str:
        """The normalised question."""
        return self.queries[0]

    def __await__(self) -> Generator[Any, None, Retrieved]:
        """Ask the retrievers, and return what they found, ranked and packed."""
        return self._retrieve().__await__()

    def __str__(self) -> str:
        return self.query

    def __repr__(self) -> str:
        return f"OptimizedQuery({list(self.queries)!r})"
