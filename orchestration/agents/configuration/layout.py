"""The parts of an agents file, found also where some of it is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from orchestration.documents.source import KeyPath

Content = Mapping[str, Any]


class Part(NamedTuple):
    """An agent, a version or an endpoint: what it says, and where."""

    content: Content
    path: KeyPath
    around: Part | None = None
    """The version of an endpoint, the agent of a version."""

    def chain(self) -> Iterator[Part]:
        """Yield the part, then what is around it."""
        yield self
        if self.around is not None:
            yield from self.around.chain()

    def said(self, key: str) -> tuple[object, KeyPath] | None:
        """What the nearest part says under a key, and where."""
        for part in self.chain():
            if part.content.get(key) is not None:
                return part.content[key], (*part.path, key)
        return None

    def merged(self, key: str) -> dict[str, tuple[object, KeyPath]]:
        """The mappings that all parts have under a key as one, the nearest first."""
        found: dict[str, tuple[object, KeyPath]] = {}
        for part in self.chain():
            mapping = part.content.get(key)
            for name, value in mapping.items() if isinstance(mapping, Mapping) else ():
                found.setdefault(name, (value, (*part.path, key, name)))
        return found


def agents_in(content: object) -> Iterator[Part]:
    """Yield the agents of a file."""
    return _several(Part(content if isinstance(content, Mapping) else {}, ()), "agents")


def versions_in(agent: Part) -> Iterator[Part]:
    """Yield the versions of an agent; it is its own only one if it lists none."""
    if agent.content.get("versions") is None:
        return iter((agent,))
    return _several(agent, "versions")


def endpoints_in(version: Part) -> Iterator[Part]:
    """Yield what a version lists as its endpoints."""
    return _several(version, "endpoints")


def _several(part: Part, key: str) -> Iterator[Part]:
    listed = part.content.get(key)
    for index, each in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(each, Mapping):
            around = part if part.path else None
            yield Part(each, (*part.path, key, index), around)
