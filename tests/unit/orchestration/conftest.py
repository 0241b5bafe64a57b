from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from checkpoints.approvals import ApprovalRequest
from orchestration import AgentRegistry, AgentSpec, SimpleCoordinator
from orchestration.approvals import ApprovalInbox

NOON = 1_800_000_000.0


@dataclass
class Wall:
    """A clock on the wall, set by hand."""

    now: float = NOON

    def __call__(self) -> float:
        return self.now


@dataclass
class Mailbox:
    """A notifier that keeps what it is told."""

    told: list[tuple[str, str]] = field(default_factory=list)
    new: asyncio.Queue[ApprovalRequest] = field(default_factory=asyncio.Queue)

    async def notify(self, event: str, request: ApprovalRequest) -> None:
        self.told.append((event, request.task_id))
        self.new.put_nowait(request)

    async def next(self) -> ApprovalRequest:
        """Wait for the next message."""
        async with asyncio.timeout(30):
            return await self.new.get()


@dataclass
class Office:
    """Coordinators of one database, whose agents note what they are called with."""

    database_url: str
    wall: Wall = field(default_factory=Wall)
    mailbox: Mailbox = field(default_factory=Mailbox)
    done: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    agents: AgentRegistry = field(default_factory=AgentRegistry)

    def __post_init__(self) -> None:
        self.coordinator = self.open()
        for agent_id in ("tickets", "finance", "mail"):
            self.hire(agent_id)

    @property
    def inbox(self) -> ApprovalInbox:
        return self.coordinator.approvals

    def open(self) -> SimpleCoordinator:
        """As another process has it."""
        return SimpleCoordinator(
            registry=self.agents,
            database_url=self.database_url,
            notifier=self.mailbox,
            clock=self.wall,
        )

    def hire(self, agent_id: str, handler: object = None) -> None:
        async def note(given: dict[str, Any]) -> dict[str, Any]:
            self.done.append((agent_id, given))
            return {"by": agent_id, **given}

        if handler is not None:
            self.agents.unregister(agent_id)
        self.agents.register(AgentSpec(agent_id, handler=handler or note))

    def called(self) -> list[str]:
        return [agent_id for agent_id, _ in self.done]

    async def asked(self) -> ApprovalRequest:
        """The one question that waits."""
        (request,) = await self.inbox.list_pending()
        return request

    async def events(self, request: ApprovalRequest) -> list[str]:
        return [entry.event for entry in await self.inbox.history(request.request_id)]


@pytest.fixture(params=["memory", "sqlite"])
async def office(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Office]:
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'runs.db'}"
    opened = Office(url)
    yield opened
    opened.coordinator.close()


@pytest.fixture
async def durable_office(tmp_path: Path) -> AsyncIterator[Office]:
    opened = Office(f"sqlite:///{tmp_path / 'runs.db'}")
    yield opened
    opened.coordinator.close()
