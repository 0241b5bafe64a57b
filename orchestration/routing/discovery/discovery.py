"""Keeps a registry as its sources say, while agents come and go."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from state.errors import AgentFileError, DiscoveryError, RegistrationError

if TYPE_CHECKING:
    from orchestration.agent_registry import AgentRegistry
    from orchestration.agents.spec import AgentSpec
    from orchestration.routing.discovery.source import DiscoverySource

EVERY_SECONDS: Final = 2.0
"""How often sources are asked; what is dear to ask keeps its own answer for a while."""

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
        self._asked_at = float("-inf")

    @property
    def complaints(self) -> tuple[Complaint, ...]:
        """What is wrong now; empty if all is well."""
        return tuple(self._complaints.values())

    async def refresh(self, *, at_once: bool = False) -> None:
        """Ask the sources, and register and unregister what has changed; calls go on."""
        now = self._clock()
        if not at_once and now < self._asked_at + EVERY_SECONDS:
            return
        self._asked_at = now
        for source in self._sources:
            try:
                self._said[source.name] = await source.find()
            except (AgentFileError, DiscoveryError, RegistrationError) as error:
                self._complain(source.name, source.name, str(error))
            except Exception as error:  # noqa: BLE001  what one source does keeps nobody from working
                self._complain(source.name, source.name, f"{type(error).__name__}: {error}")
            else:
                self._complaints.pop(source.name, None)
            for problem in getattr(source, "problems", ()):  # of a part of it only
                self._complain(f"{source.name}: {problem}", source.name, str(problem))
        self._apply()

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
        for key in [key for key in self._ours if key not in wanted]:
            del self._ours[key]
            self._registry.unregister(*key)
        for key, (source, spec) in wanted.items():
            if self._ours.get(key) == spec:
                continue
            about = f"{source}: {key[0]} version {key[1]}"
            if key not in self._ours and self._registry.knows(*key):
                self._complain(about, source, f"{about} is registered by hand already; that stays")
                continue
            try:
                self._registry.register(spec)
            except RegistrationError as error:
                self._complain(about, source, str(error))
            else:
                self._ours[key] = spec
                self._complaints.pop(about, None)

    def _merged(self) -> dict[tuple[str, str], tuple[str, AgentSpec]]:
        merged: dict[tuple[str, str], tuple[str, AgentSpec]] = {}
        first: dict[str, str] = {}
        for source in self._sources:
            for spec in self._said.get(source.name, ()):
                if first.setdefault(spec.agent_id, source.name) == source.name:
                    merged[spec.agent_id, spec.version] = (source.name, spec)
        return merged

    def _complain(self, about: str, source: str, message: str) -> None:
        known = self._complaints.get(about)
        if known is None or known.message != message:
            self._complaints[about] = Complaint(source, message, self._clock())
            log.warning("agents from %s: %s", source, _one_line(message))


def _one_line(message: str) -> str:
    """A message that cannot look like another entry of a log; others may have worded it."""
    plain = "".join(letter if letter.isprintable() else " " for letter in message)
    return " ".join(plain.split())
