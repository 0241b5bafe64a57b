"""A version that is tried out gets copies of calls; nobody sees or waits for its replies."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from orchestration import (
    AgentContext,
    AgentRegistry,
    AgentSpec,
    AgentTask,
    RegistrationError,
    SimpleCoordinator,
)

ASKED = {"question": "price?"}


class Versions:
    """Two versions of an agent that notes what they get."""

    def __init__(self, *, read_only: bool = True, shadow: float = 1.0) -> None:
        self.got: list[tuple[str, dict[str, Any], str]] = []
        self.held = asyncio.Event()
        self.fails = False
        self.registry = AgentRegistry()
        self.registry.register(AgentSpec("agent", handler=self.first, read_only=read_only))
        self.registry.register(
            AgentSpec(
                "agent", handler=self.second, read_only=True, version="2", weight=0, shadow=shadow
            )
        )

    async def first(self, input_data: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        self.got.append(("1", input_data, context.idempotency_key))
        return {"by": "1"}

    async def second(self, input_data: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        self.got.append(("2", input_data, context.idempotency_key))
        await self.held.wait()
        if self.fails:
            raise ValueError("not ready yet")
        return {"by": "2"}

    async def run(self, times: int = 1) -> list[str]:
        async with SimpleCoordinator(
            registry=self.registry, database_url="memory://"
        ) as coordinator:
            replies = []
            for _ in range(times):
                result = await coordinator.execute_sequential([AgentTask("agent", ASKED)])
                replies.append(str(result["agent"].output["by"]))
            self.held.set()
            await self.registry.settle()
            return replies


@pytest.mark.parametrize("fails", [False, True])
async def test_the_copy_is_made_beside_and_its_reply_goes_nowhere(fails: bool) -> None:  # noqa: FBT001
    versions = Versions()
    versions.fails = fails
    assert await versions.run() == ["1"]
    assert sorted((version, given) for version, given, _ in versions.got) == [
        ("1", ASKED),
        ("2", ASKED),
    ]
    keys = {version: key for version, _, key in versions.got}
    assert keys["2"] == f"{keys['1']}~2"
    stats = versions.registry.get_agent_stats()["versions"]["agent"]["2"]
    assert (stats["calls"], stats["failures"]) == (1, int(fails))


async def test_only_a_share_of_the_calls_is_copied() -> None:
    versions = Versions(shadow=0.3)
    versions.held.set()
    await versions.run(200)
    copies = len([each for each in versions.got if each[0] == "2"])
    assert 30 < copies < 90


async def test_calls_that_may_act_are_never_copied() -> None:
    versions = Versions(read_only=False)
    await versions.run(5)
    assert {version for version, _, _ in versions.got} == {"1"}


async def test_who_may_act_cannot_be_a_shadow() -> None:
    with pytest.raises(RegistrationError, match="not read_only"):
        AgentSpec("agent", handler=lambda _: {}, shadow=0.5)
