"""Threads: one record each with its plan and its lease, so that anyone can resume it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from checkpoints.approvals import Answer, ApprovalRequest, Due, NewRequest, OpenQuestions
    from checkpoints.signals import NewSignal, Sent
    from checkpoints.upgrades import UpgradeRecord
    from state.cancellation import Cancellation
    from state.decision import Decider
    from state.errors import ThreadBusyError
    from state.plan import Plan

RUNNING: Final = "running"
"""Status of a thread whose run has begun and is not known to have ended."""
UNFINISHED: Final = frozenset({RUNNING, "interrupted"})
"""Statuses in which a thread takes no new tasks."""


class Lease(NamedTuple):
    """The right to run one thread; whoever holds the highest token has it."""

    thread_id: str
    token: int
    """Fencing token; grows with every claim."""
    holder: str
    expires_at: float
    """Seconds since the epoch."""


class Renewal(NamedTuple):
    """What became of leases that were to be extended."""

    lost: Collection[str]
    """Ids of the threads that others have claimed."""
    cancelled: Mapping[str, Cancellation]
    """Threads whose run somebody has called off."""


class Released(NamedTuple):
    """What became of a lease that was to be ended."""

    ended: bool
    """False where an answer waits for the run: then the lease is kept."""
    new: Sequence[Due] = ()
    """Questions that are in the ledger since then."""
    cancellation: Cancellation | None = None
    """Why it is kept, where the run has to be ended instead."""


class Claimed(NamedTuple):
    """What became of answers, and of the claim that follows them."""

    requests: list[ApprovalRequest]
    record: ThreadRecord | None
    """The thread, if the answers decide something and nobody else runs it: then with `lease`."""
    lease: Lease | None
    busy: ThreadBusyError | None
    """Who runs it, and so takes the answers up."""
    questions: OpenQuestions


class ThreadRecord(NamedTuple):
    """What is known of one thread without reading its checkpoints."""

    thread_id: str
    plan: Plan
    status: str
    """A `WorkflowStatus`, or `running`."""
    created_at: float
    updated_at: float
    lease: Lease | None
    """Who runs it, or ran it when it died."""
    cancellation: Cancellation | None = None
    """Set if somebody called the run off; it may still have to be carried out."""
    streamed: bool = False
    """Whether its run has a log of events, so that it is written on."""

    @property
    def workflow(self) -> str | None:
        """The name of its workflow, if that has one."""
        definition = self.plan.document.get("definition")
        return None if definition is None else definition["name"]


class ThreadStore(Protocol):
    """Keeps thread records and hands out leases; every method is atomic."""

    async def start(self, thread_id: str, plan: Plan, *, holder: str, seconds: float) -> Lease:
        """Store the plan of a new run and claim the thread for `seconds`.

        Raises:
            ThreadBusyError: Somebody runs it.
            ThreadPendingError: Its last run has not finished.
        """
        ...

    async def resume(
        self, thread_id: str, *, holder: str, seconds: float
    ) -> tuple[ThreadRecord, Lease]:
        """Claim a thread as it is.

        Raises:
            ThreadBusyError: Somebody runs it.
            ThreadNotFoundError: There is none.
        """
        ...

    async def decide(
        self, answers: Sequence[Answer], decider: Decider, *, holder: str, seconds: float
    ) -> Claimed:
        """Record answers to one thread's questions, all or none, and claim the thread.

        Raises:
            RequestNotFoundError, AlreadyDecidedError, NotAllowedError, DecisionError: Nothing
                was recorded.
        """
        ...

    async def signal(self, new: NewSignal, *, holder: str, seconds: float) -> Sent:
        """Keep a signal or give it to what waits for it, and claim a thread that can go on.

        Raises:
            ThreadNotFoundError, ThreadFinishedError: Nobody can take it.
            UnknownSignalError, SignalError: Nothing was recorded.
        """
        ...

    async def renew(self, leases: Sequence[Lease], *, seconds: float) -> Renewal:
        """Extend leases."""
        ...

    async def cancel(self, thread_id: str, cancellation: Cancellation) -> None:
        """Note that a thread's run is called off; the first to do so stays noted.

        Raises:
            ThreadNotFoundError: There is no such thread.
            ThreadFinishedError: Its run is over.
        """
        ...

    async def release(
        self,
        lease: Lease,
        *,
        status: str,
        asked: Sequence[NewRequest] | None = None,
        heed_cancellation: bool = False,
    ) -> Released:
        """End a lease and note how the thread stands, unless an answer waits for it.

        Args:
            lease: What to end.
            status: How the thread stands.
            asked: What the run asks now: it is entered into the ledger, where other open
                questions of the thread are closed. None where nothing was ever asked.
            heed_cancellation: Whether to keep the lease if the run has been called off.

        Raises:
            LeaseLostError: The thread belongs to another; its status is left alone.
        """
        ...

    async def upgrade(
        self, lease: Lease, plan: Plan, record: UpgradeRecord, *, taken: Collection[str]
    ) -> bool:
        """Let a thread go on under another plan; its open questions and checkpoints go.

        Args:
            lease: The thread.
            plan: What it goes on with; holds what was achieved, and answers.
            record: What is noted of that.
            taken: Interrupt ids of the answers that the plan holds.

        Returns:
            Whether it does; not if another answer was recorded meanwhile, and nothing happened.

        Raises:
            LeaseLostError: The thread belongs to another; nothing was changed.
        """
        ...

    async def upgrades(self, thread_id: str) -> list[UpgradeRecord]:
        """Return a thread's upgrades, the oldest first."""
        ...

    async def get(self, thread_id: str) -> ThreadRecord:
        """Return one record.

        Raises:
            ThreadNotFoundError: There is none.
        """
        ...

    async def recent(
        self, *, limit: int = 50, status: str | None = None, workflow: str | None = None
    ) -> list[ThreadRecord]:
        """Return records, the last changed first."""
        ...
