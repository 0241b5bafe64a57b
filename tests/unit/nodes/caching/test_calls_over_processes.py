"""One call for all processes, and what becomes of it when one gives up or dies."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from langgraph.errors import GraphInterrupt
from langgraph.types import Interrupt

from checkpoints.cache_store import ResponseStore
from checkpoints.cache_values import Claim, Labels
from nodes.caching.question import full_key_of
from nodes.caching.response_cache import ResponseCache
from nodes.caching.shared_call import LEASE_SECONDS
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
    finished,
    kinds,
    prompt,
    settle,
    until_called,
)


async def test_another_process_waits_for_the_call(
    cache: ResponseCache, elsewhere: ResponseCache, time: Time
) -> None:
    agent, never = Agent(), Agent()
    leading = asking(cache, agent)
    await until_called(agent)
    following = [asking(elsewhere, never) for _ in range(3)]
    await time.pass_by(1)
    agent.may_answer.set()
    await leading
    found = [await finished(each, time) for each in following]
    assert (agent.calls, never.calls, kinds(found)) == (1, 0, Counter(joined=3))
    assert all(each.reply == {"content": "sunny"} for each in found)


async def test_an_answer_that_is_stored_between_the_look_and_the_claim_is_used(
    cache: ResponseCache, elsewhere: ResponseCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = cache.store.claim

    async def late(*key: Any, **how: Any) -> Claim:  # noqa: ANN401  handed through
        monkeypatch.undo()
        await elsewhere.answer(KEY, prompt({"content": "first"}), policy=PLAIN)
        return await claim(*key, **how)

    monkeypatch.setattr(cache.store, "claim", late)
    never = Agent()
    found = await cache.answer(KEY, never, policy=PLAIN)
    assert (found.reply, found.verdict["verdict"]) == ({"content": "first"}, "joined")
    assert never.calls == 0
    assert (await cache.store.look(full_key_of(KEY))).holder is None


async def test_a_long_call_keeps_its_claim(
    cache: ResponseCache, elsewhere: ResponseCache, time: Time
) -> None:
    agent, never = Agent(), Agent()
    leading = asking(cache, agent)
    await until_called(agent)
    following = asking(elsewhere, never)
    for _ in range(20):
        await time.until_asleep(2)  # who renews the claim, and who follows it
        await time.pass_by(LEASE_SECONDS / 4)
    agent.may_answer.set()
    await leading
    assert (await finished(following, time)).verdict["verdict"] == "joined"
    assert never.calls == 0


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (AgentUnavailableError("down", retry_after=3), "AgentUnavailableError: down"),
        (AgentRefusedError("no"), "AgentRefusedError: no"),
        (ValueError("odd"), "SharedCallError: ValueError: odd"),
    ],
)
async def test_an_error_reaches_the_other_process_as_what_it_was(
    cache: ResponseCache, elsewhere: ResponseCache, time: Time, error: Exception, seen: str
) -> None:
    agent, again = Agent(error=error), prompt()
    leading = asking(cache, agent)
    await until_called(agent)
    following = asking(elsewhere, again)
    await time.pass_by(1)
    agent.may_answer.set()
    with pytest.raises(type(error)):
        await leading
    with pytest.raises(AgentError) as caught:
        await finished(following, time)
    assert f"{type(caught.value).__name__}: {caught.value}" == seen
    assert getattr(caught.value, "retry_after", None) == getattr(error, "retry_after", None)
    assert again.calls == 0
    assert (await elsewhere.answer(KEY, again, policy=PLAIN)).verdict["verdict"] == "miss"


async def test_when_the_other_process_gives_up_the_call_is_made_here(
    cache: ResponseCache, elsewhere: ResponseCache, time: Time
) -> None:
    agent, own = Agent(), prompt({"content": "own"})
    leading = asking(cache, agent)
    await until_called(agent)
    following = asking(elsewhere, own)
    await time.pass_by(1)
    leading.cancel()
    await asyncio.gather(leading, return_exceptions=True)
    found = await finished(following, time)
    assert (found.reply, found.verdict["verdict"]) == ({"content": "own"}, "miss")


async def test_when_the_other_process_dies_the_call_is_made_here_after_the_lease(
    cache: ResponseCache, store: ResponseStore, time: Time
) -> None:
    await store.claim(
        full_key_of(KEY), "dead", labels=Labels("weather", "1", "acme"), lease_seconds=LEASE_SECONDS
    )
    agent = prompt()
    following = asking(cache, agent)
    await settle()
    assert agent.calls == 0
    found = await finished(following, time)
    assert (found.verdict["verdict"], agent.calls) == ("miss", 1)


async def test_a_question_of_another_processes_thread_makes_no_trouble_here(
    cache: ResponseCache, elsewhere: ResponseCache, time: Time
) -> None:
    pausing = Agent(error=GraphInterrupt([Interrupt(value="sure?", id="1")]))
    own = prompt()
    leading = asking(cache, pausing)
    await until_called(pausing)
    following = asking(elsewhere, own)
    await time.pass_by(1)
    pausing.may_answer.set()
    with pytest.raises(GraphInterrupt):
        await leading
    assert (await finished(following, time)).verdict["verdict"] == "miss"
