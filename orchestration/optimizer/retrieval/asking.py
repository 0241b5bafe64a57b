"""Several queries put to several retrievers at once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.documents import Document
    from langchain_core.retrievers import BaseRetriever
    from langchain_core.runnables import RunnableConfig

    from orchestration.optimizer.retrieval.policy import RetrievalPolicy


@dataclass(frozen=True, slots=True)
class Answer:
    """What a retriever found for a query, best first."""

    retriever: str
    query: str
    documents: Sequence[Document]


@dataclass(frozen=True, slots=True)
class Failure:
    """A retriever did not answer a query."""

    retriever: str
    query: str
    error: Exception

    def __str__(self) -> str:
        """Say what happened; the error's own text stays out, since it may hold secrets."""
        why = "did not answer in time" if isinstance(self.error, TimeoutError) else "failed"
        kind = type(self.error).__name__
        return f"retriever {self.retriever!r} {why} for {self.query!r} ({kind})"


async def ask_all(
    retrievers: Mapping[str, BaseRetriever],
    queries: Sequence[str],
    *,
    policy: RetrievalPolicy,
    metadata: Mapping[str, str],
) -> list[Answer | Failure]:
    """Put each query to each retriever.

    Args:
        retrievers: By name.
        queries: What to ask.
        policy: Bounds.
        metadata: Added to that of the retrievers' runs.

    Returns:
        In the order of queries, then retrievers.
    """
    from langchain_core.runnables.config import ensure_config  # noqa: PLC0415  heavy

    around = ensure_config().get("metadata", {})
    config: RunnableConfig = {"metadata": {**around, **metadata}}
    room = asyncio.Semaphore(policy.at_once)
    async with asyncio.TaskGroup() as group:
        calls = [
            group.create_task(_ask(_Call(name, retriever, query), config, policy=policy, room=room))
            for query in queries
            for name, retriever in retrievers.items()
        ]
    return [call.result() for call in calls]


class _Call(NamedTuple):
    name: str
    retriever: BaseRetriever
    query: str


async def _ask(
    call: _Call, config: RunnableConfig, *, policy: RetrievalPolicy, room: asyncio.Semaphore
) -> Answer | Failure:
    name, retriever, query = call
    wanted = _number_wanted(retriever, policy.candidates)
    async with room:
        try:
            async with asyncio.timeout(policy.timeout.total_seconds()):
                found = await retriever.ainvoke(query, config, **wanted)
            documents = list(islice(found, policy.candidates))
            written = [each for each in documents if each.page_content.strip()]
        except Exception as error:  # noqa: BLE001  anybody's retriever; it becomes a note
            return Failure(name, query, error)
    return Answer(name, query, written)


def _number_wanted(retriever: BaseRetriever, number: int) -> dict[str, Any]:
    """How to ask for more than the caller wants to see, so that there is something to rank."""
    from langchain_core.vectorstores import VectorStoreRetriever  # noqa: PLC0415  heavy

    if isinstance(retriever, VectorStoreRetriever) and retriever.search_type != "mmr":
        return {"k": number}
    return {}
