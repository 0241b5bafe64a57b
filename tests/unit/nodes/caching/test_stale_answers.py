"""Old answers: while a new one is fetched, instead of an error, and without a store."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest

from checkpoints.response_caches import open_cache
from nodes.caching.response_cache import ResponseCache
from state.errors import (
    AgentError,
    AgentRefusedError,
    AgentUnavailableError,
)
from tests.unit.nodes.caching.cache_stage import (
    KEY,
    PLAIN,
    Agent,
    Time,
    asking,
    eventually,
    key_of,
    kinds,
    policy,
    prompt,
    settle,
    until_called,
)


async def count(cache: ResponseCache, what: Literal["refreshed", "refreshes_failed"]) -> int:
    return (await cache.stats())[what]


async def test_a_stale_answer_is_given_at_once_and_fetched_anew_once(
    cache: ResponseCache, time: Time
) -> None:
    how = policy(stale_while_revalidate=timedelta(minutes=5))
    await cache.answer(KEY, prompt({"content": "old"}), policy=how)
    await time.pass_by(3700)
    agent = Agent({"content": "new"})
    found = [await cache.answer(KEY, agent, policy=how) for _ in range(5)]
    assert kinds(found) == Counter(stale=5)
    assert found[0].reply == {"content": "old"}
    assert found[0].verdict["age_seconds"] == 3700
    await until_called(agent)
    agent.may_answer.set()
    await eventually(lambda: count(cache, "refreshed"))
    found = [await cache.answer(KEY, agent, policy=how)]
    assert (agent.calls, found[0].reply, kinds(found)) == (1, {"content": "new"}, Counter(hit=1))


async def test_two_processes_fetch_a_stale_answer_once(
    cache: ResponseCache, elsewhere: ResponseCache, time: Time
) -> None:
    how = policy(stale_while_revalidate=timedelta(minutes=5))
    await cache.answer(KEY, prompt(), policy=how)
    await time.pass_by(3700)
    agent, never = Agent(), Agent()
    await cache.answer(KEY, agent, policy=how)
    await until_called(agent)
    await elsewhere.answer(KEY, never, policy=how)
    agent.may_answer.set()
    await eventually(lambda: count(cache, "refreshed"))
    await asyncio.sleep(0.02)
    assert never.calls == 0
    await elsewhere.aclose()


async def test_a_refresh_that_fails_is_noted_and_the_old_answer_stays(
    cache: ResponseCache, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    how = policy(stale_while_revalidate=timedelta(minutes=5))
    await cache.answer(KEY, prompt(), policy=how)
    await time.pass_by(3700)
    await cache.answer(KEY, prompt(error=AgentError("down")), policy=how)
    await eventually(lambda: count(cache, "refreshes_failed"))
    assert "could not be refreshed: down" in caplog.text
    soon = Agent()
    assert (await cache.answer(KEY, soon, policy=how)).verdict["verdict"] == "stale"
    await settle()
    assert soon.calls == 0  # an agent that is down is not asked by everybody
    await cache.aclose()


async def test_closing_ends_what_is_fetched_in_the_background(
    cache: ResponseCache, time: Time
) -> None:
    how = policy(stale_while_revalidate=timedelta(minutes=5))
    await cache.answer(KEY, prompt(), policy=how)
    await time.pass_by(3700)
    agent = Agent()
    await cache.answer(KEY, agent, policy=how)
    await until_called(agent)
    await cache.aclose()
    assert agent.cancelled == 1


async def test_a_stale_answer_stands_in_for_a_call_that_fails(
    cache: ResponseCache, time: Time
) -> None:
    how = policy(stale_if_error=timedelta(minutes=5))
    await cache.answer(KEY, prompt(), policy=how)
    await time.pass_by(3700)
    found = await cache.answer(KEY, prompt(error=AgentUnavailableError("down")), policy=how)
    assert found == (
        {"content": "sunny"},
        {
            "verdict": "stale",
            "why": "the call failed: AgentUnavailableError: down",
            "age_seconds": 3700,
        },
    )
    await time.pass_by(300)
    with pytest.raises(AgentUnavailableError):
        await cache.answer(KEY, prompt(error=AgentUnavailableError("down")), policy=how)


async def test_no_old_answer_hides_that_the_agent_refuses(cache: ResponseCache, time: Time) -> None:
    how = policy(stale_if_error=timedelta(minutes=5))
    await cache.answer(KEY, prompt(), policy=how)
    await time.pass_by(3700)
    with pytest.raises(AgentRefusedError):
        await cache.answer(KEY, prompt(error=AgentRefusedError("no")), policy=how)


async def test_without_a_server_calls_are_made_and_shared_all_the_same() -> None:
    store = open_cache("redis://127.0.0.1:9/0")
    cache, agent = ResponseCache(store), Agent()
    waiting = [asking(cache, agent) for _ in range(5)]
    await until_called(agent)
    agent.may_answer.set()
    found = await asyncio.gather(*waiting)
    assert (agent.calls, kinds(found)) == (1, Counter(bypass=1, joined=4))
    assert all("cache unreachable" in each.verdict["why"] for each in found)
    agent.error = AgentError("down")
    with pytest.raises(AgentError, match="down"):
        await cache.answer(KEY, agent, policy=PLAIN)
    await store.aclose()


async def test_a_store_that_is_lost_during_the_call_costs_only_the_storing(
    tmp_path: Path,
) -> None:
    store = open_cache(f"sqlite:///{tmp_path / 'cache.db'}")
    cache, agent = ResponseCache(store), Agent()
    waiting = asking(cache, agent)
    await until_called(agent)
    await store.aclose()
    agent.may_answer.set()
    found = await waiting
    assert found.reply == {"content": "sunny"}
    assert found.verdict["why"].startswith("not stored: cache unreachable")


async def test_stats_count_what_happened(cache: ResponseCache, time: Time) -> None:
    how = policy(stale_if_error=timedelta(minutes=5))
    await cache.answer(KEY, prompt(), policy=how)
    await cache.answer(KEY, prompt(), policy=how)
    await time.pass_by(3700)
    await cache.answer(KEY, prompt(error=AgentError("down")), policy=how)
    with pytest.raises(AgentError):
        await cache.answer(key_of("x"), prompt(error=AgentError("down")), policy=how)
    stats = await cache.stats()
    counts = {name: stats[name] for name in ("hits", "misses", "stale", "failed", "stored")}
    assert counts == {"hits": 1, "misses": 1, "stale": 1, "failed": 1, "stored": 1}
    assert (stats["entries"], stats["bypassed"], stats["joined"]) == (1, 0, 0)
