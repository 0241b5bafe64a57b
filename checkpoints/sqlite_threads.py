"""Thread records and leases in SQLite, through the group-commit writer."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from checkpoints import lease_sql, ledger_sql, upgrade_sql, waits_sql
from checkpoints.approvals import DECIDED
from checkpoints.encryption import PLAIN_TEXT
from checkpoints.signals import Sent
from checkpoints.threads import Claimed, Released
from state.errors import ThreadBusyError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Sequence

    from checkpoints.approval_ledgers import SqliteApprovals
    from checkpoints.approvals import Answer, Due, NewRequest
    from checkpoints.encryption import TextCipher
    from checkpoints.group_commit import GroupCommitWriter, Write
    from checkpoints.signals import NewSignal
    from checkpoints.threads import Lease, Renewal, ThreadRecord
    from checkpoints.upgrades import UpgradeRecord
    from state.cancellation import Cancellation
    from state.decision import Decider
    from state.plan import Plan

T = TypeVar("T")


class SqliteThreads:
    """A `ThreadStore` in the same file as the checkpoints."""

    def __init__(
        self,
        writer: GroupCommitWriter,
        approvals: SqliteApprovals,
        cipher: TextCipher = PLAIN_TEXT,
    ) -> None:
        self._writer = writer
        self._approvals = approvals
        self._cipher = cipher

    async def start(self, thread_id: str, plan: Plan, *, holder: str, seconds: float) -> Lease:
        """Store the plan of a new run and claim its thread."""
        return await self._run(
            partial(
                lease_sql.start,
                thread_id=thread_id,
                plan=plan,
                holder=holder,
                seconds=seconds,
                cipher=self._cipher,
            )
        )

    async def resume(
        self, thread_id: str, *, holder: str, seconds: float
    ) -> tuple[ThreadRecord, Lease]:
        """Claim a thread as it is."""
        return await self._run(
            partial(
                lease_sql.resume,
                thread_id=thread_id,
                holder=holder,
                seconds=seconds,
                cipher=self._cipher,
            )
        )

    async def decide(
        self, answers: Sequence[Answer], decider: Decider, *, holder: str, seconds: float
    ) -> Claimed:
        """Record answers to one thread's questions, all or none, and claim the thread."""

        def write(connection: sqlite3.Connection) -> Claimed:
            ledger = self._approvals.on(connection)
            requests = ledger_sql.decide(ledger, answers, decider)
            questions = ledger_sql.open_questions(ledger, requests[0].thread_id)
            undecided = Claimed(requests, None, None, None, questions)
            if not any(each.status == DECIDED for each in requests):
                return undecided
            thread_id = requests[0].thread_id
            return self._claim(connection, undecided, thread_id, holder=holder, seconds=seconds)

        return await self._run(write)

    async def signal(self, new: NewSignal, *, holder: str, seconds: float) -> Sent:
        """Keep a signal or give it to what waits for it, and claim a thread that can go on."""

        def write(connection: sqlite3.Connection) -> Sent:
            record = lease_sql.get(connection, new.thread_id, cipher=self._cipher)
            ledger = self._approvals.on(connection)
            signal = waits_sql.accept(ledger, new, record)
            questions = ledger_sql.open_questions(ledger, new.thread_id)
            kept = Claimed([], None, None, None, questions)
            if not questions.has_answer():
                return Sent(signal, kept)
            claim = partial(self._claim, holder=holder, seconds=seconds)
            return Sent(signal, claim(connection, kept, new.thread_id))

        return await self._run(write)

    def _claim(
        self,
        connection: sqlite3.Connection,
        claimed: Claimed,
        thread_id: str,
        *,
        holder: str,
        seconds: float,
    ) -> Claimed:
        """Claim the thread, or say who has it."""
        try:
            record, lease = lease_sql.resume(
                connection, thread_id, holder=holder, seconds=seconds, cipher=self._cipher
            )
        except ThreadBusyError as busy:
            return claimed._replace(busy=busy)
        return claimed._replace(record=record, lease=lease)

    async def renew(self, leases: Sequence[Lease], *, seconds: float) -> Renewal:
        """Extend leases."""
        return await self._run(
            partial(lease_sql.renew, leases=leases, seconds=seconds, cipher=self._cipher)
        )

    async def cancel(self, thread_id: str, cancellation: Cancellation) -> None:
        """Note that a thread's run is called off."""
        await self._run(
            partial(
                lease_sql.cancel,
                thread_id=thread_id,
                cancellation=cancellation,
                cipher=self._cipher,
            )
        )

    async def release(
        self,
        lease: Lease,
        *,
        status: str,
        asked: Sequence[NewRequest] | None = None,
        heed_cancellation: bool = False,
    ) -> Released:
        """End a lease and note how the thread stands, unless an answer waits for it."""
        release = partial(self.release_on, lease=lease, status=status, asked=asked)
        return await self._run(partial(release, heed_cancellation=heed_cancellation))

    def release_on(
        self,
        connection: sqlite3.Connection,
        lease: Lease,
        *,
        status: str,
        asked: Sequence[NewRequest] | None = None,
        heed_cancellation: bool = False,
    ) -> Released:
        """Do what `release` does inside a transaction that somebody else has begun."""
        new: list[Due] = []
        if heed_cancellation:
            cancellation = lease_sql.cancellation_of(connection, lease, cipher=self._cipher)
            if cancellation is not None:
                return Released(ended=False, cancellation=cancellation)
        if asked is not None:
            lease_sql.check_token(connection, lease.thread_id, lease.token)
            ledger = self._approvals.on(connection)
            new, waiting = ledger_sql.settle(ledger, lease.thread_id, asked)
            if waiting:
                return Released(ended=False, new=new)
        lease_sql.release(connection, lease, status=status)
        return Released(ended=True, new=new)

    async def upgrade(
        self, lease: Lease, plan: Plan, record: UpgradeRecord, *, taken: Collection[str]
    ) -> bool:
        """Let a thread go on under another plan, unless it was answered meanwhile."""

        def write(connection: sqlite3.Connection) -> bool:
            lease_sql.check_token(connection, lease.thread_id, lease.token)
            ledger = self._approvals.on(connection)
            if ledger_sql.is_answered(ledger, lease.thread_id, but=taken):
                return False
            upgrade_sql.replace_plan(connection, lease, plan, record, self._cipher)
            ledger_sql.settle(ledger, lease.thread_id, [])
            return True

        return await self._run(write)

    async def upgrades(self, thread_id: str) -> list[UpgradeRecord]:
        """Return a thread's upgrades, the oldest first."""
        return await self._run(
            partial(upgrade_sql.upgrades, thread_id=thread_id, cipher=self._cipher)
        )

    async def get(self, thread_id: str) -> ThreadRecord:
        """Return one record."""
        return await self._run(partial(lease_sql.get, thread_id=thread_id, cipher=self._cipher))

    async def recent(
        self, *, limit: int = 50, status: str | None = None, workflow: str | None = None
    ) -> list[ThreadRecord]:
        """Return records, the last changed first."""
        return await self._run(
            partial(
                lease_sql.recent,
                limit=limit,
                status=status,
                workflow=workflow,
                cipher=self._cipher,
            )
        )

    async def _run(self, write: Write[T]) -> T:
        return await asyncio.wrap_future(self._writer.submit(write))
