"""Random histories of askers, cancellations, failures and invalidations keep three promises.

Nobody is cancelled with another, nobody waits for ever, and nobody gets an answer whose call
began before an invalidation that was over when they asked.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from checkpoints.cache_store import ResponseStore
from checkpoints.response_caches import open_cache
from nodes.caching.response_cache import ResponseCache
from state.cache_key import Asked, cache_key
from state.caching import CachePolicy
from state.jsonvalue import JsonObject
from tests.unit.checkpoints.cache_stage import KINDS, running_valkey, url_of

HISTORIES = int(os.environ.get("ORCHESTRATION_FAULT_ROUNDS", "6"))
ASKERS = 120
POLICY = CachePolicy().document()
KEYS = [
    cache_key({"question": number}, Asked(agent_id="a", version="1", tenant=tenant))
    for number in range(2)
    for tenant in ("acme", "globex")
]


class History:
    """One run of many askers over two caches that share a store."""

    def __init__(self, stores: list[ResponseStore], seed: int) -> None:
        self._random = random.Random(seed)
        self._stores = stores
        self._caches = [ResponseCache(each) for each in stores]
        self._moments = itertools.count(1)
        self._invalidated = {"acme": 0, "globex": 0}
        self.answers = 0
        self.broken: list[str] = []

    async def run(self) -> None:
        asking = [asyncio.create_task(self._ask()) for _ in range(ASKERS)]
        invalidating = asyncio.create_task(self._invalidate())
        for one in self._random.sample(asking, ASKERS // 3):
            await self._pause(0.002)
            one.cancel()
        await invalidating
        _, waiting = await asyncio.wait(asking, timeout=60)
        if waiting:
            self.broken.append(f"{len(waiting)} wait for ever")

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(self._random.random() * seconds)

    async def _call(self) -> JsonObject:
        moment = next(self._moments)
        await self._pause(0.01)
        if self._random.random() < 0.2:
            raise ValueError("the agent failed")
        return {"moment": moment}

    async def _ask(self) -> None:
        await self._pause(0.05)
        key = self._random.choice(KEYS)
        since = self._invalidated[key.tenant or ""]
        try:
            cache = self._random.choice(self._caches)
            found = await cache.answer(key, self._call, policy=POLICY)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or not task.cancelling():
                self.broken.append("cancelled with another")
            raise
        except Exception as error:  # noqa: BLE001  only its kind is of interest
            if "the agent failed" not in str(error):
                self.broken.append(repr(error))
            return
        self.answers += 1
        moment = found.reply["moment"]
        if not isinstance(moment, int) or moment < since:
            self.broken.append(f"{found} is from before {since}")

    async def _invalidate(self) -> None:
        for _ in range(6):
            await self._pause(0.015)
            tenant = self._random.choice(list(self._invalidated))
            await self._random.choice(self._stores).ainvalidate(tenant=tenant)
            self._invalidated[tenant] = next(self._moments)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_valkey() as url:
        yield url


@pytest.mark.parametrize("seed", range(HISTORIES))
@pytest.mark.parametrize("kind", KINDS)
async def test_promises_hold_in_any_history(
    kind: str, seed: int, tmp_path: Path, server: str
) -> None:
    url = url_of(kind, tmp_path, server)
    first = open_cache(url)
    stores = [first, first if kind == "memory" else open_cache(url)]
    history = History(stores, seed)
    await history.run()
    for each in stores:
        await each.aclose()
    assert history.broken == []
    assert history.answers > 0
