from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from langgraph.cache.base import BaseCache, FullKey
from langgraph.cache.memory import InMemoryCache
from langgraph.cache.sqlite import SqliteCache

from checkpoints.response_caches import open_cache
from orchestration.optimizer.retrieval.entries import key_of, namespace
from orchestration.optimizer.retrieval.policy import RetrievalPolicy
from orchestration.optimizer.retrieval.retrieval import RagOptimizer
from state.errors import RetrievalFailedError
from tests.unit.orchestration.optimizer.retrieval.retrievers import Shelf


@pytest.fixture(params=["ours", "memory", "sqlite"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> BaseCache[Any]:
    makers: dict[str, Callable[[], BaseCache[Any]]] = {
        "ours": open_cache,
        "memory": InMemoryCache,
        "sqlite": lambda: SqliteCache(path=str(tmp_path / "cache.db")),
    }
    return makers[request.param]()


async def test_the_same_question_is_looked_up_once(cache: BaseCache[Any]) -> None:
    shelf = Shelf()
    optimizer = RagOptimizer(shelf, cache=cache)
    first = await optimizer.retrieve("travel costs")
    second = await optimizer.retrieve("Could you please tell me about travel costs?")
    assert (first.cached, second.cached) == (False, True)
    assert (first.documents, first.context) == (second.documents, second.context)
    assert shelf.asked == ["travel costs"]


async def test_a_hit_is_packed_to_its_own_budget() -> None:
    optimizer = RagOptimizer(Shelf())
    whole = await optimizer.retrieve("travel costs")
    small = await optimizer.retrieve("travel costs", max_tokens=20)
    assert small.cached
    assert small.tokens <= 20 < whole.tokens


@pytest.mark.parametrize(
    "other",
    [
        {"tenant": "globex"},
        {"tenant": None},
        {"user": "bob"},
        {"top": 2},
        {"query": "travel price"},
    ],
)
async def test_another_tenant_user_or_question_never_gets_it(
    cache: BaseCache[Any], other: dict[str, Any]
) -> None:
    optimizer = RagOptimizer(Shelf(), cache=cache)
    asked: dict[str, Any] = {"query": "travel costs", "tenant": "acme", "user": "ann"}
    await optimizer.retrieve(**asked)
    assert (await optimizer.retrieve(**asked)).cached
    assert not (await optimizer.retrieve(**(asked | other))).cached


async def test_the_second_tenants_documents_are_its_own(cache: BaseCache[Any]) -> None:
    class ByTenant(Shelf):
        async def _aget_relevant_documents(self, query: str, *, run_manager: Any) -> Any:  # noqa: ANN401
            found = await super()._aget_relevant_documents(query, run_manager=run_manager)
            return [
                each for each in found if run_manager.metadata["tenant"] in each.metadata["source"]
            ]

    optimizer = RagOptimizer(ByTenant(), cache=cache)
    for _ in range(2):
        for tenant in ("travel", "japan"):
            found = await optimizer.retrieve("travel", tenant=tenant)
            assert [each.source for each in found.sources] == [f"{tenant}.md"]


async def test_a_tenants_name_cannot_reach_anothers_entries() -> None:
    tenants = [None, "", "all", "of a", "a", "a,b", "a/b", "a%2Cb"]
    assert len({namespace("docs", tenant) for tenant in tenants}) == len(tenants)
    assert not any("," in part for tenant in tenants for part in namespace("docs", tenant))
    assert key_of("docs", "a", "x", "y") != key_of("docs", "a", "xy", "")


async def test_only_those_with_one_name_share_results(cache: BaseCache[Any]) -> None:
    async def second_is_cached(one: str | None, other: str | None) -> bool:
        await RagOptimizer(Shelf(), cache=cache, name=one).retrieve("travel costs")
        return (
            await RagOptimizer(Shelf(), cache=cache, name=other).retrieve("travel costs")
        ).cached

    assert await second_is_cached("docs", "docs")
    assert not await second_is_cached("docs", "wiki")
    assert not await second_is_cached(None, None)


async def test_another_policy_is_another_result() -> None:
    cache = open_cache()
    await RagOptimizer(Shelf(), cache=cache, name="docs").retrieve("travel costs")
    other = RagOptimizer(Shelf(), cache=cache, name="docs", policy=RetrievalPolicy(diversity=0.5))
    assert not (await other.retrieve("travel costs")).cached


async def test_what_was_done_without_something_is_not_kept() -> None:
    shelf = Shelf(failing_for="lunch")
    optimizer = RagOptimizer(shelf)
    asked = "travel costs and where is lunch served"
    first = await optimizer.retrieve(asked)
    assert first.notes
    shelf.failing_for = None
    assert not (await optimizer.retrieve(asked)).cached
    assert (await optimizer.retrieve(asked)).cached


async def test_failures_and_empty_results_are_not_kept() -> None:
    shelf = Shelf(failing_for="")
    optimizer = RagOptimizer(shelf)
    with pytest.raises(RetrievalFailedError):
        await optimizer.retrieve("travel")
    shelf.failing_for = None
    documents, shelf.documents = shelf.documents, []
    assert not (await optimizer.retrieve("travel")).documents
    shelf.documents = documents
    found = await optimizer.retrieve("travel")
    assert (bool(found.documents), found.cached) == (True, False)


async def test_concurrent_callers_share_one_retrieval_and_no_object() -> None:
    door = asyncio.Event()
    shelf = Shelf(open=door)
    optimizer = RagOptimizer(shelf)
    tasks = [asyncio.create_task(optimizer.retrieve("travel")) for _ in range(10)]
    await shelf.begun.wait()
    tasks.pop(0).cancel()
    door.set()
    found = await asyncio.gather(*tasks)
    assert shelf.asked == ["travel"]
    found[0].documents[0].document.metadata["source"] = "changed"
    assert found[1].documents[0].document.metadata["source"] != "changed"
    assert (await optimizer.retrieve("travel")).documents == found[1].documents


async def test_forgetting_a_tenants_results_leaves_the_others(cache: BaseCache[Any]) -> None:
    optimizer = RagOptimizer(Shelf(), cache=cache)
    for tenant in ("acme", "globex"):
        await optimizer.retrieve("travel", tenant=tenant)
    await optimizer.forget(tenant="acme")
    assert not (await optimizer.retrieve("travel", tenant="acme")).cached
    assert (await optimizer.retrieve("travel", tenant="globex")).cached


async def test_without_a_ttl_nothing_is_kept() -> None:
    optimizer = RagOptimizer(Shelf(), policy=RetrievalPolicy(ttl=None))
    await optimizer.retrieve("travel")
    assert not (await optimizer.retrieve("travel")).cached


class BrokenCache(InMemoryCache[str]):
    """Cannot be reached for reading, or for writing."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self._fault = fault

    async def aget(self, keys: Sequence[FullKey]) -> dict[FullKey, str]:
        if self._fault == "reading":
            raise ConnectionError("redis://:secret@cache")
        return dict.fromkeys(keys, '{"version": 0}') if self._fault == "junk" else {}

    async def aset(self, pairs: Mapping[FullKey, tuple[str, int | None]]) -> None:  # noqa: ARG002
        raise ConnectionError("redis://:secret@cache")


async def test_a_cache_that_cannot_be_read_is_done_without_and_noted() -> None:
    found = await RagOptimizer(Shelf(), cache=BrokenCache("reading")).retrieve("travel")
    assert found.documents
    assert found.notes == ("the cache was not read (ConnectionError)",)


async def test_a_cache_that_cannot_be_written_is_logged_without_its_secrets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = await RagOptimizer(Shelf(), cache=BrokenCache("writing")).retrieve("travel")
    assert (bool(found.documents), found.notes) == (True, ())
    assert "was not cached (ConnectionError)" in caplog.text
    assert "secret" not in caplog.text


async def test_an_entry_of_another_version_is_looked_up_anew() -> None:
    found = await RagOptimizer(Shelf(), cache=BrokenCache("junk")).retrieve("travel")
    assert (bool(found.documents), found.cached) == (True, False)
