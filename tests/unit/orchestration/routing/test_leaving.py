"""What is begun beside the calls ends, and ways to endpoints that are gone are closed."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from orchestration import AgentSpec, Endpoint
from orchestration.routing import shadowing
from orchestration.routing.background import MOST_AT_ONCE, Background
from state.agent_context import AgentContext
from state.jsonvalue import JsonObject
from tests.unit.orchestration.routing.stage import call, registry_of


class Way:
    """A way to an endpoint whose calls end when the test says so."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.begun = asyncio.Event()
        self.closed = 0

    async def call(self, _input: JsonObject, _context: AgentContext) -> JsonObject:
        self.begun.set()
        await self.gate.wait()
        return {}

    async def probe(self) -> None:
        return None

    async def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("is_used", [True, False])
async def test_the_way_to_an_agent_that_is_gone_is_closed_after_its_last_call(
    is_used: bool,  # noqa: FBT001
) -> None:
    registry, way = registry_of(AgentSpec("agent", endpoint="https://a.example.com")), Way()
    (endpoint,) = registry.router.endpoints()
    endpoint.connector = way
    running = asyncio.create_task(call(registry)) if is_used else None
    if running is not None:
        await way.begun.wait()
    registry.unregister("agent")
    if running is not None:
        await registry.settle()
        assert way.closed == 0
        way.gate.set()
        assert (await running)[0] == {}
    await registry.settle()
    assert way.closed == 1


async def test_however_many_leave_at_once_all_their_ways_are_closed() -> None:
    ends = [
        Endpoint(endpoint_id=f"e{at}", address=f"https://a{at}.example.com")
        for at in range(2 * MOST_AT_ONCE)
    ]
    registry, ways = registry_of(AgentSpec("agent", endpoints=ends)), []
    for endpoint in registry.router.endpoints():
        endpoint.connector = way = Way()
        ways.append(way)
    registry.unregister("agent")
    await registry.settle()
    assert {way.closed for way in ways} == {1}


async def test_a_copy_that_is_never_answered_keeps_nobody_from_leaving(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    never = asyncio.Event()

    async def hang(_input: dict[str, Any]) -> dict[str, Any]:
        await never.wait()
        return {}

    async def answer(_input: dict[str, Any]) -> dict[str, Any]:
        return {}

    monkeypatch.setattr(shadowing, "LONGEST", timedelta(milliseconds=20))
    registry = registry_of(
        AgentSpec("agent", handler=answer, read_only=True),
        AgentSpec("agent", handler=hang, version="2", weight=0, read_only=True, shadow=1),
    )
    assert (await call(registry))[0] == {}
    await asyncio.wait_for(registry.settle(), 10)
    (endpoint,) = registry.router.groups["agent"].versions["2"].pool.endpoints.values()
    assert endpoint.outstanding == 0


async def test_what_does_not_end_in_time_is_broken_off() -> None:
    background, broken_off = Background(), asyncio.Event()

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            broken_off.set()

    background.begin(hang())
    await asyncio.wait_for(background.settle(at_most=0.02), 10)
    assert broken_off.is_set()
