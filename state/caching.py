"""How long, and among whom, an agent's answer may be used again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal, TypedDict, get_args

from state.jsonvalue import described

if TYPE_CHECKING:
    from collections.abc import Iterator

Scope = Literal["user", "tenant"]
"""Who shares answers: the same user of the same tenant, or all users of one tenant."""

SCOPES: Final = get_args(Scope)
LONGEST_TTL: Final = timedelta(days=366)


class CacheDocument(TypedDict):
    """A `CachePolicy` as it stands in a plan."""

    ttl_seconds: float
    stale_if_error_seconds: float
    stale_while_revalidate_seconds: float
    scope: Scope
    tags: list[str]
    semantic: bool
    semantic_threshold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CachePolicy:
    """How answers of an agent, or to a task, are kept. They never leave their tenant."""

    ttl: timedelta = timedelta(hours=1)
    stale_if_error: timedelta = timedelta(0)
    """How long after the `ttl` an answer may stand in for a call that fails."""
    stale_while_revalidate: timedelta = timedelta(0)
    """How long after the `ttl` an answer is given at once, while a new one is fetched."""
    scope: Scope = "user"
    """`tenant` is only for agents that answer all users of a tenant alike."""
    tags: Sequence[str] = ()
    """Names by which answers can be invalidated together."""
    semantic: bool = False
    """Whether a question that means the same may be answered from the cache, too."""
    semantic_threshold: float = 0.75
    """The cosine from which two questions may mean the same."""

    def problems(self) -> Iterator[str]:
        """What is wrong with the policy, in words; nothing if all is well."""
        for name in ("ttl", "stale_if_error", "stale_while_revalidate"):
            span = getattr(self, name)
            if not isinstance(span, timedelta) or not timedelta(0) <= span <= LONGEST_TTL:
                yield (
                    f"cache.{name} is {described(span)}; it must be a timedelta from 0 to "
                    f"{LONGEST_TTL.days} days"
                )
        if self.ttl == timedelta(0):
            yield "cache.ttl is 0; it must be longer, or leave the policy away to cache nothing"
        if self.scope not in SCOPES:
            yield f"cache.scope is {described(self.scope)}; it must be one of {list(SCOPES)}"
        if (problem := tag_problem(self.tags)) is not None:
            yield f"cache.tags is {problem}"
        yield from self._semantic_problems()

    def _semantic_problems(self) -> Iterator[str]:
        if not isinstance(self.semantic, bool):
            yield f"cache.semantic is {described(self.semantic)}; it must be True or False"
        threshold = self.semantic_threshold
        if (
            isinstance(threshold, bool)
            or not isinstance(threshold, int | float)
            or not (0 < threshold <= 1 and math.isfinite(threshold))
        ):
            yield (
                f"cache.semantic_threshold is {described(threshold)}; it must be a number above 0 "
                "and up to 1"
            )

    def document(self) -> CacheDocument:
        """The policy as JSON."""
        return {
            "ttl_seconds": self.ttl.total_seconds(),
            "stale_if_error_seconds": self.stale_if_error.total_seconds(),
            "stale_while_revalidate_seconds": self.stale_while_revalidate.total_seconds(),
            "scope": self.scope,
            "tags": sorted(set(self.tags)),
            "semantic": self.semantic,
            "semantic_threshold": float(self.semantic_threshold),
        }


def tag_problem(tags: object) -> str | None:
    """What is wrong with tags, in words; None if they are a list of texts."""
    if isinstance(tags, Sequence) and not isinstance(tags, str) and all(map(_is_tag, tags)):
        return None
    return f"{described(tags)}; it must be a list of texts, none empty"


def _is_tag(tag: object) -> bool:
    return isinstance(tag, str) and bool(tag)
