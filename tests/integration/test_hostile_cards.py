"""Agent cards that mean no good: what they may name, and what becomes of the rest."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from orchestration.agent_registry import AgentRegistry, registry_from_environment
from orchestration.agents.spec import AgentSpec
from orchestration.routing.discovery.agent_cards import AgentCardSource, CardAddress, card_source
from state.jsonvalue import JsonValue
from tests.integration.raw_answers import Raw, answering

HERE = ["127.0.0.1"]


def card(url: str, **changes: JsonValue) -> bytes:
    interface = {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
    told: dict[str, JsonValue] = {"name": "Desk", "version": "1", "skills": []}
    return json.dumps({**told, "supportedInterfaces": [{**interface}], **changes}).encode()


@asynccontextmanager
async def showing(make: Callable[[str], bytes]) -> AsyncIterator[str]:
    async with asyncio.timeout(20), answering(lambda _path: Raw(make(where))) as where:
        yield where


class Broken:
    """A source that fails in a way that nobody thought of."""

    name = "broken"

    async def find(self) -> Sequence[AgentSpec]:
        raise SystemError("first line\nINFO an entry that is none \x1b[31m")


async def test_no_source_keeps_anybody_from_working(caplog: pytest.LogCaptureFixture) -> None:
    registry = AgentRegistry()
    registry.discover([Broken()])
    with caplog.at_level(logging.WARNING):
        await registry.sync()
    (complaint,) = registry.discovery.complaints if registry.discovery else ()
    assert "first line" in complaint.message
    (line,) = [each.getMessage() for each in caplog.records]
    assert line.isprintable()


async def test_a_key_that_is_no_text_is_a_bad_card() -> None:
    async with showing(lambda url: card(url, **{"caf\ud800": 1})) as url:
        registry = AgentRegistry()
        registry.discover([AgentCardSource([url], private_hosts=HERE)])
        await registry.sync()
        (complaint,) = registry.discovery.complaints if registry.discovery else ()
        assert "is none" in complaint.message


async def test_nothing_in_a_card_is_acted_on_by_a_terminal_or_a_log() -> None:
    skills: list[JsonValue] = [
        {"id": "ticket\x1b[31m", "name": "x", "tags": ["seats", "a\x07"]},
    ]
    changes: dict[str, JsonValue] = {
        "name": "Desk\x1b]0;x\x07\nINFO: paid",
        "version": "2\x1b[31m\n",
        "description": "Sells\r\nseats.\x9b",
        "skills": skills,
    }
    async with showing(lambda url: card(url, **changes)) as url:
        (spec,) = await AgentCardSource([url], private_hosts=HERE).find()
    said = [spec.agent_id, spec.version, spec.name or "", spec.description, *spec.capabilities]
    assert all(map(str.isprintable, said))
    assert (spec.version, spec.description) == ("2_31m", "Sells seats.")
    assert [*map(str, spec.capabilities)] == ["seats"]


@pytest.mark.parametrize("name", ["HR", "Finance ", "ticketing"])
async def test_no_card_takes_the_place_of_one_of_ours_by_its_name(name: str) -> None:
    async with showing(lambda url: card(url, name=name)) as url:
        environment = {
            "ORCHESTRATION_AGENT_CARDS": url,
            "ORCHESTRATION_AGENT_CARD_HOSTS": "127.0.0.1",
        }
        registry = registry_from_environment(environment)
        before = {spec.agent_id: spec.kind for spec in registry.list_agents()}
        await registry.sync()
        assert {spec.agent_id: spec.kind for spec in registry.list_agents()} == before
        complaints = registry.discovery.complaints if registry.discovery else ()
        assert "is one of ours" in complaints[0].message


async def test_a_card_takes_it_where_that_is_said() -> None:
    async with showing(lambda url: card(url, name="HR")) as url:
        named = [CardAddress(url=url, agent_id="hr")]
        (spec,) = await AgentCardSource(named, private_hosts=HERE, reserved=["hr"]).find()
        assert spec.agent_id == "hr"
        (free,) = await card_source([url], allowed_hosts=HERE).find()
        assert free.agent_id == "hr"
