"""A registry with a clock that the test moves, and agents that fail when they are told to."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from nodes.ports import NO_TERMS, Terms
from orchestration import AgentContext, AgentRegistry, AgentSpec, Endpoint
from orchestration.routing.routed_call import RoutedCall

START = 1_800_000_000.0


@dataclass
class Clock:
    """Time that passes when the test says so."""

    seconds: float = START

    def __call__(self) -> float:
        return self.seconds

    def pass_(self, seconds: float) -> None:
        self.seconds += seconds


@dataclass
class Places:
    """Endpoints in this process, each of which can be made to fail."""

    errors: dict[str, Exception] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    keys: list[tuple[str, str]] = field(default_factory=list)
    """Which endpoint was called under which key."""

    def handler(self, name: str) -> Any:  # noqa: ANN401
        async def answer(_input: dict[str, Any], context: AgentContext) -> dict[str, Any]:
            self.calls[name] += 1
            self.keys.append((name, context.idempotency_key))
            if name in self.errors:
                raise self.errors[name]
            return {"by": name}

        return answer

    def endpoint(self, name: str, **more: Any) -> Endpoint:  # noqa: ANN401
        return Endpoint(endpoint_id=name, handler=self.handler(name), **more)


def registry_of(*specs: AgentSpec, clock: Clock | None = None, seed: int = 1) -> AgentRegistry:
    registry = AgentRegistry(clock=clock or Clock(), random=random.Random(seed).random)
    for spec in specs:
        registry.register(spec)
    return registry


def context(key: str = "run:task", *, deadline: float | None = None) -> AgentContext:
    return AgentContext("thread", "task", "run", key, deadline=deadline)


async def call(  # noqa: PLR0913
    registry: AgentRegistry,
    agent_id: str = "agent",
    *,
    key: str = "run:task",
    thread_id: str = "",
    terms: Terms = NO_TERMS,
    deadline: float | None = None,
) -> tuple[Any, RoutedCall]:
    """Call an agent; return the reply, or the error, and the call."""
    made = registry.choose(agent_id=agent_id, capability=None, thread_id=thread_id, terms=terms)
    assert isinstance(made, RoutedCall)
    try:
        return await made.call({}, context(key, deadline=deadline)), made
    except Exception as error:  # noqa: BLE001  the test looks at it
        return error, made
