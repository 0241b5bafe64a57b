"""The approval inbox: what waits for a person, over all threads of a database.

The functions here open a database, do one thing, and close it; a process that does more
keeps a coordinator and uses its `approvals`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from checkpoints.approvals import (
    DECIDED,
    PENDING,
    PEOPLE,
    STATUSES,
    WAITS,
    Answer,
    ApprovalLedger,
    ApprovalRequest,
    AuditEntry,
    Due,
    Filter,
)
from state.decision import Decider
from state.errors import (
    AmbiguousRequestError,
    CallableLostError,
    DrainedError,
    LeaseLostError,
    OrchestrationError,
    RequestNotFoundError,
    UpgradeError,
)

if TYPE_CHECKING:
    from checkpoints.signals import Signal
    from orchestration.agent_registry import AgentRegistry
    from orchestration.simple_coordinator import SimpleCoordinator
    from state.result import WorkflowResult

_log = logging.getLogger(__name__)

MOST_AT_ONCE = 1000
SHORTEST_PAUSE_SECONDS = 0.05
"""Between two sweeps, however much is due."""
SHORTEST_BEGINNING = 4
"""Letters of a request id that are enough, if no other request begins with them."""


class Decided(NamedTuple):
    """What became of an answer."""

    request: ApprovalRequest
    result: WorkflowResult | None
    """The run's, if the answer let it go on here."""
    waits_for: str = ""
    """Why the run did not go on here; the answer is recorded all the same."""


class Swept(NamedTuple):
    """What a sweep did."""

    due: Sequence[Due]
    """Deadlines applied, reminders and escalations."""
    resumed: Sequence[WorkflowResult]
    """Runs that went on with an answer that nobody had taken up."""
    reconciled: Sequence[str]
    """Threads whose process died, and whose questions are in the ledger now."""
    left: Sequence[tuple[str, str]]
    """Threads that could not go on here, and why."""


class ApprovalInbox:
    """The pending approvals of a coordinator's database."""

    def __init__(self, coordinator: SimpleCoordinator) -> None:
        self._coordinator = coordinator

    async def list_pending(  # noqa: PLR0913  one for each thing to filter by
        self,
        *,
        thread_id: str | None = None,
        tenant: str | None = None,
        role: str | None = None,
        limit: int = 50,
        after: str | None = None,
        waits: bool = False,
    ) -> list[ApprovalRequest]:
        """Return what waits for a person, the oldest first.

        Args:
            thread_id: Only this thread's.
            tenant: Only this tenant's.
            role: Only what somebody with this role may decide.
            limit: At most so many.
            after: The last request id of the page before.
            waits: Whether also what waits for a time or a signal, which nobody can answer.
        """
        wanted = Filter(
            thread_id=thread_id,
            tenant=tenant,
            role=role,
            limit=limit,
            after=after,
            kinds=(*PEOPLE, *WAITS) if waits else PEOPLE,
        )
        return await (await self._coordinator.ledger()).find(wanted)

    async def pause_seconds(self, every_seconds: float) -> float:
        """Say how long the next sweep can wait: less if something is due before."""
        left = await (await self._coordinator.ledger()).seconds_until_due()
        if left is None:
            return every_seconds
        return min(every_seconds, max(left, SHORTEST_PAUSE_SECONDS))

    async def signals(self, thread_id: str) -> list[Signal]:
        """Return the signals that a thread has got, the oldest first."""
        return await (await self._coordinator.ledger()).signals(thread_id)

    async def get(self, request_id: str) -> ApprovalRequest:
        """Return one request, pending or not.

        Raises:
            RequestNotFoundError: There is none.
        """
        return await (await self._coordinator.ledger()).get(request_id)

    async def find(self, beginning: str) -> ApprovalRequest:
        """Return the one request whose id begins so; a whole id is always its own.

        Where there is none, what dead processes left asking is entered first.

        Raises:
            RequestNotFoundError: There is none, or these are too few letters.
            AmbiguousRequestError: There are several.
        """
        try:
            return await self._begins_with(beginning)
        except AmbiguousRequestError:
            raise
        except RequestNotFoundError:
            if not await self._coordinator.reconcile():
                raise
        return await self._begins_with(beginning)

    async def _begins_with(self, beginning: str) -> ApprovalRequest:
        ledger = await self._coordinator.ledger()
        try:
            return await ledger.get(beginning)
        except RequestNotFoundError:
            if len(beginning) < SHORTEST_BEGINNING:
                raise
            found = [each async for each in _all(ledger) if each.request_id.startswith(beginning)]
            if not found:
                raise
        if len(found) > 1:
            raise AmbiguousRequestError(beginning, [each.request_id for each in found])
        return found[0]

    async def history(
        self, request_id: str | None = None, *, thread_id: str | None = None
    ) -> list[AuditEntry]:
        """Return the audit trail of a request or a thread, the oldest entry first."""
        ledger = await self._coordinator.ledger()
        if request_id is not None:
            await ledger.get(request_id)
        return await ledger.history(request_id=request_id, thread_id=thread_id)

    async def decide(
        self,
        request_id: str,
        decision: object,
        *,
        by: str | None,
        roles: Collection[str] = (),
        comment: str = "",
    ) -> Decided:
        """Answer a request, and let its run go on if nobody else runs it.

        The answer takes effect exactly once: it is recorded by compare-and-set, and whoever
        holds the thread's lease takes it up, at once or when the run pauses.

        Args:
            request_id: From `list_pending`, or the result's interrupt id.
            decision: `"approve"`, `"reject"`, or LangChain's `HITLResponse` or `Decision`.
            by: Who decides.
            roles: What they are.
            comment: Why; for the audit trail.

        Raises:
            AlreadyDecidedError: Somebody else was first; says who, what and when.
            NotAllowedError: The policy does not let them; the request stays open.
            DecisionError: The answer is none, or its edits do not fit; it stays open.
            RequestNotFoundError: There is no such request.
        """
        answer = Answer(request_id, decision, comment)
        decider = Decider(by, tuple(roles))
        try:
            answered = await self._coordinator.answer([answer], decider)
        except (CallableLostError, DrainedError, LeaseLostError, UpgradeError) as error:
            request = await (await self._coordinator.ledger()).get(request_id)
            return Decided(request, None, str(error))
        (request,) = answered.requests
        if request.status != DECIDED:
            return Decided(request, None, "more people must agree")
        why = "" if answered.busy is None else str(answered.busy)
        return Decided(request, answered.result, why)

    async def sweep(self) -> Swept:
        """Do what time and crashes left to do, for every thread of the database.

        Applies passed deadlines, claims reminders and escalations, lets runs go on that have
        an answer nobody took up, and enters questions into the ledger that a dying process
        left only in a checkpoint. Safe to run at any time, from several processes at once.
        """
        ledger = await self._coordinator.ledger()
        reconciled = await self._coordinator.reconcile()
        due = await ledger.work_off()
        self._coordinator.announcer(due)
        resumed, left = [], []
        decided = await ledger.find(Filter((DECIDED,), limit=MOST_AT_ONCE))
        waiting = [*await self._coordinator.called_off(), *(each.thread_id for each in decided)]
        for thread_id in dict.fromkeys(waiting):
            try:
                resumed.append(await self._coordinator.resume(thread_id))
            except OrchestrationError as error:
                left.append((thread_id, str(error)))
        await self._coordinator.announcer.settle()
        return Swept(due, resumed, reconciled, left)

    @asynccontextmanager
    async def sweeping(self, *, every_seconds: float = 60.0) -> AsyncIterator[None]:
        """Sweep at once, again and again while the body runs, and when something is due."""
        sweeper = asyncio.create_task(self._sweep_for_ever(every_seconds))
        try:
            yield
        finally:
            sweeper.cancel()
            await asyncio.wait({sweeper})

    async def _sweep_for_ever(self, every_seconds: float) -> None:
        while True:
            pause = every_seconds
            try:
                await self.sweep()
                pause = await self.pause_seconds(every_seconds)
            except Exception:  # noqa: BLE001  what may pass, e.g. a full disk, must not end the sweeping
                _log.exception("a sweep failed; the next one is in %s s", every_seconds)
            await asyncio.sleep(pause)


