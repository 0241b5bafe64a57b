"""Which checkpoints of a thread are still needed: a pure decision over their chains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

COUNTERS: Final = "counters_since_delta_snapshot"
"""Metadata of LangGraph's: the `DeltaChannel`s that a checkpoint may not hold itself."""
ENCLOSING: Final = "parents"
"""Metadata of LangGraph's: the checkpoints of the graphs around a subgraph, by namespace."""

CheckpointKey = tuple[str, str]
"""Namespace and id; both are unique within a thread only together."""


class Link(NamedTuple):
    """How one checkpoint hangs together with others."""

    parent_id: str | None
    enclosing: Mapping[str, str]
    deltas: frozenset[str]
    """`DeltaChannel`s whose value may have to be put together from ancestors."""

    @classmethod
    def of(cls, parent_id: str | None, metadata: Mapping[str, Any]) -> Link:
        """Read LangGraph's metadata."""
        return cls(
            parent_id,
            metadata.get(ENCLOSING) or {},
            frozenset(metadata.get(COUNTERS) or ()),
        )


class Chains(Protocol):
    """Looks at the checkpoints of one thread."""

    def link(self, key: CheckpointKey) -> Link | None:
        """Return a checkpoint's link; None if it is gone."""
        ...

    def holds(self, key: CheckpointKey) -> frozenset[str]:
        """Return the channels whose values a checkpoint has itself; this may be slow."""
        ...


def retained(
    newest_first: Mapping[str, Sequence[str]], chains: Chains, *, keep: int
) -> set[CheckpointKey]:
    """Return what a thread needs: the latest `keep` of each namespace, and what those need.

    A subgraph's namespace belongs to one task of one checkpoint around it. When that
    checkpoint goes, nothing can reach the namespace any more, and it goes as well.
    """
    heads: set[CheckpointKey] = set()
    for namespace in sorted(newest_first, key=lambda each: (each.count("|"), each)):
        for id_ in newest_first[namespace][:keep]:
            if _is_reachable((namespace, id_), heads, newest_first, chains):
                heads.add((namespace, id_))
    return heads.union(*(needed_by(head, chains) for head in heads))


def needed_by(head: CheckpointKey, chains: Chains) -> Iterator[CheckpointKey]:
    """Yield the ancestors from which LangGraph puts together a checkpoint's `DeltaChannel`s.

    A channel's chain ends where a snapshot of it is stored, or at the root.
    """
    link = chains.link(head)
    wanted = set() if link is None else set(link.deltas)
    if wanted:
        wanted -= chains.holds(head)
    seen = {head}
    while wanted and link is not None and link.parent_id is not None:
        ancestor = (head[0], link.parent_id)
        link = chains.link(ancestor)
        if link is None or ancestor in seen:
            return
        seen.add(ancestor)
        yield ancestor
        wanted -= chains.holds(ancestor)


def _is_reachable(
    key: CheckpointKey,
    heads: set[CheckpointKey],
    known: Mapping[str, Sequence[str]],
    chains: Chains,
) -> bool:
    """Whether some kept checkpoint leads to it; a lasting subgraph needs none to."""
    is_of_one_task = ":" in key[0].rpartition("|")[2]
    link = chains.link(key) if is_of_one_task else None
    if link is None:
        return True
    return all(
        around in heads
        for around in link.enclosing.items()
        if around[0] in known and around[0] != key[0]
    )
