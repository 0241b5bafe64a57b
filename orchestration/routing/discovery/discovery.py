"""Keeps a registry as its sources say, while agents come and go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from state.errors import OrchestrationError, RegistrationError

if TYPE_CHECKING:
    from orchestration.agent_registry import AgentRegistry
    from orchestration.agents.spec import AgentSpec
    from orchestration.routing.discovery.source import DiscoverySource

EVERY_SECONDS: Final = 2.0
"""How often sources are asked; what is dear to ask keeps its own answer for a while."""
PATIENCE_SECONDS: Final = 0.25
"""How long a run waits for the answers; slower ones count when they come."""
LONGEST_SECONDS: Final = 30.0
"""After this a source is given up, until it is asked again."""

log = logging.getLogger(__name__)


class Complaint(NamedTuple):
    """Why a source, or one of its agents, does not count now."""

    source: str
    message: str
    since: float
    """Seconds since the epoch."""


class Discovery:
    """Merges sources: an agent is as the first source says that knows it, with all its versions.

    A source that cannot say counts with what it said before. Agents that were registered by
    hand are never touched.
    """

    def __init__(
        self,
        registry: AgentRegistry,
        sources: Sequence[DiscoverySource],
        *,
        clock: Callable[[], float],
    ) -> None:
        self._registry = registry
        self._sources = tuple(sources)
        self._clock = clock
        self._said: dict[str, Sequence[AgentSpec]] = {}
        self._ours: dict[tuple[str, str], AgentSpec] = {}
        self._of_sources: dict[str, list[Complaint]] = {}
        self._of_agents: list[Complaint] = []
        self._asked_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    @property
    def complaints(self) -> tuple[Complaint, ...]:
        """What is wrong now; empty if all is well."""
        return (*chain.from_iterable(self._of_sources.values()), *self._of_agents)

    async def refresh(self, *, at_once: bool = False) -> None:
        """Ask the sources, and register and unregister what has changed; calls go on.

        Args:
            at_once: Ask now and wait for all answers. Otherwise sources are asked only if that
                is `EVERY_SECONDS` ago, and after the first time slow ones are not waited for.
        """
        if at_once:
            await self._refresh()
            return
        first = self._asked_at == float("-inf")
        if self._clock() < self._asked_at + EVERY_SECONDS:
            return
        asking = self._asking
        if asking is None or asking.done() or asking.get_loop() is not asyncio.get_running_loop():
            asking = self._asking = asyncio.create_task(self._refresh())
        await asyncio.wait({asking}, timeout=None if first else PATIENCE_SECONDS)

    async def leave(self) -> None:
        """Wait no longer for slow sources in this event loop."""
        asking, self._asking = self._asking, None
        if asking is not None and asking.get_loop() is asyncio.get_running_loop():
            asking.cancel()
            await asyncio.wait({asking})

    async def _refresh(self) -> None:
        self._asked_at = self._clock()
        await asyncio.gather(*map(self._ask, self._sources))
        self._apply()

    async def _ask(self, source: DiscoverySource) -> None:
        """Ask one source; whatever goes wrong with it is a complaint."""
        wrong: list[str] = []
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                self._said[source.name] = await source.find()
        except TimeoutError:
            wrong.append(f"no answer within {LONGEST_SECONDS:g} s")
        except OrchestrationError as error:
            wrong.append(str(error))
        except Exception as error:  # noqa: BLE001  anybody may write a source
            wrong.append(f"it raised {type(error).__name__}: {error}")
        wrong.extend(map(str, getattr(source, "problems", ())))  # of a part of it only
        before = self._of_sources.get(source.name, [])
        self._of_sources[source.name] = self._complaints(source.name, wrong, before)

    def _complaints(
        self, source: str, wrong: Sequence[str], before: Sequence[Complaint]
    ) -> list[Complaint]:
        """Complaints in these words; those that were there before are as old as they were."""
        known = {each.message: each for each in before if each.source == source}
        for message in wrong:
            if message not in known:
                log.warning("agents from %s: %s", source, message)
        return [
            known.get(message) or Complaint(source, message, self._clock()) for message in wrong
        ]

    def begin(self, said: Mapping[str, Sequence[AgentSpec]]) -> None:
        """Take over what sources said, by their names, before an event loop ran.

        Raises:
            RegistrationError: An agent cannot be registered.
        """
        self._said.update(said)
        self._apply()
        if self.complaints:
            raise RegistrationError("; ".join(each.message for each in self.complaints))

    def _apply(self) -> None:
        wanted = self._merged()
        for key in [key for key in self._ours if key not in wanted]:
            del self._ours[key]
            self._registry.unregister(*key)
        before, self._of_agents = self._of_agents, []
        for key, (source, spec) in wanted.items():
            if self._ours.get(key) == spec:
                continue
            wrong = self._register(key, spec)
            if wrong is not None:
                self._of_agents += self._complaints(source, [wrong], before)

    def _register(self, key: tuple[str, str], spec: AgentSpec) -> str | None:
        """Register a version; or say why it cannot be."""
        if key not in self._ours and self._registry.knows(*key):
            return f"{key[0]} version {key[1]} is registered by hand already; that stays"
        try:
            self._registry.register(spec)
        except RegistrationError as error:
            return str(error)
        self._ours[key] = spec
        return None

    def _merged(self) -> dict[tuple[str, str], tuple[str, AgentSpec]]:
        merged: dict[tuple[str, str], tuple[str, AgentSpec]] = {}
        first: dict[str, str] = {}
        for source in self._sources:
            for spec in self._said.get(source.name, ()):
                if first.setdefault(spec.agent_id, source.name) == source.name:
                    merged[spec.agent_id, spec.version] = (source.name, spec)
        return merged
