"""Answers kept on a Redis or Valkey server, for processes on several machines.

LangGraph's `RedisCache` is not used: its asynchronous methods call the synchronous client,
which stops the loop, and it swallows errors, so nobody learns that there is no cache.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

from checkpoints import redis_cache_scripts as scripts
from checkpoints.cache_records import SCHEMA, Setting
from checkpoints.cache_store import FAILURE_SECONDS, ResponseStore
from checkpoints.cache_values import Claim, Invalidation, Labels, Look, Row, StoreStats
from checkpoints.redis_cache_clients import RedisClients

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langgraph.cache.base import FullKey

    from checkpoints.cache_store import Kept

PREFIX: Final = f"orchestration:cache:{SCHEMA}:"
_LONGEST_MS: Final = 10 * 366 * 86_400_000


class RedisCache(ResponseStore):
    """A `ResponseStore` on a server, whose own `maxmemory` bounds it."""

    def __init__(self, url: str, setting: Setting, *, prefix: str = PREFIX) -> None:
        """Take the server's URL; it is connected to when it is first needed.

        Raises:
            CacheError: The URL cannot be, or the extra `redis` is not installed.
        """
        super().__init__(setting)
        self._prefix = prefix
        self._clients = RedisClients(url)

    async def look(self, key: FullKey, *, flight: str = "") -> Look:
        """Say what is known about a key."""
        entry_id, prefix = self.entry_id(key), self._prefix
        record, sequence, held, failure = await self._clients.mget(
            f"{prefix}e:{entry_id}",
            f"{prefix}seq",
            f"{prefix}c:{entry_id}",
            f"{prefix}f:{flight}",
        )
        with self._clients.understood():
            return Look(
                value=self._records.value(entry_id, record),
                sequence=int(sequence or 0),
                holder=None if held is None else held.decode().partition(" ")[2],
                failure=self._records.value(flight, failure),
            )

    async def claim(
        self, key: FullKey, holder: str, *, labels: Labels, lease_seconds: float
    ) -> Claim:
        """Become who makes the call, unless another is."""
        said = await self._ask(
            scripts.CLAIM,
            self.entry_id(key),
            holder,
            scripts.labels_json(labels),
            _milliseconds(lease_seconds),
        )
        with self._clients.understood():
            mine, found, sequence = said
            return Claim(mine=bool(mine), holder=found.decode(), sequence=int(sequence))

    async def renew(self, key: FullKey, holder: str, *, lease_seconds: float) -> bool:
        """Prolong one's lease."""
        lease = _milliseconds(lease_seconds)
        return bool(await self._ask(scripts.RENEW, self.entry_id(key), holder, lease))

    async def end(
        self, key: FullKey, holder: str, *, failure: Mapping[str, Any] | None = None
    ) -> None:
        """End one's claim without an answer."""
        until = self._clock() + FAILURE_SECONDS
        record = b"" if failure is None else self._records.sealed(holder, failure, until)
        lifetime = _milliseconds(FAILURE_SECONDS)
        await self._ask(scripts.END, self.entry_id(key), holder, record, lifetime)

    async def is_outdated(self, labels: Labels, *, since: int) -> bool:
        """Whether something that meets the labels was invalidated since."""
        return bool(await self._ask(scripts.IS_OUTDATED, scripts.labels_json(labels), since))

    async def stats(self) -> StoreStats:
        """Say how much is held; the server alone knows how many bytes that are."""
        entries = int(await self._ask(scripts.COUNT))
        return StoreStats(entries=entries, bytes=None, evicted=0)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._clients.aclose()

    def _load(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        with self._clients.sync() as client:
            found = client.mget([f"{self._prefix}e:{each}" for each in ids]) if ids else []
        return _present(ids, found)

    async def _aload(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        if not ids:
            return {}
        return _present(ids, await self._clients.mget(*(f"{self._prefix}e:{each}" for each in ids)))

    def _keep(self, row: Row, kept: Kept) -> bool:
        return bool(self._ask_now(scripts.KEEP, *self._keeping(row, kept)))

    async def _akeep(self, row: Row, kept: Kept) -> bool:
        return bool(await self._ask(scripts.KEEP, *self._keeping(row, kept)))

    def _keeping(self, row: Row, kept: Kept) -> Sequence[str | bytes | float]:
        left = row.expires_at - self._clock()
        lifetime = "" if math.isinf(left) else _milliseconds(left)
        return (
            row.entry_id,
            kept.holder,
            scripts.labels_json(row.labels),
            "" if kept.since is None else kept.since,
            row.record,
            lifetime,
            json.dumps(scripts.index_names(row.namespace, row.labels)),
        )

    def _invalidate(self, invalidation: Invalidation) -> int:
        return int(self._ask_now(scripts.INVALIDATE, *_invalidating(invalidation)))

    async def _ainvalidate(self, invalidation: Invalidation) -> int:
        return int(await self._ask(scripts.INVALIDATE, *_invalidating(invalidation)))

    def _clear(self, namespaces: Sequence[str] | None) -> None:
        for each in _clearing(namespaces):
            self._ask_now(scripts.INVALIDATE, *each)

    async def _aclear(self, namespaces: Sequence[str] | None) -> None:
        for each in _clearing(namespaces):
            await self._ask(scripts.INVALIDATE, *each)

    async def _ask(self, script: str, *values: str | bytes | float) -> Any:  # noqa: ANN401  by script
        return await self._clients.ask(script, self._prefix, *values)

    def _ask_now(self, script: str, *values: str | bytes | float) -> Any:  # noqa: ANN401  by script
        with self._clients.sync() as client:
            return client.register_script(script)(args=[self._prefix, *values])


def _milliseconds(seconds: float) -> int:
    return max(1, min(round(seconds * 1000), _LONGEST_MS))


def _invalidating(invalidation: Invalidation) -> tuple[str, str]:
    return (
        scripts.invalidation_json(invalidation),
        json.dumps(scripts.invalidated_indexes(invalidation)),
    )


def _clearing(namespaces: Sequence[str] | None) -> Sequence[tuple[str, str]]:
    everything = scripts.invalidation_json(Invalidation())
    indexes = ["all"] if namespaces is None else [f"namespace:{each}" for each in namespaces]
    return [(everything, json.dumps([index])) for index in indexes]


def _present(ids: Sequence[str], found: Sequence[Any]) -> Mapping[str, bytes]:
    return {each: record for each, record in zip(ids, found, strict=True) if record is not None}
