"""A registry is kept as its sources say; a source that fails counts with what it said before."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from orchestration import AgentRegistry, AgentSpec, DiscoveryError
from orchestration.routing.discovery import discovery as discovery_module
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


async def test_a_source_that_fails_in_any_way_stops_nobody() -> None:
    registry, broken = AgentRegistry(), Source("broken", spec("a"))
    source = Source("file", spec("b"))
    discovery = registry.discover([broken, source])
    await discovery.refresh()
    broken.says = ValueError("of a library")
    source.says = [spec("c")]
    await discovery.refresh(at_once=True)
    assert known(registry) == ["a@1", "c@1"]
    (complaint,) = discovery.complaints
    assert "of a library" in complaint.message


class Hanging(Source):
    """Answers when the test says so."""

    def __init__(self, name: str, *specs: AgentSpec) -> None:
        super().__init__(name, *specs)
        self.gate = asyncio.Event()
        self.gate.set()

    async def find(self) -> Sequence[AgentSpec]:
        found = await super().find()
        await self.gate.wait()
        return found


async def test_a_source_that_hangs_stops_nobody_and_counts_when_it_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(discovery_module, "PATIENCE_SECONDS", 0.05)
    registry, slow, source = AgentRegistry(), Hanging("slow", spec("a")), Source("file", spec("b"))
    discovery = registry.discover([slow, source])
    await discovery.refresh()
    slow.gate.clear()
    slow.says, source.says = [spec("a"), spec("z")], [spec("c")]
    await asyncio.wait_for(discovery.refresh(at_once=True), 10)
    assert known(registry) == ["a@1", "c@1"]
    asked = slow.asked
    await asyncio.wait_for(discovery.refresh(at_once=True), 10)
    assert slow.asked == asked
    slow.gate.set()
    await asyncio.wait_for(discovery.refresh(at_once=True), 10)
    await asyncio.wait_for(discovery.refresh(at_once=True), 10)
    assert known(registry) == ["a@1", "c@1", "z@1"]


async def test_a_source_that_never_answers_is_complained_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(discovery_module, "LONGEST_SECONDS", 0.05)
    registry, slow = AgentRegistry(), Hanging("slow", spec("a"))
    slow.gate.clear()
    discovery = registry.discover([slow, Source("file", spec("b"))])
    await asyncio.wait_for(discovery.refresh(), 10)
    assert known(registry) == ["b@1"]
    (complaint,) = discovery.complaints
    assert "did not answer" in complaint.message


async def test_what_was_removed_or_replaced_by_hand_is_left_alone_when_it_leaves() -> None:
    registry, source = AgentRegistry(), Source("file", spec("a"), spec("b"), spec("c"))
    discovery = registry.discover([source])
    await discovery.refresh()
    registry.unregister("a")
    registry.register(spec("b", description="mine"))
    source.says = [spec("d")]
    await discovery.refresh(at_once=True)
    assert known(registry) == ["b@1", "d@1"]


async def test_a_version_that_follows_another_keeps_what_is_known_of_the_agent() -> None:
    registry, source = AgentRegistry(), Source("file", spec("a"))
    discovery = registry.discover([source])
    await discovery.refresh()
    group = registry.router.groups["a"]
    source.says = [spec("a", version="2")]
    await discovery.refresh(at_once=True)
    assert registry.router.groups["a"] is group
    assert known(registry) == ["a@2"]


async def test_complaints_end_with_what_they_are_about() -> None:
    registry, source = AgentRegistry(), Source("file", spec("a"), spec("b"))
    registry.register(spec("a"))
    discovery = registry.discover([source])
    await discovery.refresh()
    assert len(discovery.complaints) == 1
    source.says = [spec("b")]
    await discovery.refresh(at_once=True)
    assert not discovery.complaints


async def test_a_clock_that_is_set_back_keeps_no_source_from_being_asked() -> None:
    clock = Clock()
    registry, source = AgentRegistry(clock=clock), Source("file", spec("a"))
    discovery = registry.discover([source])
    await discovery.refresh()
    clock.pass_(-3600)
    source.says = [spec("b")]
    await discovery.refresh()
    assert known(registry) == ["b@1"]
