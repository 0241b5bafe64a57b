"""Who asks after an invalidation gets nothing from before, also not of a call under way."""

from __future__ import annotations

from collections import Counter

from checkpoints.cache_store import ResponseStore
from nodes.caching.response_cache import ResponseCache
from tests.unit.nodes.caching.cache_stage import (
    KEY,
    PLAIN,
    Agent,
    asking,
    kinds,
    policy,
    prompt,
    settle,
    until_called,
)


async def test_an_answer_whose_call_began_before_an_invalidation_is_not_kept(
    cache: ResponseCache, store: ResponseStore
) -> None:
    agent = Agent({"content": "old"})
    before = asking(cache, agent)
    await until_called(agent)
    await store.ainvalidate(agent_id="weather")
    agent.may_answer.set()
    found = await before
    assert found.verdict["why"] == "not stored: invalidated during the call, or too large"
    assert (await cache.answer(KEY, prompt(), policy=PLAIN)).verdict["verdict"] == "miss"


async def test_who_asks_after_an_invalidation_gets_no_answer_from_before(
    cache: ResponseCache, store: ResponseStore
) -> None:
    old, new = Agent({"content": "old"}), prompt({"content": "new"})
    before = asking(cache, old)
    await until_called(old)
    joined_before = asking(cache, old)
    await settle()
    await store.ainvalidate(tenant="acme")
    after = await cache.answer(KEY, new, policy=PLAIN)
    assert (after.reply, after.verdict["verdict"]) == ({"content": "new"}, "miss")
    old.may_answer.set()
    for each in (before, joined_before):
        assert (await each).reply == {"content": "old"}
    assert (await cache.answer(KEY, new, policy=PLAIN)).reply == {"content": "new"}


async def test_what_another_process_invalidates_counts_here(
    cache: ResponseCache, elsewhere: ResponseCache
) -> None:
    old, new = Agent({"content": "old"}), prompt({"content": "new"})
    before = asking(cache, old)
    await until_called(old)
    await elsewhere.store.ainvalidate(agent_id="weather", version="1")
    assert (await elsewhere.answer(KEY, new, policy=PLAIN)).reply == {"content": "new"}
    old.may_answer.set()
    await before
    assert (await cache.answer(KEY, old, policy=PLAIN)).reply == {"content": "new"}


async def test_an_invalidation_of_something_else_does_not_part_those_who_ask_the_same(
    cache: ResponseCache, store: ResponseStore
) -> None:
    agent = Agent()
    first = asking(cache, agent)
    await until_called(agent)
    await store.ainvalidate(tenant="globex")
    second = asking(cache, agent)
    await settle()
    agent.may_answer.set()
    assert kinds([await first, await second]) == Counter(miss=1, joined=1)


async def test_answers_are_invalidated_by_the_tags_of_their_policy(
    cache: ResponseCache, store: ResponseStore
) -> None:
    agent, how = prompt(), policy(tags=("forecast", "daily"))
    await cache.answer(KEY, agent, policy=how)
    assert await store.ainvalidate(tag="daily") == 1
    assert (await cache.answer(KEY, agent, policy=how)).verdict["verdict"] == "miss"
