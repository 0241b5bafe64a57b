"""Which agents the environment names: by variables of their own, and by an agents file."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from orchestration.agents.configuration.variables import (
    BUILT_IN_IDS,
    ENDPOINT,
    FILE_VARIABLE,
    NAMES_VARIABLE,
    SUFFIXES,
    prefix_of,
)
from orchestration.agents.spec import AGENT_ID
from orchestration.documents.source import Source, path_text
from state.errors import AgentFileError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestration.agents.spec import AgentSpec
    from orchestration.documents.source import Finding, KeyPath

_BETWEEN: Final = re.compile(r"\s*,\s*(?=[a-z][a-z0-9+.-]*://|projects/)|\s+", re.IGNORECASE)
"""Between addresses; a comma may also stand in one."""
_LONGEST_ID: Final = 64


class Named(NamedTuple):
    """The agents that the environment names, by where; none of the built-in ones."""

    file: str | None
    """The path of the agents file, if there is one."""
    in_file: list[AgentSpec]
    in_variables: list[AgentSpec]


def named_in(environment: Mapping[str, str]) -> Named:
    """Return the agents that the environment names.

    Args:
        environment: See `docs/agents-file.md` for its variables.

    Raises:
        AgentFileError: The file is not what it should be; with every problem.
        ConfigurationError: A variable is not; with every problem, those of the file too.
    """
    file, said = agents_file(environment), _Variables(environment)
    in_file: list[AgentSpec] = []
    broken: AgentFileError | None = None
    if file is not None:
        from orchestration.agents.configuration.reading import load_agents  # noqa: PLC0415  pydantic

        try:
            in_file = load_agents(file, environment=environment)
        except AgentFileError as error:
            broken = error
    in_variables = said.specs()
    if said.problems:
        raise _refusal([*said.problems, *(map(str, broken.problems) if broken else ())])
    if broken is not None:
        raise broken
    return Named(file, in_file, in_variables)


def specs_from_environment(environment: Mapping[str, str]) -> list[AgentSpec]:
    """Return the agents that the environment names, as `named_in` does, each once.

    What the file says of an agent is all that counts for it; variables count for the agents
    that it does not name.
    """
    _, in_file, in_variables = named_in(environment)
    named = {spec.agent_id for spec in in_file}
    return [*in_file, *(spec for spec in in_variables if spec.agent_id not in named)]


def agents_file(environment: Mapping[str, str]) -> str | None:
    """The path of the agents file that the environment names, if it names one."""
    return environment.get(FILE_VARIABLE, "").strip() or None


class _Variables:
    """Reads variables into what an agents file would say, and remembers who said what."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._said_by: dict[KeyPath, str] = {}
        self.problems: list[str] = []

    def specs(self) -> list[AgentSpec]:
        """Return the agents; none where there are `problems`."""
        agents: list[dict[str, Any]] = []
        for agent_id in self._agent_ids():
            if self._value(prefix_of(agent_id) + ENDPOINT):
                agents.append(self._agent(agent_id, ("agents", len(agents))))
        if not agents:
            return []
        from orchestration.agents.configuration.reading import checked  # noqa: PLC0415  pydantic

        specs, findings = checked(Source("the environment", {"agents": agents}), None)
        self.problems += sorted({self._worded(each) for each in findings})
        return specs

    def _agent_ids(self) -> list[str]:
        """The four, and those that are listed."""
        listed = [each.strip() for each in self._value(NAMES_VARIABLE).split(",")]
        listed = [*dict.fromkeys(each for each in listed if each)]
        for agent_id in listed:
            variable = prefix_of(agent_id) + ENDPOINT
            if not AGENT_ID.fullmatch(agent_id):
                words = "ids have 1 to 64 letters, digits, '_', '-' or '.'"
                self.problems.append(f"{NAMES_VARIABLE} names {agent_id!r}; {words}")
            elif not self._value(variable):
                words = f"{variable} is not set; set it, or leave the agent out"
                self.problems.append(f"{NAMES_VARIABLE} names {agent_id!r}, but {words}")
        ids = [*dict.fromkeys([*BUILT_IN_IDS, *filter(AGENT_ID.fullmatch, listed)])]
        for prefix, count in Counter(map(prefix_of, ids)).items():
            if count > 1:
                alike = [each for each in ids if prefix_of(each) == prefix]
                words = f"{alike!r} would share {prefix}{ENDPOINT}; rename, or use {FILE_VARIABLE}"
                self.problems.append(f"{NAMES_VARIABLE}: {words}")
        return ids

    def _agent(self, agent_id: str, at: KeyPath) -> dict[str, Any]:
        """Say in the form of a file what the variables of an agent say."""
        prefix = prefix_of(agent_id)
        agent: dict[str, Any] = {"id": agent_id, "description": "own endpoint"}
        agent |= _places(self._value(prefix + ENDPOINT))
        self._said_by[at] = prefix + ENDPOINT
        for end, suffix in SUFFIXES.items():
            variable = prefix + end
            if not (value := self._value(variable)):
                continue
            self._said_by[*at, *suffix.path] = variable
            try:
                said = suffix.read(value)
            except ValueError as error:
                self.problems.append(f"{variable}: {error}")
                continue
            holder = agent
            for key in suffix.path[:-1]:
                holder = holder.setdefault(key, {})
            holder[suffix.path[-1]] = said
        return agent

    def _value(self, variable: str) -> str:
        return self._environment.get(variable, "").strip()

    def _worded(self, finding: Finding) -> str:
        """Say what is wrong, with the variable that said it."""
        path = finding.path
        while path not in self._said_by:
            path = path[:-1]
        rest = finding.path[len(path) :]
        inside = ""
        if rest[:1] == ("endpoints",) and len(rest) > 1:
            inside = f"address {int(rest[1]) + 1}: "
        elif rest and isinstance(path[-1], str):
            inside = f"{path_text(rest)}: "
        return f"{self._said_by[path]}: {inside}{finding.message}"


def _places(value: str) -> dict[str, Any]:
    """One address, or several with ids that say which is which in any order."""
    addresses = [each for each in _BETWEEN.split(value) if each]
    if len(addresses) == 1:
        return {"endpoint": addresses[0]}
    return {"endpoints": [{"id": id_of(each), "address": each} for each in addresses]}


def id_of(address: str) -> str:
    """Make an id of an address: without user, password and query, which may be secret."""
    try:
        parts = urlsplit(address)
        told = parts.netloc.rpartition("@")[2] + parts.path
    except ValueError:
        told = "broken"
    made = re.sub(r"[^A-Za-z0-9_.-]+", "-", told).strip("-.")[-_LONGEST_ID:]
    return made.lstrip("-.") or "default"


def _refusal(problems: list[str]) -> ConfigurationError:
    if len(problems) == 1:
        return ConfigurationError(problems[0])
    lines = "\n".join(f"  {problem}" for problem in problems)
    return ConfigurationError(f"the environment has {len(problems)} problems:\n{lines}")
