"""Where a process's agents come from, the first that knows an agent counting for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestration.agents.built_in import built_in_team
from orchestration.agents.configuration.environment import agents_file, specs_of_variables
from orchestration.routing.discovery.fixed import Fixed, Seldom, WithNames, is_at_name

if TYPE_CHECKING:
    from orchestration.agents.spec import AgentSpec
    from orchestration.routing.discovery.source import DiscoverySource

CARDS_VARIABLE: Final = "ORCHESTRATION_AGENT_CARDS"
"""Addresses of A2A agents, separated by white space, whose cards say what they can do."""
CARD_HOSTS_VARIABLE: Final = "ORCHESTRATION_AGENT_CARD_HOSTS"
"""Hosts, as `name` or `name:port`, beside those of the addresses, that cards may speak of."""
PACKAGES_SECONDS: Final = 60.0
"""How often installed packages are asked for agents."""


class Layer(NamedTuple):
    """A source, and what it said already when it was made."""

    source: DiscoverySource
    said: Sequence[AgentSpec]


def layers(environment: Mapping[str, str], *, clock: Callable[[], float]) -> list[Layer]:
    """Return the sources that the environment speaks of.

    In this order: the agents file, variables, A2A cards, installed packages, and the built-in
    team for the agents that nobody else knows.

    Raises:
        AgentFileError: The file is not what it should be; with every problem.
        ConfigurationError: A variable is not; with every problem.
    """
    found: list[Layer] = []
    file = agents_file(environment)
    if file is not None:
        from orchestration.agents.configuration.reading import load_agents  # noqa: PLC0415  pydantic
        from orchestration.routing.discovery.watched_file import WatchedFile  # noqa: PLC0415

        said = load_agents(file, environment=environment)
        found.append(_layer(WatchedFile(file, environment=environment), said, clock))
    variables = specs_of_variables(environment)
    if variables:
        found.append(_layer(Fixed("environment", variables), variables, clock))
    addresses = environment.get(CARDS_VARIABLE, "").split()
    if addresses:
        from orchestration.routing.discovery.agent_cards import (  # noqa: PLC0415  an extra
            card_source,
        )

        hosts = environment.get(CARD_HOSTS_VARIABLE, "").split()
        found.append(Layer(card_source(addresses, allowed_hosts=hosts), ()))
    found.append(Layer(_packages(clock), ()))
    team = built_in_team(environment)
    found.append(Layer(Fixed("the built-in team", team), team))
    return found


def _layer(source: DiscoverySource, said: Sequence[AgentSpec], clock: Callable[[], float]) -> Layer:
    """A source whose agents may be at names; those are found when it is first asked."""
    return Layer(WithNames(source, clock=clock), [spec for spec in said if not is_at_name(spec)])


def _packages(clock: Callable[[], float]) -> DiscoverySource:
    from orchestration.routing.discovery.entry_points import EntryPointAgents  # noqa: PLC0415

    return Seldom(EntryPointAgents(), every_seconds=PACKAGES_SECONDS, clock=clock)
