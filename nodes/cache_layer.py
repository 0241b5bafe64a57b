"""The cache layer: answers calls of agents that change nothing from a cache, where it may."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from langgraph.config import get_config
from langgraph.errors import GraphBubbleUp

from nodes.caching.entry import is_complete
from nodes.middleware import context_names
from nodes.ports import Dispatch
from state.cache_key import Asked, Sight, cache_key
from state.caching import CachePolicy
from state.capability import acts, only_acts

if TYPE_CHECKING:
    from nodes.caching.response_cache import ResponseCache
    from nodes.caching.verdict import Cached
    from nodes.middleware import AgentCall, Proceed, Reply
    from state.cache_key import CacheKey
    from state.caching import CacheDocument
    from state.jsonvalue import JsonObject
    from state.plan_document import PlannedTask

NAME: Final = "cache"
_RESUMING: Final = "__pregel_resuming"
"""LangGraph's word for a graph that goes on after a pause."""
_DEFAULT: Final = CachePolicy().document()


class CacheLayer:
    """Uses answers again, of agents or tasks that are declared read-only."""

    name = NAME

    def __init__(self, cache: ResponseCache, policy: CacheDocument | None) -> None:
        """Take the cache, and the policy of what says nothing itself; None caches none of that."""
        self._cache = cache
        self._policy = policy

    async def __call__(self, call: AgentCall, proceed: Proceed) -> Reply:
        """Answer from the cache, or by the call; whoever asks the same meanwhile waits for it."""
        await call.agent.settle(call.context)  # what counts is what the very version says
        wanted = self._wanted(call)
        if wanted is None:
            return await proceed(call)
        why = await _why_not(call, wanted)
        if wanted.policy is None or why:
            call.tell(NAME, {"verdict": "bypass", "why": why})
            return await proceed(call)
        asking = _Asking(call, proceed)
        try:
            found = await self._answer(asking, call, wanted.policy)
        finally:
            asking.is_over = True
        call.verdicts.update(asking.verdicts)
        told = cast("JsonObject", {**found.verdict})
        if found.verdict["verdict"] == "stale" and asking.is_made:
            told["called"] = True
        call.tell(NAME, told)
        return found.reply

    async def _answer(self, asking: _Asking, call: AgentCall, policy: CacheDocument) -> Cached:
        try:
            return await self._cache.answer(
                _key(call, policy), asking, policy=policy, cacheable=asking.is_complete
            )
        except GraphBubbleUp:  # the agent, a graph, asks somebody; see `_has_asked`
            if (journal := call.terms.journal) is not None:
                asked = Dispatch(call.agent.agent_id, call.agent.version, "")
                await journal.note(_asking_key(call), asked)
            raise

    def _wanted(self, call: AgentCall) -> _Wanted | None:
        """What is said of caching this call; None if nothing is."""
        said: CacheDocument | bool | None = call.work.get("cache")
        by_task = bool(said)
        if said is None:
            said = call.agent.settings.cache
        if said is None:
            said = self._policy
        if said is None:
            return None
        if said is False:
            return _Wanted(None, why="it is switched off for the task or its agent")
        if hindrance := _hindrance(call, by_task=by_task):
            return _Wanted(None, why=hindrance)
        return _Wanted((self._policy or _DEFAULT) if said is True else said, by_task=by_task)


class _Wanted(NamedTuple):
    """How a call is to be cached, or why not."""

    policy: CacheDocument | None
    by_task: bool = False
    """Whether the task declares itself read-only, whatever its agent is."""
    why: str = ""


async def _why_not(call: AgentCall, wanted: _Wanted) -> str:
    """Why a call is not to be answered from a cache; empty if it is."""
    if wanted.policy is None:
        return wanted.why
    if not (wanted.by_task or call.agent.read_only):
        return f"agent {call.agent.agent_id!r} is not read-only"
    if await _has_asked(call):
        return "the agent has asked somebody, and the answer to that is for this call alone"
    return ""


async def _has_asked(call: AgentCall) -> bool:
    """Whether the call was made before, and paused for an answer that only it is to get."""
    journal = call.terms.journal
    if journal is None:  # a graph that nobody here runs: it is not known which call it was
        return bool(get_config()["configurable"].get(_RESUMING))
    if journal.is_empty:
        return False
    return await journal.sent(_asking_key(call)) is not None


def _asking_key(call: AgentCall) -> str:
    return f"{call.context.idempotency_key}?"


def _hindrance(call: AgentCall, *, by_task: bool) -> str:
    """Why a call is not to be answered from a cache, whoever declares it read-only."""
    if cast("PlannedTask", call.work).get("approval"):
        return "the task needs an approval"
    action, capability = call.input.get("action"), call.work["capability"]
    if isinstance(action, str) and acts(action):
        return f"the action {action!r} changes something"
    if not isinstance(action, str) and capability is not None and only_acts(capability):
        return f"whatever {capability!r} is asked for changes something"
    if "#" in call.context.idempotency_key and not by_task:  # a turn's
        return "the task is done in turns, which should not all get the same answer"
    return ""


def _key(call: AgentCall, policy: CacheDocument) -> CacheKey:
    context, agent = call.context, call.agent
    asked = Asked(
        agent_id=agent.agent_id,
        version=agent.version,
        capability=call.work["capability"],
        tenant=context.tenant,
        user=context.user,
    )
    sight = Sight(
        upstream=dict(context.upstream), history=tuple(context.history), tags=context.tags
    )
    scope = "user" if context_names(call) else policy["scope"]  # the context is a user's
    return cache_key(call.input, asked, scope=scope, sight=sight)


class _Asking:
    """Makes the call where the cache needs it; also once more, or when nobody waits any more."""

    def __init__(self, call: AgentCall, proceed: Proceed) -> None:
        self._call = call
        self._proceed = proceed
        self.is_made = False
        """Whether the agent was called for the one who asks."""
        self.is_over = False
        """Whether the call was answered, so that its outcome must not change any more."""
        self.verdicts: dict[str, JsonObject] = {}
        self._told = self.verdicts
        """What layers said of the last call."""

    def is_complete(self, reply: JsonObject) -> bool:
        """Whether the answer of the last call may be kept: nothing was missing, neither to it."""
        return is_complete(reply) and self._told.get("context", {}).get("verdict") != "degraded"

    async def __call__(self) -> Reply:
        call = self._call
        context = call.context._replace(emit=self._emit) if call.context.streams else call.context
        if self.is_made or self.is_over:
            apart = replace(call, agent=call.choose(), context=context, verdicts={}, stream=None)
            self._told = apart.verdicts
            await apart.agent.settle(context)
            return await self._proceed(apart)
        self.is_made = True
        return await self._proceed(replace(call, context=context, verdicts=self.verdicts))

    def _emit(self, text: str) -> None:
        if not self.is_over:
            self._call.context.emit(text)
