"""What runs around the call of an agent: layers, from the first that is asked to the agent itself.

Each layer gets the call and what comes after it. It may change the call, answer in the agent's
place, or refuse by raising; what it found out it tells, and that stands in the task's outcome.
The order is budget, compression, layers of one's own, cache, context, layers of one's own around
real calls, the agent; what became of the call is recorded outermost.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from nodes.ports import Agent, Terms
    from state.agent_context import AgentContext
    from state.jsonvalue import JsonObject
    from state.plan_document import Work

Reply = Any
"""What an agent answers, before anybody has checked that it is a JSON object."""
Proceed = Callable[["AgentCall"], Awaitable[Reply]]
SERVED: Final = frozenset({"hit", "stale", "joined"})
"""Verdicts of a cache on calls that were not made."""


@dataclass(slots=True, kw_only=True)
class AgentCall:
    """One call of an agent, as it stands on its way to it."""

    agent: Agent
    input: JsonObject
    context: AgentContext
    work: Work
    """What the plan says of it."""
    terms: Terms
    """Under what it is made."""
    choose: Callable[[], Agent]
    """Chooses the agent once more, for a call beside this one."""
    stream: Callable[[str, JsonObject], None] | None = None
    """Told each verdict at once."""
    answer: Reply = None
    """What came of it, once nothing is left to do but to count it."""
    verdicts: dict[str, JsonObject] = field(default_factory=dict)
    """What layers found out, by their names."""

    def tell(self, name: str, verdict: JsonObject) -> None:
        """Let it be known what a layer found out."""
        self.verdicts[name] = verdict
        if self.stream is not None:
            self.stream(name, verdict)

    def with_input(self, given: JsonObject) -> AgentCall:
        """The same call with another input."""
        return replace(self, input=given)

    @property
    def was_served(self) -> bool:
        """Whether the answer came without calling the agent for it."""
        return was_served(self.verdicts)


class Middleware(Protocol):
    """One layer; make your own with any `name`, and give it to the `Optimizer`."""

    @property
    def name(self) -> str:
        """Under which its verdicts stand in outcomes and events."""
        ...

    async def __call__(self, call: AgentCall, proceed: Proceed, /) -> Reply:
        """Answer the call, mostly by awaiting `proceed(call)`.

        Raises:
            AgentError: The task fails with it.
        """
        ...


class Chain:
    """Layers around the calls of one run."""

    __slots__ = ("_proceed",)

    def __init__(self, layers: Sequence[Middleware], *, inner: Chain | None = None) -> None:
        """Put the layers together; the first is the outermost, `inner` comes after the last."""
        proceed: Proceed = call_the_agent if inner is None else inner
        for layer in reversed(layers):
            proceed = partial(_enter, layer, proceed)
        self._proceed = proceed

    def __call__(self, call: AgentCall) -> Awaitable[Reply]:
        """Make a call, through all layers."""
        return self._proceed(call)


def call_the_agent(call: AgentCall) -> Awaitable[Reply]:
    """Make the call itself."""
    return call.agent.call(call.input, call.context)


def context_names(call: AgentCall) -> tuple[str, ...]:
    """The context sources whose values the agent is to get: its task's, else its own."""
    named = call.work.get("context")
    return call.agent.settings.context if named is None else tuple(named)


def was_served(verdicts: JsonObject | dict[str, JsonObject]) -> bool:
    """Whether an answer came out of a cache, or from a call that was under way."""
    found = verdicts.get("cache")
    return isinstance(found, dict) and found.get("verdict") in SERVED


def was_called(verdicts: JsonObject | dict[str, JsonObject]) -> bool:
    """Whether the agent was called for it; an old answer may stand in for a call that failed."""
    found = verdicts.get("cache")
    return not was_served(verdicts) or (isinstance(found, dict) and found.get("called") is True)


def _enter(layer: Middleware, proceed: Proceed, call: AgentCall) -> Awaitable[Reply]:
    return layer(call, proceed)
