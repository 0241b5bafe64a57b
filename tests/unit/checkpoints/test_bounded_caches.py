"""Memory and SQLite caches hold no more than they may."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoints.cache_records import Setting
from checkpoints.cache_store import Bounds, Kept, ResponseStore
from checkpoints.memory_cache import MemoryCache
from checkpoints.response_caches import open_cache
from state.errors import CacheError
from tests.unit.checkpoints.cache_stage import Clock, open_store

BOUNDS = Bounds(entries=10, bytes=20_000)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Clock
) -> AsyncIterator[ResponseStore]:
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'cache.db'}"
    opened = open_store(url, clock, BOUNDS)
    yield opened
    await opened.aclose()


def key(name: object) -> tuple[tuple[str, ...], str]:
    return ("n",), str(name)


async def held(store: ResponseStore) -> set[str]:
    return {name for _, name in await store.aget([key(each) for each in range(100)])}


async def test_the_oldest_entries_make_room_for_new_ones(store: ResponseStore) -> None:
    for number in range(15):
        await store.aset({key(number): ("x", 60)})
    assert await held(store) == {str(number) for number in range(5, 15)}
    stats = await store.stats()
    assert (stats["entries"], stats["evicted"]) == (10, 5)


async def test_large_entries_drive_out_more_than_one(store: ResponseStore) -> None:
    for number in range(10):
        await store.aset({key(number): ("x", 60)})
    await store.aset({key(10): ("x" * 18_000, 60)})
    stats = await store.stats()
    assert "10" in await held(store)
    assert stats["bytes"] is not None
    assert stats["bytes"] <= BOUNDS.bytes
    assert stats["entries"] < 10


async def test_what_is_larger_than_the_cache_is_not_stored(store: ResponseStore) -> None:
    await store.aset({key(0): ("small", 60)})
    assert not await store.akeep(key(1), Kept("x" * 30_000, 60))
    assert await held(store) == {"0"}


async def test_a_large_answer_does_not_leave_the_old_one_behind(store: ResponseStore) -> None:
    await store.aset({key(0): ("old", 60)})
    assert not await store.akeep(key(0), Kept("x" * 30_000, 60))
    assert await held(store) == set()


async def test_in_memory_what_was_read_lately_stays() -> None:
    store = MemoryCache(Setting(clock=Clock()), Bounds(entries=3))
    for number in range(3):
        store.set({key(number): ("x", 60)})
    store.get([key(0)])
    store.set({key(3): ("x", 60)})
    assert await held(store) == {"0", "2", "3"}


async def test_in_a_file_what_has_expired_goes_first(tmp_path: Path, clock: Clock) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'cache.db'}", clock, BOUNDS)
    await store.aset({key(0): ("old but valid", 1000)})
    for number in range(1, 10):
        await store.aset({key(number): ("short-lived", 10)})
    clock.time += 20
    await store.aset({key(10): ("new", 60)})
    assert await held(store) == {"0", "10"}
    stats = await store.stats()
    assert (stats["entries"], stats["evicted"]) == (2, 0)
    await store.aclose()


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 8_000)), max_size=40))
async def test_bounds_hold_after_any_writes(writes: list[tuple[int, int]]) -> None:
    store = MemoryCache(Setting(clock=Clock()), BOUNDS)
    for number, size in writes:
        store.set({key(number): ("x" * size, 60)})
        stats = await store.stats()
        assert stats["bytes"] is not None
        assert stats["entries"] <= BOUNDS.entries
        assert stats["bytes"] <= BOUNDS.bytes
        assert store.get([key(number)])


@pytest.mark.parametrize("bounds", [Bounds(entries=0), Bounds(bytes=-1), Bounds(entries=True)])
def test_bounds_that_cannot_be_are_refused(bounds: Bounds) -> None:
    with pytest.raises(CacheError, match="whole number from 1"):
        open_cache("memory://", bounds=bounds)
