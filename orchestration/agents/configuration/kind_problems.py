"""What the kinds of agents find wrong with the endpoints of a file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from orchestration.agents.configuration.entries import REMOTE_KINDS
from orchestration.agents.configuration.layout import agents_in, endpoints_in, versions_in
from orchestration.agents.endpoint import Endpoint, kind_of
from orchestration.agents.kinds import problems_of
from orchestration.documents.source import Finding

if TYPE_CHECKING:
    from orchestration.agents.configuration.layout import Part
    from orchestration.documents.source import KeyPath

_IS_LIKE_A_HOST: Final = re.compile(r"[\w-]+(\.[\w-]+)*:\d+|[\w-]+(\.[\w-]+)+")
"""Begins an address whose scheme somebody left out."""


def kind_problems(content: object) -> Iterator[Finding]:
    """Ask the kind of every endpoint what is wrong with it, without speaking with it.

    Endpoints that say no address, or a kind that there is not, are left out: that is said
    elsewhere.
    """
    for agent in agents_in(content):
        for version in versions_in(agent):
            yield from _of_place(version, "endpoint")
            for endpoint in endpoints_in(version):
                yield from _of_place(endpoint, "address")


def _of_place(place: Part, key: str) -> Iterator[Finding]:
    address = place.content.get(key)
    if not isinstance(address, str) or not address:
        return
    at, said = (*place.path, key), place.said("kind")
    kind = kind_of(None, address) if said is None else said[0]
    if kind == "unknown":
        words = f"does not say how to speak with it; give kind: {_KINDS}"
        if _IS_LIKE_A_HOST.match(address):
            words += "; a URL begins with https:// or http://"
        yield Finding(at, words)
    if kind not in REMOTE_KINDS:
        return
    settings = place.merged("settings")
    endpoint_id = place.content.get("id") if key == "address" else None
    endpoint = Endpoint(
        endpoint_id=endpoint_id if isinstance(endpoint_id, str) else "default",
        address=address,
        kind=str(kind),
        settings={name: value for name, (value, _) in settings.items()},
    )
    mentioned = {"address": at} | ({} if said is None else {"kind": said[1]})
    for name, (value, path) in settings.items():
        mentioned[name] = path
        for inner in value if isinstance(value, Mapping) else ():
            mentioned.setdefault(inner, (*path, inner))
    for words in problems_of(endpoint):
        yield Finding(_mentioned(words, mentioned) or at, words)


def _mentioned(words: str, paths: dict[str, KeyPath]) -> KeyPath | None:
    """The place of the key that is mentioned first."""
    found = {name: re.search(rf"(?<!\w){re.escape(name)}(?!\w)", words) for name in paths if name}
    places = [(match.start(), name) for name, match in found.items() if match is not None]
    return paths[min(places)[1]] if places else None


_KINDS = ", ".join(REMOTE_KINDS)
