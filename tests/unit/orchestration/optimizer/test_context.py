"""Context that is fetched in the background: shared, kept, given up, cancelled."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from langgraph.errors import GraphInterrupt

from orchestration.optimizer.context import ContextSources
from orchestration.optimizer.prefetch import Context
from state.errors import ConfigurationError, UnknownSourceError


class Source:
    """Counts fetches; waits until it may answer."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.fetched: Counter[str] = Counter()
        self.cancelled = 0
        self.asked = asyncio.Event()
        self.gate = asyncio.Event()
        if is_open:
            self.gate.set()

    async def fetch(self, user_id: str, tenant: str | None) -> dict[str, Any]:
        self.fetched[f"{tenant}/{user_id}"] += 1
        self.asked.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return {"user": user_id, "tenant": tenant, "fetch": self.fetched.total()}


class Clock:
    """Seconds, set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sources(clock: Clock) -> ContextSources:
    return ContextSources(clock=clock)


# -- fetching -------------------------------------------------------------------------------


async def test_prefetch_returns_what_all_sources_say(sources: ContextSources) -> None:
    sources.register("profile", Source().fetch)
    sources.register("thread", lambda user_id: [user_id, threading.current_thread().name])
    values = await sources.prefetch("ann", tenant="acme")
    assert values["profile"] == {"user": "ann", "tenant": "acme", "fetch": 1}
    assert values["thread"] == ["ann", values["thread"][1]]  # type: ignore[index]
    assert "MainThread" not in str(values["thread"])
    assert sources.names == ("profile", "thread")


async def test_it_begins_at_once_and_goes_on_while_others_work(sources: ContextSources) -> None:
    slow = Source(is_open=False)
    sources.register("slow", slow.fetch)
    begun = sources.begin("ann")
    await slow.asked.wait()  # nobody has joined
    slow.gate.set()
    assert (await begun.join()).values["slow"] == {"user": "ann", "tenant": None, "fetch": 1}


async def test_only_what_is_named_is_fetched_or_joined(sources: ContextSources) -> None:
    one, two, three = Source(), Source(is_open=False), Source()
    for name, source in (("one", one), ("two", two), ("three", three)):
        sources.register(name, source.fetch)
    begun = sources.begin("ann", names=["one", "two"])
    assert list((await begun.join(["one"])).values) == ["one"], "the other one is not waited for"
    begun.cancel()
    assert not three.fetched


async def test_joined_twice_it_is_fetched_once_and_each_has_a_copy(
    sources: ContextSources,
) -> None:
    source = Source()
    sources.register("profile", source.fetch)
    begun = sources.begin("ann")
    first: Any = (await begun.join()).values
    first["profile"]["user"] = "changed"
    again: Any = (await begun.join()).values
    kept: Any = await sources.prefetch("ann")
    assert again["profile"]["user"] == kept["profile"]["user"] == "ann"
    assert source.fetched == {"None/ann": 1}


@pytest.mark.parametrize("names", [["profil"], ["profile", "x", "y"]])
async def test_an_unknown_name_is_refused_before_any_fetch(
    sources: ContextSources, names: list[str]
) -> None:
    source = Source()
    sources.register("profile", source.fetch)
    with pytest.raises(UnknownSourceError, match="registered are \\['profile'\\]"):
        await sources.prefetch("ann", names=names)
    await asyncio.sleep(0)
    assert not source.fetched
    with pytest.raises(ConfigurationError, match="names is 'profile'; give a list"):
        await sources.prefetch("ann", names="profile")
    begun = sources.begin("ann")
    with pytest.raises(UnknownSourceError, match="'profil'"):
        await begun.join(["profil"])


# -- shared and kept ------------------------------------------------------------------------


async def test_those_who_want_the_same_at_once_share_a_fetch(sources: ContextSources) -> None:
    source = Source(is_open=False)
    sources.register("profile", source.fetch)
    runs = [asyncio.ensure_future(sources.prefetch("ann", tenant="acme")) for _ in range(50)]
    await source.asked.wait()
    source.gate.set()
    assert len({str(each) for each in await asyncio.gather(*runs)}) == 1
    assert source.fetched == {"acme/ann": 1}


async def test_tenants_and_users_never_share(sources: ContextSources) -> None:
    source = Source()
    sources.register("profile", source.fetch)
    for tenant, user in (("a", "ann"), ("b", "ann"), (None, "ann"), ("a", "bob")):
        for _ in range(2):
            profile: Any = (await sources.prefetch(user, tenant=tenant))["profile"]
            assert (profile["tenant"], profile["user"]) == (tenant, user)
    assert set(source.fetched.values()) == {1}


async def test_a_value_is_used_for_its_time_and_then_fetched_anew(
    sources: ContextSources, clock: Clock
) -> None:
    source = Source()
    sources.register("profile", source.fetch, ttl=timedelta(seconds=60))
    seen = []
    for clock.now in (0.0, 59.9, 60.0, 119.0):
        profile: Any = (await sources.prefetch("ann"))["profile"]
        seen.append(profile["fetch"])
    assert seen == [1, 1, 2, 2]


async def test_nothing_is_kept_without_time_after_forgetting_or_under_a_new_source(
    sources: ContextSources,
) -> None:
    brief, lasting, other = Source(), Source(), Source()
    sources.register("brief", brief.fetch, ttl=timedelta(0))
    sources.register("lasting", lasting.fetch)
    await sources.prefetch("ann")
    await sources.prefetch("ann")
    assert (brief.fetched.total(), lasting.fetched.total()) == (2, 1)
    sources.forget("ann")
    await sources.prefetch("ann")
    assert lasting.fetched.total() == 2
    sources.register("lasting", other.fetch)
    await sources.prefetch("ann")
    assert other.fetched.total() == 1


async def test_what_was_under_way_when_it_was_forgotten_is_not_kept(
    sources: ContextSources,
) -> None:
    source = Source(is_open=False)
    sources.register("profile", source.fetch)
    begun = sources.begin("ann")
    await source.asked.wait()
    sources.forget("ann")
    source.gate.set()
    assert "profile" in (await begun.join()).values
    await sources.prefetch("ann")
    assert source.fetched.total() == 2


async def test_no_more_is_kept_than_was_said(clock: Clock) -> None:
    source, sources = Source(), ContextSources(most_entries=2, clock=clock)
    sources.register("profile", source.fetch)
    for user in ("a", "b", "c", "c", "b", "a"):
        await sources.prefetch(user)
    assert source.fetched == {"None/a": 2, "None/b": 1, "None/c": 1}


# -- what goes wrong ------------------------------------------------------------------------


async def test_a_source_that_fails_is_left_out_with_a_note_and_asked_again(
    sources: ContextSources,
) -> None:
    tries: list[str] = []

    def broken(user_id: str) -> None:
        tries.append(user_id)
        raise ConnectionError("no route")

    sources.register("broken", broken)
    sources.register("wrong", lambda _user: object())
    sources.register("good", lambda _user: 1)
    context = await sources.begin("ann").join()
    assert context.values == {"good": 1}
    assert context.notes["broken"] == "failed: ConnectionError: no route"
    assert "which is not a JSON value" in context.notes["wrong"]
    assert await sources.prefetch("ann") == {"good": 1}
    assert tries == ["ann", "ann"]


async def test_a_source_that_is_late_is_given_up_with_a_note(sources: ContextSources) -> None:
    source = Source(is_open=False)
    sources.register("slow", source.fetch, timeout=timedelta(milliseconds=1))
    context = await sources.begin("ann").join()
    assert context == Context({}, {"slow": "did not answer within 0.001 s"})
    assert source.cancelled == 1


async def test_what_a_graph_raises_to_pause_is_no_failure(sources: ContextSources) -> None:
    async def asking(_user: str) -> None:
        raise GraphInterrupt

    sources.register("asking", asking)
    with pytest.raises(GraphInterrupt):
        await sources.prefetch("ann")


# -- cancelling -----------------------------------------------------------------------------


async def test_cancelling_ends_a_fetch_that_nobody_else_wants(sources: ContextSources) -> None:
    source = Source(is_open=False)
    sources.register("profile", source.fetch)
    begun = sources.begin("ann")
    await source.asked.wait()
    begun.cancel()
    begun.cancel()
    assert (await begun.join()).notes == {"profile": "was cancelled"}
    await asyncio.sleep(0)
    assert source.cancelled == 1


async def test_a_fetch_that_another_run_wants_goes_on(sources: ContextSources) -> None:
    source = Source(is_open=False)
    sources.register("profile", source.fetch)
    first, second = sources.begin("ann"), sources.begin("ann")
    await source.asked.wait()
    first.cancel()
    first.cancel()  # counts once
    source.gate.set()
    assert "profile" in (await second.join()).values
    assert source.cancelled == 0


async def test_after_the_last_cancelled_whoever_begins_begins_anew(
    sources: ContextSources,
) -> None:
    source = Source(is_open=False)
    sources.register("profile", source.fetch)
    first = sources.begin("ann")
    await source.asked.wait()
    first.cancel()
    second = sources.begin("ann")  # while the first is being cancelled
    source.gate.set()
    assert "profile" in (await second.join()).values
    assert source.fetched.total() == 2


async def test_a_join_that_is_cancelled_leaves_the_fetch_alone(sources: ContextSources) -> None:
    source = Source(is_open=False)
    sources.register("profile", source.fetch)
    begun = sources.begin("ann")
    joining = asyncio.ensure_future(begun.join())
    await source.asked.wait()
    joining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await joining
    source.gate.set()
    assert "profile" in (await begun.join()).values


async def test_whoever_stops_waiting_for_prefetch_cancels_it(sources: ContextSources) -> None:
    source = Source(is_open=False)
    sources.register("profile", source.fetch)
    waiting = asyncio.ensure_future(sources.prefetch("ann"))
    await source.asked.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.sleep(0)
    assert source.cancelled == 1


# -- several event loops --------------------------------------------------------------------


def test_what_one_loop_fetched_the_next_one_uses(sources: ContextSources) -> None:
    fetched: list[str] = []

    def fetch(user_id: str) -> str:
        fetched.append(user_id)
        return user_id

    sources.register("profile", fetch)
    for _ in range(2):
        assert asyncio.run(sources.prefetch("ann")) == {"profile": "ann"}
    assert fetched == ["ann"]


def test_a_fetch_of_another_loop_is_not_waited_for(sources: ContextSources) -> None:
    async def begin() -> Any:  # noqa: ANN401
        source = Source(is_open=False)
        sources.register("profile", source.fetch)
        begun = sources.begin("ann")
        await source.asked.wait()
        joined = await asyncio.to_thread(lambda: asyncio.run(begun.join()))
        await asyncio.to_thread(begun.cancel)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return joined, source.cancelled

    joined, cancelled = asyncio.run(begin())
    assert "on another event loop" in joined.notes["profile"]
    assert cancelled == 1


def test_a_fetch_ends_with_its_loop(sources: ContextSources) -> None:
    async def leave() -> Source:
        source = Source(is_open=False)
        sources.register("profile", source.fetch)
        sources.begin("ann")
        await source.asked.wait()
        return source

    assert asyncio.run(leave()).cancelled == 1


# -- registering ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"name": ""}, "the name of the source is ''"),
        ({"ttl": timedelta(seconds=-1)}, "ttl of 'x' is"),
        ({"timeout": timedelta(0)}, "timeout of 'x' is 0:00:00"),
        ({"ttl": 5}, "ttl of 'x' is 5; give a timedelta"),
        ({"fetch": 7}, "source 'x' is 7; give a function"),
        ({"fetch": lambda: 1}, r"is a function of \(\)"),
        ({"fetch": lambda _user, _tenant, _more: 1}, r"it has to take \(user_id\) or"),
    ],
)
def test_a_source_that_cannot_be_is_refused(
    sources: ContextSources, settings: dict[str, Any], text: str
) -> None:
    given: dict[str, Any] = {"name": "x", "fetch": lambda _user: 1, **settings}
    with pytest.raises(ConfigurationError, match=text):
        sources.register(given.pop("name"), given.pop("fetch"), **given)
    assert sources.names == ()


async def test_a_second_argument_of_another_name_and_with_a_default_is_no_tenant(
    sources: ContextSources,
) -> None:
    sources.register("orders", lambda user, limit=5: [user, limit])
    sources.register("notes", lambda user, tenant="nobody": [user, tenant])
    values = await sources.prefetch("ann", tenant="acme")
    assert values == {"orders": ["ann", 5], "notes": ["ann", "acme"]}


async def test_a_user_without_an_id_is_refused(sources: ContextSources) -> None:
    with pytest.raises(ConfigurationError, match="the user id is ''"):
        await sources.prefetch("")


def test_room_for_nothing_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="most_entries is 0"):
        ContextSources(most_entries=0)
