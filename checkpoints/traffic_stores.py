"""What processes know together of agents' endpoints, in SQLite with the checkpoints."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from checkpoints import traffic_sql
from checkpoints.lease_sql import check_token
from checkpoints.statements import on_sqlite

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from checkpoints.group_commit import GroupCommitWriter
    from checkpoints.statements import Execute
    from checkpoints.traffic import (
        CallRecord,
        GroupBy,
        Place,
        Sample,
        SharedState,
        Switched,
        Totals,
    )

T = TypeVar("T")
C = TypeVar("C")


class SqlTraffic(Generic[C]):
    """A `TrafficStore` on SQL; subclasses say what a connection is, and who runs the work."""

    async def states(self) -> Sequence[SharedState]:
        """Return the state of every endpoint that has one."""
        return await self._look(traffic_sql.states)

    async def write(self, state: SharedState) -> SharedState | None:
        """Write a state if its revision is that of the database; else return what stands there."""
        return await self._do(partial(traffic_sql.write, state=state))

    async def switch(self, switched: Switched) -> None:
        """Switch a place, for every process that shares the database."""
        await self._do(partial(traffic_sql.switch, switched=switched))

    async def switches(self) -> Mapping[Place, Switched]:
        """Return how places are switched."""
        return await self._look(traffic_sql.switches)

    async def version_of(self, thread_id: str, agent_id: str) -> str | None:
        """Return the version of an agent that a thread has."""
        read = partial(traffic_sql.version_of, thread_id=thread_id, agent_id=agent_id)
        return await self._look(read)

    async def assign(
        self, thread_id: str, agent_id: str, version: str, *, instead_of: str | None = None
    ) -> str:
        """Give a thread its version of an agent; the first stays, but one that is gone."""
        assign = partial(traffic_sql.assign, thread_id=thread_id, agent_id=agent_id)
        return await self._do(partial(assign, version=version, instead_of=instead_of))

    async def sent(self, key: str) -> Place | None:
        """Return where a call may have begun."""
        return await self._look(partial(traffic_sql.sent, key=key))

    async def note(
        self, key: str, place: Place | None, *, thread_id: str, token: int | None
    ) -> None:
        """Remember where a call is about to be sent; None that it did not begin there."""

        def write(connection: C) -> None:
            if token is not None:
                self._check_token(connection, thread_id, token)
            traffic_sql.note(self._execute_on(connection), key, place, thread_id=thread_id)

        await self._run(write)

    async def record(self, records: Sequence[CallRecord]) -> None:
        """Write records; one of the same run and path is replaced."""
        await self._do(partial(traffic_sql.record, records=records))

    async def totals(
        self, by: GroupBy, *, since: float = 0.0, tenant: str | None = None
    ) -> Sequence[Totals]:
        """Sum up records, the dearest group first."""
        return await self._look(partial(traffic_sql.totals, by=by, since=since, tenant=tenant))

    async def samples(self, agent_id: str, *, since: float = 0.0) -> Sequence[Sample]:
        """Return the finished tasks of an agent, the oldest first."""
        return await self._look(partial(traffic_sql.samples, agent_id=agent_id, since=since))

    async def _do(self, work: Callable[[Execute], T]) -> T:
        return await self._run(lambda connection: work(self._execute_on(connection)))

    async def _look(self, work: Callable[[Execute], T]) -> T:
        """Run what writes nothing."""
        return await self._do(work)

    def _execute_on(self, connection: C) -> Execute:
        raise NotImplementedError

    def _check_token(self, connection: C, thread_id: str, token: int) -> None:
        raise NotImplementedError

    async def _run(self, work: Callable[[C], T]) -> T:
        """Run it in a transaction, committed when this returns."""
        raise NotImplementedError


class SqliteTraffic(SqlTraffic[sqlite3.Connection]):
    """A `TrafficStore` in the file of the checkpoints, through its group-commit writer."""

    def __init__(self, writer: GroupCommitWriter) -> None:
        self._writer = writer

    def _execute_on(self, connection: sqlite3.Connection) -> Execute:
        return on_sqlite(connection)

    def _check_token(self, connection: sqlite3.Connection, thread_id: str, token: int) -> None:
        check_token(connection, thread_id, token)

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.wrap_future(self._writer.submit(work))

    async def _look(self, work: Callable[[Execute], T]) -> T:
        return await asyncio.to_thread(self._look_now, work)

    def _look_now(self, work: Callable[[Execute], T]) -> T:
        """Read on a connection of its own: a long report must not keep anybody from writing."""
        with closing(self._writer.connect()) as connection:
            return work(on_sqlite(connection))
