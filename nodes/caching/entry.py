"""A kept answer: since when it is kept, and for what it is still good."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, TypedDict, cast

if TYPE_CHECKING:
    from state.caching import CacheDocument
    from state.jsonvalue import JsonObject

SCHEMA: Final = 1
_TIMES: Final = ("stored_at", "fresh_until")
_MARKS_OF_UNFINISHED: Final = ("partial", "interrupted", "error", "__interrupt__")


class Entry(TypedDict):
    """An answer as it stands in a store; times are seconds since the epoch."""

    schema: int
    stored_at: float
    fresh_until: float
    stale_until: float
    tags: list[str]
    reply: JsonObject


def is_complete(reply: JsonObject) -> bool:
    """Whether a reply may be kept: it does not say that it is partial, or failed."""
    return not any(reply.get(mark) for mark in _MARKS_OF_UNFINISHED)


def kept_seconds(policy: CacheDocument) -> float:
    """How long an answer is of any use."""
    longest = max(policy["stale_if_error_seconds"], policy["stale_while_revalidate_seconds"])
    return policy["ttl_seconds"] + longest


def new_entry(reply: JsonObject, policy: CacheDocument, *, now: float) -> Entry:
    """Make an entry of an answer that was given just now."""
    return {
        "schema": SCHEMA,
        "stored_at": now,
        "fresh_until": now + policy["ttl_seconds"],
        "stale_until": now + kept_seconds(policy),
        "tags": policy["tags"],
        "reply": reply,
    }


def entry_in(value: Any) -> Entry | None:  # noqa: ANN401  whatever a store holds
    """The entry that a value of a store is, or None."""
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        return None
    if not isinstance(value.get("reply"), dict) or not all(map(is_number, map(value.get, _TIMES))):
        return None
    return cast("Entry", value)


def is_number(value: object) -> bool:
    """Whether a value that was read from a store is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def age(entry: Entry, now: float) -> float:
    """Seconds since the answer was given."""
    return max(0.0, now - entry["stored_at"])


def is_fresh(entry: Entry, policy: CacheDocument, now: float) -> bool:
    """Whether it answers a question: who stored it, and who asks, find it young enough."""
    return now < _fresh_until(entry, policy)


def serves_while_refreshed(entry: Entry, policy: CacheDocument, now: float) -> bool:
    """Whether it may be given while a new answer is fetched."""
    return now < _fresh_until(entry, policy) + policy["stale_while_revalidate_seconds"]


def serves_on_error(entry: Entry, policy: CacheDocument, now: float) -> bool:
    """Whether it may stand in for a call that failed."""
    return now < _fresh_until(entry, policy) + policy["stale_if_error_seconds"]


def _fresh_until(entry: Entry, policy: CacheDocument) -> float:
    return min(entry["fresh_until"], entry["stored_at"] + policy["ttl_seconds"])
