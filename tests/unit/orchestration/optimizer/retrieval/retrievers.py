"""Retrievers for tests: real subclasses of LangChain's, which answer, fail or wait as told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict, Field

PAGES = (
    Document("Travel costs are filed within 30 days.", metadata={"source": "travel.md"}),
    Document("The canteen serves lunch at noon.", metadata={"source": "canteen.md"}),
    Document("Travel in Japan needs a rail pass.", metadata={"source": "japan.md"}),
)


class Shelf(BaseRetriever):
    """Gives the same documents for every query, and remembers what it was asked."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    documents: Sequence[Document] = PAGES
    asked: list[str] = Field(default_factory=list)
    metadata_seen: list[dict[str, object]] = Field(default_factory=list)
    failing_for: str | None = None
    """Queries with this text in them fail; an empty one fails all."""
    begun: asyncio.Event = Field(default_factory=asyncio.Event)
    """Set once it was asked."""
    open: asyncio.Event | asyncio.Barrier | None = None
    """Where it waits before it answers."""

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        raise NotImplementedError

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun
    ) -> list[Document]:
        self.asked.append(query)
        self.begun.set()
        self.metadata_seen.append(dict(run_manager.metadata))
        if self.open is not None:
            await self.open.wait()
        if self.failing_for is not None and self.failing_for in query:
            raise ConnectionError("password=secret")
        return list(self.documents)


class Drawer(BaseRetriever):
    """Has no asynchronous side, so LangChain runs it in a thread."""

    def _get_relevant_documents(
        self,
        query: str,  # noqa: ARG002
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002
    ) -> list[Document]:
        return list(PAGES)
