"""The threads that this process holds: taking them, pausing them, letting go of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from checkpoints.history import Answers
from checkpoints.threads import RUNNING
from nodes.brake import Brake
from orchestration.engines.asking import all_asked, new_request
from orchestration.engines.leases import LeaseKeeper, unguarded
from orchestration.engines.segment import Hold, Segment, thread_config
from orchestration.engines.snapshots import pending_interrupts
from state.errors import DrainedError, LeaseLostError
from state.status import WorkflowStatus

if TYPE_CHECKING:
    from langgraph.types import Interrupt

    from checkpoints.approvals import Asked, Due, NewRequest, OpenQuestions
    from checkpoints.database import Database
    from checkpoints.threads import Lease, Released
    from checkpoints.traffic import CallRecord
    from orchestration.streaming.recorder import Recorder
    from state.cancellation import Cancellation
    from state.plan import Plan

T = TypeVar("T")


def announce_nothing(_due: Sequence[Due]) -> None:
    """Tell nobody."""


class HeldThreads:
    """Holds threads for as long as this process runs them, and enters what they ask."""

    def __init__(
        self, database: Database, seconds: float, announce: Callable[[Sequence[Due]], None]
    ) -> None:
        """Take what is to be used.

        Args:
            database: Where threads are kept.
            seconds: How long a lease lasts.
            announce: Begins to tell people what happened to requests; never waits.
        """
        self._database = database
        self._announce = announce
        self._keeper = LeaseKeeper(database.threads, seconds)
        self._segments: set[Segment] = set()
        self._draining = False

    def drain(self) -> None:
        """Let every run stop at its next superstep, and begin no other."""
        self._draining = True
        for segment in self._segments:
            segment.brake.drain()

    def refuse_if_draining(self, thread_id: str) -> None:
        """Return if runs may begin.

        Raises:
            DrainedError: They may not any more.
        """
        if self._draining:
            raise DrainedError(thread_id)

    def cancel(self, thread_id: str, cancellation: Cancellation) -> None:
        """Let a run of this process begin no further task."""
        for segment in self._segments:
            if segment.thread_id == thread_id:
                segment.brake.cancel(cancellation)

    def hold(self, lease: Lease, plan: Plan, since: float, status: str = RUNNING) -> Hold:
        """Hold a lease while the body runs the thread; release it however that ends."""
        durable = self._database.durable
        held = self._keeper.hold(lease, since=since) if durable else unguarded(lease)
        segment = Segment(
            thread_id=lease.thread_id,
            plan=plan,
            config=thread_config(lease.thread_id, lease.token, plan),
            held=held,
            brake=Brake(),
            status=status,
        )
        held.brake = segment.brake
        self._segments.add(segment)
        if self._draining:  # since the claim was made
            segment.brake.drain()
        return Hold(segment, self._end)

    async def _end(self, segment: Segment) -> None:
        self._segments.discard(segment)
        segment.held.drop()
        if not segment.held.lost and not segment.released:
            asked = () if segment.settled else None
            lease, calls = segment.held.lease, segment.calls()
            await self.release(lease, segment.status, asked, segment.said, calls=calls)
        if segment.recorder is not None:
            await self._settle(segment.recorder)

    @staticmethod
    async def _settle(recorder: Recorder) -> None:
        """Wait until all events are in the log; what another process goes on with is its own."""
        with suppress(LeaseLostError):
            await recorder.close()

    async def claimed(
        self, claim: Coroutine[Any, Any, T], lease_of: Callable[[T], tuple[Lease, str] | None]
    ) -> T:
        """Await a claim; one that commits although nobody waits for it any more is released."""
        if not self._database.durable:
            return await claim
        claiming = asyncio.ensure_future(claim)
        try:
            return await asyncio.shield(claiming)
        except asyncio.CancelledError:
            while not claiming.done():
                with suppress(asyncio.CancelledError):  # it is raised below
                    await asyncio.wait({claiming})
            held = None if claiming.exception() else lease_of(claiming.result())
            if held is not None:
                await self.release(*held)
            raise

    async def release(  # noqa: PLR0913  one for each thing that a run leaves
        self,
        lease: Lease,
        status: str,
        asked: Sequence[NewRequest] | None = None,
        said: Answers | None = None,
        *,
        heed_cancellation: bool = False,
        calls: Sequence[CallRecord] = (),
    ) -> Released:
        """End a lease, also while this task is being cancelled; see `HistoryStore.end`."""
        release = self._database.history.end(
            lease,
            status=status,
            asked=asked,
            answers=said,
            heed_cancellation=heed_cancellation,
            calls=calls,
        )
        released = await (asyncio.shield(release) if self._database.durable else release)
        if released.new:
            self._announce(released.new)
        return released

    async def pause(self, segment: Segment, interrupts: Iterable[Interrupt]) -> bool:
        """Let go of a thread that asks something; False if it is answered meanwhile."""
        asked, held, brake = self._requests(segment, interrupts), segment.held, segment.brake
        held.drop()  # a renewal that comes after the release would take the lease for lost
        released = await self.release(
            held.lease,
            WorkflowStatus.INTERRUPTED,
            asked,
            heed_cancellation=brake.cancellation is None,
            calls=segment.calls(),
        )
        segment.released = released.ended
        if not released.ended:
            held.keep()
        if released.cancellation is not None:
            brake.cancel(released.cancellation)
        return released.ended

    async def answers(
        self,
        segment: Segment,
        interrupts: Iterable[Interrupt],
        known: OpenQuestions | None = None,
    ) -> Mapping[str, object]:
        """Enter questions into the ledger, and return what is decided about them already."""
        if known is not None:
            asked = all_asked(pending_interrupts(interrupts))
            if known.has_all(asked):
                return known.answers(asked)
        taken = await self._database.approvals.take(
            segment.thread_id,
            self._requests(segment, interrupts),
            token=segment.held.lease.token,
        )
        self._announce(taken.new)
        return taken.answers

    @staticmethod
    def _requests(segment: Segment, interrupts: Iterable[Interrupt]) -> list[NewRequest]:
        segment.may_ask = True
        return [
            new_request(segment.thread_id, segment.plan, each)
            for each in all_asked(pending_interrupts(interrupts))
        ]

    async def note(self, segment: Segment, asked: Sequence[Asked]) -> None:
        """Enter what a run asks beside tasks that still run."""
        segment.may_ask = True
        requests = [new_request(segment.thread_id, segment.plan, each) for each in asked]
        token = segment.held.lease.token
        self._announce(await self._database.approvals.record(requests, token=token))
