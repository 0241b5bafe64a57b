"""The approval ledger in Postgres.

Statements and migrations are those of SQLite. `open_database` does not open Postgres yet:
threads and checkpoints are to follow.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from sqlalchemy import Connection, func, select

from checkpoints.approval_ledgers import Clock, SqlApprovals
from checkpoints.encryption import PLAIN_TEXT
from checkpoints.postgres_leases import check_token
from checkpoints.statements import on_sqlalchemy

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from checkpoints.encryption import TextCipher
    from checkpoints.statements import Execute

T = TypeVar("T")

LEDGER_LOCK: Final = 0x6F72636865737402
"""The advisory lock that each transaction of the ledger takes: they run one after another, as
they do in SQLite, so that whoever reads a question and then answers it is alone with it."""


class PostgresApprovals(SqlApprovals[Connection]):
    """An `ApprovalLedger` on the connections of an SQLAlchemy engine."""

    def __init__(
        self, engine: Engine, *, cipher: TextCipher = PLAIN_TEXT, clock: Clock = time.time
    ) -> None:
        """`engine` has READ COMMITTED transactions, Postgres's default."""
        super().__init__(cipher=cipher, clock=clock)
        self._engine = engine

    def _execute_on(self, connection: Connection) -> Execute:
        return on_sqlalchemy(connection)

    def _check_token(self, connection: Connection, thread_id: str, token: int) -> None:
        check_token(connection, thread_id, token)

    async def _run(self, write: Callable[[Connection], T]) -> T:
        return await asyncio.to_thread(self._in_transaction, write)

    def _in_transaction(self, write: Callable[[Connection], T]) -> T:
        with self._engine.begin() as connection:
            connection.execute(select(func.pg_advisory_xact_lock(LEDGER_LOCK)))
            return write(connection)
