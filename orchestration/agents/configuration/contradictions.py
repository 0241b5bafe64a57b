"""Which parts of an agents file do not go together; found also where others are wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from orchestration.agents.configuration.entries import OF_A_VERSION, PLACES
from orchestration.agents.configuration.layout import agents_in, endpoints_in, versions_in
from orchestration.agents.configuration.policy_entries import TOKEN_PRICES
from orchestration.agents.price import Price
from orchestration.agents.price import problems as price_problems
from orchestration.documents.source import Finding

if TYPE_CHECKING:
    from orchestration.agents.configuration.layout import Part
    from orchestration.documents.source import KeyPath, Source


def contradictions(source: Source) -> Iterator[Finding]:
    """Say what does not go together in any agent of a file, and what is there twice."""
    agents = [*agents_in(source.value)]
    for agent in agents:
        yield from _of_agent(agent)
        yield from _of_cost(agent)
        for version in versions_in(agent):
            yield from _of_version(version)
            for part in (*([version] if version.around else ()), *endpoints_in(version)):
                yield from _of_cost(part)
            yield from _endpoint_ids(version, source)
    yield from _versions_twice(agents, source)


def _of_agent(agent: Part) -> Iterator[Finding]:
    if agent.content.get("versions") is None:
        return
    for key in OF_A_VERSION:
        if agent.content.get(key) is not None:
            message = "is said by each of the versions; leave it out here"
            yield Finding((*agent.path, key), message, of_key=True)


def _of_version(version: Part) -> Iterator[Finding]:
    content, at = version.content, version.path
    places = [key for key in PLACES if content.get(key) is not None]
    if not places:
        several = "" if version.around else ", or versions that do"
        yield Finding(at, f"does not say where it is; give endpoint or endpoints{several}")
    elif len(places) > 1:
        yield Finding(at, "give either endpoint or endpoints")
    if content.get("weight") is not None and content.get("ramp") is not None:
        yield Finding((*at, "ramp"), "is instead of weight; keep one of them", of_key=True)
    read_only = version.said("read_only")
    if content.get("shadow") and (read_only is None or read_only[0] is False):
        message = "is only for what is read_only: a copy of a call would act a second time"
        yield Finding((*at, "shadow"), message)


def _of_cost(part: Part) -> Iterator[Finding]:
    cost, at = part.content.get("cost"), (*part.path, "cost")
    if not isinstance(cost, Mapping):
        return
    model, provider = cost.get("model"), cost.get("provider")
    if model is None:
        if provider is not None:
            yield Finding((*at, "provider"), "is of a model; give that too", of_key=True)
        return
    for key in TOKEN_PRICES:
        if cost.get(key) is not None:
            yield Finding((*at, key), "is instead of model; keep one of them", of_key=True)
    if all(each is None or (isinstance(each, str) and each.strip()) for each in (model, provider)):
        for words in price_problems(Price(model=model, provider=provider)):
            yield Finding((*at, "model"), words.removeprefix("cost.model: "))


def _endpoint_ids(version: Part, source: Source) -> Iterator[Finding]:
    endpoints = [*endpoints_in(version)]
    if len(endpoints) < 2:  # noqa: PLR2004  then it needs no name
        return
    for endpoint in endpoints:
        if endpoint.content.get("id") is None:
            yield Finding(endpoint.path, "has no id; give each of several endpoints its own")
    ids = [(each.content.get("id"), (*each.path, "id")) for each in endpoints]
    yield from _twice(ids, "endpoint", source)


def _versions_twice(agents: Iterable[Part], source: Source) -> Iterator[Finding]:
    found: list[tuple[object, KeyPath]] = []
    for agent in agents:
        for version in versions_in(agent):
            agent_id, number = agent.content.get("id"), version.content.get("version")
            if isinstance(agent_id, str) and (number is not None or version is agent):
                key = "id" if number is None else "version"
                both = f"{agent_id}@{'1' if number is None else number}"
                found.append((both, (*version.path, key)))
    yield from _twice(found, "agent and version", source)


def _twice(found: Iterable[tuple[object, KeyPath]], what: str, source: Source) -> Iterator[Finding]:
    first: dict[str, KeyPath] = {}
    for value, path in found:
        if not isinstance(value, str):
            continue
        if value in first:
            position = source.position(first[value])
            where = "" if position is None else f", first in line {position.line}"
            yield Finding(path, f"the {what} {value!r} is there twice{where}")
        first.setdefault(value, path)
