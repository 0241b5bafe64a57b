"""What the cache made of a question, and how often it made what of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, NotRequired, TypedDict

if TYPE_CHECKING:
    from state.jsonvalue import JsonObject

VerdictKind = Literal["hit", "miss", "stale", "joined", "bypass"]
"""From the cache; by a call; from the cache, though too old; by another's call; past the cache."""


class Verdict(TypedDict):
    """Where an answer came from."""

    verdict: VerdictKind
    why: str
    age_seconds: NotRequired[float]
    """How old the answer is; only where it was kept."""


class Cached(NamedTuple):
    """An answer, and where it came from."""

    reply: JsonObject
    verdict: Verdict


class CacheCounts(TypedDict):
    """What happened in one process since it began."""

    hits: int
    misses: int
    stale: int
    joined: int
    bypassed: int
    failed: int
    """Questions that ended with an error; nothing of them is kept."""
    stored: int
    refreshed: int
    """Answers fetched in the background."""
    refreshes_failed: int


class CacheStats(CacheCounts):
    """The counts, and what the store holds."""

    evicted: int
    entries: int
    bytes: int | None
    """None where the store does not know."""


def verdict(kind: VerdictKind, why: str, *, age_seconds: float | None = None) -> Verdict:
    """Make a verdict."""
    made = Verdict(verdict=kind, why=why)
    if age_seconds is not None:
        made["age_seconds"] = round(age_seconds, 3)
    return made
