"""A retriever made better: several queries, fused ranks, no repeats, packed, cached."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from orchestration.optimizer.retrieval.entries import Found, key_of, read, text_of
from orchestration.optimizer.retrieval.flights import Flights
from orchestration.optimizer.retrieval.packing import Source, approximate_tokens, pack
from orchestration.optimizer.retrieval.policy import RetrievalPolicy
from orchestration.optimizer.retrieval.queries import normalised, queries_of
from orchestration.optimizer.retrieval.ranking import RankedDocument
from orchestration.optimizer.retrieval.rewriting import Rewriter
from orchestration.optimizer.retrieval.searching import Search
from orchestration.optimizer.retrieval.store import ResultStore
from orchestration.optimizer.retrieval.terms import keywords, words
from state.errors import RetrievalError
from state.jsonvalue import described

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.embeddings import Embeddings
    from langchain_core.language_models import BaseChatModel
    from langchain_core.retrievers import BaseRetriever
    from langgraph.cache.base import BaseCache, FullKey

_ONLY: Final = "retriever"
"""The name of a retriever that was given without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved:
    """What was found for a question, ready for a prompt."""

    query: str
    """The question, normalised."""
    queries: tuple[str, ...]
    """All that was asked for it; the question first."""
    documents: tuple[RankedDocument, ...]
    """Best first; also those that the context has no room for."""
    context: str
    """The documents in numbered parts, each line of theirs fenced. Data, never instructions."""
    sources: tuple[Source, ...]
    """Where the parts of the context are from."""
    tokens: int
    """Of the context."""
    notes: tuple[str, ...]
    """What went wrong and was done without; such a result is not cached."""
    cached: bool


class RagOptimizer:
    """Retrieves documents through any LangChain retrievers, better and smaller than they would.

    Args:
        retriever: One, or several by name. Without any, only `queries` works.
        name: What its results are known by in a cache; whoever gives the same name to the same
            documents shares them. Without one nobody else does.
        model: A chat model that writes further queries, or a callable that does; else rules do.
        embeddings: To compare documents with each other; else their words are compared.
        cache: Any LangGraph cache for texts; else one in memory.
        policy: How.
        counter: Counts the tokens of a text; called in threads.
    """

    def __init__(  # noqa: PLR0913  one for each part that can be replaced
        self,
        retriever: BaseRetriever | Mapping[str, BaseRetriever] | None = None,
        *,
        name: str | None = None,
        model: BaseChatModel | Rewriter | None = None,
        embeddings: Embeddings | None = None,
        cache: BaseCache[Any] | None = None,
        policy: RetrievalPolicy | None = None,
        counter: Callable[[str], int] = approximate_tokens,
    ) -> None:
        self._policy = policy or RetrievalPolicy()
        self._name = name or uuid4().hex
        self._counter = counter
        self._search = Search(
            retrievers=_by_name(retriever),
            model=model,
            embeddings=embeddings,
            policy=self._policy,
        )
        self._store = ResultStore(cache, ttl=self._policy.ttl)
        self._flights: Flights[str] = Flights()

    def queries(self, query: str) -> list[str]:
        """Return the normalised query and what the rules make of it; asks nobody.

        Raises:
            RetrievalError: The query says nothing or too much.
        """
        return queries_of(self._question(query), most=self._policy.queries)

    async def retrieve(
        self,
        query: str,
        *,
        max_tokens: int = 2000,
        tenant: str | None = None,
        user: str | None = None,
        top: int = 8,
    ) -> Retrieved:
        """Find documents for a question and pack them.

        Args:
            query: The question, in anybody's words.
            max_tokens: Of the context.
            tenant: Whose results they are; another tenant never gets them from the cache.
            user: Likewise. Retrievers see both in their run's metadata.
            top: Documents at most.

        Raises:
            RetrievalError: The query says nothing or too much, or there is no retriever.
            RetrievalFailedError: No retriever answered.
        """
        self._check(max_tokens=max_tokens, top=top)
        question = self._question(query)
        who = {"tenant": tenant, "user": user}
        parts = (user, *self._search.retrievers, self._policy.fingerprint(), question, top)
        key = key_of(self._name, tenant, *parts)
        found, notes = await self._kept(key)
        if found is not None:
            return await self._packed(question, found, max_tokens=max_tokens, cached=True)
        metadata = {name: value for name, value in who.items() if value is not None}
        search = partial(self._find, question, key, top=top, metadata=metadata, keep=not notes)
        found = read(await self._flights.join(key[1], search))
        found = replace(found, notes=(*notes, *found.notes))
        return await self._packed(question, found, max_tokens=max_tokens, cached=False)

    async def forget(self, *, tenant: str | None = None) -> None:
        """Drop a tenant's results from the cache, e.g. after its documents changed."""
        await self._store.forget(self._name, tenant)

    async def _kept(self, key: FullKey) -> tuple[Found | None, tuple[str, ...]]:
        """What the cache has, and what went wrong there."""
        try:
            return await self._store.get(key), ()
        except Exception as error:  # noqa: BLE001  anybody's cache; the retrievers are there
            return None, (f"the cache was not read ({type(error).__name__})",)

    async def _find(
        self, question: str, key: FullKey, *, top: int, metadata: Mapping[str, str], keep: bool
    ) -> str:
        """Search, and keep what is whole; as text, so that no two callers share an object."""
        found = await self._search.find(question, top=top, metadata=metadata)
        text = text_of(found)
        if keep and found.documents and not found.notes:
            await self._store.put(key, text)
        return text

    async def _packed(
        self, question: str, found: Found, *, max_tokens: int, cached: bool
    ) -> Retrieved:
        packed = await asyncio.to_thread(
            pack,
            [each.document for each in found.documents],
            about=frozenset(word for each in found.queries for word in keywords(each)),
            max_tokens=max_tokens,
            largest_share=self._policy.largest_share,
            counter=self._counter,
        )
        return Retrieved(
            query=question,
            queries=found.queries,
            documents=found.documents,
            context=packed.context,
            sources=packed.sources,
            tokens=packed.tokens,
            notes=found.notes,
            cached=cached,
        )

    def _question(self, query: str) -> str:
        """The normalised query, if there is something to look for."""
        if not isinstance(query, str):
            raise RetrievalError(f"the query is {described(query)}; give the question as text")
        longest = self._policy.longest_query
        if len(query) > longest:
            raise RetrievalError(
                f"the query has {len(query):,} characters; at most {longest:,} are allowed. "
                "Give the question without the documents it is about."
            )
        question = normalised(query)
        if not words(question):
            raise RetrievalError(f"the query {query!r} has no word to look for")
        return question

    def _check(self, *, max_tokens: int, top: int) -> None:
        if max_tokens < 1 or top < 1:
            raise RetrievalError(
                f"max_tokens={max_tokens!r} and top={top!r} must both be at least 1"
            )
        if not self._search.retrievers:
            raise RetrievalError(
                "there is no retriever to ask; give one, or several by name: "
                "Optimizer(retriever=...), or RagOptimizer(...)"
            )


def _by_name(
    retriever: BaseRetriever | Mapping[str, BaseRetriever] | None,
) -> Mapping[str, BaseRetriever]:
    if retriever is None:
        return {}
    return dict(retriever) if isinstance(retriever, Mapping) else {_ONLY: retriever}
