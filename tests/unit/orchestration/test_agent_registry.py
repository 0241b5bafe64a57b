"""Who does a task: priorities, versions, what is enabled, and the counts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from orchestration import (
    AgentCapability,
    AgentNotFoundError,
    AgentRegistry,
    AgentSpec,
    AgentTask,
    SimpleCoordinator,
)


def spec(agent_id: str, *, version: str = "1", priority: int = 0) -> AgentSpec:
    async def answer(_input: dict[str, Any]) -> dict[str, Any]:
        return {"by": agent_id, "version": version}

    return AgentSpec(
        agent_id,
        [AgentCapability.TICKET_PURCHASE],
        handler=answer,
        version=version,
        priority=priority,
    )


@pytest.fixture
def registry() -> AgentRegistry:
    registry = AgentRegistry()
    for each in (spec("cheap"), spec("dear", priority=5), spec("cheap", version="2")):
        registry.register(each)
    return registry


def found(registry: AgentRegistry) -> list[str]:
    agents = registry.find_agents_by_capability("ticket_purchase")
    return [f"{agent.agent_id} {agent.version}" for agent in agents]


def test_the_highest_priority_comes_first_and_of_versions_the_last_registered(
    registry: AgentRegistry,
) -> None:
    assert found(registry) == ["dear 1", "cheap 2"]
    assert registry.route_to_agent("purchase_tickets").agent_id == "dear"
    registry.register(spec("cheap"))  # again, so version 1 is the last now
    assert found(registry) == ["dear 1", "cheap 1"]


def test_who_is_disabled_is_not_chosen_until_enabled_again(registry: AgentRegistry) -> None:
    registry.disable("dear")
    registry.disable("cheap", "2")
    assert found(registry) == ["cheap 1"]
    assert registry.get_agent_stats()["enabled_agents"] == 1
    registry.enable("cheap")
    assert found(registry) == ["cheap 2"]


def test_who_is_gone_is_named_with_who_is_there(registry: AgentRegistry) -> None:
    registry.unregister("dear")
    with pytest.raises(AgentNotFoundError, match=r"'dear'.*\['cheap'\]"):
        registry.get("dear")
    with pytest.raises(AgentNotFoundError, match=r"cheap version 9.*cheap version 1"):
        registry.unregister("cheap", "9")
    registry.unregister("cheap", "1")
    registry.unregister("cheap", "2")
    with pytest.raises(AgentNotFoundError):
        registry.route_to_agent("purchase_tickets")


async def test_a_task_for_a_capability_goes_to_the_preferred_and_is_counted(
    registry: AgentRegistry,
) -> None:
    coordinator = SimpleCoordinator(registry=registry, database_url="memory://")
    result = await coordinator.execute_sequential(
        [AgentTask(capability="ticket_purchase"), AgentTask("cheap")]
    )
    assert [task.agent for task in result] == ["dear", "cheap"]
    assert registry.get_agent_stats()["calls"] == {"cheap": 1, "dear": 1}


async def test_an_agent_has_no_more_calls_at_once_than_it_allows() -> None:
    running = most = 0

    async def answer(_input: dict[str, Any]) -> dict[str, Any]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return {}

    registry = AgentRegistry()
    registry.register(AgentSpec("agent", handler=answer, max_concurrency=2))
    coordinator = SimpleCoordinator(registry=registry, database_url="memory://")
    await coordinator.execute_parallel([AgentTask("agent") for _ in range(8)])
    assert most == 2
