"""Looking at threads, without their leases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.engines.segment import thread_config
from orchestration.engines.snapshots import (
    belongs_to,
    known_outcomes,
    result_of,
    scopes_in,
    with_inner,
)
from orchestration.engines.time_travel import Moment, timeline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from checkpoints.database import Database
    from checkpoints.history import RecordedMessage
    from checkpoints.threads import ThreadRecord
    from checkpoints.traffic import GroupBy, Totals
    from checkpoints.upgrades import TurnResult, UpgradeRecord
    from graph.compiler import Compiler
    from state.result import WorkflowResult


class ThreadViews:
    """What is known of the threads of one database."""

    def __init__(self, database: Database, compiler: Compiler) -> None:
        self._database = database
        self._compiler = compiler

    async def timeline(self, thread_id: str, *, limit: int) -> list[Moment]:
        """Return the moments of a thread's present run, the latest first.

        Raises:
            ThreadNotFoundError: There is no such thread.
        """
        record = await self._database.threads.get(thread_id)
        graph = self._compiler.compile(record.plan)
        return await timeline(graph, thread_config(thread_id), record.plan, limit=limit)

    async def threads(
        self, *, limit: int, status: str | None, workflow: str | None
    ) -> list[ThreadRecord]:
        """Return threads, the last changed first."""
        threads = self._database.threads
        return await threads.recent(limit=limit, status=status, workflow=workflow)

    async def costs(self, by: GroupBy, *, since: float, tenant: str | None) -> Sequence[Totals]:
        """Sum up what calls cost; see `TrafficStore.totals`."""
        return await self._database.traffic.totals(by, since=since, tenant=tenant)

    async def history(
        self, thread_id: str, *, limit: int, before: int | None
    ) -> list[RecordedMessage]:
        """Return messages of a thread, newest last.

        Raises:
            ThreadNotFoundError: There is no such thread.
        """
        found = await self._database.history.page(thread_id, limit=limit, before=before)
        if not found:
            await self._database.threads.get(thread_id)
        return found

    async def upgrades(self, thread_id: str) -> list[UpgradeRecord]:
        """Return a thread's upgrades, the oldest first.

        Raises:
            ThreadNotFoundError: There is no such thread.
        """
        await self._database.threads.get(thread_id)
        return await self._database.threads.upgrades(thread_id)

    async def turns(self, thread_id: str) -> list[TurnResult]:
        """Return the results of a thread's turns, the oldest first.

        Raises:
            ThreadNotFoundError: There is no such thread.
        """
        await self._database.threads.get(thread_id)
        return await self._database.history.turns(thread_id)

    async def thread(self, thread_id: str) -> ThreadRecord:
        """Read a thread's row, and nothing of its checkpoints.

        Raises:
            ThreadNotFoundError: There is no such thread.
        """
        return await self._database.threads.get(thread_id)

    async def inspect(self, thread_id: str) -> tuple[ThreadRecord, WorkflowResult]:
        """Read a thread and what is known of its run, without its lease.

        Raises:
            ThreadNotFoundError: There is no such thread.
        """
        record = await self._database.threads.get(thread_id)
        graph = self._compiler.compile(record.plan)
        snapshot = await graph.aget_state(thread_config(thread_id), subgraphs=True)
        if not belongs_to(snapshot, record.plan):
            return record, result_of(
                thread_id, record.plan, record.plan.document.get("seed", {}), ()
            )
        known = with_inner(known_outcomes(snapshot), scopes_in(snapshot))
        values = {**snapshot.values, "outcomes": known}
        return record, result_of(thread_id, record.plan, values, snapshot.interrupts)
