"""What tests of the response cache share: time that a test lets pass, and an agent that waits."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from nodes.caching.response_cache import ResponseCache
from nodes.caching.verdict import Cached
from state.cache_key import Asked, CacheKey, cache_key
from state.caching import CacheDocument, CachePolicy
from state.jsonvalue import JsonObject


@dataclass
class Time:
    """Stands still until a test lets it pass."""

    now: float = 1_700_000_000.0
    _waiting: list[tuple[float, asyncio.Event]] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        self._waiting.append((self.now + seconds, woken))
        await woken.wait()

    async def until_asleep(self, number: int) -> None:
        """Wait until so many wait for time to pass, so that nobody is in the middle of a write."""

        async def are_asleep() -> bool:
            return len(self._waiting) >= number

        await eventually(are_asleep)

    async def pass_by(self, seconds: float) -> None:
        """Let time pass, and let everybody do what they waited for."""
        until = self.now + seconds
        while due := sorted((at for at, _ in self._waiting if at <= until)):
            self.now = max(self.now, due[0])
            woken = [event for at, event in self._waiting if at <= self.now]
            self._waiting = [each for each in self._waiting if each[0] > self.now]
            for event in woken:
                event.set()
            await settle()
        self.now = until
        await settle()


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(50):
        await asyncio.sleep(0)


@dataclass
class Agent:
    """Answers when it is told to."""

    reply: JsonObject = field(default_factory=lambda: {"content": "sunny"})
    error: Exception | None = None
    calls: int = 0
    cancelled: int = 0
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self) -> JsonObject:
        self.calls += 1
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        return self.reply


def prompt(reply: JsonObject | None = None, *, error: Exception | None = None) -> Agent:
    """An agent that answers at once."""
    agent = Agent({"content": "sunny"} if reply is None else reply, error)
    agent.may_answer.set()
    return agent


def key_of(text: str = "weather in Berlin?", **asked: Any) -> CacheKey:  # noqa: ANN401
    scope = asked.pop("scope", "user")
    who: dict[str, Any] = {
        "agent_id": "weather",
        "version": "1",
        "tenant": "acme",
        "user": "ann",
        **asked,
    }
    return cache_key({"messages": [{"role": "user", "content": text}]}, Asked(**who), scope=scope)


def policy(**settings: Any) -> CacheDocument:  # noqa: ANN401
    return CachePolicy(**settings).document()


KEY = key_of()
PLAIN = policy()


def asking(
    cache: ResponseCache, agent: Agent, *, key: CacheKey = KEY, how: CacheDocument = PLAIN
) -> asyncio.Task[Cached]:
    """Begin to ask."""
    return asyncio.create_task(cache.answer(key, agent, policy=how))


async def eventually(happened: Callable[[], Awaitable[object]]) -> None:
    """Wait for what another thread, which writes files, does in its own time."""
    async with asyncio.timeout(20):
        while not await happened():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def until_called(agent: Agent) -> None:
    async def is_called() -> bool:
        return agent.calls > 0

    await eventually(is_called)


async def finished(task: asyncio.Task[Cached], time: Time) -> Cached:
    """Let time pass until one who waits for another's call has seen how it ended."""

    async def is_done() -> bool:
        await time.pass_by(0.1)
        return task.done()

    await eventually(is_done)
    return await task


def kinds(found: Sequence[Cached]) -> Counter[str]:
    return Counter(each.verdict["verdict"] for each in found)
