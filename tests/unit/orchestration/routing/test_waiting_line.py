"""More calls than endpoints may have: they wait in order, and too many are turned away."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import Any

import pytest

from orchestration import (
    AgentError,
    AgentOverloadedError,
    AgentRegistry,
    AgentSpec,
    AgentUnavailableError,
    BreakerPolicy,
    Endpoint,
    Resilience,
)
from orchestration.routing.picking import endpoint_for
from orchestration.routing.pool import Pick
from tests.unit.orchestration.routing.stage import Clock, call, registry_of


class Slow:
    """Endpoints that answer when they are let go, and count who is inside."""

    def __init__(self) -> None:
        self.inside: list[str] = []
        self.most = 0
        self.gate = asyncio.Semaphore(0)
        self.error: Exception | None = None

    def endpoint(self, name: str, **more: Any) -> Endpoint:  # noqa: ANN401
        async def answer(input_data: dict[str, Any]) -> dict[str, Any]:
            self.inside.append(name)
            self.most = max(self.most, self.inside.count(name))
            await self.gate.acquire()
            self.inside.remove(name)
            if self.error is not None:
                raise self.error
            return {"by": name}

        return Endpoint(endpoint_id=name, handler=answer, **more)

    def let_go(self, count: int) -> None:
        for _ in range(count):
            self.gate.release()


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_no_endpoint_ever_has_more_calls_than_it_may() -> None:
    slow = Slow()
    ends = [slow.endpoint("a", max_concurrency=2), slow.endpoint("b", max_concurrency=1)]
    registry = registry_of(AgentSpec("agent", endpoints=ends))
    running = [asyncio.create_task(call(registry)) for _ in range(10)]
    await settled()
    assert sorted(slow.inside) == ["a", "a", "b"]
    assert registry.get_agent_stats()["versions"]["agent"]["1"]["waiting"] == 7
    slow.let_go(10)
    replies = [reply for reply, _ in await asyncio.gather(*running)]
    assert all(isinstance(reply, dict) for reply in replies)
    assert slow.most == 2


async def test_whoever_came_first_goes_first() -> None:
    slow, order = Slow(), []
    spec = AgentSpec("agent", endpoints=[slow.endpoint("a", max_concurrency=1)])
    registry = registry_of(spec)

    async def numbered(number: int) -> None:
        await call(registry)
        order.append(number)

    running = [asyncio.create_task(numbered(number)) for number in range(6)]
    await settled()
    slow.let_go(6)
    await asyncio.gather(*running)
    assert order == list(range(6))


async def test_beyond_the_queue_calls_are_turned_away_at_once() -> None:
    slow = Slow()
    ends = [slow.endpoint("a", max_concurrency=1)]
    registry = registry_of(AgentSpec("agent", endpoints=ends, max_queue=2))
    running = [asyncio.create_task(call(registry)) for _ in range(5)]
    await settled()
    turned_away = [task.result()[0] for task in running if task.done()]
    assert len(turned_away) == 2
    assert all(isinstance(error, AgentOverloadedError) for error in turned_away)
    assert "2 calls wait for an endpoint already" in str(turned_away[0])
    slow.let_go(3)
    await asyncio.gather(*running)


async def test_who_waits_too_long_is_turned_away_and_the_next_goes_on() -> None:
    slow = Slow()
    spec = AgentSpec(
        "agent",
        endpoints=[slow.endpoint("a", max_concurrency=1)],
        queue_timeout=timedelta(milliseconds=20),
    )
    registry = registry_of(spec)
    first, second = asyncio.create_task(call(registry)), asyncio.create_task(call(registry))
    error = (await second)[0]
    assert isinstance(error, AgentOverloadedError)
    slow.let_go(1)
    assert (await first)[0] == {"by": "a"}
    slow.let_go(1)
    assert (await call(registry))[0] == {"by": "a"}


async def test_who_is_cancelled_in_line_gives_the_turn_to_the_next() -> None:
    slow = Slow()
    registry = registry_of(AgentSpec("agent", endpoints=[slow.endpoint("a", max_concurrency=1)]))
    running = [asyncio.create_task(call(registry)) for _ in range(3)]
    await settled()
    slow.let_go(1)
    await asyncio.sleep(0)  # the second is woken, and cancelled before it runs
    running[1].cancel()
    slow.let_go(1)
    async with asyncio.timeout(5):
        assert (await running[2])[0] == {"by": "a"}


async def test_if_the_endpoint_fails_for_good_nobody_waits_for_ever() -> None:
    slow = Slow()
    slow.error = AgentError("broken")
    spec = AgentSpec(
        "agent",
        endpoints=[slow.endpoint("a", max_concurrency=1)],
        resilience=Resilience(breaker=BreakerPolicy(failures=1)),
    )
    registry = registry_of(spec, clock=Clock())
    running = [asyncio.create_task(call(registry)) for _ in range(5)]
    await settled()
    slow.let_go(1)
    async with asyncio.timeout(5):
        errors = [reply for reply, _ in await asyncio.gather(*running)]
    assert [type(error) for error in errors] == [AgentError, *[AgentUnavailableError] * 4]


@pytest.mark.parametrize("threads", [3])
def test_calls_of_several_event_loops_share_the_limit(threads: int) -> None:
    inside = most = 0
    lock = threading.Lock()

    async def answer(_input: dict[str, Any]) -> dict[str, Any]:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        await asyncio.sleep(0.001)
        with lock:
            inside -= 1
        return {}

    place = Endpoint(endpoint_id="a", handler=answer, max_concurrency=2)
    registry: AgentRegistry = registry_of(AgentSpec("agent", endpoints=[place]))
    failures: list[object] = []

    async def many() -> None:
        for reply, _ in await asyncio.gather(*(call(registry) for _ in range(20))):
            if reply != {}:
                failures.append(reply)

    running = [threading.Thread(target=lambda: asyncio.run(many())) for _ in range(threads)]
    for each in running:
        each.start()
    for each in running:
        each.join(30)
    assert not any(each.is_alive() for each in running)
    assert not failures
    assert most == 2


async def test_a_caller_that_never_pauses_does_not_overtake_those_who_wait() -> None:
    done: list[str] = []

    async def answer(_input: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {}

    ends = [Endpoint(endpoint_id="a", handler=answer, max_concurrency=1)]
    registry = registry_of(AgentSpec("agent", endpoints=ends))

    async def again_and_again() -> None:
        for _ in range(50):
            await call(registry)
            done.append("busy")

    async def once() -> None:
        await call(registry)
        done.append("patient")

    await asyncio.gather(again_and_again(), once(), once())
    assert done.index("patient") <= 2
    assert done.count("patient") == 2


async def test_who_waits_for_one_endpoint_keeps_nobody_from_another() -> None:
    slow = Slow()
    ends = [slow.endpoint("a", max_concurrency=1), slow.endpoint("b", max_concurrency=1)]
    registry = registry_of(AgentSpec("agent", endpoints=ends))
    version = registry.router.groups["agent"].versions["1"]

    async def use(only: str | None) -> str:
        pick = await endpoint_for(registry.router, version, (), only)
        await slow.gate.acquire()
        registry.router.ended(version, pick, seconds=0.0)
        return pick.endpoint.id

    first = asyncio.create_task(use("a"))
    await settled()
    pinned = asyncio.create_task(use("a"))
    await settled()
    other = asyncio.create_task(use(None))
    await settled()
    assert len(version.line) == 1  # b takes the other call at once
    third = asyncio.create_task(use(None))
    await settled()
    assert len(version.line) == 2
    registry.router.ended(version, Pick(version.pool.endpoints["b"], "", probe=False), seconds=0.0)
    await settled()
    assert len(version.line) == 1  # that which is free is not for the first in line
    version.pool.endpoints["b"].outstanding += 1  # as `other` is still to end
    slow.let_go(9)
    used = await asyncio.wait_for(asyncio.gather(first, pinned, other, third), 30)
    assert [*used] == ["a", "a", "b", "b"]


async def test_the_time_in_line_counts_as_a_whole() -> None:
    slow = Slow()
    spec = AgentSpec(
        "agent",
        endpoints=[slow.endpoint("a", max_concurrency=1)],
        queue_timeout=timedelta(milliseconds=60),
    )
    registry = registry_of(spec)
    version = registry.router.groups["agent"].versions["1"]
    first = asyncio.create_task(call(registry))
    await settled()
    waiting = asyncio.create_task(call(registry))
    for _ in range(40):
        await asyncio.sleep(0.01)
        with registry.router.lock:
            version.line.wake_all()  # e.g. as others write what they know
        if waiting.done():
            break
    assert waiting.done()
    assert isinstance(waiting.result()[0], AgentOverloadedError)
    slow.let_go(1)
    await first


async def test_who_waits_looks_again_when_another_endpoint_may_be_back() -> None:
    slow, clock = Slow(), Clock()
    ends = [slow.endpoint("a", max_concurrency=1), slow.endpoint("b")]
    registry = registry_of(AgentSpec("agent", endpoints=ends), clock=clock)
    version = registry.router.groups["agent"].versions["1"]
    version.pool.endpoints["b"].limited_until = clock() + 0.2
    registry.router.refresh(version.pool.endpoints["b"])
    first = asyncio.create_task(call(registry))
    await settled()
    waiting = asyncio.create_task(call(registry))
    await settled()
    assert slow.inside == ["a"]
    clock.pass_(1)
    await asyncio.wait([waiting], timeout=0.4)
    assert slow.inside == ["a", "b"]
    slow.let_go(2)
    await asyncio.gather(first, waiting)


async def test_those_who_wait_for_a_busy_one_do_not_wake_each_other_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow = Slow()
    ends = [slow.endpoint("a", max_concurrency=1), slow.endpoint("b", max_concurrency=1)]
    registry = registry_of(AgentSpec("agent", endpoints=ends))
    router, version = registry.router, registry.router.groups["agent"].versions["1"]
    taken = await endpoint_for(router, version, (), "a")
    pinned = [asyncio.create_task(endpoint_for(router, version, (), "a")) for _ in range(5)]
    await settled()
    looked = 0
    decide = version.pool.decide

    def counted(*given: Any) -> Pick | None:  # noqa: ANN401
        nonlocal looked
        looked += 1
        return decide(*given)

    monkeypatch.setattr(version.pool, "decide", counted)
    version.line.wake()
    for _ in range(10):
        await settled()
    assert looked <= 5
    order = []
    for _ in range(5):
        router.ended(version, taken, seconds=0.0)
        await settled()
        (done,) = [each for each in pinned if each.done() and each not in order]
        order.append(done)
        taken = done.result()
    assert order == pinned
