"""The cache in front of agents: kept answers, and one call for all who ask the same."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

from checkpoints.cache_values import Look
from nodes.caching.entry import (
    age,
    entry_in,
    is_complete,
    is_fresh,
    serves_on_error,
    serves_while_refreshed,
)
from nodes.caching.failures import NOT_TO_BE_HIDDEN, OF_ONE_CALLER
from nodes.caching.flights import Flights
from nodes.caching.question import Question
from nodes.caching.refreshes import Refreshes
from nodes.caching.semantic import SemanticIndex
from nodes.caching.shared_call import LEASE_SECONDS, STORED, SharedCalls, Timing
from nodes.caching.verdict import CacheCounts, Cached, CacheStats, VerdictKind, verdict
from state.errors import CacheError
from state.jsonvalue import NotJsonError, json_object

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from checkpoints.cache_store import ResponseStore
    from nodes.caching.entry import Entry
    from nodes.caching.question import FullKey
    from state.cache_key import CacheKey
    from state.caching import CacheDocument
    from state.jsonvalue import JsonObject


class ResponseCache:
    """Answers questions from a store, and what is not there by one call for all who ask.

    Use it from any event loop. Only ask it for agents without side effects: who joins a call,
    or gets a kept answer, has the agent do nothing.
    """

    def __init__(
        self,
        store: ResponseStore,
        *,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        lease_seconds: float = LEASE_SECONDS,
        semantic: SemanticIndex | None = None,
    ) -> None:
        """Take the store, which stays its owner's to close.

        Args:
            store: Where answers are kept; others may share it.
            now: What time it is, in seconds since the epoch.
            sleep: Waits so many seconds.
            lease_seconds: After how long the call of a process that died is made by another.
            semantic: Finds questions that mean the same; only used where a policy asks for it.
        """
        self.store = store
        self._now = now
        self._calls = SharedCalls(store, Timing(now, sleep, lease_seconds))
        self._flights = Flights()
        self._refreshes = Refreshes()
        self._semantic = semantic or SemanticIndex()
        self._counts: Counter[str] = Counter()
        self._lock = Lock()

    async def answer(
        self,
        key: CacheKey,
        call: Callable[[], Awaitable[JsonObject]],
        *,
        policy: CacheDocument,
        cacheable: Callable[[JsonObject], bool] = is_complete,
    ) -> Cached:
        """Answer a question; the reply is the caller's own copy.

        Args:
            key: Of the question; see `cache_key`.
            call: Asks the agent. It may be made in another task, and outlive this one while
                others wait for it; what it raises reaches them all.
            policy: How long and for whom the answer is kept.
            cacheable: Whether a reply may be kept.

        Raises:
            Exception: Whatever the call raises, unless a kept answer may stand in for it.
        """
        question = Question(key, call, policy, cacheable)
        look = await self._look(question)
        entry = entry_in(look.value)
        found = None if entry is None else self._from(entry, question)
        if policy["semantic"] and key.text:
            found = await self._by_meaning(question, look, entry, found)
        elif found is None:
            found = await self._by_call(question, look, entry)
        self._count(found.verdict["verdict"])
        return found

    def counts(self) -> CacheCounts:
        """Say how often what happened in this process, without asking the store."""
        with self._lock:
            counts = dict(self._counts)
        return CacheCounts(
            hits=counts.get("hit", 0),
            misses=counts.get("miss", 0),
            stale=counts.get("stale", 0),
            joined=counts.get("joined", 0),
            bypassed=counts.get("bypass", 0),
            failed=counts.get("failed", 0),
            stored=self._calls.stored,
            refreshed=self._refreshes.done,
            refreshes_failed=self._refreshes.failed,
        )

    async def stats(self) -> CacheStats:
        """Say how often what happened in this process, and what the store holds.

        Raises:
            CacheUnreachableError: The store does not answer.
        """
        held = await self.store.stats()
        return CacheStats(
            **self.counts(), evicted=held["evicted"], entries=held["entries"], bytes=held["bytes"]
        )

    async def aclose(self) -> None:
        """End what is fetched in the background; the store stays open."""
        await self._refreshes.aclose()

    async def _value_of(self, key: FullKey) -> object:
        try:
            return (await self.store.look(key)).value
        except CacheError:
            return None

    async def _look(self, question: Question) -> Look:
        """Look into the store; what cannot be read now is not there."""
        try:
            return await self.store.look(question.full_key)
        except CacheError:
            return Look()  # the call, if one is made, says that it goes past the cache

    def _from(self, entry: Entry, question: Question) -> Cached | None:
        """The kept answer, if it is good enough; an old one is fetched anew."""
        now = self._now()
        if is_fresh(entry, question.policy, now):
            return _kept("hit", "kept", entry, now)
        if not serves_while_refreshed(entry, question.policy, now):
            return None
        self._refreshes.begin(question.full_key, self._calls.refresh(question))
        return _kept("stale", "a new answer is being fetched", entry, now)

    async def _by_meaning(
        self, question: Question, look: Look, entry: Entry | None, found: Cached | None
    ) -> Cached:
        """Answer by a kept question that means the same, if there is one; else by a call."""
        why = ""
        if found is None:
            near = await self._semantic.find(question)
            other = None if near.key is None else entry_in(await self._value_of(near.key))
            now = self._now()
            if other is not None and is_fresh(other, question.policy, now):
                return _kept("hit", near.why, other, now)
            why = near.why
            found = await self._by_call(question, look, entry)
        told = found.verdict
        if told["verdict"] == "hit" or told["why"] == STORED:
            await self._semantic.learn(question)
        return found._replace(verdict={**told, "why": f"{told['why']}; {why}"}) if why else found

    async def _by_call(self, question: Question, look: Look, entry: Entry | None) -> Cached:
        try:
            return await self._joined(question, look)
        except NOT_TO_BE_HIDDEN:
            self._count("failed")
            raise
        except Exception as error:
            now = self._now()
            if entry is None or not serves_on_error(entry, question.policy, now):
                self._count("failed")
                raise
            return _kept("stale", f"the call failed: {type(error).__name__}: {error}", entry, now)

    async def _joined(self, question: Question, look: Look) -> Cached:
        """Answer by the call that is under way, or by one that is begun here."""
        key, sequence = question.full_key, look.sequence
        flight = await self._flights.find(
            key, sequence=sequence, is_outdated=partial(self._is_outdated, question)
        )
        if flight is None:
            work = self._calls.answer(question)
            return await self._flights.begin(key, work, sequence=sequence).wait()
        try:
            found = await flight.wait()
        except OF_ONE_CALLER:
            why = "the call that it waited for turned out to be about another thread"
            return Cached(await question.call(), verdict("bypass", why))
        why = found.verdict["why"] if found.verdict["verdict"] == "bypass" else ""
        return Cached(_copied(found.reply), verdict("joined", why or "the same call was under way"))

    async def _is_outdated(self, question: Question, since: int) -> bool:
        try:
            return await self.store.is_outdated(question.labels, since=since)
        except CacheError:
            return True

    def _count(self, kind: str) -> None:
        with self._lock:
            self._counts[kind] += 1


def _kept(kind: VerdictKind, why: str, entry: Entry, now: float) -> Cached:
    return Cached(entry["reply"], verdict(kind, why, age_seconds=age(entry, now)))


def _copied(reply: JsonObject) -> JsonObject:
    """A copy for one who waits; what is no JSON is refused later, for everybody."""
    try:
        return json_object(reply, at="the reply")
    except NotJsonError:
        return reply
