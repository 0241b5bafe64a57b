"""Agents whose runs are streamed, and what their streams told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestration import AgentContext, AgentRegistry, AgentSpec, SimpleCoordinator, WorkflowEvent

SOON = 30.0


@dataclass
class Stage:
    """Coordinators of one database; their agents say what they are told to say."""

    url: str
    scripts: dict[str, list[Sequence[str]]] = field(default_factory=dict)
    """What an agent says, in each of its calls."""
    agents: AgentRegistry = field(default_factory=AgentRegistry)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    holds_up: int = 99
    """How many calls of `gated` wait for the gate."""
    calls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for agent_id in ("a", "b", "gated"):
            self.agents.register(AgentSpec(agent_id, handler=self._answer))

    def open(self, **settings: Any) -> SimpleCoordinator:  # noqa: ANN401
        """As another process has it; not if the database is in memory."""
        return SimpleCoordinator(registry=self.agents, database_url=self.url, **settings)

    async def _answer(self, _given: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        name = context.task_id
        said = self.calls.count(name)
        self.calls.append(name)
        scripts = self.scripts.get(name, [[f"{name}!"]])
        for text in scripts[min(said, len(scripts) - 1)]:
            context.emit(text)
            await asyncio.sleep(0)
        if name == "gated" and self.calls.count(name) <= self.holds_up:
            self.begun.set()
            await self.gate.wait()
        return {"calls": self.calls.count(name)}


def stage_in(folder: Path) -> Stage:
    """A stage with a database file."""
    return Stage(f"sqlite:///{folder / 'runs.db'}?synchronous=NORMAL")


async def until_over(coordinator: SimpleCoordinator) -> None:
    """Wait for the end of a run that nobody reads."""
    async with asyncio.timeout(SOON):
        while (await coordinator.thread("t")).status != "completed":  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def all_of(events: AsyncIterator[WorkflowEvent]) -> list[WorkflowEvent]:
    """Read to the end."""
    async with asyncio.timeout(SOON):
        return [event async for event in events]


def lines(events: Sequence[WorkflowEvent]) -> list[str]:
    """Say events in short."""
    return [_line(event) for event in events]


def _line(event: WorkflowEvent) -> str:
    data: dict[str, Any] = event.data
    what = {"token": "text", "run_finished": "status", "task_finished": "status"}
    said = data.get(what.get(event.kind, ""), "")
    return " ".join(filter(None, (event.kind, event.task_id, str(said).strip())))
