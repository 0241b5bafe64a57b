"""Answers that are kept: for whom, for how long, and which never."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from nodes.caching.question import full_key_of
from nodes.caching.response_cache import ResponseCache
from state.jsonvalue import JsonObject
from tests.unit.nodes.caching.cache_stage import (
    KEY,
    PLAIN,
    Agent,
    Time,
    asking,
    key_of,
    policy,
    prompt,
    until_called,
)


async def test_a_question_is_answered_by_a_call_once_and_then_from_the_cache(
    cache: ResponseCache, time: Time
) -> None:
    agent = prompt()
    first = await cache.answer(KEY, agent, policy=PLAIN)
    await time.pass_by(12)
    second = await cache.answer(KEY, agent, policy=PLAIN)
    assert first.reply == {"content": "sunny"}
    assert first.verdict == {"verdict": "miss", "why": "stored"}
    assert second.reply == first.reply
    assert second.verdict == {"verdict": "hit", "why": "kept", "age_seconds": 12}
    assert agent.calls == 1


async def test_an_answer_is_forgotten_after_its_ttl(cache: ResponseCache, time: Time) -> None:
    agent = prompt()
    await cache.answer(KEY, agent, policy=PLAIN)
    await time.pass_by(3601)
    assert (await cache.answer(KEY, agent, policy=PLAIN)).verdict["verdict"] == "miss"
    assert agent.calls == 2


async def test_who_asks_with_a_shorter_ttl_gets_no_older_answer(
    cache: ResponseCache, time: Time
) -> None:
    agent = prompt()
    await cache.answer(KEY, agent, policy=PLAIN)
    await time.pass_by(61)
    short = policy(ttl=timedelta(minutes=1))
    assert (await cache.answer(KEY, agent, policy=short)).verdict["verdict"] == "miss"


@pytest.mark.parametrize(
    "other",
    [
        key_of(tenant="globex"),
        key_of(tenant=None),
        key_of(tenant=""),
        key_of(user="bob"),
        key_of(user=None),
        key_of(version="2"),
        key_of(agent_id="traffic"),
        key_of(agent_id="weather@1", version=""),
        key_of(capability="forecast"),
        key_of(scope="tenant"),
        key_of("weather in Paris?"),
    ],
)
async def test_answers_are_not_shared_with(cache: ResponseCache, other: Any) -> None:  # noqa: ANN401
    await cache.answer(KEY, prompt({"content": "secret of ann"}), policy=PLAIN)
    found = await cache.answer(other, prompt({"content": "own"}), policy=PLAIN)
    assert (found.reply, found.verdict["verdict"]) == ({"content": "own"}, "miss")


async def test_users_of_a_tenant_share_where_the_policy_says_so(cache: ResponseCache) -> None:
    agent, how = prompt(), policy(scope="tenant")
    await cache.answer(key_of(user="ann", scope="tenant"), agent, policy=how)
    found = await cache.answer(key_of(user="bob", scope="tenant"), agent, policy=how)
    assert found.verdict["verdict"] == "hit"
    other = key_of(user="bob", scope="tenant", tenant="globex")
    assert (await cache.answer(other, agent, policy=how)).verdict["verdict"] == "miss"


async def test_who_changes_an_answer_changes_no_other(cache: ResponseCache) -> None:
    agent = Agent({"list": [1]})
    waiting = [asking(cache, agent) for _ in range(3)]
    await until_called(agent)
    agent.may_answer.set()
    found = [each.reply for each in await asyncio.gather(*waiting)]
    found.append((await cache.answer(KEY, agent, policy=PLAIN)).reply)
    for reply in found:
        assert reply == {"list": [1]}
        reply["list"] = "changed"
    assert (await cache.answer(KEY, agent, policy=PLAIN)).reply == {"list": [1]}


@pytest.mark.parametrize(
    "reply",
    [
        {"content": "half", "partial": True},
        {"interrupted": True},
        {"error": "no weather today"},
        {"__interrupt__": [1]},
    ],
)
async def test_a_reply_that_is_not_complete_is_given_but_not_kept(
    cache: ResponseCache, reply: JsonObject
) -> None:
    agent = prompt(reply)
    found = await cache.answer(KEY, agent, policy=PLAIN)
    assert found.reply == reply
    assert found.verdict == {"verdict": "miss", "why": "not stored: the reply is not complete"}
    await cache.answer(KEY, agent, policy=PLAIN)
    assert agent.calls == 2


async def test_a_caller_may_say_which_replies_are_kept(cache: ResponseCache) -> None:
    agent = prompt({"rows": []})
    for _ in range(2):
        await cache.answer(KEY, agent, policy=PLAIN, cacheable=lambda reply: bool(reply["rows"]))
    assert agent.calls == 2


async def test_a_reply_that_is_no_json_object_is_given_to_all_and_not_kept(
    cache: ResponseCache,
) -> None:
    odd: Any = {"when": object()}
    agent = Agent(odd)
    waiting = [asking(cache, agent) for _ in range(2)]
    await until_called(agent)
    agent.may_answer.set()
    assert [each.reply for each in await asyncio.gather(*waiting)] == [odd, odd]
    assert (await cache.stats())["stored"] == 0
    assert (await cache.answer(KEY, prompt(), policy=PLAIN)).verdict["verdict"] == "miss"


GOOD: JsonObject = {"schema": 1, "stored_at": 0, "fresh_until": 1e12, "stale_until": 1e12}


@pytest.mark.parametrize(
    "kept",
    [
        [1],
        {**GOOD, "reply": "text"},
        {**GOOD, "reply": {}, "schema": "1"},
        {"schema": 1, "reply": {"content": "made up"}},
        {**GOOD, "reply": {"content": "made up"}, "stored_at": "x"},
        {**GOOD, "reply": {"content": "made up"}, "fresh_until": True},
        {**GOOD, "reply": {"content": "made up"}, "fresh_until": float("inf")},
        {**GOOD, "reply": {"content": "made up"}, "fresh_until": None},
    ],
)
async def test_what_no_cache_has_written_is_not_there(cache: ResponseCache, kept: Any) -> None:  # noqa: ANN401
    await cache.store.aset({full_key_of(KEY): (kept, 60)})
    found = await cache.answer(KEY, prompt(), policy=PLAIN)
    assert (found.reply, found.verdict["verdict"]) == ({"content": "sunny"}, "miss")
