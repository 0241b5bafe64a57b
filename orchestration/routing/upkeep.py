"""What goes on while a process serves: health probes, discovery, what other processes know."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, Self

from orchestration.routing.health import HealthProbes

if TYPE_CHECKING:
    from types import TracebackType

    from orchestration.agent_registry import AgentRegistry

SYNC_SECONDS: Final = 1.0

log = logging.getLogger(__name__)


class Upkeep:
    """Runs it in the event loop in which it is entered, until it is left."""

    def __init__(self, registry: AgentRegistry) -> None:
        self._registry = registry
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        probes = HealthProbes(self._registry.router)
        for step, pause in ((probes.look, SYNC_SECONDS), (self._registry.sync, SYNC_SECONDS)):
            self._tasks.append(asyncio.create_task(_again_and_again(step, pause)))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        self._tasks.clear()
        await self._registry.settle()


async def _again_and_again(step: Callable[[], Awaitable[object]], pause: float) -> None:
    while True:
        try:
            await step()
        except Exception:
            log.exception("upkeep of agents' endpoints failed; trying again")
        await asyncio.sleep(pause)
