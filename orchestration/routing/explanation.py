"""Why a call would go where it would go: agents, versions and endpoints, and what keeps others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from state.capability import AgentCapability
from state.errors import AgentNotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestration.agent_registry import AgentRegistry
    from orchestration.agents.spec import AgentSpec
    from orchestration.routing.agent_group import AgentGroup
    from state.jsonvalue import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A decision, taken as if a call came now; nothing is called."""

    wanted: str
    agents: Sequence[Mapping[str, Any]]
    """Those that could do it, the preferred first: `agent_id`, `version`, `priority`, `enabled`."""
    versions: Sequence[Mapping[str, Any]]
    """Of the first agent: `version`, `priority`, `weight`, `share`, `switch`, `takes_calls`."""
    endpoints: Sequence[Mapping[str, Any]]
    """Of the version that was chosen, as `Pool.explained` says them."""
    agent: str
    version: str
    endpoint: str | None
    """None if none takes calls now."""
    why: str

    def as_json(self) -> JsonObject:
        """All of it as a JSON object."""
        return {
            "wanted": self.wanted,
            "agent": self.agent,
            "version": self.version,
            "endpoint": self.endpoint,
            "why": self.why,
            "agents": [dict(each) for each in self.agents],
            "versions": [dict(each) for each in self.versions],
            "endpoints": [dict(each) for each in self.endpoints],
        }


def explain(registry: AgentRegistry, wanted: str, *, has: str | None = None) -> Explanation:
    """Say where a call would go now.

    Args:
        registry: Knows the agents.
        wanted: An agent id, a capability, or an action.
        has: The version that the thread of the call has.

    Raises:
        AgentNotFoundError: Nobody enabled fits.
    """
    able = _able(registry, wanted)
    agent_id = able[0].agent_id
    router = registry.router
    now = router.clock()
    with router.lock:
        group = router.groups[agent_id]
        chosen = group.choose(has, now, router.random)
        versions = list(_versions(group, now))
        if chosen is None:
            why = "no version takes new threads"
            return Explanation(
                wanted=wanted,
                agents=_agents(able),
                versions=versions,
                endpoints=(),
                agent=agent_id,
                version="",
                endpoint=None,
                why=why,
            )
        pool = chosen.version.pool
        pick = pool.decide(now, router.random)
        reasons = [chosen.why, "no endpoint takes calls" if pick is None else pick.why]
        return Explanation(
            wanted=wanted,
            agents=_agents(able),
            versions=versions,
            endpoints=list(pool.explained(now)),
            agent=agent_id,
            version=chosen.version.spec.version,
            endpoint=None if pick is None else pick.endpoint.id,
            why="; ".join(filter(None, reasons)),
        )


def _able(registry: AgentRegistry, wanted: str) -> list[AgentSpec]:
    """The agents that could do it; an agent's id comes before a capability of the same name."""
    specs = [spec for spec in registry.list_agents() if spec.agent_id == wanted]
    if specs:
        return [registry.get(wanted)]
    found = registry.find_agents_by_capability(AgentCapability.of_action(wanted))
    if not found:
        known = {spec.agent_id for spec in registry.list_agents()}
        raise AgentNotFoundError(wanted, known)
    return found


def _agents(able: Sequence[AgentSpec]) -> list[dict[str, Any]]:
    return [
        {
            "agent_id": spec.agent_id,
            "version": spec.version,
            "priority": spec.priority,
            "enabled": spec.enabled,
        }
        for spec in able
    ]


def _versions(group: AgentGroup, now: float) -> list[dict[str, Any]]:
    sharing = group.candidates()
    total = sum(each.weight(now) for each in sharing)
    return [
        {
            "version": state.spec.version,
            "priority": state.spec.priority,
            "weight": state.weight(now),
            "share": state.weight(now) / total if state in sharing and total else 0.0,
            "switch": state.switch if state.spec.enabled else "disabled",
            "takes_calls": state.takes_calls(now),
        }
        for state in group.versions.values()
    ]
