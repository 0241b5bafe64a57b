"""The approval ledger in SQLite (with the checkpoints), and in memory."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from checkpoints import ledger_rows, ledger_sql, waits_sql
from checkpoints.encryption import PLAIN_TEXT
from checkpoints.lease_sql import check_token
from checkpoints.ledger_rows import Ledger
from checkpoints.migrate import migrate_sqlite
from checkpoints.statements import on_sqlite

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from checkpoints.approvals import (
        Answer,
        ApprovalRequest,
        Asked,
        AuditEntry,
        Due,
        Filter,
        NewRequest,
        Taken,
    )
    from checkpoints.encryption import TextCipher
    from checkpoints.group_commit import GroupCommitWriter
    from checkpoints.signals import Signal
    from checkpoints.statements import Execute
    from state.decision import Decider

T = TypeVar("T")
C = TypeVar("C")
Clock = Callable[[], float]
"""Seconds since the epoch."""


class SqlApprovals(Generic[C]):
    """An `ApprovalLedger` on SQL; subclasses say what a connection is, and who runs the work."""

    def __init__(self, *, cipher: TextCipher = PLAIN_TEXT, clock: Clock = time.time) -> None:
        """`clock` gives seconds since the epoch."""
        self._cipher = cipher
        self._clock = clock

    async def record(self, requests: Sequence[NewRequest], *, token: int | None) -> list[Due]:
        """Note what a run asks; what is known already stays as it is. Return what is new."""

        def write(connection: C) -> list[Due]:
            if token is not None:
                for thread_id in {request.thread_id for request in requests}:
                    self._check_token(connection, thread_id, token)
            return ledger_sql.record(self.on(connection), requests)

        return await self._run(write)

    async def decide(self, answers: Sequence[Answer], decider: Decider) -> list[ApprovalRequest]:
        """Claim questions with answers, all or none."""
        return await self._run(
            lambda connection: ledger_sql.decide(self.on(connection), answers, decider)
        )

    async def answers(self, thread_id: str, asked: Sequence[Asked]) -> Mapping[str, object]:
        """What a run is to be resumed with, by interrupt id, of what it asks."""
        return await self._run(
            lambda connection: ledger_sql.answers(self.on(connection), thread_id, asked)
        )

    async def take(
        self, thread_id: str, asked: Sequence[NewRequest], *, token: int | None
    ) -> Taken:
        """Note what a run asks; return what is decided about it already."""

        def write(connection: C) -> Taken:
            if token is not None:
                self._check_token(connection, thread_id, token)
            return ledger_sql.take(self.on(connection), thread_id, asked)

        return await self._run(write)

    async def applied(self, thread_id: str, interrupt_ids: Collection[str]) -> None:
        """Note that a run took answers up."""
        await self._run(
            lambda connection: ledger_sql.applied(self.on(connection), thread_id, interrupt_ids)
        )

    async def work_off(self, *, thread_id: str | None = None) -> list[Due]:
        """Apply passed deadlines; claim due reminders and escalations."""
        return await self._run(
            lambda connection: ledger_sql.work_off(self.on(connection), thread_id=thread_id)
        )

    async def seconds_until_due(self) -> float | None:
        """Return when `work_off` has something to do next; None if it is waiting for nothing."""
        return await self._run(
            lambda connection: ledger_rows.seconds_until_due(self.on(connection))
        )

    async def signals(self, thread_id: str) -> list[Signal]:
        """Return the signals that a thread has got, the oldest first."""
        return await self._run(lambda connection: waits_sql.signals(self.on(connection), thread_id))

    async def asking(self) -> Collection[str]:
        """Return the threads with a question whose answer the run has not taken up."""
        return await self._run(lambda connection: ledger_rows.asking(self.on(connection)))

    async def find(self, wanted: Filter) -> list[ApprovalRequest]:
        """Return requests, the oldest first."""
        return await self._run(lambda connection: ledger_rows.find(self.on(connection), wanted))

    async def get(self, request_id: str) -> ApprovalRequest:
        """Return one request."""
        return await self._run(lambda connection: ledger_rows.get(self.on(connection), request_id))

    async def history(
        self, *, request_id: str | None = None, thread_id: str | None = None
    ) -> list[AuditEntry]:
        """Return the trail of a request, or of a thread, the oldest entry first."""
        read = partial(ledger_rows.history, request_id=request_id, thread_id=thread_id)
        return await self._run(lambda connection: read(self.on(connection)))

    def on(self, connection: C) -> Ledger:
        """The ledger inside a transaction that somebody else has begun."""
        return Ledger(self._execute_on(connection), self._cipher, self._clock())

    def _execute_on(self, connection: C) -> Execute:
        raise NotImplementedError

    def _check_token(self, connection: C, thread_id: str, token: int) -> None:
        raise NotImplementedError

    async def _run(self, write: Callable[[C], T]) -> T:
        """Run it in a transaction in which nobody else changes the ledger."""
        raise NotImplementedError


class SqliteApprovals(SqlApprovals[sqlite3.Connection]):
    """The ledger on one SQLite connection."""

    def _execute_on(self, connection: sqlite3.Connection) -> Execute:
        return on_sqlite(connection)

    def _check_token(self, connection: sqlite3.Connection, thread_id: str, token: int) -> None:
        check_token(connection, thread_id, token)


class WrittenApprovals(SqliteApprovals):
    """The ledger in the file of the checkpoints, through its group-commit writer."""

    def __init__(
        self,
        writer: GroupCommitWriter,
        *,
        cipher: TextCipher = PLAIN_TEXT,
        clock: Clock = time.time,
    ) -> None:
        super().__init__(cipher=cipher, clock=clock)
        self._writer = writer

    async def _run(self, write: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.wrap_future(self._writer.submit(write))


class MemoryApprovals(SqliteApprovals):
    """The ledger in this process only; its methods never wait inside, and so are atomic."""

    def __init__(self, *, clock: Clock = time.time) -> None:
        super().__init__(clock=clock)
        self._connection: sqlite3.Connection | None = None

    @property
    def connection(self) -> sqlite3.Connection:
        """The database in memory, made when the first question is asked."""
        if self._connection is None:
            uri = f"file:approvals-{id(self)}?mode=memory&cache=shared"
            connect = partial(
                sqlite3.connect, uri, uri=True, isolation_level=None, check_same_thread=False
            )
            self._connection = connect()
            migrate_sqlite(connect)
        return self._connection

    def is_empty(self) -> bool:
        """Whether nothing was ever asked."""
        return self._connection is None

    def close(self) -> None:
        """Forget everything."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def record(self, requests: Sequence[NewRequest], *, token: int | None) -> list[Due]:  # noqa: ARG002  nobody else can have the lease
        """Note what a run asks; return what is new."""
        return await super().record(requests, token=None)

    async def take(
        self,
        thread_id: str,
        asked: Sequence[NewRequest],
        *,
        token: int | None,  # noqa: ARG002  nobody else can have the lease
    ) -> Taken:
        """Note what a run asks; return what is decided about it already."""
        return await super().take(thread_id, asked, token=None)

    async def _run(self, write: Callable[[sqlite3.Connection], T]) -> T:
        connection = self.connection
        connection.execute("BEGIN")
        try:
            value = write(connection)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        return value
