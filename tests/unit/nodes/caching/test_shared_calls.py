"""One call for all who ask the same at the same time, in one process."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from pathlib import Path

import pytest
from langgraph.errors import GraphInterrupt
from langgraph.types import Interrupt

from checkpoints.response_caches import open_cache
from nodes.caching.response_cache import ResponseCache
from nodes.caching.verdict import Cached
from state.errors import (
    AgentUnavailableError,
    LeaseLostError,
)
from state.jsonvalue import JsonObject
from tests.unit.nodes.caching.cache_stage import (
    KEY,
    PLAIN,
    Agent,
    Time,
    asking,
    finished,
    key_of,
    kinds,
    prompt,
    settle,
    until_called,
)


async def test_who_asks_the_same_at_the_same_time_shares_one_call(cache: ResponseCache) -> None:
    agent = Agent()
    waiting = [asking(cache, agent) for _ in range(200)]
    await until_called(agent)
    agent.may_answer.set()
    found = await asyncio.gather(*waiting)
    assert (agent.calls, kinds(found)) == (1, Counter(joined=199, miss=1))
    assert all(each.reply == {"content": "sunny"} for each in found)


async def test_different_questions_do_not_wait_for_each_other(cache: ResponseCache) -> None:
    slow, fast = Agent(), prompt()
    waiting = asking(cache, slow)
    await until_called(slow)
    found = await cache.answer(key_of("weather in Paris?"), fast, policy=PLAIN)
    assert found.verdict["verdict"] == "miss"
    slow.may_answer.set()
    await waiting


async def test_cancelling_the_first_caller_cancels_nobody_else(cache: ResponseCache) -> None:
    agent = Agent()
    first = asking(cache, agent)
    await until_called(agent)
    others = [asking(cache, agent) for _ in range(5)]
    await settle()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    agent.may_answer.set()
    found = await asyncio.gather(*others)
    assert (agent.calls, agent.cancelled, kinds(found)) == (1, 0, Counter(joined=5))
    assert (await cache.answer(KEY, agent, policy=PLAIN)).verdict["verdict"] == "hit"


async def test_when_the_last_caller_is_cancelled_the_call_is_too(cache: ResponseCache) -> None:
    agent = Agent()
    waiting = [asking(cache, agent) for _ in range(3)]
    await until_called(agent)
    await settle()
    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert agent.cancelled == 1
    found = await cache.answer(KEY, prompt({"content": "new"}), policy=PLAIN)
    assert (found.reply, found.verdict["verdict"]) == ({"content": "new"}, "miss")


async def test_who_asks_while_an_abandoned_call_tidies_up_gets_a_new_one(
    cache: ResponseCache, time: Time
) -> None:
    began, tidying, tidied = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def tidy() -> JsonObject:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            tidying.set()
            await tidied.wait()
        return {}

    first = asyncio.create_task(cache.answer(KEY, tidy, policy=PLAIN))
    await began.wait()
    first.cancel()
    await tidying.wait()
    second = asking(cache, prompt({"content": "new"}))
    await settle()
    tidied.set()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert (await finished(second, time)).reply == {"content": "new"}


async def test_an_error_reaches_all_and_is_not_kept(cache: ResponseCache) -> None:
    agent = Agent(error=AgentUnavailableError("down", retry_after=3))
    waiting = [asking(cache, agent) for _ in range(20)]
    await until_called(agent)
    agent.may_answer.set()
    raised = await asyncio.gather(*waiting, return_exceptions=True)
    assert agent.calls == 1
    assert {(type(each), str(each)) for each in raised} == {(AgentUnavailableError, "down")}
    found = await cache.answer(KEY, prompt(), policy=PLAIN)
    assert found.verdict["verdict"] == "miss"


async def test_an_agent_that_cancels_itself_cancels_no_caller(cache: ResponseCache) -> None:
    async def cancels_itself() -> JsonObject:
        raise asyncio.CancelledError

    task = asyncio.create_task(cache.answer(KEY, cancels_itself, policy=PLAIN))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelling() == 0
    assert (await cache.answer(KEY, prompt(), policy=PLAIN)).verdict["verdict"] == "miss"


@pytest.mark.parametrize(
    "asked",
    [GraphInterrupt([Interrupt(value="sure?", id="1")]), LeaseLostError("thread")],
)
async def test_what_is_about_one_thread_stays_there_and_others_make_their_own_call(
    cache: ResponseCache, asked: Exception
) -> None:
    pausing, own = Agent(error=asked), prompt({"content": "own"})
    first = asking(cache, pausing)
    await until_called(pausing)
    others = [asking(cache, own) for _ in range(3)]
    await settle()
    pausing.may_answer.set()
    with pytest.raises(type(asked)):
        await first
    found = await asyncio.gather(*others)
    assert kinds(found) == Counter(bypass=3)
    assert (pausing.calls, own.calls) == (1, 3)
    assert (await cache.answer(KEY, own, policy=PLAIN)).verdict["verdict"] == "miss"


@pytest.mark.parametrize("url", ["memory://", "sqlite:///{}"])
def test_two_loops_in_two_threads_share_one_call(url: str, tmp_path: Path) -> None:
    store = open_cache(url.format(tmp_path / "cache.db"))
    cache = ResponseCache(store)
    called, may_answer, calls = threading.Event(), threading.Event(), [0]

    async def call() -> JsonObject:
        calls[0] += 1
        called.set()
        await asyncio.to_thread(may_answer.wait, 20)
        return {"content": "sunny"}

    async def ask() -> list[Cached]:
        return await asyncio.gather(*(cache.answer(KEY, call, policy=PLAIN) for _ in range(20)))

    found: list[Cached] = []
    threads = [threading.Thread(target=lambda: found.extend(asyncio.run(ask()))) for _ in range(2)]
    for each in threads:
        each.start()
    assert called.wait(20)
    may_answer.set()
    for each in threads:
        each.join()
    assert (calls, len(found), kinds(found)["miss"]) == ([1], 40, 1)
    asyncio.run(store.aclose())
