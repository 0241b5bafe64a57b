"""A registry is kept as its sources say; a source that fails counts with what it said before."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from orchestration import AgentRegistry, AgentSpec, DiscoveryError
from tests.unit.orchestration.routing.stage import Clock


async def answer(_input: dict[str, Any]) -> dict[str, Any]:
    return {}


def spec(agent_id: str, **more: Any) -> AgentSpec:  # noqa: ANN401
    return AgentSpec(agent_id, ["work"], handler=answer, **more)


class Source:
    """Says what the test says."""

    def __init__(self, name: str, *specs: AgentSpec) -> None:
        self.name = name
        self.says: Sequence[AgentSpec] | Exception = specs
        self.asked = 0

    async def find(self) -> Sequence[AgentSpec]:
        self.asked += 1
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


def known(registry: AgentRegistry) -> list[str]:
    return sorted(f"{each.agent_id}@{each.version}" for each in registry.list_agents())


async def test_agents_appear_change_and_leave() -> None:
    registry, source = AgentRegistry(), Source("file", spec("a"), spec("b"))
    discovery = registry.discover([source])
    await discovery.refresh()
    assert known(registry) == ["a@1", "b@1"]
    source.says = [spec("b", description="changed"), spec("b", version="2")]
    await discovery.refresh(at_once=True)
    assert known(registry) == ["b@1", "b@2"]
    assert registry.get("b", "1").description == "changed"
    source.says = []
    await discovery.refresh(at_once=True)
    assert known(registry) == []


async def test_what_stays_the_same_is_not_registered_again() -> None:
    registry, source = AgentRegistry(), Source("file", spec("b"), spec("b", version="2"))
    discovery = registry.discover([source])
    await discovery.refresh()
    latest = registry.get("b").version
    source.says = [spec("b"), spec("b", version="2"), spec("c")]
    await discovery.refresh(at_once=True)
    assert registry.get("b").version == latest


async def test_a_source_that_fails_counts_with_what_it_said_and_says_why() -> None:
    registry, source = AgentRegistry(), Source("dns", spec("a"))
    other = Source("file", spec("b"))
    discovery = registry.discover([source, other])
    await discovery.refresh()
    source.says = DiscoveryError("SERVFAIL")
    other.says = [spec("c")]
    await discovery.refresh(at_once=True)
    assert known(registry) == ["a@1", "c@1"]
    assert [(each.source, each.message) for each in discovery.complaints] == [("dns", "SERVFAIL")]
    source.says = [spec("a")]
    await discovery.refresh(at_once=True)
    assert not discovery.complaints


async def test_an_agent_is_as_the_first_source_says_with_all_its_versions() -> None:
    registry = AgentRegistry()
    first, second = Source("file", spec("a", version="2")), Source("team", spec("a"), spec("b"))
    discovery = registry.discover([first, second])
    await discovery.refresh()
    assert known(registry) == ["a@2", "b@1"]
    first.says = []
    await discovery.refresh(at_once=True)
    assert known(registry) == ["a@1", "b@1"]


async def test_what_was_registered_by_hand_is_left_alone() -> None:
    registry, source = AgentRegistry(), Source("file", spec("a", description="found"))
    registry.register(spec("a", description="by hand"))
    discovery = registry.discover([source])
    await discovery.refresh()
    assert registry.get("a").description == "by hand"
    (complaint,) = discovery.complaints
    assert "registered by hand already" in complaint.message
    source.says = []
    await discovery.refresh(at_once=True)
    assert known(registry) == ["a@1"]


async def test_sources_are_not_asked_all_the_time() -> None:
    clock = Clock()
    registry, source = AgentRegistry(clock=clock), Source("file")
    registry.discover([source])
    for _ in range(5):
        await registry.sync()
    assert source.asked == 1
    clock.pass_(2)
    await registry.sync()
    assert source.asked == 2


class Slow(Source):
    """Answers when it is let go."""

    def __init__(self, name: str, *specs: AgentSpec) -> None:
        super().__init__(name, *specs)
        self.go = asyncio.Event()

    async def find(self) -> Sequence[AgentSpec]:
        await self.go.wait()
        return await super().find()


async def test_a_source_that_hangs_holds_up_no_run_after_the_first_answer() -> None:
    clock = Clock()
    registry = AgentRegistry(clock=clock)
    quick, slow = Source("file", spec("a")), Slow("cards", spec("b"))
    discovery = registry.discover([quick, slow])
    slow.go.set()
    await registry.sync()
    assert known(registry) == ["a@1", "b@1"]
    slow.go.clear()
    slow.says = [spec("c")]
    clock.pass_(2)
    async with asyncio.timeout(5):
        await registry.sync()
        assert known(registry) == ["a@1", "b@1"]
        slow.go.set()
        clock.pass_(2)
        await registry.sync()
    assert known(registry) == ["a@1", "c@1"]
    assert not discovery.complaints


async def test_a_source_that_raises_anything_is_complained_of_and_hides_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    registry, broken, other = AgentRegistry(), Source("own"), Source("file", spec("a"))
    broken.says = ZeroDivisionError("by zero")
    discovery = registry.discover([broken, other])
    for _ in range(3):
        await discovery.refresh(at_once=True)
    assert known(registry) == ["a@1"]
    assert [each.message for each in discovery.complaints] == [
        "it raised ZeroDivisionError: by zero"
    ]
    assert caplog.text.count("ZeroDivisionError") == 1
