"""The registry: which agents there are, what they can do, and who does a task."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from nodes.concurrency import ConcurrencyLimit
from nodes.ports import NO_TERMS, Terms
from orchestration.agents.local import call_of
from orchestration.agents.spec import AgentSpec
from state.capability import AgentCapability
from state.errors import AgentNotFoundError, AgentUnavailableError, Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator, Mapping

    from nodes.ports import Told
    from orchestration.agents.local import Call
    from state.agent_context import AgentContext
    from state.jsonvalue import JsonObject

ENDPOINT_VARIABLES: Final = {
    "ticketing": "TICKETING_ENDPOINT",
    "sales": "SALES_ENDPOINT",
    "finance": "FINANCE_ENDPOINT",
    "hr": "HR_ENDPOINT",
}
"""Environment variables that put a company's own agent in place of a built-in one."""


class RegisteredAgent:
    """One version of one agent, ready to be called; the `Agent` of the nodes' port."""

    __slots__ = ("_call", "_limit", "agent_id", "calls", "spec", "told", "version")

    def __init__(self, spec: AgentSpec) -> None:
        self.spec = spec
        self.agent_id = spec.agent_id
        self.version = spec.version
        self.calls = 0
        self._call: Call | None = None if spec.handler is None else call_of(spec.handler)
        self.told: Told | None = None
        self._limit = None if not spec.max_concurrency else ConcurrencyLimit(spec.max_concurrency)

    @property
    def may_retry(self) -> bool:
        """A handler may always be called again: it gets the same key."""
        return True

    def call(self, input_data: JsonObject, context: AgentContext) -> Awaitable[Any]:
        """Do one task; what comes back is checked by the node."""
        if self._call is None:
            raise AgentUnavailableError(unavailable(self.spec))
        self.calls += 1
        if self._limit is None:
            return self._call(input_data, context)
        return self._call_in_turn(self._limit, self._call, input_data, context)

    @staticmethod
    async def _call_in_turn(
        limit: ConcurrencyLimit, call: Call, input_data: JsonObject, context: AgentContext
    ) -> Any:  # noqa: ANN401
        async with limit:
            return await call(input_data, context)


