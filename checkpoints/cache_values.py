"""What stores of answers are asked, and what they answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypedDict

from state.errors import CacheError


class Labels(NamedTuple):
    """By what an entry can be invalidated; None where it has no such thing."""

    agent_id: str | None = None
    version: str | None = None
    tenant: str | None = None
    tags: tuple[str, ...] = ()


NO_LABELS = Labels()


class Invalidation(NamedTuple):
    """Which entries are to go: those that fit in all that is given; without anything, all."""

    agent_id: str | None = None
    version: str | None = None
    tenant: str | None = None
    tag: str | None = None

    def meets(self, labels: Labels) -> bool:
        """Whether entries with these labels are to go."""
        return (
            self.agent_id in (None, labels.agent_id)
            and self.version in (None, labels.version)
            and self.tenant in (None, labels.tenant)
            and (self.tag is None or self.tag in labels.tags)
        )

    def checked(self) -> Invalidation:
        """Return it, if it says which.

        Raises:
            CacheError: Nothing is given.
        """
        if all(part is None for part in self):
            raise CacheError(
                "invalidate() was told nothing; give agent_id, version, tenant or tag (all that "
                "are given must fit), or call clear() to empty the cache"
            )
        return self


class Row(NamedTuple):
    """An entry as it is stored."""

    entry_id: str
    namespace: str
    labels: Labels
    record: bytes
    expires_at: float
    """Seconds since the epoch; infinite for never."""


class Look(NamedTuple):
    """What a store knows about a key, at one moment."""

    value: Any = None
    """What is kept; None if nothing is."""
    sequence: int = 0
    """The number of the latest invalidation."""
    holder: str | None = None
    """Who makes the call now."""
    failure: Mapping[str, Any] | None = None
    """How the flight that was asked about failed."""


class Claim(NamedTuple):
    """Who makes a call for all."""

    mine: bool
    holder: str
    sequence: int
    """The number of the latest invalidation when the holder began."""


class StoreStats(TypedDict):
    """How much a store holds."""

    entries: int
    bytes: int | None
    """None where the store does not know."""
    evicted: int
    """By this process, to make room."""
