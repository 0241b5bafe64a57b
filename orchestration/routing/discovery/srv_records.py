"""What an SRV record (RFC 2782) means for an agent's endpoints."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SMALL_WEIGHT: Final = 0.1
"""Of a record with weight 0 beside others with more: it is seldom chosen, but not never."""
_LONGEST_ID: Final = 64
_LABEL: Final = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_DOMAIN: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*")


class SrvRecord(NamedTuple):
    """One place that an answer names."""

    priority: int
    """The lower, the earlier."""
    weight: int
    port: int
    target: str
    """A host name in lower case without the last dot; empty for "decidedly not available"."""


def is_allowed(record: SrvRecord, suffixes: Iterable[str]) -> bool:
    """Whether a record names a host in one of the domains, and a port.

    A label of the DNS may hold any bytes, and so a `/` or an `@` that would change what a URL
    means: only letters, digits and `-` are taken for a host.
    """
    host = record.target
    inside = any(host == each or host.endswith(f".{each}") for each in suffixes)
    return record.port > 0 and inside and is_domain(host)


def is_domain(name: str) -> bool:
    """Whether it is the name of a host or a zone, in lower case."""
    return _DOMAIN.fullmatch(name) is not None


def weighed(records: Iterable[SrvRecord]) -> Iterator[tuple[SrvRecord, float]]:
    """Each place once, with its share of the calls beside the others of its priority.

    Where all of a priority have weight 0, they share evenly; beside others, such a one gets
    very little. Of a place that is named twice, the first by priority and weight counts.
    """
    once: dict[tuple[str, int], SrvRecord] = {}
    for each in sorted(records, key=lambda record: (record.priority, -record.weight, record)):
        once.setdefault((each.target, each.port), each)
    weighty = {each.priority for each in once.values() if each.weight}
    for each in once.values():
        yield each, each.weight or (_SMALL_WEIGHT if each.priority in weighty else 1)


def endpoint_id(record: SrvRecord) -> str:
    """The same for the same target and port, whatever else changes."""
    whole = f"{record.target}_{record.port}"
    if len(whole) <= _LONGEST_ID:
        return whole
    digest = hashlib.sha256(whole.encode()).hexdigest()[:12]
    return f"{whole[: _LONGEST_ID - len(digest) - 1]}_{digest}"


def zone_of(service: str) -> str:
    """What follows a service's labels, e.g. `example.com` of `_ticketing._tcp.example.com`."""
    labels = service.split(".")
    while labels and labels[0].startswith("_"):
        labels.pop(0)
    return ".".join(labels)


def plain(name: str) -> str:
    """A domain name in lower case, without dots around it."""
    return name.strip(".").lower()
