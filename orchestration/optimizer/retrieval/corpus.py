"""A retriever over one's own documents by their words (BM25), to stand beside one by meaning."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import PrivateAttr

from orchestration.optimizer.retrieval.lexical import WordIndex
from orchestration.optimizer.retrieval.terms import keywords, words


class Bm25Retriever(BaseRetriever):
    """Finds documents by words, numbers and identifiers; holds them and their index in memory.

    Args:
        documents: All that can be found; the index is built at once.
        k: How many a query finds at most.
    """

    documents: Sequence[Document]
    k: int = 30
    _index: WordIndex = PrivateAttr()

    def model_post_init(self, _context: object, /) -> None:
        """Build the index."""
        self._index = WordIndex([words(each.page_content) for each in self.documents])

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002  LangChain's signature
    ) -> list[Document]:
        found = self._index.ranked(keywords(query), most=self.k)
        return [self.documents[place] for place in found]
