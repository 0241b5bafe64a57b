"""The registry: which agents there are, what they can do, and who does a task."""

from __future__ import annotations

import os
import random
import time
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from checkpoints.traffic import Switched
from nodes.ports import NO_SETTINGS, NO_TERMS, Terms
from orchestration.agents.kinds import problems_of
from orchestration.agents.plain_agent import PlainAgent, WaryAgent
from orchestration.agents.spec import AgentSpec
from orchestration.routing.discovery.discovery import Discovery
from orchestration.routing.routed_call import RoutedCall
from orchestration.routing.router import Router
from orchestration.routing.upkeep import Upkeep
from state.capability import AgentCapability
from state.errors import (
    AgentNotFoundError,
    ConfigurationError,
    Problem,
    RegistrationError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from checkpoints.traffic import Place, Switch, TrafficStore
    from orchestration.routing.comparison import Comparison
    from orchestration.routing.discovery.source import DiscoverySource
    from orchestration.routing.explanation import Explanation


class AgentRegistry:
    """Agents by id and version, and the endpoints of each, as this process knows them.

    Of several agents for a capability the highest priority wins, of equal ones the first
    registered. Versions of one agent share the threads by their weights, those of the highest
    priority only; where one version is asked for, it is the one of the greatest weight, of
    equal ones the last registered.

    Args:
        clock: What time it is, in seconds since the epoch.
        random: Gives a number from 0 up to 1.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        random: Callable[[], float] = random.random,
    ) -> None:
        self.router = Router(clock=clock, random=random)
        self.discovery: Discovery | None = None
        self._agents: dict[str, dict[str, AgentSpec]] = {}
        self._plain: dict[str, PlainAgent] = {}
        self._runnables = False
        self.has_settings = False
        """Whether any agent says what is to run around its calls."""

    def register(self, spec: AgentSpec) -> None:
        """Add an agent, or a version of it; the same id and version replaces the old one.

        What is known of endpoints that stay the same is kept, and calls under way go on.

        Raises:
            RegistrationError: Its kind cannot speak with it, e.g. as credentials are missing.
        """
        check_places(spec)
        spec = spec.at_home(self)
        versions = self._agents.setdefault(spec.agent_id, {})
        versions.pop(spec.version, None)  # so that it counts as registered last
        versions[spec.version] = spec
        self.router.put(spec)
        self._runnables = self._runnables or any(
            hasattr(place.handler, "ainvoke") for place in spec.places
        )
        self.has_settings = self.has_settings or spec.call_settings is not NO_SETTINGS
        self._shorten(spec.agent_id)

    def unregister(self, agent_id: str, version: str | None = None) -> None:
        """Remove one version of an agent, or all of them; calls under way are finished.

        Raises:
            AgentNotFoundError: There is no such agent or version.
        """
        for spec in self._versions(agent_id, version):
            del self._agents[agent_id][spec.version]
            self.router.remove(agent_id, spec.version)
        if not self._agents[agent_id]:
            del self._agents[agent_id]
        self._shorten(agent_id)

    def get(self, agent_id: str, version: str | None = None) -> AgentSpec:
        """Return an agent's specification; without a version, that of the preferred one.

        Raises:
            AgentNotFoundError: There is no such agent or version.
        """
        candidates = self._versions(agent_id, version)
        return self._best([each for each in candidates if self._is_on(each)] or candidates)

    def knows(self, agent_id: str, version: str) -> bool:
        """Whether that version of that agent is registered."""
        return version in self._agents.get(agent_id, {})

    def enable(self, agent_id: str, version: str | None = None) -> None:
        """Let one version of an agent, or all of them, be chosen again, in this process."""
        self._switch(agent_id, version, enabled=True)

    def disable(self, agent_id: str, version: str | None = None) -> None:
        """Keep one version of an agent, or all of them, from being chosen, in this process."""
        self._switch(agent_id, version, enabled=False)

    def list_agents(self) -> list[AgentSpec]:
        """Return every version of every agent, also the disabled ones."""
        return list(self._all())

    def find_agents_by_capability(self, capability: AgentCapability | str) -> list[AgentSpec]:
        """Return the enabled agents that have a capability, the preferred first."""
        return self._capable(capability)

    def route_to_agent(self, action_or_capability: AgentCapability | str) -> AgentSpec:
        """Return the agent for a capability, or for an action such as `purchase_tickets`.

        Raises:
            AgentNotFoundError: No enabled agent can do it.
        """
        capability = AgentCapability.of_action(action_or_capability)
        candidates = self._capable(capability)
        if not candidates:
            raise AgentNotFoundError(str(action_or_capability), self._capabilities())
        return candidates[0]

    def get_agent_stats(self) -> dict[str, Any]:
        """Count agents and calls, and say how endpoints stand.

        Returns `total_agents`, `enabled_agents`, `disabled_agents`, `capabilities`
        (capability to agent ids), `calls` (agent id to number of calls in this process) and
        `versions` (agent id to version to what `Router.version_stats` says).
        """
        enabled = {spec.agent_id for spec in self._all() if self._is_on(spec)}
        versions = {agent_id: self.router.version_stats(agent_id) for agent_id in self._agents}
        return {
            "total_agents": len(self._agents),
            "enabled_agents": len(enabled),
            "disabled_agents": len(self._agents) - len(enabled),
            "capabilities": self._capabilities(),
            "calls": {
                agent_id: sum(each["calls"] for each in found.values())
                + (self._plain[agent_id].calls if agent_id in self._plain else 0)
                for agent_id, found in versions.items()
            },
            "versions": versions,
        }

    def explain(self, wanted: str, *, has: str | None = None) -> Explanation:
        """Say where a call for an agent id, capability or action would go now, and why.

        Args:
            wanted: Who, or what for.
            has: The version that the thread of the call has.

        Raises:
            AgentNotFoundError: Nobody enabled fits.
        """
        from orchestration.routing.explanation import explain  # noqa: PLC0415  rarely needed

        return explain(self, wanted, has=has)

    async def compare(
        self, agent_id: str, *, since: float = 0.0, baseline: str | None = None
    ) -> Comparison:
        """Compare the versions of an agent by what the shared database knows of their calls.

        Args:
            agent_id: Which agent.
            since: Only tasks that finished after it, in seconds since the epoch.
            baseline: The version that the others are compared with.

        Raises:
            ConfigurationError: No database is shared.
        """
        from orchestration.routing.comparison import compare  # noqa: PLC0415  rarely needed

        if self.router.sharing is None:
            raise ConfigurationError(
                "a comparison needs the database that the coordinators use: share it first "
                "(`registry.share(open_database(url).traffic)`)"
            )
        samples = await self.router.sharing.store.samples(agent_id, since=since)
        return compare(samples, baseline=baseline)

    async def switch(
        self, place: Place, switch: Switch, *, by: str | None = None, reason: str = ""
    ) -> None:
        """Switch an agent, a version or an endpoint on, off, or to draining.

        With a shared database this counts for every process that shares it, and lasts.
        Draining endpoints and versions finish what they have: of a version, threads that
        began with it go on with it.

        Raises:
            AgentNotFoundError: There is no such place here.
        """
        self._check_place(place)
        self.router.apply_switch(place, switch)
        if self.router.sharing is not None:
            switched = Switched(place, switch, by, reason, self.router.clock())
            await self.router.sharing.store.switch(switched)

    # -- what others know --------------------------------------------------------------------

    def share(self, store: TrafficStore) -> None:
        """Keep what is known of endpoints in a database, and know what others know there.

        Breakers, ejections, pauses and switches survive this process then, and count for all
        that share the database. The first database counts, until it is given up.
        """
        if self.router.sharing is None:
            self.router.share(store)

    def unshare(self, store: TrafficStore) -> None:
        """Give a database up that is about to be closed."""
        if self.router.sharing is not None and self.router.sharing.store is store:
            self.router.sharing = None

    async def sync(self) -> None:
        """Know what the sources of agents say now, and what others wrote to the database."""
        if self.discovery is not None:
            await self.discovery.refresh()
        if self.router.sharing is not None:
            await self.router.sharing.sync()

    def discover(self, sources: Sequence[DiscoverySource]) -> Discovery:
        """Be kept as sources of agents say, from the next `sync` on; the first ones come first."""
        self.discovery = Discovery(self, sources, clock=self.router.clock)
        return self.discovery

    def upkeep(self) -> Upkeep:
        """Probe endpoints and keep up with sources and database, while the context lasts."""
        return Upkeep(self)

    @property
    def needs_upkeep(self) -> bool:
        """Whether there is anything to be done beside the calls."""
        return self.discovery is not None or any(
            place.is_remote for spec in self._all() for place in spec.places
        )

    async def flush(self) -> None:
        """Wait until what others should know of endpoints is written, if anything is not."""
        if self.router.sharing is not None:
            await self.router.sharing.settle()

    async def settle(self) -> None:
        """Wait for what goes on beside the calls: what is written, and shadow calls."""
        if self.discovery is not None:
            await self.discovery.leave()
        await self.router.settle()

    # -- the nodes' port ---------------------------------------------------------------

    def choose(
        self,
        *,
        agent_id: str | None,
        capability: str | None,
        thread_id: str = "",
        terms: Terms = NO_TERMS,
    ) -> PlainAgent | WaryAgent | RoutedCall:
        """Pick who does a task that names an agent or, failing that, a capability.

        Raises:
            AgentNotFoundError: Nobody enabled fits.
        """
        if agent_id is None:
            candidates = self._capable(capability or "")
            if not candidates:
                raise AgentNotFoundError(capability or "", self._capabilities())
            agent_id = candidates[0].agent_id
        plain = self._plain.get(agent_id)
        if plain is not None and plain.state.switch != "disabled":
            journal = terms.journal
            if journal is None or journal.is_empty or plain.state.spec.read_only:
                return plain
            return WaryAgent(plain, journal)
        enabled = [spec for spec in self._agents.get(agent_id, {}).values() if self._is_on(spec)]
        if not enabled:
            raise AgentNotFoundError(agent_id, self._agents)
        return RoutedCall(self.router, self._best(enabled), terms, thread_id)

    @property
    def need_store(self) -> bool:
        """Whether any agent is a Runnable or a graph, which may ask LangGraph for its store."""
        return self._runnables

    def problem_with(self, *, agent_id: str | None, capability: str | None) -> Problem | None:
        """Say why a task for this agent or capability could not run, before anything does."""
        try:
            self.choose(agent_id=agent_id, capability=capability)
        except AgentNotFoundError as error:
            return Problem("unknown_agent" if agent_id else "unknown_capability", str(error))
        return None

    # -- inside ------------------------------------------------------------------------

    def _all(self) -> Iterator[AgentSpec]:
        return (spec for versions in self._agents.values() for spec in versions.values())

    def _is_on(self, spec: AgentSpec) -> bool:
        return spec.enabled and self.router.is_on(spec.agent_id, spec.version)

    def _best(self, specs: list[AgentSpec]) -> AgentSpec:
        """The version of the highest priority, then the greatest weight, then the latest."""
        if len(specs) == 1:
            return specs[0]
        return max(
            reversed(specs),
            key=lambda spec: (spec.priority, self.router.weight_of(spec.agent_id, spec.version)),
        )

    def _capable(self, capability: AgentCapability | str) -> list[AgentSpec]:
        wanted = AgentCapability(capability)
        chosen = []
        for versions in self._agents.values():
            fitting = [
                spec
                for spec in versions.values()
                if wanted in spec.capabilities and self._is_on(spec)
            ]
            if fitting:
                chosen.append(self._best(fitting))
        draining = self.router.is_draining
        return sorted(chosen, key=lambda spec: (draining(spec.agent_id), -spec.priority))

    def _capabilities(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for spec in self._all():
            if self._is_on(spec):
                for capability in spec.capabilities:
                    ids = found.setdefault(str(capability), [])
                    if spec.agent_id not in ids:
                        ids.append(spec.agent_id)
        return dict(sorted(found.items()))

    def _versions(self, agent_id: str, version: str | None) -> list[AgentSpec]:
        versions = self._agents.get(agent_id)
        if versions is None:
            raise AgentNotFoundError(agent_id, self._agents)
        if version is None:
            return list(versions.values())
        if version not in versions:
            known = [f"{agent_id} version {each}" for each in versions]
            raise AgentNotFoundError(f"{agent_id} version {version}", known)
        return [versions[version]]

    def _check_place(self, place: Place) -> None:
        """Return if there is such a place.

        Raises:
            AgentNotFoundError: There is not.
        """
        specs = self._versions(place.agent_id, place.version or None)
        known = [each.endpoint_id for spec in specs for each in spec.places]
        if place.endpoint and place.endpoint not in known:
            about = f"{place.agent_id} endpoint {place.endpoint}"
            raise AgentNotFoundError(about, [f"endpoint {each}" for each in known])

    def _switch(self, agent_id: str, version: str | None, *, enabled: bool) -> None:
        for spec in self._versions(agent_id, version):
            switched = replace(spec, enabled=enabled).at_home(self)
            self._agents[agent_id][spec.version] = switched
            self.router.replace(switched)
        self._shorten(agent_id)

    def _shorten(self, agent_id: str) -> None:
        """Let calls of an agent take the short way where there is nothing to choose."""
        known = self._plain.pop(agent_id, None)
        versions = list(self._agents.get(agent_id, {}).values())
        if len(versions) == 1 and versions[0].enabled and versions[0].is_plain:
            state = self.router.groups[agent_id].versions[versions[0].version]
            self._plain[agent_id] = plain = PlainAgent(versions[0], state)
            plain.calls = 0 if known is None else known.calls


def check_places(spec: AgentSpec) -> None:
    """Return if an agent's endpoints can be spoken with, as far as can be told without doing so.

    Raises:
        RegistrationError: They cannot, with everything that is wrong.
    """
    found = [
        f"endpoint {place.endpoint_id!r}: {each}" if len(spec.places) > 1 else each
        for place in spec.places
        if place.is_remote
        for each in problems_of(place)
    ]
    if found:
        raise RegistrationError(f"agent {spec.agent_id!r}: {'; '.join(found)}")


def registry_from_environment(environment: Mapping[str, str]) -> AgentRegistry:
    """Build a registry of the agents that the environment names, and the built-in team.

    Args:
        environment: See `docs/agents-file.md` for its variables: `TICKETING_ENDPOINT` and the
            like, `ORCHESTRATION_AGENTS_FILE`, `ORCHESTRATION_AGENT_CARDS`;
            `ORCHESTRATION_TEAM_DATABASE` says where the built-in team keeps its data.

    Raises:
        AgentFileError, ConfigurationError, RegistrationError: With everything that is wrong.
    """
    from orchestration.agents.configuration.sources import layers  # noqa: PLC0415  only here

    registry = AgentRegistry()
    found = layers(environment, clock=registry.router.clock)
    discovery = registry.discover([each.source for each in found])
    discovery.begin({each.source.name: each.said for each in found})
    return registry


@cache
def get_registry() -> AgentRegistry:
    """Return the process's registry, made from the environment when first asked for."""
    return registry_from_environment(os.environ)
