"""Where a process's agents come from, the first that knows an agent counting for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestration.agents.built_in import built_in_team
from orchestration.agents.configuration.environment import named_in
from orchestration.agents.configuration.variables import BUILT_IN_IDS
from orchestration.routing.discovery.fixed import Fixed, Seldom, WithNames, is_at_name
from state.errors import ConfigurationError

if TYPE_CHECKING:
    from orchestration.agents.spec import AgentSpec
    from orchestration.routing.discovery.source import DiscoverySource

CARDS_VARIABLE: Final = "ORCHESTRATION_AGENT_CARDS"
"""Addresses of A2A agents, separated by white space, whose cards say what they can do."""
CARD_HOSTS_VARIABLE: Final = "ORCHESTRATION_AGENT_CARD_HOSTS"
"""Hosts, as `name` or `name:port`, where the agents of cards may be, beside where the card is;
their addresses need not be public."""
CARD_KEYS_VARIABLE: Final = "ORCHESTRATION_AGENT_CARD_KEYS"
"""The path of a JSON file, key ids to public keys; with it, cards must be signed."""
CARDS_SECONDS: Final = 30.0
"""How often cards are fetched."""
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
        ConfigurationError: A variable is not; with every problem, those of the file too.
    """
    found: list[Layer] = []
    named = named_in(environment)
    if named.file is not None:
        from orchestration.routing.discovery.watched_file import WatchedFile  # noqa: PLC0415

        file = WatchedFile(named.file, environment=environment)
        found.append(_layer(file, named.in_file, clock))
    if named.in_variables:
        variables = Fixed("environment", named.in_variables)
        found.append(_layer(variables, named.in_variables, clock))
    found.extend(Layer(each, ()) for each in _cards(environment, clock))
    found.append(Layer(_packages(clock), ()))
    team = built_in_team(environment)
    found.append(Layer(Fixed("the built-in team", team), team))
    return found


def _layer(source: DiscoverySource, said: Sequence[AgentSpec], clock: Callable[[], float]) -> Layer:
    """A source whose agents may be at names; those are found when it is first asked."""
    return Layer(WithNames(source, clock=clock), [spec for spec in said if not is_at_name(spec)])


def _cards(environment: Mapping[str, str], clock: Callable[[], float]) -> Iterator[DiscoverySource]:
    """A source for each card, so that one that cannot be had hides no other.

    Raises:
        ConfigurationError: A variable is not what it should be.
    """
    addresses = environment.get(CARDS_VARIABLE, "").split()
    if not addresses:
        return
    from orchestration.routing.discovery.agent_cards import (  # noqa: PLC0415  an extra
        card_source,
    )

    keys = _keys(environment.get(CARD_KEYS_VARIABLE, "").strip())
    hosts = environment.get(CARD_HOSTS_VARIABLE, "").split()
    for address in addresses:
        source = card_source([address], allowed_hosts=hosts, keys=keys, reserved=BUILT_IN_IDS)
        yield Seldom(source, every_seconds=CARDS_SECONDS, clock=clock)


def _keys(file: str) -> dict[str, str] | None:
    """Read public keys.

    Raises:
        ConfigurationError: The file cannot be read, or is no object of keys.
    """
    if not file:
        return None
    try:
        keys = json.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{CARD_KEYS_VARIABLE} names {file!r}: {error}") from error
    if not isinstance(keys, dict) or not keys:
        raise ConfigurationError(
            f"{CARD_KEYS_VARIABLE} names {file!r}, which is no JSON object of key ids and keys"
        )
    return keys


def _packages(clock: Callable[[], float]) -> DiscoverySource:
    from orchestration.routing.discovery.entry_points import EntryPointAgents  # noqa: PLC0415

    return Seldom(EntryPointAgents(), every_seconds=PACKAGES_SECONDS, clock=clock)