class AgentRegistry:
    """Agents by id and version, in this process.

    Of several candidates the highest priority wins; of equal ones, the version registered
    last, and the agent registered first.
    """

    def __init__(self) -> None:
        self._agents: dict[str, dict[str, RegisteredAgent]] = {}
        self._runnables = False

    def register(self, spec: AgentSpec) -> None:
        """Add an agent, or a version of it; the same id and version replaces the old one."""
        versions = self._agents.setdefault(spec.agent_id, {})
        versions.pop(spec.version, None)  # so that it counts as registered last
        versions[spec.version] = RegisteredAgent(spec)
        self._runnables = self._runnables or hasattr(spec.handler, "ainvoke")

    def unregister(self, agent_id: str, version: str | None = None) -> None:
        """Remove one version of an agent, or all of them.

        Raises:
            AgentNotFoundError: There is no such agent or version.
        """
        self._versions(agent_id, version)
        if version is not None:
            del self._agents[agent_id][version]
        if version is None or not self._agents[agent_id]:
            del self._agents[agent_id]

    def get(self, agent_id: str, version: str | None = None) -> AgentSpec:
        """Return an agent's specification; without a version, that of the one chosen now.

        Raises:
            AgentNotFoundError: There is no such agent or version.
        """
        candidates = self._versions(agent_id, version)
        enabled = [each for each in candidates if each.spec.enabled]
        return _best(enabled or candidates).spec

    def enable(self, agent_id: str, version: str | None = None) -> None:
        """Let one version of an agent, or all of them, be chosen again."""
        self._switch(agent_id, version, enabled=True)

    def disable(self, agent_id: str, version: str | None = None) -> None:
        """Keep one version of an agent, or all of them, from being chosen."""
        self._switch(agent_id, version, enabled=False)

    def list_agents(self) -> list[AgentSpec]:
        """Return every version of every agent, also the disabled ones."""
        return [agent.spec for agent in self._all()]

    def find_agents_by_capability(self, capability: AgentCapability | str) -> list[AgentSpec]:
        """Return the enabled agents that have a capability, the preferred first."""
        return [agent.spec for agent in self._capable(capability)]

    def route_to_agent(self, action_or_capability: AgentCapability | str) -> AgentSpec:
        """Return the agent for a capability, or for an action such as `purchase_tickets`.

        Raises:
            AgentNotFoundError: No enabled agent can do it.
        """
        capability = AgentCapability.of_action(action_or_capability)
        candidates = self._capable(capability)
        if not candidates:
            raise AgentNotFoundError(str(action_or_capability), self._capabilities())
        return candidates[0].spec

    def get_agent_stats(self) -> dict[str, Any]:
        """Count agents and calls.

        Returns `total_agents`, `enabled_agents`, `disabled_agents`, `capabilities`
        (capability to agent ids) and `calls` (agent id to number of calls).
        """
        enabled = {agent.agent_id for agent in self._all() if agent.spec.enabled}
        return {
            "total_agents": len(self._agents),
            "enabled_agents": len(enabled),
            "disabled_agents": len(self._agents) - len(enabled),
            "capabilities": self._capabilities(),
            "calls": {
                agent_id: sum(agent.calls for agent in versions.values())
                for agent_id, versions in self._agents.items()
            },
        }

    # -- the nodes' port ---------------------------------------------------------------

    def choose(
        self,
        *,
        agent_id: str | None,
        capability: str | None,
        thread_id: str = "",  # noqa: ARG002
        terms: Terms = NO_TERMS,  # noqa: ARG002
    ) -> RegisteredAgent:
        """Pick who does a task that names an agent or, failing that, a capability.

        Raises:
            AgentNotFoundError: Nobody enabled fits.
        """
        if agent_id is None:
            candidates = self._capable(capability or "")
        else:
            versions = self._agents.get(agent_id, {})
            if len(versions) == 1:  # by far the commonest
                (only,) = versions.values()
                if only.spec.enabled:
                    return only
            candidates = [agent for agent in versions.values() if agent.spec.enabled]
        if not candidates:
            known = self._agents if agent_id is not None else self._capabilities()
            raise AgentNotFoundError(agent_id or capability or "", known)
        return candidates[0] if len(candidates) == 1 or agent_id is None else _best(candidates)

    @property
    def need_store(self) -> bool:
        """Whether any agent is a Runnable or a graph, which may ask LangGraph for its store."""
        return self._runnables

    def problem_with(self, *, agent_id: str | None, capability: str | None) -> Problem | None:
        """Say why a task for this agent or capability could not run, before anything does."""
        try:
            agent = self.choose(agent_id=agent_id, capability=capability)
        except AgentNotFoundError as error:
            return Problem("unknown_agent" if agent_id else "unknown_capability", str(error))
        if agent.spec.handler is None:
            return Problem("agent_unavailable", unavailable(agent.spec))
        return None

    # -- inside ------------------------------------------------------------------------

    def _all(self) -> Iterator[RegisteredAgent]:
        return (agent for versions in self._agents.values() for agent in versions.values())

    def _capable(self, capability: AgentCapability | str) -> list[RegisteredAgent]:
        wanted = AgentCapability(capability)
        chosen = []
        for versions in self._agents.values():
            fitting = [
                agent
                for agent in versions.values()
                if agent.spec.enabled and wanted in agent.spec.capabilities
            ]
            if fitting:
                chosen.append(_best(fitting))
        return sorted(chosen, key=lambda agent: -agent.spec.priority)

    def _capabilities(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for agent in self._all():
            if agent.spec.enabled:
                for capability in agent.spec.capabilities:
                    ids = found.setdefault(str(capability), [])
                    if agent.agent_id not in ids:
                        ids.append(agent.agent_id)
        return dict(sorted(found.items()))

    def _versions(self, agent_id: str, version: str | None) -> list[RegisteredAgent]:
        versions = self._agents.get(agent_id)
        if versions is None:
            raise AgentNotFoundError(agent_id, self._agents)
        if version is None:
            return list(versions.values())
        if version not in versions:
            known = [f"{agent_id} version {each}" for each in versions]
            raise AgentNotFoundError(f"{agent_id} version {version}", known)
        return [versions[version]]

    def _switch(self, agent_id: str, version: str | None, *, enabled: bool) -> None:
        for agent in self._versions(agent_id, version):
            agent.spec = replace(agent.spec, enabled=enabled)


def _best(candidates: list[RegisteredAgent]) -> RegisteredAgent:
    return max(reversed(candidates), key=lambda agent: agent.spec.priority)


def unavailable(spec: AgentSpec) -> str:
    """Say plainly that an endpoint's kind is not built yet."""
    variable = ENDPOINT_VARIABLES.get(spec.agent_id)
    remedy = f"unset {variable} to use the built-in agent, or " if variable else ""
    return (
        f"agent {spec.agent_id!r} is at {spec.endpoint!r} (kind {spec.kind!r}), and this version "
        f"cannot call that kind of agent yet; {remedy}register one with a handler"
    )


def registry_from_environment(environment: Mapping[str, str]) -> AgentRegistry:
    """Build a registry: the agents whose endpoint is set, and the built-in team for the rest.

    Args:
        environment: `TICKETING_ENDPOINT`, `SALES_ENDPOINT`, `FINANCE_ENDPOINT` and
            `HR_ENDPOINT`; `ORCHESTRATION_TEAM_DATABASE` says where the team keeps its data.
    """
    from orchestration.agents.built_in import built_in_team  # noqa: PLC0415  only where needed

    registry = AgentRegistry()
    for spec in built_in_team(environment):
        endpoint = environment.get(ENDPOINT_VARIABLES[spec.agent_id], "").strip()
        if endpoint:
            spec = AgentSpec(  # noqa: PLW2901  the company's own takes the place
                spec.agent_id, spec.capabilities, endpoint=endpoint, description="own endpoint"
            )
        registry.register(spec)
    return registry


@cache
def get_registry() -> AgentRegistry:
    """Return the process's registry, made from the environment when first asked for."""
    return registry_from_environment(os.environ)
