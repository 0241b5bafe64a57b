"""One call for all processes that share a store: who claims it leads, the others follow."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from checkpoints.cache_store import Kept
from nodes.caching.entry import age, entry_in, is_fresh, kept_seconds, new_entry
from nodes.caching.failures import OF_ONE_CALLER, failure_document, failure_in
from nodes.caching.verdict import Cached, verdict
from state.errors import CacheError
from state.jsonvalue import JsonObject, NotJsonError, json_object

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from checkpoints.cache_store import ResponseStore
    from checkpoints.cache_values import Claim
    from nodes.caching.question import Question

STORED: Final = "stored"
LEASE_SECONDS: Final = 10.0
"""A process that dies while it calls is replaced after so long."""
FIRST_PAUSE: Final = 0.005
"""Seconds between the first looks of a follower."""
GROWTH: Final = 1.4
LONGEST_PAUSE: Final = 0.1


class Timing(NamedTuple):
    """How time is told and waited for."""

    now: Callable[[], float]
    """Seconds since the epoch."""
    sleep: Callable[[float], Awaitable[object]]
    lease_seconds: float = LEASE_SECONDS


class SharedCalls:
    """Makes each call once, among all that use the same store."""

    def __init__(self, store: ResponseStore, timing: Timing) -> None:
        self._store = store
        self._timing = timing
        self.stored = 0

    async def answer(self, question: Question) -> Cached:
        """Answer by a call, one's own or another's; past the store if that cannot be used.

        Raises:
            Exception: Whatever the call raises.
        """
        try:
            found = await self._claimed_or_kept(question)
        except CacheError as error:
            why = f"cache unreachable: {error}"
        else:
            return found if isinstance(found, Cached) else await self._lead(question, found)
        return Cached(await question.call(), verdict("bypass", why))

    async def refresh(self, question: Question) -> bool:
        """Fetch a new answer, unless somebody else does or did; whether it was fetched here.

        Raises:
            Exception: Whatever the call, or the store, raises.
        """
        claim = await self._claim(question)
        if not claim.mine or await self._kept_meanwhile(question, claim) is not None:
            return False
        await self._lead(question, claim)
        return True

    async def _claimed_or_kept(self, question: Question) -> Claim | Cached:
        """Claim the call, or wait for another's.

        Raises:
            AgentError: That call failed.
            CacheError: The store cannot be used.
        """
        while not (claim := await self._claim(question)).mine:
            if (followed := await self._follow(question, claim.holder)) is not None:
                return followed
        return await self._kept_meanwhile(question, claim) or claim

    async def _claim(self, question: Question) -> Claim:
        return await self._store.claim(
            question.full_key,
            secrets.token_hex(8),
            labels=question.labels,
            lease_seconds=self._timing.lease_seconds,
        )

    async def _kept_meanwhile(self, question: Question, claim: Claim) -> Cached | None:
        """The answer that was kept between the look and the claim, which it ends then."""
        found = self._fresh(question, (await self._store.look(question.full_key)).value)
        if found is not None:
            await self._store.end(question.full_key, claim.holder)
        return found

    async def _follow(self, question: Question, holder: str) -> Cached | None:
        """Wait for another's call; None when it ended, or died, without an answer.

        Raises:
            AgentError: That call failed.
            CacheError: The store cannot be used any more.
        """
        pause = FIRST_PAUSE
        while True:
            await self._timing.sleep(pause)
            look = await self._store.look(question.full_key, flight=holder)
            if (found := self._fresh(question, look.value)) is not None:
                return found
            if look.failure is not None:
                raise failure_in(look.failure)
            if look.holder != holder:
                return None
            pause = min(pause * GROWTH, LONGEST_PAUSE)

    def _fresh(self, question: Question, value: object) -> Cached | None:
        entry, now = entry_in(value), self._timing.now()
        if entry is None or not is_fresh(entry, question.policy, now):
            return None
        why = "another process made the call"
        return Cached(entry["reply"], verdict("joined", why, age_seconds=age(entry, now)))

    async def _lead(self, question: Question, claim: Claim) -> Cached:
        """Make the call for all; tell the others how it ended."""
        try:
            async with self._renewed(question, claim.holder):
                reply = await question.call()
        except OF_ONE_CALLER:
            await self._end(question, claim)
            raise
        except Exception as error:
            await self._end(question, claim, error)
            raise
        except BaseException:  # cancelled: somebody else may make the call
            await self._end(question, claim)
            raise
        return Cached(reply, verdict("miss", await self._keep(question, claim, reply)))

    async def _keep(self, question: Question, claim: Claim, reply: JsonObject) -> str:
        """Store a reply if it may be; say in words what became of it."""
        try:
            copied = json_object(reply, at="the reply")
            if not question.cacheable(copied):
                await self._store.end(question.full_key, claim.holder)
                return "not stored: the reply is not complete"
            entry = new_entry(copied, question.policy, now=self._timing.now())
            kept = Kept(
                entry, kept_seconds(question.policy), question.labels, claim.sequence, claim.holder
            )
            if not await self._store.akeep(question.full_key, kept):
                return "not stored: invalidated during the call, or too large"
        except NotJsonError:
            await self._end(question, claim)
            return "not stored: the reply is no JSON object"
        except CacheError as error:
            return f"not stored: cache unreachable: {error}"
        self.stored += 1
        return STORED

    async def _end(self, question: Question, claim: Claim, error: Exception | None = None) -> None:
        failure = None if error is None else failure_document(error)
        with suppress(CacheError):  # then the claim ends with its lease
            await self._store.end(question.full_key, claim.holder, failure=failure)

    @asynccontextmanager
    async def _renewed(self, question: Question, holder: str) -> AsyncIterator[None]:
        """Keep the lease while the call runs."""
        renewing = asyncio.create_task(self._renew(question, holder))
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.wait([renewing])

    async def _renew(self, question: Question, holder: str) -> None:
        lease_seconds = self._timing.lease_seconds
        held = True
        while held:
            await self._timing.sleep(lease_seconds / 3)
            with suppress(CacheError):  # at worst another makes the call, too
                held = await self._store.renew(
                    question.full_key, holder, lease_seconds=lease_seconds
                )
