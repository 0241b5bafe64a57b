"""What processes know together of agents' endpoints, in Postgres.

Statements and migrations are those of SQLite. `open_database` does not open Postgres yet:
threads and checkpoints are to follow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection

from checkpoints.postgres_leases import check_token
from checkpoints.statements import on_sqlalchemy
from checkpoints.traffic_stores import SqlTraffic

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from checkpoints.statements import Execute

T = TypeVar("T")


class PostgresTraffic(SqlTraffic[Connection]):
    """A `TrafficStore` on the connections of an SQLAlchemy engine.

    Each statement that decides something is alone with its row, so transactions need not
    run one after another.
    """

    def __init__(self, engine: Engine) -> None:
        """`engine` has READ COMMITTED transactions, Postgres's default."""
        self._engine = engine

    def _execute_on(self, connection: Connection) -> Execute:
        return on_sqlalchemy(connection)

    def _check_token(self, connection: Connection, thread_id: str, token: int) -> None:
        check_token(connection, thread_id, token)

    async def _run(self, work: Callable[[Connection], T]) -> T:
        return await asyncio.to_thread(self._in_transaction, work)

    def _in_transaction(self, work: Callable[[Connection], T]) -> T:
        with self._engine.begin() as connection:
            return work(connection)