async def _all(ledger: ApprovalLedger) -> AsyncIterator[ApprovalRequest]:
    """Every request, the oldest first, a page at a time."""
    after: str | None = None
    while page := await ledger.find(Filter(STATUSES, limit=MOST_AT_ONCE, after=after)):
        for request in page:
            yield request
        after = page[-1].request_id


@asynccontextmanager
async def open_inbox(
    database_url: str | None = None, *, registry: AgentRegistry | None = None
) -> AsyncIterator[ApprovalInbox]:
    """Open the inbox of a database; by default that of the environment."""
    from orchestration.simple_coordinator import SimpleCoordinator  # noqa: PLC0415  heavy

    async with SimpleCoordinator(database_url=database_url, registry=registry) as coordinator:
        yield coordinator.approvals


async def list_pending(  # noqa: PLR0913  as `ApprovalInbox.list_pending`
    *,
    database_url: str | None = None,
    thread_id: str | None = None,
    tenant: str | None = None,
    role: str | None = None,
    limit: int = 50,
    after: str | None = None,
) -> list[ApprovalRequest]:
    """Return what waits for a person; see `ApprovalInbox.list_pending`."""
    async with open_inbox(database_url) as inbox:
        return await inbox.list_pending(
            thread_id=thread_id, tenant=tenant, role=role, limit=limit, after=after
        )


async def get(request_id: str, *, database_url: str | None = None) -> ApprovalRequest:
    """Return one request; see `ApprovalInbox.get`."""
    async with open_inbox(database_url) as inbox:
        return await inbox.get(request_id)


async def history(
    request_id: str | None = None,
    *,
    thread_id: str | None = None,
    database_url: str | None = None,
) -> list[AuditEntry]:
    """Return an audit trail; see `ApprovalInbox.history`."""
    async with open_inbox(database_url) as inbox:
        return await inbox.history(request_id, thread_id=thread_id)


async def decide(  # noqa: PLR0913  as `ApprovalInbox.decide`
    request_id: str,
    decision: object,
    *,
    by: str | None,
    roles: Collection[str] = (),
    comment: str = "",
    database_url: str | None = None,
    registry: AgentRegistry | None = None,
) -> Decided:
    """Answer a request; see `ApprovalInbox.decide`."""
    async with open_inbox(database_url, registry=registry) as inbox:
        return await inbox.decide(request_id, decision, by=by, roles=roles, comment=comment)


async def sweep(*, database_url: str | None = None, registry: AgentRegistry | None = None) -> Swept:
    """Do what time and crashes left to do; see `ApprovalInbox.sweep`."""
    async with open_inbox(database_url, registry=registry) as inbox:
        return await inbox.sweep()


__all__ = [
    "PENDING",
    "ApprovalInbox",
    "ApprovalRequest",
    "AuditEntry",
    "Decided",
    "Swept",
    "decide",
    "get",
    "history",
    "list_pending",
    "open_inbox",
    "sweep",
]
