"""Endpoints that get no calls are asked whether they are well; never all at once."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta

import pytest

from orchestration import AgentError, AgentRegistry, AgentSpec, Endpoint, ProbePolicy, Resilience
from orchestration.routing.breaker import Breaker
from orchestration.routing.health import MOST_AT_ONCE, HealthProbes
from orchestration.routing.pool import Pool
from state.agent_context import AgentContext
from state.jsonvalue import JsonObject
from tests.unit.orchestration.routing.stage import START, Clock


class Remote:
    """A way to an endpoint that counts, and fails when it is told to."""

    def __init__(self) -> None:
        self.probes = self.at_once = self.most_at_once = 0
        self.error: Exception | None = None

    async def call(self, _input: JsonObject, _context: AgentContext) -> JsonObject:
        if self.error is not None:
            raise self.error
        return {}

    async def probe(self) -> None:
        self.probes += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if self.error is not None:
            raise self.error

    async def close(self) -> None:
        return None


class Stage:
    """A registry with remote endpoints that all have one way to them."""

    def __init__(self, size: int = 1, *, policy: ProbePolicy | None = None) -> None:
        self.clock, self.remote = Clock(), Remote()
        self.registry = AgentRegistry(clock=self.clock, random=random.Random(1).random)
        ends = [
            Endpoint(endpoint_id=str(at), address=f"http://host{at}.example") for at in range(size)
        ]
        resilience = Resilience(probe=policy or ProbePolicy())
        self.registry.register(AgentSpec("agent", endpoints=ends, resilience=resilience))
        for endpoint in self.pool.endpoints.values():
            endpoint.connector = self.remote
        self.probes = HealthProbes(self.registry.router)

    @property
    def pool(self) -> Pool:
        return self.registry.router.groups["agent"].versions["1"].pool

    async def pass_(self, seconds: float) -> list[float]:
        """Let time pass; return when probes were made."""
        made = []
        for _ in range(int(seconds * 10)):
            before = self.remote.probes
            await self.probes.look()
            made += [self.clock.seconds - START] * (self.remote.probes - before)
            self.clock.pass_(0.1)
        return made


async def test_many_idle_endpoints_are_probed_at_times_of_their_own() -> None:
    stage = Stage(100)
    made = await stage.pass_(60)
    assert 450 < len(made) < 620  # each about every ten seconds
    busiest = max(sum(at <= each < at + 1 for each in made) for at in range(60))
    assert busiest < 30
    assert stage.remote.most_at_once <= MOST_AT_ONCE


async def test_an_endpoint_that_is_called_is_not_probed() -> None:
    stage = Stage()
    for _ in range(60):
        stage.pool.endpoints["0"].last_call_at = stage.clock.seconds
        await stage.pass_(1)
    assert stage.remote.probes == 0


async def test_after_so_many_failed_probes_it_gets_no_calls_until_one_succeeds() -> None:
    stage = Stage(2)
    stage.pool.endpoints["1"].connector = Remote()
    stage.remote.error = AgentError("not well")
    await stage.pass_(45)
    assert stage.pool.skipped_now().keys() == {"0"}
    assert "probes failed" in stage.pool.skipped_now()["0"]
    stage.remote.error = None
    await stage.pass_(12)
    assert not stage.pool.skipped_now()


async def test_a_probe_of_a_half_open_breaker_closes_it_and_is_the_only_call() -> None:
    stage = Stage()
    endpoint = stage.pool.endpoints["0"]
    stage.remote.error = AgentError("down")
    for _ in range(5):
        agent = stage.registry.choose(agent_id="agent", capability=None)
        with pytest.raises(AgentError):
            await agent.call({}, AgentContext("t", "a", "r", "k"))
    assert endpoint.breaker.is_open
    made = await stage.pass_(9.5)
    assert not made  # it is open, so it is left alone
    made = await stage.pass_(10)
    assert len(made) == 1
    assert endpoint.breaker.openings == 2
    stage.remote.error = None
    await stage.pass_(25)
    assert not endpoint.breaker.is_open


async def test_what_is_slow_to_answer_a_probe_counts_as_failed() -> None:
    stage = Stage(policy=ProbePolicy(timeout=timedelta(milliseconds=1)))

    async def never() -> None:
        await asyncio.Event().wait()

    stage.remote.probe = never  # type: ignore[method-assign]  # the fake's own
    (found,) = await stage.probes.all()
    assert found.error == "it did not answer the probe in time"


async def test_a_kind_that_cannot_be_asked_is_asked_once() -> None:
    stage = Stage()

    async def cannot() -> None:
        stage.remote.probes += 1
        raise NotImplementedError

    stage.remote.probe = cannot  # type: ignore[method-assign]  # the fake's own
    await stage.pass_(60)
    assert stage.remote.probes == 1


async def test_nothing_is_known_any_more_when_nobody_probes() -> None:
    stage = Stage(2)
    endpoint = stage.pool.endpoints["0"]
    endpoint.failed_probes, endpoint.last_probe_at = 3, START
    stage.pool.refresh(endpoint, START)
    assert stage.pool.serving == 1
    stage.pool.catch_up(START + 50)
    assert stage.pool.serving == 2


async def test_what_a_connector_imports_takes_nothing_of_the_time_of_a_probe() -> None:
    class Heavy(Remote):
        async def get_ready(self) -> None:
            await asyncio.sleep(0.1)

    stage = Stage(policy=ProbePolicy(timeout=timedelta(seconds=0.05)))
    for endpoint in stage.pool.endpoints.values():
        endpoint.connector = Heavy()
    (found,) = await stage.probes.all()
    assert found.error is None
    assert found.seconds < 0.05


async def test_a_kind_that_cannot_be_asked_leaves_the_probe_to_a_call() -> None:
    stage = Stage()

    async def cannot() -> None:
        raise NotImplementedError

    stage.remote.probe = cannot  # type: ignore[method-assign]
    endpoint = stage.pool.endpoints["0"]
    endpoint.breaker = Breaker(is_open=True, due=START)
    await stage.pass_(30)
    assert not endpoint.can_be_probed
    assert stage.pool.decide(stage.clock(), random.Random(1).random) is not None


async def test_a_probe_that_fails_in_any_way_says_that_the_endpoint_is_unwell() -> None:
    stage = Stage()

    async def broken() -> None:
        raise ValueError("of the client")

    stage.remote.probe = broken  # type: ignore[method-assign]
    endpoint = stage.pool.endpoints["0"]
    endpoint.breaker = Breaker(is_open=True, due=START)
    await stage.pass_(30)
    assert endpoint.failed_probes >= 1
    assert endpoint.breaker.openings >= 1
    assert endpoint.breaker.probe_until == 0


async def test_a_probe_that_is_broken_off_leaves_the_next_one_to_others() -> None:
    stage = Stage()
    asked = asyncio.Event()

    async def never() -> None:
        asked.set()
        await asyncio.Event().wait()

    stage.remote.probe = never  # type: ignore[method-assign]
    endpoint = stage.pool.endpoints["0"]
    endpoint.breaker = Breaker(is_open=True, due=START)
    probing = asyncio.create_task(stage.probes.all())
    await asked.wait()
    assert stage.pool.decide(stage.clock(), random.Random(1).random) is None
    probing.cancel()
    await asyncio.wait([probing])
    assert stage.pool.decide(stage.clock(), random.Random(1).random) is not None


async def test_while_a_call_is_the_probe_no_other_is_made() -> None:
    stage = Stage()
    endpoint = stage.pool.endpoints["0"]
    endpoint.breaker = Breaker(is_open=True, due=START)
    pick = stage.pool.decide(stage.clock(), random.Random(1).random)
    assert pick is not None
    stage.pool.begin(pick, stage.clock())
    await stage.probes.all()
    assert stage.remote.probes == 0
