"""The record layer: measures what calls of agents take and use."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from langgraph.errors import GraphBubbleUp

from nodes.middleware import was_served
from state.outcome import Usage, usage_in

if TYPE_CHECKING:
    from nodes.middleware import AgentCall, Proceed, Reply

NAME: Final = "record"
_NOTHING: Final = Usage(input_tokens=0, output_tokens=0)


class Measured(NamedTuple):
    """What one call took and used."""

    agent_id: str
    seconds: float
    failed: bool
    cache_hit: bool | None
    """None where no cache was asked."""
    usage: Usage
    """Of the model; nothing where the answer came from a cache."""
    tokens_saved: int
    cost: float
    tool_calls: int


class RecordLayer:
    """Tells somebody what each call took."""

    name = NAME

    def __init__(self, record: Callable[[Measured], None]) -> None:
        self._record = record

    async def __call__(self, call: AgentCall, proceed: Proceed) -> Reply:
        """Measure a call; one that pauses, or that nobody waits for any more, is not recorded."""
        begun = time.perf_counter()
        try:
            reply = await proceed(call)
        except GraphBubbleUp:
            raise
        except Exception:
            self._record(_measured(call, None, time.perf_counter() - begun))
            raise
        self._record(_measured(call, reply, time.perf_counter() - begun))
        return reply


def _measured(call: AgentCall, reply: Reply | None, seconds: float) -> Measured:
    served = was_served(call.verdicts)
    usage = (usage_in(reply) if isinstance(reply, dict) else None) or _NOTHING
    told = call.agent.told or {}
    return Measured(
        agent_id=call.agent.agent_id,
        seconds=seconds,
        failed=reply is None,
        cache_hit=None if _passed_by(call) else served,
        usage=_NOTHING if served else usage,
        tokens_saved=_cut(call) + (sum(_amounts(usage)) if served else 0),
        cost=0.0 if served else max(0.0, told.get("cost", 0.0) - call.terms.cost),
        tool_calls=_tool_calls(reply),
    )


def _passed_by(call: AgentCall) -> bool:
    """Whether no cache was asked."""
    return call.verdicts.get("cache", {}).get("verdict", "bypass") == "bypass"


def _cut(call: AgentCall) -> int:
    """The tokens that compression saved."""
    found = call.verdicts.get("compression", {})
    before, after = found.get("tokens_before"), found.get("tokens_after")
    return max(0, before - after) if isinstance(before, int) and isinstance(after, int) else 0


def _amounts(usage: Usage) -> tuple[int, int]:
    return usage["input_tokens"], usage["output_tokens"]


def _tool_calls(reply: Reply | None) -> int:
    called = reply.get("tool_calls") if isinstance(reply, dict) else None
    return len(called) if isinstance(called, list) else 0
