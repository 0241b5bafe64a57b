"""Caches over stores in memory and in a file, and a clock that a test sets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from checkpoints.cache_store import ResponseStore
from checkpoints.response_caches import open_cache
from nodes.caching.response_cache import ResponseCache
from tests.unit.nodes.caching.cache_stage import Time


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture(params=["memory", "sqlite"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, time: Time
) -> AsyncIterator[ResponseStore]:
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'cache.db'}"
    opened = open_cache(url, clock=time)
    yield opened
    await opened.aclose()


@pytest.fixture
def cache(store: ResponseStore, time: Time) -> ResponseCache:
    return ResponseCache(store, now=time, sleep=time.sleep)


@pytest.fixture
def elsewhere(store: ResponseStore, time: Time) -> ResponseCache:
    """Another process's cache, over the same store."""
    return ResponseCache(store, now=time, sleep=time.sleep)
