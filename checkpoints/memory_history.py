"""Messages of threads in this process only."""

from __future__ import annotations

import time
from itertools import takewhile
from typing import TYPE_CHECKING

from checkpoints.history import Begun, RecordedMessage
from checkpoints.run_pruning import forget_runs_in_memory
from checkpoints.threads import UNFINISHED
from checkpoints.upgrades import TurnResult
from state.conversation import INSTRUCTIONS, brought, message_of, role_of, text_of
from state.errors import ThreadExistsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langgraph.checkpoint.memory import InMemorySaver

    from checkpoints.approvals import NewRequest
    from checkpoints.history import Answers, HistoryPolicy
    from checkpoints.memory_events import MemoryEvents
    from checkpoints.memory_threads import MemoryThreads
    from checkpoints.memory_traffic import MemoryTraffic
    from checkpoints.threads import Lease, Released
    from checkpoints.traffic import CallRecord
    from state.jsonvalue import JsonObject
    from state.plan import Plan


class MemoryHistory:
    """A `HistoryStore` for `memory://`; nothing in it waits, which makes its methods atomic."""

    def __init__(
        self,
        threads: MemoryThreads,
        saver: InMemorySaver,
        policy: HistoryPolicy,
        traffic: MemoryTraffic,
        events: MemoryEvents,
    ) -> None:
        self._threads = threads
        self._saver = saver
        self._traffic = traffic
        self._events = events
        self._policy = policy
        self._messages: dict[str, list[RecordedMessage]] = {}
        self._turns: dict[str, list[TurnResult]] = {}
        threads.on_forget += [
            lambda thread_id: self._messages.pop(thread_id, None),
            lambda thread_id: self._turns.pop(thread_id, None),
        ]
        threads.on_upgrade.append(lambda thread_id: forget_runs_in_memory(saver, thread_id, keep=0))

    async def begin(
        self, thread_id: str, plan: Plan, *, holder: str, seconds: float, only_new: bool = False
    ) -> Begun:
        """Claim the thread for a new run, record what its tasks bring, forget old runs."""
        if only_new and self._threads.knows(thread_id):
            raise ThreadExistsError(thread_id)
        lease = await self._threads.start(thread_id, plan, holder=holder, seconds=seconds)
        earlier: list[JsonObject] = []
        if lease.token > 1:  # the thread was there before
            keep = self._policy.keep_runs
            forget_runs_in_memory(self._saver, thread_id, keep=keep)
            self._events.forget_runs(thread_id, present=plan.run_id, keep=keep)
            earlier = await self.before(thread_id, run_id=plan.run_id)
        if plan.traits.speaks:
            self._append(thread_id, plan.run_id, 0, brought(plan.document))
        return Begun(lease, earlier, lease.token > 1 and self._policy.keep_runs == 0)

    async def end(  # noqa: PLR0913  one for each thing that a run leaves
        self,
        lease: Lease,
        *,
        status: str,
        asked: Sequence[NewRequest] | None = None,
        heed_cancellation: bool = False,
        answers: Answers | None = None,
        calls: Sequence[CallRecord] = (),
    ) -> Released:
        """Release the thread and record what the agents said and cost."""
        released = await self._threads.release(
            lease, status=status, asked=asked, heed_cancellation=heed_cancellation
        )
        if not released.ended:
            return released
        self._traffic.keep(calls)
        self._traffic.keep_versions(calls)
        if status not in UNFINISHED:
            self._traffic.forget_sent(lease.thread_id)
        if answers is not None:
            self._append(lease.thread_id, answers.run_id, answers.position, answers.messages)
            if answers.result is not None:
                self._record(lease.thread_id, answers.run_id, status, answers.result)
        return released

    def _record(self, thread_id: str, run_id: str, status: str, result: JsonObject) -> None:
        known = self._turns.setdefault(thread_id, [])
        if all(each.run_id != run_id for each in known):
            known.append(TurnResult(len(known) + 1, run_id, status, result, time.time()))

    async def turns(self, thread_id: str) -> list[TurnResult]:
        """Return the results of a thread's turns, the oldest first."""
        return [*self._turns.get(thread_id, ())]

    async def before(self, thread_id: str, *, run_id: str) -> list[JsonObject]:
        """Return what `begin` gave to this run."""
        newest_first = (
            text_of(each.message)
            for each in reversed(self._messages.get(thread_id, ()))
            if each.run_id != run_id and role_of(each.message) not in INSTRUCTIONS
        )
        return self._policy.window.fit(newest_first)

    async def page(
        self, thread_id: str, *, limit: int, before: int | None = None
    ) -> list[RecordedMessage]:
        """Return the last messages before one, newest last."""
        messages = self._messages.get(thread_id, [])
        end = len(messages) if before is None else max(0, before - 1)
        return [
            each._replace(message=message_of(text_of(each.message)))
            for each in messages[:end][-limit:]
        ]

    def _append(
        self, thread_id: str, run_id: str, position: int, messages: Sequence[JsonObject]
    ) -> None:
        """Add a run's messages, but those that it has recorded before."""
        if not messages:
            return
        recorded = self._messages.setdefault(thread_id, [])
        last_run = takewhile(lambda each: each.run_id == run_id, reversed(recorded))
        known = sum(1 for _ in last_run)
        now = time.time()
        for message in messages[max(0, known - position) :]:
            recorded.append(RecordedMessage(len(recorded) + 1, run_id, message, now))
