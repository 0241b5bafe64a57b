"""The results of retrievals in a cache, which is done without where it fails."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from orchestration.optimizer.retrieval.entries import Found, found_in, namespace

if TYPE_CHECKING:
    from datetime import timedelta

    from langgraph.cache.base import BaseCache, FullKey

MOST_ENTRIES: Final = 512
"""Kept in memory, where no other cache is given."""
PATIENCE_SECONDS: Final = 1.0
"""A cache that takes longer is done without."""

log = logging.getLogger(__name__)


class ResultStore:
    """Keeps results for a while, in any LangGraph cache.

    Args:
        cache: Where; None stands for one in memory.
        ttl: How long; None keeps nothing.
    """

    def __init__(self, cache: BaseCache[Any] | None, *, ttl: timedelta | None) -> None:
        self._given = cache
        self._ttl = ttl

    async def get(self, key: FullKey) -> Found | None:
        """Return what is kept under a key and can be read.

        Raises:
            Exception: What the cache raised, or `TimeoutError`.
        """
        if self._ttl is None:
            return None
        async with asyncio.timeout(PATIENCE_SECONDS):
            found = await self._cache.aget([key])
        return found_in(found.get(key))

    async def put(self, key: FullKey, text: str) -> None:
        """Keep a result, if the cache can."""
        if self._ttl is None:
            return
        seconds = max(1, int(self._ttl.total_seconds()))
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._cache.aset({key: (text, seconds)})
        except Exception as error:  # noqa: BLE001  anybody's cache; the result is there
            log.warning("a retrieval was not cached (%s)", type(error).__name__)

    async def forget(self, name: str, tenant: str | None) -> None:
        """Drop what is kept of a collection for a tenant."""
        await self._cache.aclear([namespace(name, tenant)])

    @property
    def _cache(self) -> BaseCache[Any]:
        if self._given is None:
            from checkpoints.cache_store import Bounds  # noqa: PLC0415  heavy
            from checkpoints.response_caches import open_cache  # noqa: PLC0415

            self._given = open_cache("memory://", bounds=Bounds(entries=MOST_ENTRIES))
        return self._given
