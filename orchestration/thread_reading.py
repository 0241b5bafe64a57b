"""What a coordinator knows of threads: their runs, messages, events and costs; runs nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from state.errors import ConfigurationError

if TYPE_CHECKING:
    from checkpoints.approvals import ApprovalLedger
    from checkpoints.history import RecordedMessage
    from checkpoints.threads import ThreadRecord
    from checkpoints.traffic import GroupBy, Totals
    from checkpoints.upgrades import TurnResult, UpgradeRecord
    from orchestration.engines.embedded import EmbeddedEngine
    from orchestration.engines.time_travel import Moment
    from orchestration.workflow_events import WorkflowEvent
    from state.result import WorkflowResult


class ThreadReading(ABC):
    """Reads the threads of a coordinator's database."""

    async def threads(
        self, *, limit: int = 50, status: str | None = None, workflow: str | None = None
    ) -> list[ThreadRecord]:
        """Return the threads of the database, the last changed first."""
        engine = await self._engine()
        return await engine.views.threads(limit=limit, status=status, workflow=workflow)

    async def get_state(self, thread_id: str) -> WorkflowResult:
        """Return what is known of a thread's run, without touching it.

        Raises:
            ThreadNotFoundError: There is no such thread.
        """
        return (await self.inspect(thread_id))[1]

    async def thread(self, thread_id: str) -> ThreadRecord:
        """Return a thread as it is recorded; reads no checkpoint, so it costs less than `inspect`.

        Raises:
            ThreadNotFoundError: There is no such thread.
        """
        engine = await self._engine()
        return await engine.views.thread(thread_id)

    async def inspect(self, thread_id: str) -> tuple[ThreadRecord, WorkflowResult]:
        """Return a thread and what is known of its run, without touching either.

        Raises:
            ThreadNotFoundError: There is no such thread.
        """
        engine = await self._engine()
        return await engine.views.inspect(thread_id)

    async def history(
        self, thread_id: str, *, limit: int = 50, before: int | None = None
    ) -> list[RecordedMessage]:
        """Return messages of a thread, newest last: what its tasks brought and agents answered.

        Args:
            thread_id: Any thread of the database.
            limit: At most this many, the newest.
            before: Only those with a lower sequence; for the page before one, its first's.

        Raises:
            ThreadNotFoundError: There is no such thread.
            ConfigurationError: `limit` is less than 1.
        """
        if limit < 1:
            raise ConfigurationError(f"limit is {limit}; give at least 1")
        engine = await self._engine()
        return await engine.views.history(thread_id, limit=limit, before=before)

    async def upgrades(self, thread_id: str) -> list[UpgradeRecord]:
        """Return how a thread's workflow was changed while it ran, the first change first."""
        return await (await self._engine()).views.upgrades(thread_id)

    async def turns(self, thread_id: str) -> list[TurnResult]:
        """Return what each turn of a conversation came to, the first turn first.

        Only turns of sessions are kept: runs with `session=True`, and those of an
        `EnterpriseOrchestrator`.
        """
        return await (await self._engine()).views.turns(thread_id)

    async def timeline(self, thread_id: str, *, limit: int = 100) -> list[Moment]:
        """Return the checkpoints of a thread's present run, the latest first.

        Raises:
            ThreadNotFoundError: There is no such thread.
        """
        engine = await self._engine()
        return await engine.views.timeline(thread_id, limit=limit)

    async def watch(
        self, thread_id: str, *, after: int = 0, follow: bool = True
    ) -> AsyncGenerator[WorkflowEvent]:
        """Yield the events of a thread's run after one of them, and follow it; runs nothing.

        Any number of readers may do so, in any process. It ends when nobody runs the thread any
        more: its run is over, or pauses, or its process died. Without `follow` it ends with what
        has happened so far.

        Raises:
            ThreadNotFoundError, BadSequenceError, EventsGoneError: As for `resume_stream`.
        """
        engine = await self._engine()
        watched = engine.streams.watch(thread_id, after=after, follow=follow)
        async with aclosing(watched) as told:
            async for event in told:
                yield event

    async def costs(
        self, *, by: GroupBy = "agent", since: float = 0.0, tenant: str | None = None
    ) -> Sequence[Totals]:
        """Sum up what calls of agents cost, over all runs of the database, the dearest first.

        A run counts from its first pause or its end on, and still does when it was deleted.

        Args:
            by: `agent`, `version`, `thread` or `tenant`.
            since: Only what finished after it, in seconds since the epoch.
            tenant: Only this tenant's.
        """
        return await (await self._engine()).views.costs(by, since=since, tenant=tenant)

    async def ledger(self) -> ApprovalLedger:
        """The ledger of approvals itself; people use `approvals`."""
        return (await self._engine()).approvals

    async def called_off(self) -> list[str]:
        """The threads whose run somebody has called off, and nobody ends."""
        return await (await self._engine()).called_off()

    async def reconcile(self) -> list[str]:
        """Enter what dead processes left asking into the ledger; return those threads."""
        return await (await self._engine()).reconcile_all()

    @abstractmethod
    async def _engine(self) -> EmbeddedEngine:
        """The engine, opened."""
