"""A process serves on while its agents appear, change and leave: file, DNS, cards."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from orchestration import AgentTask, PlanError, SimpleCoordinator
from orchestration.agent_registry import registry_from_environment
from orchestration.testing.agent_stage import Echoes, Says
from orchestration.testing.fake_a2a_agent import FakeA2AAgent
from orchestration.testing.fake_http_agent import FakeHttpAgent
from tests.integration.dns_server import LOOPBACK, dns_server

ONE = """
agents:
  - id: shop
    capabilities: [shopping]
    read_only: true
    endpoint: {address}
"""


class Serving:
    """A coordinator of a long-lived process, with variables of its environment."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "agents.yaml"
        self.now = 1_900_000_000.0
        self.environment = {"ORCHESTRATION_TEAM_DATABASE": str(folder / "team.db")}

    def say(self, text: str) -> None:
        """Put another file in place of the old one, as a careful writer does."""
        new = self.file.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        os.replace(new, self.file)  # noqa: PTH105  what it is about

    def start(self) -> SimpleCoordinator:
        self.registry = registry_from_environment(self.environment)
        return SimpleCoordinator(registry=self.registry, database_url="memory://")

    async def look(self) -> None:
        """Let the sources be asked, without waiting until it is time."""
        assert self.registry.discovery is not None
        await self.registry.discovery.refresh(at_once=True)

    async def shop(self, coordinator: SimpleCoordinator) -> str:
        result = await coordinator.execute_sequential([AgentTask(capability="shopping")])
        outcome = result[0].outcome
        assert outcome is not None
        assert result.status == "completed", outcome
        return outcome.get("endpoint", "")

    def complaints(self) -> str:
        assert self.registry.discovery is not None
        return "\n".join(each.message for each in self.registry.discovery.complaints)


@pytest.fixture
def serving(tmp_path: Path) -> Serving:
    return Serving(tmp_path)


@pytest.fixture
def shops() -> Iterator[tuple[FakeHttpAgent, FakeHttpAgent]]:
    with FakeHttpAgent() as one, FakeHttpAgent() as other:
        yield one, other


async def test_a_file_is_followed_and_a_bad_one_keeps_the_old_and_says_why(
    serving: Serving, shops: tuple[FakeHttpAgent, FakeHttpAgent]
) -> None:
    one, other = shops
    serving.say(ONE.format(address=one.address))
    serving.environment["ORCHESTRATION_AGENTS_FILE"] = str(serving.file)
    async with serving.start() as coordinator:
        await serving.shop(coordinator)
        serving.say(ONE.format(address=other.address))
        await serving.look()
        await serving.shop(coordinator)
        assert (one.requests, other.requests) == (1, 1)

        serving.say(ONE.format(address="ftp://nowhere") + "    weight: -1\n")
        await serving.look()
        await serving.shop(coordinator)
        assert other.requests == 2
        assert f"{serving.file}:6:" in serving.complaints()
        assert "weight" in serving.complaints()
        assert f"{serving.file}:7:" in serving.complaints()

        serving.say("agents: []\n")
        await serving.look()
        assert not serving.complaints()
        with pytest.raises(PlanError, match="shopping"):
            await serving.shop(coordinator)


async def test_an_agent_that_leaves_finishes_what_it_has(
    serving: Serving, shops: tuple[FakeHttpAgent, FakeHttpAgent]
) -> None:
    one, other = shops
    one.play(Echoes(held=True))
    serving.say(ONE.format(address=one.address))
    serving.environment["ORCHESTRATION_AGENTS_FILE"] = str(serving.file)
    async with serving.start() as coordinator:
        under_way = asyncio.create_task(serving.shop(coordinator))
        await one.arrived()
        serving.say(ONE.format(address=other.address))
        await serving.look()
        await serving.shop(coordinator)
        assert other.requests == 1
        assert not under_way.done()
        one.release()
        await under_way
        assert one.requests == 1


async def test_what_the_dns_says_of_a_name_is_where_calls_go(
    serving: Serving, shops: tuple[FakeHttpAgent, FakeHttpAgent]
) -> None:
    one, other = (urlsplit(shop.address) for shop in shops)
    name = "_shop._tcp.example.internal"

    def said(*ports: int | None) -> str:
        return "".join(
            f"{name}. 0 IN SRV {at} 1 {port} localhost.\n" for at, port in enumerate(ports)
        )

    with dns_server() as zone:
        zone.lines = said(one.port, other.port)
        serving.say(
            ONE.format(address=f"http://{name}{one.path}")
            + "    metadata:\n      dns: {nameservers: ["
            + f'"{LOOPBACK}"], port: {zone.port}, allowed: [localhost]'
            + "}\n"
        )
        serving.environment["ORCHESTRATION_AGENTS_FILE"] = str(serving.file)
        async with serving.start() as coordinator:
            await serving.look()
            assert await serving.shop(coordinator) == f"localhost_{one.port}"
            shops[0].die()
            assert await serving.shop(coordinator) == f"localhost_{other.port}"


async def test_an_agent_is_found_by_its_card(serving: Serving) -> None:
    with FakeA2AAgent() as desk:
        desk.play(Says(("booked",)))
        serving.environment["ORCHESTRATION_AGENT_CARDS"] = desk.url
        serving.environment["ORCHESTRATION_AGENT_CARD_HOSTS"] = "127.0.0.1"
        async with serving.start() as coordinator:
            await serving.look()
            (found,) = [spec for spec in serving.registry.list_agents() if spec.kind == "a2a"]
            asked = {"messages": [{"role": "user", "content": "two seats"}]}
            result = await coordinator.execute_sequential([AgentTask(found.agent_id, asked)])
            assert result[0].output["content"] == "booked"
