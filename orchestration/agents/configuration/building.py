"""From what a file says to the registry's terms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from orchestration.agents.endpoint import Endpoint
from orchestration.agents.price import Price
from orchestration.agents.spec import AgentSpec
from orchestration.documents.source import Finding
from state.errors import RegistrationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestration.agents.configuration.entries import (
        AgentEntry,
        AgentsEntry,
        EndpointEntry,
        PlacedEntry,
        VersionEntry,
    )
    from orchestration.agents.configuration.policy_entries import PriceEntry
    from state.capability import AgentCapability

_ALIKE: Final = (
    "description",
    "priority",
    "read_only",
    "idempotent",
    "max_concurrency",
    "max_queue",
    "queue_timeout",
    "balancing",
    "compress_to",
    "context",
    "enabled",
)
"""Keys of an agent and its versions that are the registry's own."""


def built(entry: AgentsEntry) -> Iterator[AgentSpec | Finding]:
    """Yield every version of every agent, or why the registry would not take it."""
    for index, agent in enumerate(entry.agents):
        for number, version in enumerate(agent.versions or [None]):
            at = ("agents", index) if version is None else ("agents", index, "versions", number)
            try:
                yield _spec(agent, version or agent)
            except RegistrationError as error:
                yield Finding(at, str(error))


def _spec(agent: AgentEntry, version: AgentEntry | VersionEntry) -> AgentSpec:
    said = {name: _said(name, agent, version) for name in _ALIKE}
    resilience, cache = _said("resilience", agent, version), _said("cache", agent, version)
    return AgentSpec(
        agent.id,
        _capabilities(agent, version),
        name=agent.name,
        version=version.version,
        weight=version.weight,
        ramp=None if version.ramp is None else version.ramp.ramp(),
        shadow=version.shadow,
        cost=_cost(_said("cost", agent, version)),
        resilience=None if resilience is None else resilience.resilience(),
        cache=None if cache is None else cache.wanted(),
        metadata={**agent.metadata, **version.metadata},
        **_where(agent, version),
        **said,
    )


def _where(agent: AgentEntry, version: PlacedEntry) -> dict[str, Any]:
    """The keys of the registry that say where a version is."""
    kind = version.kind or agent.kind
    settings = {**agent.settings, **version.settings}
    if version.endpoint is not None:
        return {"endpoint": version.endpoint, "kind": kind, "settings": settings}
    listed = version.endpoints or []
    return {"endpoints": [_endpoint(each, kind, settings) for each in listed]}


def _endpoint(entry: EndpointEntry, kind: str | None, settings: dict[str, Any]) -> Endpoint:
    return Endpoint(
        endpoint_id=entry.id or "default",
        address=entry.address,
        kind=entry.kind or kind or "",
        settings={**settings, **entry.settings},
        weight=entry.weight,
        priority=entry.priority,
        cost=_cost(entry.cost),
        max_concurrency=entry.max_concurrency,
        enabled=entry.enabled,
        metadata=entry.metadata,
    )


def _said(name: str, agent: AgentEntry, version: PlacedEntry) -> Any:  # noqa: ANN401  any key's
    """What a version says, or the agent for all of them."""
    return getattr(version if name in version.model_fields_set else agent, name)


def _cost(entry: float | PriceEntry | None) -> Price | float | None:
    return entry if entry is None or isinstance(entry, int | float) else entry.price()


def _capabilities(agent: AgentEntry, version: PlacedEntry) -> Sequence[AgentCapability | str]:
    """What it can do; one that takes the place of a built-in agent can do the same."""
    if "capabilities" in {*agent.model_fields_set, *version.model_fields_set}:
        said: list[str] = _said("capabilities", agent, version)
        return said
    return built_in_capabilities(agent.id)


def built_in_capabilities(agent_id: str) -> Sequence[AgentCapability]:
    """What the built-in agent of that id can do; nothing if there is none."""
    from orchestration.agents.team import Team  # noqa: PLC0415  opens no database

    return Team.capabilities.get(agent_id, ())
