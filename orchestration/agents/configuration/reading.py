"""Agents files: YAML or JSON in, `AgentSpec`s out, or every problem with its place."""

from __future__ import annotations

import copy
import os
from typing import TYPE_CHECKING

from pydantic import ValidationError

from orchestration.agents.configuration.building import built
from orchestration.agents.configuration.contradictions import contradictions
from orchestration.agents.configuration.entries import WORDING, AgentsEntry
from orchestration.agents.configuration.kind_problems import kind_problems
from orchestration.agents.configuration.layout import agents_in, versions_in
from orchestration.agents.configuration.references import References
from orchestration.agents.spec import AgentSpec
from orchestration.documents.reading import parsed, read_bytes
from orchestration.documents.source import BadTextError, Finding, Source
from orchestration.documents.version import keep_versions
from state.errors import AgentFileError

if TYPE_CHECKING:
    from collections.abc import Mapping


def load_agents(
    file: str | os.PathLike[str], *, environment: Mapping[str, str] | None = None
) -> list[AgentSpec]:
    """Read which agents there are; a file that ends in `.json` is JSON, any other YAML.

    Args:
        file: Its path.
        environment: What `${NAME}` stands for; by default the process's own.

    Raises:
        AgentFileError: It cannot be read, or is not what it should be; with every problem.
    """
    name = os.fspath(file)
    try:
        content = read_bytes(name)
    except BadTextError as error:
        raise unreadable(name, error) from error
    return agents_of(content, file=name, environment=environment)


def agents_of(
    content: bytes, *, file: str, environment: Mapping[str, str] | None = None
) -> list[AgentSpec]:
    """Say which agents the content of a file means; see `load_agents`."""
    try:
        source = parsed(content, file)
    except BadTextError as error:
        raise unreadable(file, error) from error
    agents = [each for agent in agents_in(source.value) for each in (agent, *versions_in(agent))]
    keep_versions(source, ((each.content, each.path) for each in agents))
    specs, findings = checked(source, os.environ if environment is None else environment)
    if findings:
        problems = dict.fromkeys(source.problem(each) for each in findings)
        ordered = sorted(problems, key=lambda each: (each.line or 0, each.column or 0))
        raise AgentFileError(file, ordered)
    return specs


def unreadable(file: str, error: BadTextError) -> AgentFileError:
    """Say that a file is no text that could be checked."""
    problem = Source(file).problem(Finding((), str(error), position=error.position))
    return AgentFileError(file, [problem])


def checked(
    source: Source, environment: Mapping[str, str] | None
) -> tuple[list[AgentSpec], list[Finding]]:
    """Return the agents that a source names, or else everything that is wrong with it.

    Args:
        source: What a file says, or in the same form something else.
        environment: What `${NAME}` stands for; None leaves it as it is.
    """
    wrong = {each.path for each in source.findings}
    shape = [each for each in _shape(source.value)[1] if each.path not in wrong]
    findings = [*source.findings, *shape, *contradictions(source)]
    content, references = copy.deepcopy(source.value), References(environment or {})
    if environment is not None:
        references.fill(content)
    findings += references.findings
    wrong = {each.path for each in findings}
    for each in kind_problems(content):
        if each.path not in wrong:  # of which it has been said already what is wrong
            findings.append(each._replace(message=references.hidden(each.message)))
    entry, more = _shape(content)
    if findings or entry is None:
        return [], findings or more
    made = [*built(entry)]
    refused = [each for each in made if isinstance(each, Finding)]
    return [each for each in made if isinstance(each, AgentSpec)], [
        each._replace(message=references.hidden(each.message)) for each in refused
    ]


def _shape(content: object) -> tuple[AgentsEntry | None, list[Finding]]:
    """Check keys, types and bounds."""
    try:
        return AgentsEntry.model_validate(content), []
    except ValidationError as error:
        return None, WORDING.findings(error)
