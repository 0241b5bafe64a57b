"""Agents that installed packages offer, through the entry points `orchestration.agents`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Final

from orchestration.agents.spec import AgentSpec
from state.errors import DiscoveryError
from state.jsonvalue import described

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUP: Final = "orchestration.agents"
_log = logging.getLogger(__name__)


class EntryPointAgents:
    """Asks each package once what it offers; asks again only one that failed.

    Of two packages that offer the same version of an agent, the first on `sys.path` counts.
    """

    name: Final = f"entry-points:{GROUP}"

    def __init__(self) -> None:
        self._offered: dict[EntryPoint, tuple[AgentSpec, ...]] = {}
        self._problems: dict[EntryPoint, DiscoveryError] = {}

    @property
    def problems(self) -> tuple[DiscoveryError, ...]:
        """Why some packages' agents are missing from what was found last."""
        return tuple(self._problems.values())

    async def find(self) -> list[AgentSpec]:
        """Return the agents of all packages that can say theirs.

        A broken package hides no other: it stands in `problems`, and in the log once. What it
        offered before it broke counts on, as its code is still loaded. Those of a package that
        is no longer installed are left out.
        """
        return await asyncio.to_thread(self._find)

    def _find(self) -> list[AgentSpec]:
        points = entry_points(group=GROUP)
        before, self._problems = self._problems, {}
        for point in points:
            if point not in self._offered:
                self._ask(point)
        self._offered = {point: self._offered[point] for point in points if point in self._offered}
        found = [*self._unique()]
        for point, problem in self._problems.items():
            if str(before.get(point)) != str(problem):
                _log.warning("%s", problem)
        return found

    def _ask(self, point: EntryPoint) -> None:
        try:
            self._offered[point] = tuple(_specs(point.load()))
        except (Exception, SystemExit) as error:  # noqa: BLE001  a package's own
            message = f"{_origin(point)}: {type(error).__name__}: {error}"
            self._problems[point] = DiscoveryError(message)

    def _unique(self) -> Iterator[AgentSpec]:
        """Leave out what another package offered before."""
        first: dict[tuple[str, str], EntryPoint] = {}
        for point, specs in self._offered.items():
            for spec in specs:
                key = (spec.agent_id, spec.version)
                if key not in first:
                    first[key] = point
                    yield spec
                    continue
                both = f"{spec.agent_id!r} version {spec.version!r}"
                words = f"offers the agent {both}, as does {_origin(first[key])}, which counts"
                self._problems[point] = DiscoveryError(f"{_origin(point)} {words}")


def _specs(offered: object) -> Iterator[AgentSpec]:
    """What an entry point stands for: an agent, several, or a callable that makes them."""
    if callable(offered):
        offered = offered()
    if isinstance(offered, Coroutine):
        offered.close()
        raise TypeError("an async function cannot be asked; make it a plain one")
    for each in offered if isinstance(offered, Iterable) else [offered]:
        if not isinstance(each, AgentSpec):
            raise TypeError(f"{described(each)} is no AgentSpec")
        yield each


def _origin(point: EntryPoint) -> str:
    package = "" if point.dist is None else f" of {point.dist.name}"
    return f"entry point {point.name} = {point.value}{package}"
