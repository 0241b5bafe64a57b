"""What a file may say about answers that are used again, as a pydantic model."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from orchestration.documents.entry import Entry
from orchestration.documents.times import Duration
from state.caching import CachePolicy

_NONE = timedelta(0)


class CacheEntry(Entry):
    """How answers are kept; the fields are those of `CachePolicy`."""

    enabled: bool = True
    """`false` always calls the agent."""
    ttl: Duration = None
    """Seconds, or a text such as `30m` or `2h`; by default an hour."""
    stale_if_error: Duration = None
    """How long after that an answer may stand in for a call that fails."""
    stale_while_revalidate: Duration = None
    """How long after that an answer is given at once, while a new one is fetched."""
    scope: Literal["user", "tenant"] = "user"
    """Who shares answers; never two tenants."""
    tags: list[str] = Field(default_factory=list)
    """Names by which answers can be invalidated together."""
    semantic: bool = False
    """Whether a question that means the same may be answered from the cache, too."""
    semantic_threshold: float = Field(CachePolicy().semantic_threshold, gt=0, le=1)

    def wanted(self) -> CachePolicy | bool:
        """What `cache` of a task or an agent is to be."""
        if not self.enabled:
            return False
        return self.policy() if self.model_fields_set - {"enabled"} else True

    def policy(self) -> CachePolicy:
        """Say it in the coordinator's terms."""
        return CachePolicy(
            ttl=CachePolicy().ttl if self.ttl is None else self.ttl,
            stale_if_error=self.stale_if_error or _NONE,
            stale_while_revalidate=self.stale_while_revalidate or _NONE,
            scope=self.scope,
            tags=self.tags,
            semantic=self.semantic,
            semantic_threshold=self.semantic_threshold,
        )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if problems := [*self.policy().problems()]:
            raise PydanticCustomError("cache", "{problems}", {"problems": "; ".join(problems)})
        return self


def _cache(value: object) -> object:
    """Take `true` for the default, and `false` for never."""
    if isinstance(value, bool):
        return {"enabled": value}
    if isinstance(value, Mapping | CacheEntry):
        return value
    raise PydanticCustomError("cache", "use true, false, or a mapping with ttl, scope and so on")


Caching = Annotated[
    CacheEntry | None, BeforeValidator(_cache, json_schema_input_type=bool | CacheEntry)
]
"""Of a key that may be left out."""
