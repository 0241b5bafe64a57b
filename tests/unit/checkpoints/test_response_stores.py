"""What every store of answers keeps to: in memory, in a file, on a server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from checkpoints.cache_store import Kept, ResponseStore
from checkpoints.cache_values import Labels
from state.errors import CacheError
from tests.unit.checkpoints.cache_stage import (
    KEY,
    KINDS,
    LABELS,
    Clock,
    open_store,
    running_valkey,
    url_of,
)

Key = tuple[tuple[str, ...], str]

OTHER_TENANT = (("agent", "weather", "1", "globex"), "berlin")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_valkey() as url:
        yield url


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=KINDS)
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, server: str, clock: Clock
) -> AsyncIterator[ResponseStore]:
    opened = open_store(url_of(request.param, tmp_path, server), clock)
    yield opened
    await opened.aclose()


async def value(store: ResponseStore, key: Key = KEY) -> Any:  # noqa: ANN401  whatever was kept
    return (await store.look(key)).value


# -- LangGraph's interface ------------------------------------------------------------------


async def test_what_was_set_is_got(store: ResponseStore) -> None:
    pairs = {KEY: ({"a": [1, 2.5, "ü", None, True]}, 60), (("x",), "k"): ([1], None)}
    await store.aset(pairs)
    found = await store.aget([KEY, (("x",), "k"), (("x",), "missing")])
    assert found == {KEY: {"a": [1, 2.5, "ü", None, True]}, (("x",), "k"): [1]}


def test_the_synchronous_door_leads_to_the_same_entries(store: ResponseStore) -> None:
    store.set({KEY: ({"a": 1}, 60)})
    assert store.get([KEY]) == {KEY: {"a": 1}}
    store.clear()
    assert store.get([KEY]) == {}


async def test_asking_for_nothing_gives_nothing(store: ResponseStore) -> None:
    assert await store.aget([]) == store.get([]) == {}


async def test_an_entry_is_gone_when_its_time_is_over(store: ResponseStore, clock: Clock) -> None:
    await store.aset({KEY: ("x", 60)})
    clock.time += 59
    assert await store.aget([KEY]) == {KEY: "x"}
    clock.time += 2
    assert await store.aget([KEY]) == {}
    assert await value(store) is None


async def test_a_namespace_is_cleared_alone(store: ResponseStore) -> None:
    await store.aset({KEY: ("x", None), OTHER_TENANT: ("y", None)})
    await store.aclear([KEY[0]])
    assert await store.aget([KEY, OTHER_TENANT]) == {OTHER_TENANT: "y"}
    await store.aclear()
    assert await store.aget([OTHER_TENANT]) == {}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((("a", "b"), "c"), (("a",), "bc")),
        ((("a,b",), "c"), (("a", "b"), "c")),
        ((('a","b',), "c"), (("a", "b"), "c")),
        ((("a",), "b"), ((), "ab")),
        ((("ä",), "b"), (("a\u0308",), "b")),
    ],
)
async def test_keys_that_look_alike_are_told_apart(
    store: ResponseStore, one: Key, other: Key
) -> None:
    await store.aset({one: ("one", None)})
    assert await store.aget([other]) == {}
    assert await store.aget([one]) == {one: "one"}


async def test_a_caller_that_changes_a_value_changes_no_other(store: ResponseStore) -> None:
    given = {"list": [1]}
    await store.aset({KEY: (given, None)})
    given["list"].append(2)
    first = await value(store)
    assert first == {"list": [1]}
    first["list"].append(3)
    assert await value(store) == {"list": [1]}


# -- claims ---------------------------------------------------------------------------------


async def test_of_two_who_claim_one_leads(store: ResponseStore) -> None:
    first = await store.claim(KEY, "a", labels=LABELS, lease_seconds=30)
    second = await store.claim(KEY, "b", labels=LABELS, lease_seconds=30)
    assert (first.mine, second.mine, second.holder) == (True, False, "a")
    assert (await store.look(KEY)).holder == "a"


async def test_who_stores_an_answer_ends_the_claim(store: ResponseStore) -> None:
    await store.claim(KEY, "a", labels=LABELS, lease_seconds=30)
    assert await store.akeep(KEY, Kept({"x": 1}, 60, LABELS, since=0, holder="a"))
    look = await store.look(KEY)
    assert (look.value, look.holder) == ({"x": 1}, None)


async def test_a_claim_can_be_ended_by_its_holder_only(store: ResponseStore) -> None:
    await store.claim(KEY, "a", labels=LABELS, lease_seconds=30)
    await store.end(KEY, "b")
    assert (await store.look(KEY)).holder == "a"
    await store.end(KEY, "a")
    assert (await store.look(KEY)).holder is None
    assert not await store.renew(KEY, "a", lease_seconds=30)


async def test_only_the_holder_prolongs_a_lease(store: ResponseStore) -> None:
    await store.claim(KEY, "a", labels=LABELS, lease_seconds=30)
    assert await store.renew(KEY, "a", lease_seconds=30)
    assert not await store.renew(KEY, "b", lease_seconds=30)


async def test_how_a_call_failed_is_told_to_those_who_know_its_flight(
    store: ResponseStore,
) -> None:
    await store.claim(KEY, "a", labels=LABELS, lease_seconds=30)
    await store.end(KEY, "a", failure={"type": "AgentError", "message": "no"})
    assert (await store.look(KEY, flight="a")).failure == {"type": "AgentError", "message": "no"}
    assert (await store.look(KEY, flight="b")).failure is None
    assert (await store.look(KEY)).failure is None
    assert (await store.claim(KEY, "b", labels=LABELS, lease_seconds=30)).mine


# -- invalidation -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        ({"agent_id": "weather"}, {"other"}),
        ({"version": "1"}, {"v2"}),
        ({"tenant": "acme"}, {"globex"}),
        ({"tag": "forecast"}, {"v2", "globex", "other"}),
        ({"agent_id": "weather", "version": "2"}, {"v1", "globex", "other"}),
        ({"agent_id": "weather", "tenant": "acme", "tag": "forecast"}, {"v2", "globex", "other"}),
        ({"agent_id": "nobody"}, {"v1", "v2", "globex", "other"}),
    ],
)
async def test_entries_that_fit_in_all_that_is_given_go(
    store: ResponseStore, wanted: dict[str, str], left: set[str]
) -> None:
    entries = {
        "v1": LABELS,
        "v2": Labels("weather", "2", "acme"),
        "globex": Labels("weather", "1", "globex"),
        "other": Labels("traffic", "1", "acme"),
    }
    for name, labels in entries.items():
        await store.akeep((("agent",), name), Kept(name, 60, labels))
    assert await store.ainvalidate(**wanted) == len(entries) - len(left)
    found = await store.aget([(("agent",), name) for name in entries])
    assert set(found.values()) == left


async def test_an_invalidation_without_an_aim_is_refused(store: ResponseStore) -> None:
    await store.aset({KEY: ("x", None)})
    with pytest.raises(CacheError, match="give agent_id, version, tenant or tag"):
        await store.ainvalidate()
    with pytest.raises(CacheError, match="clear"):
        store.invalidate()
    assert await store.aget([KEY])


async def test_an_answer_is_not_stored_that_was_invalidated_during_its_call(
    store: ResponseStore,
) -> None:
    claim = await store.claim(KEY, "a", labels=LABELS, lease_seconds=30)
    assert await store.ainvalidate(tag="forecast") == 0
    assert not await store.akeep(KEY, Kept("old", 60, LABELS, claim.sequence, "a"))
    look = await store.look(KEY)
    assert (look.value, look.holder) == (None, None)


async def test_an_answer_is_stored_though_something_else_was_invalidated(
    store: ResponseStore,
) -> None:
    claim = await store.claim(KEY, "a", labels=LABELS, lease_seconds=30)
    await store.ainvalidate(tenant="globex")
    await store.ainvalidate(agent_id="weather", tag="other")
    assert not await store.is_outdated(LABELS, since=claim.sequence)
    assert await store.akeep(KEY, Kept("new", 60, LABELS, claim.sequence, "a"))


async def test_clearing_keeps_out_the_answers_of_calls_under_way(store: ResponseStore) -> None:
    claim = await store.claim(KEY, "a", labels=LABELS, lease_seconds=30)
    await store.aclear()
    assert not await store.akeep(KEY, Kept("old", 60, LABELS, claim.sequence, "a"))


async def test_who_asks_after_an_invalidation_need_not_wait_for_who_began_before(
    store: ResponseStore,
) -> None:
    await store.claim(KEY, "a", labels=LABELS, lease_seconds=30)
    await store.ainvalidate(agent_id="weather")
    second = await store.claim(KEY, "b", labels=LABELS, lease_seconds=30)
    assert (second.mine, second.sequence) == (True, 1)


async def test_a_call_that_began_before_all_that_is_remembered_is_outdated(
    store: ResponseStore,
) -> None:
    for _ in range(1001):
        store.invalidate(tag="never used")
    assert await store.is_outdated(LABELS, since=0)
    assert not await store.is_outdated(LABELS, since=1)


async def test_an_entry_that_is_stored_again_has_only_its_new_tags(store: ResponseStore) -> None:
    await store.akeep(KEY, Kept("old", 60, Labels(tags=("a", "b"))))
    await store.akeep(KEY, Kept("new", 60, Labels(tags=("b", "c"))))
    assert (await store.stats())["entries"] == 1
    assert await store.ainvalidate(tag="c") == 1


async def test_stats_count_what_is_held(store: ResponseStore) -> None:
    for name in "abc":
        await store.aset({(("n",), name): ("x" * 100, 60)})
    held = await store.stats()
    assert held["entries"] == 3
    assert held["bytes"] is None or 3 * 100 < held["bytes"] < 3 * 1000
    assert held["evicted"] == 0
