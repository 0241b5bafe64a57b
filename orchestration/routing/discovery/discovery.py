"""Keeps a registry as its sources say, while agents come and go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestration.routing.loops import is_here
from state.errors import DiscoveryError, RegistrationError

if TYPE_CHECKING:
    from orchestration.agent_registry import AgentRegistry
    from orchestration.agents.spec import AgentSpec
    from orchestration.routing.discovery.source import DiscoverySource

    Answer = Sequence[AgentSpec] | Exception

EVERY_SECONDS: Final = 2.0
"""How often sources are asked; what is dear to ask keeps its own answer for a while."""

LONGEST_SECONDS: Final = 30.0
"""How long a source may take to answer."""
PATIENCE_SECONDS: Final = 1.0
"""How long a run waits for one that has answered before; later its answer counts for others."""

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
        self._complaints: dict[str, Complaint] = {}
        self._wrong: set[str] = set()
        """What is complained of in this round."""
        self._asking: dict[str, asyncio.Task[Answer]] = {}
        self._answers: dict[str, Answer] = {}
        self._asked_at = float("-inf")

    @property
    def complaints(self) -> tuple[Complaint, ...]:
        """What is wrong now; empty if all is well."""
        return tuple(self._complaints.values())

    async def refresh(self, *, at_once: bool = False) -> None:
        """Ask the sources, and register and unregister what has changed; calls go on."""
        now = self._clock()
        if not at_once and 0 <= now - self._asked_at < EVERY_SECONDS:
            return
        self._asked_at = now
        await self._ask()
        wrong = {each.source for each in self._complaints.values()} & self._asking.keys()
        self._wrong = {about for about, each in self._complaints.items() if each.source in wrong}
        for source in self._sources:
            if source.name not in self._asking:
                self._take(source)
            for problem in getattr(source, "problems", ()):  # of a part of it only
                self._complain(f"{source.name}: {problem}", source.name, str(problem))
        self._apply()
        for about in self._complaints.keys() - self._wrong:
            del self._complaints[about]

    async def leave(self) -> None:
        """Wait no longer for slow sources in this event loop."""
        here = [task for task in self._asking.values() if not task.done() and is_here(task)]
        for task in here:
            task.cancel()
        if here:
            await asyncio.wait(here)

    async def _ask(self) -> None:
        """Ask all sources at the same time; wait for none that keeps others waiting already."""
        new = {}
        for source in self._sources:
            task = self._asking.get(source.name)
            if task is None or (not task.done() and not is_here(task)) or task.cancelled():
                new[source.name] = asyncio.create_task(_found(source))
        self._asking |= new
        is_first = not self._said.keys() >= new.keys()
        if new:
            patience = LONGEST_SECONDS + 1.0 if is_first else PATIENCE_SECONDS
            await asyncio.wait(new.values(), timeout=patience)
        for name, task in [*self._asking.items()]:
            if task.done() and not task.cancelled():
                self._answers[name] = task.result()
                del self._asking[name]

    def _take(self, source: DiscoverySource) -> None:
        """Take over what a source has answered."""
        answer = self._answers.pop(source.name, None)
        if isinstance(answer, Exception):
            self._complain(source.name, source.name, str(answer) or type(answer).__name__)
        elif answer is not None:
            self._said[source.name] = answer

    def begin(self, said: Mapping[str, Sequence[AgentSpec]]) -> None:
        """Take over what sources said, by their names, before an event loop ran.

        Raises:
            RegistrationError: An agent cannot be registered.
        """
        self._said.update(said)
        self._apply()
        if self._complaints:
            raise RegistrationError("; ".join(each.message for each in self.complaints))

    def _apply(self) -> None:
        wanted = self._merged()
        for key, (source, spec) in wanted.items():
            if self._ours.get(key) != spec:
                self._register(source, key, spec)
        for key in [key for key in self._ours if key not in wanted]:
            if self._is_still_ours(key):
                self._registry.unregister(*key)
            del self._ours[key]

    def _register(self, source: str, key: tuple[str, str], spec: AgentSpec) -> None:
        about = f"{source}: {key[0]} version {key[1]}"
        if key not in self._ours and self._registry.knows(*key):
            self._complain(about, source, f"{about} is registered by hand already; that stays")
            return
        try:
            self._registry.register(spec)
        except RegistrationError as error:
            self._complain(about, source, str(error))
        else:
            self._ours[key] = spec

    def _is_still_ours(self, key: tuple[str, str]) -> bool:
        """Whether nobody has removed or replaced an agent by hand; switching it is neither."""
        if not self._registry.knows(*key):
            return False
        ours = self._ours[key]
        return replace(self._registry.get(*key), enabled=ours.enabled) == ours

    def _merged(self) -> dict[tuple[str, str], tuple[str, AgentSpec]]:
        merged: dict[tuple[str, str], tuple[str, AgentSpec]] = {}
        first: dict[str, str] = {}
        for source in self._sources:
            for spec in self._said.get(source.name, ()):
                if first.setdefault(spec.agent_id, source.name) == source.name:
                    merged[spec.agent_id, spec.version] = (source.name, spec)
        return merged

    def _complain(self, about: str, source: str, message: str) -> None:
        self._wrong.add(about)
        known = self._complaints.get(about)
        if known is None or known.message != message:
            self._complaints[about] = Complaint(source, message, self._clock())
            log.warning("agents from %s: %s", source, _one_line(message))


async def _found(source: DiscoverySource) -> Answer:
    """Ask a source; what goes wrong is its answer."""
    try:
        async with asyncio.timeout(LONGEST_SECONDS) as limit:
            return await source.find()
    except TimeoutError as error:
        if limit.expired():
            return DiscoveryError(f"it did not answer within {LONGEST_SECONDS:g} s")
        return error
    except Exception as error:  # noqa: BLE001  of whoever wrote the source; it must stop nobody
        return error


def _one_line(message: str) -> str:
    """A message that cannot look like another entry of a log; others may have worded it."""
    plain = "".join(letter if letter.isprintable() else " " for letter in message)
    return " ".join(plain.split())
