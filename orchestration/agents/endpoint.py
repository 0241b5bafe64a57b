"""One place where a version of an agent can be reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from orchestration.agents.addresses import told
from orchestration.agents.price import Price

LOCAL_KINDS: Final = frozenset({"local", "runnable", "built-in"})
"""Kinds that run in this process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One place where a version of an agent can be reached, and how.

    Args:
        endpoint_id: Unique within the version; letters, digits, `_`, `-` and `.`.
        address: A URL, or Google's resource name.
        handler: Instead of an address, does the work in this process.
        kind: How to speak with it, one of `orchestration.agents.kinds`; guessed if not given.
        settings: Of the kind, e.g. `transport`, `headers`, `health_path`; see its module.
        weight: Its share of calls beside the others of its priority; 0 gets none.
        priority: Endpoints of a lower priority get calls only while none of a higher one can.
        cost: What a call costs; by default what the version says.
        max_concurrency: Calls at the same time, in this process.
    """

    endpoint_id: str = "default"
    address: str | None = None
    handler: Any = None
    kind: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    weight: float = 1
    priority: int = 0
    cost: Price | float | None = None
    max_concurrency: int | None = None
    enabled: bool = True
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def told_address(self) -> str | None:
        """Its address as it may be told: without what may be secret."""
        return None if self.address is None else told(self.address)

    @property
    def is_remote(self) -> bool:
        """Whether it is outside this process."""
        return self.kind not in LOCAL_KINDS


def kind_of(handler: object, address: str | None) -> str:
    """Guess how to speak with an agent."""
    if handler is not None:
        return "runnable" if hasattr(handler, "ainvoke") else "local"
    where = address or ""
    if "/reasoningEngines/" in where:
        return "vertex_agent_engine"
    if where.startswith("projects/") or "/projects/" in where:
        return "vertex_chat"
    return "http" if where.startswith(("http://", "https://")) else "unknown"
