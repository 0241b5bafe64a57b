"""Calls of agents with endpoints: which version, which endpoint, and which one after a failure."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from orchestration.agents.kinds import module_of
from orchestration.routing.agent_group import AgentGroup, Chosen, VersionState
from orchestration.routing.background import Background
from orchestration.routing.breaker import CLOSED
from orchestration.routing.sharing import Sharing
from state.errors import AgentUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from checkpoints.traffic import Place, Switched, TrafficStore
    from nodes.ports import DispatchJournal
    from orchestration.agents.connector import Connector
    from orchestration.agents.spec import AgentSpec
    from orchestration.routing.endpoint_state import EndpointState
    from orchestration.routing.pool import Pick
    from state.agent_context import AgentContext
    from state.jsonvalue import JsonObject

Clock = Callable[[], float]


class Router:
    """Every agent's versions and endpoints, as this process knows them.

    Calls come from any thread and event loop. What is known of endpoints is changed only under
    one lock, which is never held across an await.
    """

    def __init__(
        self,
        *,
        clock: Clock = time.time,
        random: Callable[[], float] = random.random,
    ) -> None:
        """Take a clock (seconds since the epoch) and a source of numbers from 0 up to 1."""
        self.clock = clock
        self.random = random
        self.lock = threading.RLock()
        self.groups: dict[str, AgentGroup] = {}
        self.background = Background()
        self.sharing: Sharing | None = None
        self.ever_drained = False
        """Whether anything was ever being drained, so that it is worth asking what is."""

    # -- who is there ------------------------------------------------------------------------

    def put(self, spec: AgentSpec) -> None:
        """Add a version, or take over another specification of it."""
        with self.lock:
            group = self.groups.setdefault(spec.agent_id, AgentGroup())
            known = group.versions.pop(spec.version, None)
            if known is None:
                known = VersionState(spec, changed=self.changed)
            group.versions[spec.version] = known  # it counts as registered last
            if known.spec is not spec:
                self.replace(spec)

    def replace(self, spec: AgentSpec) -> None:
        """Take over another specification of a version, which keeps its place among the others."""
        with self.lock:
            known = self.groups[spec.agent_id].versions[spec.version]
            gone = known.pool.replace(spec)
            known.line.wake_all()
        for endpoint in gone:
            self._retire(endpoint)

    def remove(self, agent_id: str, version: str) -> None:
        """Remove a version: calls under way are finished, and nothing new begins."""
        with self.lock:
            group = self.groups[agent_id]
            gone = group.versions.pop(version)
            if not group.versions:
                del self.groups[agent_id]
            for endpoint in gone.pool.endpoints.values():
                endpoint.switch = "disabled"
                gone.pool.refresh(endpoint, self.clock())
            gone.line.wake_all()
        for endpoint in gone.pool.endpoints.values():
            self._retire(endpoint)

    def endpoint(self, place: Place) -> EndpointState | None:
        """Find an endpoint."""
        group = self.groups.get(place.agent_id)
        version = None if group is None else group.versions.get(place.version)
        return None if version is None else version.pool.endpoints.get(place.endpoint)

    def endpoints(self) -> list[EndpointState]:
        """Return those of all versions of all agents."""
        with self.lock:
            return [
                endpoint
                for group in self.groups.values()
                for version in group.versions.values()
                for endpoint in version.pool.endpoints.values()
            ]

    def _retire(self, endpoint: EndpointState) -> None:
        """Close the way to an endpoint that is gone, once its last call has ended."""
        endpoint.switch, endpoint.has_left = "disabled", True
        if endpoint.outstanding == 0:
            self.close_connector(endpoint)

    def close_connector(self, endpoint: EndpointState) -> None:
        """Close the way to an endpoint in the background."""
        connector, endpoint.connector = endpoint.connector, None
        if connector is not None:
            self.background.begin(connector.close(), must_be=True)

    def connector(self, endpoint: EndpointState) -> Connector:
        """The way to an endpoint, made when it is first needed."""
        if endpoint.connector is None:
            with self.lock:
                if endpoint.connector is None:
                    place = endpoint.place
                    endpoint.connector = module_of(place.kind).connect(place)
        return endpoint.connector

    # -- how it stands -----------------------------------------------------------------------

    def is_on(self, agent_id: str, version: str | None = None) -> bool:
        """Whether a version, or any, is not switched off."""
        versions = self.groups[agent_id].versions
        if version is not None:
            return versions[version].switch != "disabled"
        return any(each.switch != "disabled" for each in versions.values())

    def is_draining(self, agent_id: str) -> bool:
        """Whether no version takes new threads, as people want it so."""
        switches = {each.switch for each in self.groups[agent_id].versions.values()}
        return "enabled" not in switches and "draining" in switches

    def weight_of(self, agent_id: str, version: str) -> float:
        """A version's share of new threads, now."""
        return self.groups[agent_id].versions[version].weight(self.clock())

    def version_stats(self, agent_id: str) -> dict[str, dict[str, Any]]:
        """Say how each version of an agent stands.

        Returns its `weight`, `switch` and `waiting` calls, sums of `calls`, `failures` and
        `cost`, and its `endpoints`, as `Pool.explained` does; none takes calls while the version
        is switched off.
        """
        with self.lock:
            return {
                version: {
                    "weight": state.weight(self.clock()),
                    "switch": state.switch,
                    "waiting": len(state.line),
                    "calls": sum(each.calls for each in state.pool.endpoints.values()),
                    "failures": sum(each.failures for each in state.pool.endpoints.values()),
                    "cost": sum(each.cost for each in state.pool.endpoints.values()),
                    "endpoints": [
                        {**each, **_hindered(state)} for each in state.pool.explained(self.clock())
                    ],
                }
                for version, state in self.groups[agent_id].versions.items()
            }

    async def settle(self) -> None:
        """Wait for what goes on beside the calls, in this event loop."""
        await self.background.settle()
        if self.sharing is not None:
            await self.sharing.settle()

    # -- what others know --------------------------------------------------------------------

    def share(self, store: TrafficStore) -> None:
        """Know from now on what other processes know, and let what is known outlive this one."""
        for endpoint in self.endpoints():  # revisions are of the database before
            endpoint.revision, endpoint.agreed = 0, CLOSED
        self.sharing = Sharing(
            store,
            clock=self.clock,
            find=self.endpoint,
            adopted=self.refresh,
            switched=self.apply_switches,
        )

    def changed(self, endpoint: EndpointState) -> None:
        """Let others know how an endpoint stands."""
        if self.sharing is not None:
            self.sharing.tell(endpoint)

    def refresh(self, endpoint: EndpointState) -> None:
        """Look again whether an endpoint takes calls; whoever waits is told."""
        with self.lock:
            group = self.groups.get(endpoint.agent_id)
            version = None if group is None else group.versions.get(endpoint.version)
            if version is not None:
                version.pool.refresh(endpoint, self.clock())
                version.line.wake_all()

    def apply_switches(self, switches: Mapping[Place, Switched]) -> None:
        """Switch everything as it is switched in the database."""
        with self.lock:
            for place, switched in switches.items():
                self.apply_switch(place, switched.switch)

    def apply_switch(self, place: Place, switch: str) -> None:
        """Switch an agent, a version or an endpoint; what is not registered here is left alone."""
        group = self.groups.get(place.agent_id)
        if group is None:
            return
        self.ever_drained = self.ever_drained or switch == "draining"
        for version in group.versions.values():
            if place.version not in {"", version.spec.version}:
                continue
            if not place.version:
                version.switched(agents=switch)
                continue
            if not place.endpoint:
                version.switched(own=switch)
                continue
            endpoint = version.pool.endpoints.get(place.endpoint)
            if endpoint is not None and endpoint.switch != switch:
                endpoint.switch = switch
                self.refresh(endpoint)

    # -- the decisions -----------------------------------------------------------------------

    async def version_for(
        self, agent_id: str, thread_id: str, journal: DispatchJournal | None
    ) -> Chosen:
        """Choose the version for a call; a thread stays with the one that it has.

        Args:
            agent_id: Of which agent.
            thread_id: For whose task; empty for none.
            journal: Knows what versions the thread has; None where only this process does.

        Raises:
            AgentUnavailableError: None takes the call.
        """
        with self.lock:
            group = self.groups.get(agent_id)
            if group is None or not (candidates := group.candidates()):
                raise AgentUnavailableError(
                    f"agent {agent_id!r} has no enabled version any more; enable one"
                )
            if len(group.versions) == 1:
                if thread_id:  # there may be another soon, and the thread is to stay with this one
                    group.remember(thread_id, candidates[0].spec.version)
                return Chosen(candidates[0], "")
            has = None
            if thread_id and journal is None:  # else it may have been deleted, and begun anew
                has = group.known_version(thread_id)
        if thread_id and journal is not None:
            has = await journal.version_of(agent_id)
        with self.lock:
            chosen = group.choose(has, self.clock(), self.random)
        if chosen is None:
            raise AgentUnavailableError(
                f"no version of agent {agent_id!r} takes new threads: their weights are 0, or "
                "they are switched off"
            )
        if not thread_id or not chosen.is_new:
            return chosen
        return await self._assigned(group, chosen, thread_id, has=has, journal=journal)

    async def _assigned(
        self,
        group: AgentGroup,
        chosen: Chosen,
        thread_id: str,
        *,
        has: str | None,
        journal: DispatchJournal | None,
    ) -> Chosen:
        """Let a thread stay with a version; another call of it may have been faster."""
        spec = chosen.version.spec
        stays = spec.version
        if journal is not None:  # what it has is gone or switched off, else it would be chosen
            stays = await journal.assign(spec.agent_id, spec.version, instead_of=has)
        with self.lock:
            if journal is None:
                known = group.known_version(thread_id)
                stays = known if known is not None and known != has else stays
                group.remember(thread_id, stays)
            if stays != spec.version and (kept := group.kept(stays)) is not None:
                return Chosen(kept, f"version {stays}, as before in this thread")
        return chosen

    def shadow(self, used: VersionState, input_data: JsonObject, context: AgentContext) -> None:
        """Send copies of a call to the versions that are tried out, if it changes nothing."""
        if not used.spec.read_only:
            return
        from orchestration.routing.shadowing import shadow_call  # noqa: PLC0415  rarely needed

        group = self.groups.get(used.spec.agent_id)
        for version in () if group is None else list(group.shadows(used)):
            if self.random() < version.spec.shadow:
                self.background.begin(shadow_call(self, version, input_data, context))

    def ended(self, version: VersionState, pick: Pick, **how: Any) -> None:  # noqa: ANN401
        """Note how a call ended; see `Pool.end`. Whoever waits first may go on."""
        with self.lock:
            version.pool.end(pick, self.clock(), **how)
            version.line.wake()
            is_over = pick.endpoint.has_left and pick.endpoint.outstanding == 0
        if is_over:
            self.close_connector(pick.endpoint)


def _hindered(version: VersionState) -> dict[str, object]:
    """What keeps all endpoints of a version from getting calls, if anything does."""
    if not version.spec.enabled:
        why = "its version is disabled in the configuration"
    elif version.switch == "disabled":
        whole = version.agents_switch == "disabled"
        why = "its agent is disabled" if whole else "its version is disabled"
    else:
        return {}
    return {"takes_calls": False, "stage": "enabled", "why_not": why}
