"""One question on its way through the cache."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from checkpoints.cache_values import Labels
from state.cache_key import canonical

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from state.cache_key import CacheKey
    from state.caching import CacheDocument
    from state.jsonvalue import JsonObject

FullKey = tuple[tuple[str, ...], str]
"""What LangGraph's `BaseCache` calls a key: a namespace and a name."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, who can answer, and under which policy."""

    key: CacheKey
    call: Callable[[], Awaitable[JsonObject]]
    policy: CacheDocument
    cacheable: Callable[[JsonObject], bool]
    full_key: FullKey = field(init=False)
    labels: Labels = field(init=False)

    def __post_init__(self) -> None:
        key, put = self.key, object.__setattr__
        put(self, "full_key", full_key_of(key))
        tags = tuple(self.policy["tags"])
        put(self, "labels", Labels(key.agent_id, key.version, key.tenant, tags))


def full_key_of(key: CacheKey) -> FullKey:
    """The key as stores know it; what is None differs from every text."""
    tenant = () if key.tenant is None else (key.tenant,)
    name = canonical([key.capability, key.scope, key.user, key.digest])
    return ("agent", key.agent_id, key.version, *tenant), name
