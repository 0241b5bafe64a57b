"""What is known of an agent: who it is, what it can do, how to reach it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from state.capability import AgentCapability
from state.errors import RegistrationError

AGENT_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """One version of one agent.

    Args:
        agent_id: Who it is; letters, digits, `_`, `-` and `.`.
        capabilities: What it can do, as `AgentCapability` or any words.
        handler: Does the work in this process: a sync or async callable `(input_data)` or
            `(input_data, context)` that returns a JSON object; or a LangChain Runnable; or
            a compiled graph.
        endpoint: Where it is, if it is elsewhere.
        kind: How to speak with it; guessed from handler or endpoint.
        priority: Of several agents for a capability, the highest is chosen.
        max_concurrency: Calls at the same time, in this process.

    Raises:
        RegistrationError: Something of this cannot be.
    """

    agent_id: str
    capabilities: Iterable[AgentCapability | str] = ()
    handler: Any = field(default=None, kw_only=True)
    endpoint: str | None = field(default=None, kw_only=True)
    kind: str | None = field(default=None, kw_only=True)
    name: str | None = field(default=None, kw_only=True)
    description: str = field(default="", kw_only=True)
    version: str = field(default="1", kw_only=True)
    priority: int = field(default=0, kw_only=True)
    weight: float = field(default=1, kw_only=True)
    cost: float | None = field(default=None, kw_only=True)
    """Price of a call. Not used yet, as are weight, read_only and idempotent: choosing by them
    comes with the agents behind endpoints."""
    read_only: bool = field(default=False, kw_only=True)
    idempotent: bool = field(default=False, kw_only=True)
    max_concurrency: int | None = field(default=None, kw_only=True)
    enabled: bool = field(default=True, kw_only=True)
    metadata: Mapping[str, Any] = field(default_factory=dict, kw_only=True)

    def __post_init__(self) -> None:
        """Normalise the capabilities, and refuse what cannot be."""
        if problem := self._problem():
            raise RegistrationError(f"agent {self.agent_id!r}: {problem}")
        capabilities = tuple(dict.fromkeys(map(AgentCapability, self.capabilities)))
        object.__setattr__(self, "capabilities", capabilities)
        object.__setattr__(self, "name", self.name or self.agent_id)
        object.__setattr__(self, "kind", self.kind or kind_of(self.handler, self.endpoint))

    def _problem(self) -> str | None:
        if not isinstance(self.agent_id, str) or not AGENT_ID.fullmatch(self.agent_id):
            return "an id has 1 to 64 letters, digits, '_', '-' or '.'"
        if isinstance(self.capabilities, str):
            return f"capabilities is the string {self.capabilities!r}; give a list"
        if self.handler is None and self.endpoint is None:
            return "give it a handler or an endpoint"
        if self.handler is not None and not is_handler(self.handler):
            return f"handler is a {type(self.handler).__name__}; give a callable or a Runnable"
        if self.max_concurrency is not None and self.max_concurrency < 1:
            return f"max_concurrency is {self.max_concurrency}; give at least 1, or None"
        return None


def is_handler(value: object) -> bool:
    """Whether `value` is a callable, a Runnable or a compiled graph."""
    return callable(value) or hasattr(value, "ainvoke")


def kind_of(handler: object, endpoint: str | None) -> str:
    """Guess how to speak with an agent."""
    if handler is not None:
        return "runnable" if hasattr(handler, "ainvoke") else "local"
    where = endpoint or ""
    if "/reasoningEngines/" in where:
        return "vertex_agent_engine"
    if where.startswith("projects/"):
        return "vertex_endpoint"
    return "http" if where.startswith(("http://", "https://")) else "unknown"
