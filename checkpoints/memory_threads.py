"""Thread records and leases in this process only."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from checkpoints.approval_ledgers import MemoryApprovals
from checkpoints.approvals import DECIDED
from checkpoints.ledger_rows import forget
from checkpoints.ledger_sql import is_answered, open_questions, settle
from checkpoints.retention import Standing
from checkpoints.signals import Sent
from checkpoints.threads import RUNNING, UNFINISHED, Claimed, Lease, Released, Renewal, ThreadRecord
from checkpoints.waits_sql import accept
from state.errors import (
    LeaseLostError,
    ThreadBusyError,
    ThreadFinishedError,
    ThreadNotFoundError,
    ThreadPendingError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from checkpoints.approvals import Answer, Due, NewRequest
    from checkpoints.signals import NewSignal
    from checkpoints.upgrades import UpgradeRecord
    from state.cancellation import Cancellation
    from state.decision import Decider
    from state.plan import Plan


class MemoryThreads:
    """A `ThreadStore` for `memory://`; leases end only when they are released.

    Nobody outside the process can take a thread over, so nothing expires. Methods never
    wait inside, which makes them atomic.
    """

    def __init__(self, approvals: MemoryApprovals | None = None) -> None:
        self._approvals = approvals or MemoryApprovals()
        self._records: dict[str, ThreadRecord] = {}
        self._tokens: dict[str, int] = {}
        self._expiry: dict[str, float] = {}
        self._upgrades: dict[str, list[UpgradeRecord]] = {}
        self.on_forget: list[Callable[[str], object]] = []
        """Told the id of each thread that is deleted."""
        self.on_copy: list[Callable[[str, str], object]] = []
        """Told the id of each thread that is copied, and that of the copy."""
        self.on_upgrade: list[Callable[[str], object]] = []
        """Told the id of each thread that goes on under another plan."""

    async def start(self, thread_id: str, plan: Plan, *, holder: str, seconds: float) -> Lease:  # noqa: ARG002  leases do not expire
        """Store the plan of a new run and claim its thread."""
        last = self._records.get(thread_id)
        if last is not None:
            self._refuse_if_busy(last)
            if last.status in UNFINISHED:
                raise ThreadPendingError(thread_id)
        now = time.time()
        created_at = now if last is None else last.created_at
        lease = self._lease(thread_id, holder)
        self._records[thread_id] = ThreadRecord(thread_id, plan, RUNNING, created_at, now, lease)
        return lease

    def knows(self, thread_id: str) -> bool:
        """Whether there is such a thread."""
        return thread_id in self._records

    async def resume(
        self,
        thread_id: str,
        *,
        holder: str,
        seconds: float,  # noqa: ARG002  leases do not expire
    ) -> tuple[ThreadRecord, Lease]:
        """Claim a thread as it is."""
        record = await self.get(thread_id)
        self._refuse_if_busy(record)
        lease = self._lease(thread_id, holder)
        self._records[thread_id] = record._replace(lease=lease)
        return record, lease

    async def decide(
        self, answers: Sequence[Answer], decider: Decider, *, holder: str, seconds: float
    ) -> Claimed:
        """Record answers to one thread's questions, all or none, and claim the thread."""
        ledger = self._approvals
        requests = await ledger.decide(answers, decider)
        thread_id = requests[0].thread_id
        questions = open_questions(ledger.on(ledger.connection), thread_id)
        undecided = Claimed(requests, None, None, None, questions)
        if not any(each.status == DECIDED for each in requests):
            return undecided
        return await self._claim(undecided, thread_id, holder=holder, seconds=seconds)

    async def signal(self, new: NewSignal, *, holder: str, seconds: float) -> Sent:
        """Keep a signal or give it to what waits for it, and claim a thread that can go on."""
        record = await self.get(new.thread_id)
        ledger = self._approvals.on(self._approvals.connection)
        signal = accept(ledger, new, record)
        questions = open_questions(ledger, new.thread_id)
        kept = Claimed([], None, None, None, questions)
        if not questions.has_answer():
            return Sent(signal, kept)
        claimed = await self._claim(kept, new.thread_id, holder=holder, seconds=seconds)
        return Sent(signal, claimed)

    async def _claim(
        self, claimed: Claimed, thread_id: str, *, holder: str, seconds: float
    ) -> Claimed:
        """Claim the thread, or say who has it."""
        try:
            record, lease = await self.resume(thread_id, holder=holder, seconds=seconds)
        except ThreadBusyError as busy:
            return claimed._replace(busy=busy)
        return claimed._replace(record=record, lease=lease)

    async def renew(self, leases: Sequence[Lease], *, seconds: float) -> Renewal:  # noqa: ARG002
        """Say which threads are lost: none of those still claimed."""
        lost = {each.thread_id for each in leases if not self._holds(each)}
        return Renewal(lost, {})

    async def cancel(self, thread_id: str, cancellation: Cancellation) -> None:
        """Note that a thread's run is called off."""
        record = await self.get(thread_id)
        if record.status not in UNFINISHED:
            raise ThreadFinishedError(thread_id, record.status)
        if record.cancellation is None:
            self._records[thread_id] = record._replace(cancellation=cancellation)

    async def release(
        self,
        lease: Lease,
        *,
        status: str,
        asked: Sequence[NewRequest] | None = None,
        heed_cancellation: bool = False,
    ) -> Released:
        """End a lease and note how the thread stands, unless an answer waits for it."""
        if not self._holds(lease):
            raise LeaseLostError(lease.thread_id)
        cancellation = self._records[lease.thread_id].cancellation
        if heed_cancellation and cancellation is not None:
            return Released(ended=False, cancellation=cancellation)
        new, waiting = ([], False) if asked is None else self._settle(lease.thread_id, asked)
        if waiting:
            return Released(ended=False, new=new)
        last = self._records[lease.thread_id]
        self._records[lease.thread_id] = last._replace(
            status=status, updated_at=time.time(), lease=None
        )
        return Released(ended=True, new=new)

    async def upgrade(
        self, lease: Lease, plan: Plan, record: UpgradeRecord, *, taken: Collection[str]
    ) -> bool:
        """Let a thread go on under another plan, unless it was answered meanwhile."""
        if not self._holds(lease):
            raise LeaseLostError(lease.thread_id)
        ledger = self._approvals
        if not ledger.is_empty() and is_answered(
            ledger.on(ledger.connection), lease.thread_id, but=taken
        ):
            return False
        self._settle(lease.thread_id, [])
        last = self._records[lease.thread_id]
        self._records[lease.thread_id] = last._replace(plan=plan, updated_at=time.time())
        self._upgrades.setdefault(lease.thread_id, []).append(record._replace(at=time.time()))
        for tell in self.on_upgrade:
            tell(lease.thread_id)
        return True

    async def upgrades(self, thread_id: str) -> list[UpgradeRecord]:
        """Return a thread's upgrades, the oldest first."""
        return [*self._upgrades.get(thread_id, ())]

    async def get(self, thread_id: str) -> ThreadRecord:
        """Return one record."""
        if thread_id not in self._records:
            known = [record.thread_id for record in await self.recent(limit=5)]
            raise ThreadNotFoundError(thread_id, known)
        return self._records[thread_id]

    async def recent(
        self, *, limit: int = 50, status: str | None = None, workflow: str | None = None
    ) -> list[ThreadRecord]:
        """Return records, the last changed first."""
        records = [
            each
            for each in self._records.values()
            if status in {None, each.status} and workflow in {None, each.workflow}
        ]
        return sorted(records, key=lambda each: each.updated_at, reverse=True)[:limit]

    # -- for retention ---------------------------------------------------------------------

    @property
    def ids(self) -> list[str]:
        """The ids of all threads, the one that was changed longest ago first."""
        return sorted(self._records, key=lambda each: self._records[each].updated_at)

    def standing(self, thread_id: str) -> Standing | None:
        """Return how a thread stands; None if there is none."""
        record = self._records.get(thread_id)
        if record is None:
            return None
        holder, expires_at = (
            (None, 0.0) if record.lease is None else (record.lease.holder, record.lease.expires_at)
        )
        after = self._expiry.get(thread_id)
        return Standing(record.status, record.updated_at, holder, expires_at, after)

    def note_stream(self, thread_id: str) -> None:
        """Note that a thread's run has a log of events."""
        self._records[thread_id] = self._records[thread_id]._replace(streamed=True)

    def set_expiry(self, thread_id: str, seconds: float | None) -> None:
        """Store a thread's time to live; None is none."""
        if seconds is None:
            self._expiry.pop(thread_id, None)
        else:
            self._expiry[thread_id] = seconds

    def copy(self, source: str, target: str) -> None:
        """Copy a record that nobody holds."""
        now = time.time()
        self._records[target] = self._records[source]._replace(
            thread_id=target, created_at=now, updated_at=now, streamed=False
        )
        self.set_expiry(target, self._expiry.get(source))
        for tell in self.on_copy:
            tell(source, target)

    def forget(self, thread_id: str) -> bool:
        """Delete a record; whether there was one. Its tokens are never used again."""
        self._expiry.pop(thread_id, None)
        self._upgrades.pop(thread_id, None)
        for tell in self.on_forget:
            tell(thread_id)
        if not self._approvals.is_empty():
            forget(self._approvals.on(self._approvals.connection), thread_id)
        return self._records.pop(thread_id, None) is not None

    # -- inside ----------------------------------------------------------------------------

    def check_token(self, thread_id: str, token: int) -> None:
        """Return if the token is the thread's latest.

        Raises:
            LeaseLostError: Somebody claimed the thread since, or it is gone.
        """
        if thread_id not in self._records or self._tokens.get(thread_id) != token:
            raise LeaseLostError(thread_id)

    def _settle(self, thread_id: str, asked: Sequence[NewRequest]) -> tuple[list[Due], bool]:
        ledger = self._approvals
        if not asked and ledger.is_empty():
            return [], False
        return settle(ledger.on(ledger.connection), thread_id, asked)

    def _holds(self, lease: Lease) -> bool:
        record = self._records.get(lease.thread_id)
        held = None if record is None else record.lease
        return held is not None and held.token == lease.token

    def _lease(self, thread_id: str, holder: str) -> Lease:
        token = self._tokens[thread_id] = self._tokens.get(thread_id, 0) + 1
        return Lease(thread_id, token, holder, math.inf)

    @staticmethod
    def _refuse_if_busy(record: ThreadRecord) -> None:
        if record.lease is not None:
            raise ThreadBusyError(record.thread_id, record.lease.holder, time.time())
