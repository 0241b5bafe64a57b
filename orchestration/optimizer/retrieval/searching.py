"""One search: queries made, put to retrievers at once, and what came back made into one list."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestration.optimizer.retrieval.asking import Answer, Failure, ask_all
from orchestration.optimizer.retrieval.entries import Found
from orchestration.optimizer.retrieval.queries import queries_of
from orchestration.optimizer.retrieval.ranking import RankedDocument, chosen, fused
from orchestration.optimizer.retrieval.rewriting import Rewriter, rewritten
from orchestration.optimizer.retrieval.terms import distinct
from state.errors import RetrievalFailedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.embeddings import Embeddings
    from langchain_core.language_models import BaseChatModel
    from langchain_core.retrievers import BaseRetriever

    from orchestration.optimizer.retrieval.policy import RetrievalPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Finds documents for a question; what fails on the way is done without, and noted."""

    retrievers: Mapping[str, BaseRetriever]
    model: BaseChatModel | Rewriter | None
    embeddings: Embeddings | None
    policy: RetrievalPolicy

    async def find(self, question: str, *, top: int, metadata: Mapping[str, str]) -> Found:
        """Return the best documents for a normalised question.

        Args:
            question: What is looked for.
            top: Documents at most.
            metadata: Of the retrievers' runs.

        Raises:
            RetrievalFailedError: No retriever answered.
        """
        notes: list[str] = []
        queries = await self._queries(question, notes)
        results = await ask_all(self.retrievers, queries, policy=self.policy, metadata=metadata)
        answers = [each for each in results if isinstance(each, Answer)]
        failures = [each for each in results if isinstance(each, Failure)]
        if not answers:
            error = RetrievalFailedError(map(str, failures))
            raise error from failures[0].error
        notes += map(str, failures)
        ranked = await asyncio.to_thread(fused, answers, queries, policy=self.policy)
        ranked = ranked[: max(self.policy.candidates, top)]
        vectors = await self._vectors(ranked, notes)
        best = await asyncio.to_thread(chosen, ranked, self.policy, vectors=vectors, top=top)
        return Found(tuple(queries), tuple(best), tuple(notes))

    async def _queries(self, question: str, notes: list[str]) -> list[str]:
        most = self.policy.queries
        by_rules = queries_of(question, most=most)
        if self.model is None or most == 1:
            return by_rules
        try:
            written = await rewritten(
                question, self.model, most=most - 1, patience=self.policy.model_timeout
            )
        except Exception as error:  # noqa: BLE001  anybody's model; the rules stand in
            notes.append(f"the model wrote no queries, so rules did ({type(error).__name__})")
            return by_rules
        return distinct([question, *written, *by_rules])[:most]

    async def _vectors(
        self, ranked: Sequence[RankedDocument], notes: list[str]
    ) -> list[list[float]] | None:
        if self.embeddings is None or not ranked:
            return None
        texts = [each.document.page_content for each in ranked]
        try:
            async with asyncio.timeout(self.policy.timeout.total_seconds()):
                vectors = await self.embeddings.aembed_documents(texts)
            if len(vectors) != len(texts) or len(set(map(len, vectors))) != 1:
                raise ValueError("one vector for each text, all of one length, were expected")  # noqa: TRY301
        except Exception as error:  # noqa: BLE001  anybody's embeddings; words stand in
            notes.append(f"documents were compared by their words ({type(error).__name__})")
            return None
        return vectors
