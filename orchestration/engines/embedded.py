"""The embedded engine: runs threads in this process.

Its one idea is `advance`: take a thread's lease, read its checkpoint, and run it to its
next interrupt or its end. Anybody may do it again at any time, from any process: the
checkpointer is the only state, and the lease keeps two from running one thread.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import (
    Callable,
    Coroutine,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from langgraph.types import Command

from checkpoints.approvals import Filter
from checkpoints.history import Answers
from checkpoints.threads import RUNNING, UNFINISHED
from graph.compiler import Compiler
from nodes.brake import Brake
from nodes.run_handle import SYSTEM_CLOCK, RunHandle, open_handle, stop_signal
from orchestration.engines.asking import (
    MOST_QUESTIONS,
    all_asked,
    asks,
    has_deadlines,
    matched,
    new_request,
    was_left,
)
from orchestration.engines.driving import drive, drive_plain
from orchestration.engines.leases import (
    LeaseKeeper,
    holder_name,
    lease_seconds,
    unguarded,
)
from orchestration.engines.local_parts import LocalParts
from orchestration.engines.segment import Hold, Segment, first_input, thread_config
from orchestration.engines.signalling import Signalled
from orchestration.engines.snapshots import (
    check_callables,
    known_outcomes,
    next_step,
    pending_interrupts,
    result_of,
    said_in,
    scopes_in,
    turn_of,
)
from orchestration.engines.time_travel import forked_plan
from orchestration.engines.upgrading import (
    Replacement,
    are_approvals,
    asked_names,
    by_path,
    is_newer,
    scope_seeds,
    standing_of,
    upgrade_error,
    upgrade_record,
    upgraded,
)
from orchestration.engines.views import ThreadViews
from state.compensation import undoing_begun
from state.errors import (
    CallableLostError,
    DecisionError,
    DrainedError,
    LeaseLostError,
    NewerPlanError,
    Problem,
    RoutingError,
    ThreadBusyError,
    ThreadFinishedError,
    UpgradeError,
)
from state.plan import INSIDE
from state.result import WorkflowResult
from state.run_state import merge_outcomes
from state.status import WorkflowStatus

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from langgraph.types import Interrupt, StateSnapshot

    from checkpoints.approvals import (
        Answer,
        ApprovalLedger,
        ApprovalRequest,
        Asked,
        Due,
        NewRequest,
        OpenQuestions,
    )
    from checkpoints.database import Database
    from checkpoints.signals import NewSignal
    from checkpoints.threads import Claimed, Lease, Released, ThreadRecord
    from graph.plan_request import Planned
    from nodes.ports import Agents, Clock
    from orchestration.engines.snapshots import Next
    from state.cancellation import Cancellation
    from state.decision import Decider
    from state.plan import Plan
    from state.result import TaskResult
    from state.run_state import Outcomes


T = TypeVar("T")

NO_PARTS = LocalParts()
NO_ANSWERS: Final[Mapping[str, object]] = {}


def as_it_began(_plan: Plan) -> None:
    """Know of no other version."""


def announce_nothing(_due: Sequence[Due]) -> None:
    """Tell nobody."""


class Answered(NamedTuple):
    """What became of answers."""

    requests: list[ApprovalRequest]
    result: WorkflowResult | None
    """The run's, where it went on here."""
    busy: ThreadBusyError | None
    """Who runs the thread, and so takes the answers up."""


class EmbeddedEngine:
    """Runs threads of one database in this process."""

    def __init__(  # noqa: PLR0913  what it is made of, once for each coordinator
        self,
        database: Database,
        agents: Agents,
        *,
        slots: AbstractAsyncContextManager[None] | None = None,
        lease: float | None = None,
        clock: Clock = SYSTEM_CLOCK,
        announce: Callable[[Sequence[Due]], None] = announce_nothing,
        current: Callable[[Plan], Planned | None] = as_it_began,
    ) -> None:
        """Take what is to be used.

        Args:
            database: Where threads are kept.
            agents: Who does the tasks.
            slots: Entered for each agent call.
            lease: How long one lasts, in seconds.
            clock: What time it is for the nodes.
            announce: Begins to tell people what happened to requests; never waits.
            current: Plans a run's request by the latest version of its workflow; None where
                that is not known.
        """
        self._database = database
        self._agents = agents
        self._slots = slots
        self._clock = clock
        self._announce = announce
        self._current = current
        self._seconds = lease_seconds(lease)
        self._keeper = LeaseKeeper(database.threads, self._seconds)
        self._compiler = Compiler(database.checkpointer, database.store)
        self._segments: set[Segment] = set()
        self.views = ThreadViews(database, self._compiler)
        self._draining = False

    async def start(
        self, thread_id: str, plan: Plan, local: LocalParts = NO_PARTS, *, new_id: bool = False
    ) -> WorkflowResult:
        """Begin a run on a new thread, or on one whose last run is over.

        Args:
            thread_id: Where to keep it.
            plan: What to do.
            local: What this process has of it.
            new_id: Whether nobody can have used the id before, so that nothing of an earlier
                run has to be cleared.

        Raises:
            ThreadBusyError: Somebody runs the thread.
            ThreadPendingError: Its last run has not finished.
            RoutingError: The router failed, or chose nothing that can run.
            LeaseLostError: Another process took the thread over meanwhile.
        """
        self._refuse_if_draining(thread_id)
        since = time.monotonic()
        claim = self._database.history.begin(
            thread_id, plan, holder=holder_name(), seconds=self._seconds
        )
        if self._database.durable:
            begun = await self._claimed(claim, lambda begun: (begun.lease, RUNNING))
        else:
            begun = await claim
        async with self._segment(begun.lease, plan, since) as segment:
            first = first_input(plan, begun.history, clear=not (new_id or begun.is_emptied))
            return await self._run(segment, first, {}, local)

    async def resume(
        self, thread_id: str, local: LocalParts = NO_PARTS, *, as_begun: bool = False
    ) -> WorkflowResult:
        """Run a thread on from where its checkpoints say it stands, with what was decided.

        Args:
            thread_id: Which one.
            local: What this process has of it.
            as_begun: Whether to go on under the version of the workflow that it began with,
                though there may be another.

        Raises:
            UpgradeError: Its workflow was changed in ways that it cannot follow.
            ThreadNotFoundError: There is no such thread.
            ThreadBusyError: Somebody runs the thread.
            CallableLostError: It needs a callable that this process does not have.
            RoutingError, LeaseLostError: As for `start`.
        """
        self._refuse_if_draining(thread_id)
        since = time.monotonic()
        claim = self._database.threads.resume(
            thread_id, holder=holder_name(), seconds=self._seconds
        )
        record, lease = await self._claimed(claim, lambda both: (both[1], both[0].status))
        async with self._segment(lease, record.plan, since, record.status) as segment:
            segment.brake.cancellation = record.cancellation
            if has_deadlines(record.plan):
                self._announce(await self._database.approvals.work_off(thread_id=thread_id))
            return await self._resume(segment, local, as_begun=as_begun)

    async def answer(
        self,
        answers: Sequence[Answer],
        decider: Decider,
        local_of: Callable[[str], LocalParts],
        *,
        as_begun: bool = False,
    ) -> Answered:
        """Record answers to one thread's questions, and go on with them if nobody else runs it.

        Args:
            answers: All to questions of one thread; all are recorded, or none.
            decider: Who answers.
            local_of: What this process has of the run of a thread.
            as_begun: As for `resume`.

        Raises:
            RequestNotFoundError, AlreadyDecidedError, NotAllowedError, DecisionError: Nothing
                was recorded.
            CallableLostError, DrainedError: The answers are recorded, and the run cannot go on
                here.
        """
        since = time.monotonic()
        claim = self._database.threads.decide(
            answers, decider, holder=holder_name(), seconds=self._seconds
        )
        claimed = await self._claimed(claim, _lease_of)
        result = await self._go_on(claimed, since, local_of, as_begun=as_begun)
        return Answered(claimed.requests, result, claimed.busy)

    async def signal(
        self, new: NewSignal, local_of: Callable[[str], LocalParts] = lambda _: NO_PARTS
    ) -> Signalled:
        """Record a signal, and go on with it if something waits for it and nobody else does.

        Args:
            new: It counts once, however often it is sent.
            local_of: What this process has of the run of a thread.

        Raises:
            ThreadNotFoundError, ThreadFinishedError: Nobody can take it.
            UnknownSignalError, SignalError: Nothing was recorded.
        """
        since = time.monotonic()
        claim = self._database.threads.signal(new, holder=holder_name(), seconds=self._seconds)
        sent = await self._claimed(claim, lambda sent: _lease_of(sent.claimed))
        try:
            result = await self._go_on(sent.claimed, since, local_of)
        except (CallableLostError, DrainedError, LeaseLostError, UpgradeError) as error:
            return Signalled(sent.signal, None, str(error))
        return Signalled(sent.signal, result, str(sent.claimed.busy or ""))

    async def _go_on(
        self,
        claimed: Claimed,
        since: float,
        local_of: Callable[[str], LocalParts],
        *,
        as_begun: bool = False,
    ) -> WorkflowResult | None:
        """Run a claimed thread with what was decided; None where it could not be claimed."""
        if claimed.record is None or claimed.lease is None:
            return None
        record, lease = claimed.record, claimed.lease
        async with self._segment(lease, record.plan, since, record.status) as segment:
            self._refuse_if_draining(record.thread_id)
            segment.brake.cancellation = record.cancellation
            local = local_of(record.thread_id)
            return await self._resume(segment, local, claimed.questions, as_begun=as_begun)

    async def _resume(
        self,
        segment: Segment,
        local: LocalParts,
        questions: OpenQuestions | None = None,
        *,
        as_begun: bool = False,
    ) -> WorkflowResult:
        graph, plan = self._compiler.compile(segment.plan), segment.plan
        snapshot = await graph.aget_state(segment.config, subgraphs=True)
        step = next_step(snapshot, plan)
        segment.may_ask = True
        if local.run_id != plan.run_id:  # of the thread's run before
            local = LocalParts(watch=local.watch)
        known = known_outcomes(snapshot)
        if step == "finished":
            local.tell(known)
            return self._conclude(segment, snapshot.values, ())
        goes_on = segment.brake.cancellation is None
        asked = snapshot.interrupts if goes_on and step != "start" else ()
        answers = await self._answers(segment, asked, questions) if asked else NO_ANSWERS
        newest = self._current(plan) if goes_on and not as_begun else None
        if newest is not None:
            local = local.knowing(newest.callables, plan.run_id)
            if is_newer(newest.plan, plan) and are_approvals(asked, answers):
                return await self._upgrade(segment, snapshot, newest.plan, local, answers)
        if step == "start":
            return await self._begin(segment, snapshot, local)
        local.tell(known)
        if await self._still_waits(segment, asked, answers, step):
            return self._conclude(segment, snapshot.values, asked)
        if segment.brake.cancellation is None:  # a pause may have found that it is cancelled
            check_callables(segment.thread_id, plan, snapshot, local.callables)
        segment.scopes = [*scopes_in(snapshot)]
        return await self._run(segment, None, known, local, answers)

    async def _still_waits(
        self,
        segment: Segment,
        asked: Sequence[Interrupt],
        answers: Mapping[str, object],
        step: Next,
    ) -> bool:
        """Let go of a thread that waits for answers and has none; whether it does."""
        waits = bool(asked) and step == "wait" and not answers
        return waits and await self._pause(segment, asked)

    async def _upgrade(
        self,
        segment: Segment,
        snapshot: StateSnapshot,
        new: Plan,
        local: LocalParts,
        answers: Mapping[str, object],
    ) -> WorkflowResult:
        """Go on under another version of the run's workflow, if the run can follow.

        Raises:
            UpgradeError: It cannot; nothing was changed.
        """
        plan, standing = segment.plan, standing_of(snapshot, segment.plan)
        upgrade = standing.upgrade_to(plan, new)
        lines = [*map(str, upgrade.differences), *standing.hindrances()]
        if not upgrade.is_compatible or standing.asks_inside:
            raise upgrade_error(segment.thread_id, plan, new, lines)
        replacement = Replacement(
            upgraded(new, standing, by_path(snapshot.interrupts, answers)),
            upgrade_record(plan, new, upgrade),
        )
        return await self._go_on_as(segment, snapshot, replacement, local)

    async def _go_on_as(
        self,
        segment: Segment,
        snapshot: StateSnapshot,
        replacement: Replacement,
        local: LocalParts,
    ) -> WorkflowResult:
        """Replace the plan of a thread that is held, and run it on."""
        plan, thread_id = replacement.plan, segment.thread_id
        check_callables(thread_id, plan, snapshot, local.callables)
        await self._database.threads.upgrade(segment.held.lease, plan, replacement.record)
        segment.plan = plan
        segment.config = thread_config(thread_id, segment.held.lease.token, plan)
        known = {**plan.document["seed"]["outcomes"]}
        local.tell(known)
        history = await self._database.history.before(thread_id, run_id=plan.run_id)
        return await self._run(segment, first_input(plan, history), known, local)

    async def migrate(
        self,
        thread_id: str,
        new: Planned,
        ask: Callable[[Mapping[str, TaskResult]], Mapping[str, str | None]],
        *,
        by: str | None,
        local: LocalParts = NO_PARTS,
    ) -> WorkflowResult:
        """Let a run go on under any other version, by what somebody says becomes of its tasks.

        Args:
            thread_id: Whose run.
            new: What it goes on with.
            ask: Gets what has begun, by task id; says under which id of the new version each
                goes on, or None for what is given up.
            by: Who says so.
            local: What this process has of it.

        Raises:
            MigrationError: The mapping does not fit; nothing was changed.
            ThreadNotFoundError, ThreadBusyError, ThreadFinishedError: There is nothing to migrate.
        """
        self._refuse_if_draining(thread_id)
        since = time.monotonic()
        claim = self._database.threads.resume(
            thread_id, holder=holder_name(), seconds=self._seconds
        )
        record, lease = await self._claimed(claim, lambda both: (both[1], both[0].status))
        async with self._segment(lease, record.plan, since, record.status) as segment:
            if record.status not in UNFINISHED:
                raise ThreadFinishedError(thread_id, record.status)
            if record.cancellation is not None:  # it ends as it began
                segment.brake.cancellation = record.cancellation
                return await self._resume(segment, local)
            graph = self._compiler.compile(record.plan)
            snapshot = await graph.aget_state(segment.config, subgraphs=True)
            standing = standing_of(snapshot, record.plan)
            names = asked_names(thread_id, standing, new.plan, ask)
            answers = await self._answers(segment, snapshot.interrupts)
            upgrade = standing.upgrade_to(record.plan, new.plan)
            replacement = Replacement(
                upgraded(new.plan, standing, by_path(snapshot.interrupts, answers), renamed=names),
                upgrade_record(record.plan, new.plan, upgrade, by=by),
            )
            local = local.knowing(new.callables, record.plan.run_id)
            return await self._go_on_as(segment, snapshot, replacement, local)

    async def _begin(
        self, segment: Segment, snapshot: StateSnapshot, local: LocalParts
    ) -> WorkflowResult:
        """Begin a run that is in its thread's row, and in no checkpoint yet."""
        plan = segment.plan
        if segment.brake.cancellation is None:
            check_callables(segment.thread_id, plan, snapshot, local.callables)
        seed = plan.document.get("seed")
        known = {} if seed is None else {**seed["outcomes"]}
        history = await self._database.history.before(segment.thread_id, run_id=plan.run_id)
        return await self._run(segment, first_input(plan, history), known, local)

    async def matched(
        self, thread_id: str, decisions: Mapping[str, object], local: LocalParts
    ) -> list[Answer]:
        """Find the requests that answers are for.

        Args:
            thread_id: Whose questions.
            decisions: Answers by task id, interrupt id or request id.
            local: What this process has of the run.

        Raises:
            ThreadNotFoundError: There is no such thread.
            DecisionError: An answer fits nothing that was ever asked.
            CallableLostError: This process could not go on afterwards.
        """
        record = await self._database.threads.get(thread_id)
        await self._check_callables(record, local)
        ledger = self._database.approvals
        answers, unknown = await matched(ledger, thread_id, record.plan, decisions)
        if unknown:
            await self.reconcile(thread_id)
            answers, unknown = await matched(ledger, thread_id, record.plan, decisions)
        if unknown:
            waiting = await ledger.find(Filter(thread_id=thread_id))
            names = [each.task_id or each.interrupt_id for each in waiting]
            raise DecisionError(
                thread_id, f"nothing waits under {unknown[0]!r}; waiting are {names}"
            )
        return answers

    @property
    def approvals(self) -> ApprovalLedger:
        """Who is asked what in this database."""
        return self._database.approvals

    async def reconcile_all(self) -> list[str]:
        """Bring the ledger up to what the threads of dead processes ask; return those that do.

        Threads that the version before ledgers paused are such threads too.
        """
        known, left = await self._database.approvals.asking(), []
        for status in sorted(UNFINISHED):
            records = await self._database.threads.recent(limit=MOST_QUESTIONS, status=status)
            left += [each.thread_id for each in records if was_left(each, known, time.time())]
        return [thread_id for thread_id in left if await self.reconcile(thread_id)]

    async def reconcile(self, thread_id: str) -> bool:
        """Bring the ledger up to what a thread asks, without running anything.

        Needed where a process died between a pause and its entry in the ledger. A thread that
        somebody runs is left alone: they do it.

        Returns:
            Whether the thread waits for an answer.
        """
        try:
            record, lease = await self._claimed(
                self._database.threads.resume(
                    thread_id, holder=holder_name(), seconds=self._seconds
                ),
                lambda both: (both[1], both[0].status),
            )
        except (NewerPlanError, ThreadBusyError):  # whoever can run it does this
            return False
        async with self._segment(lease, record.plan, time.monotonic(), record.status) as segment:
            graph = self._compiler.compile(record.plan)
            snapshot = await graph.aget_state(segment.config, subgraphs=True)
            waits = next_step(snapshot, record.plan) == "wait"
            if waits:
                await self._answers(segment, snapshot.interrupts)
                segment.status = WorkflowStatus.INTERRUPTED
            return waits

    async def _check_callables(self, record: ThreadRecord, local: LocalParts) -> None:
        if next(record.plan.callables(), None) is None:
            return
        graph = self._compiler.compile(record.plan)
        snapshot = await graph.aget_state(thread_config(record.thread_id), subgraphs=True)
        here = local.callables if local.run_id == record.plan.run_id else {}
        check_callables(record.thread_id, record.plan, snapshot, here)

    async def cancel(self, thread_id: str, cancellation: Cancellation) -> None:
        """Note that a thread's run is called off; whoever runs it, or resumes it, ends it.

        Raises:
            ThreadNotFoundError, ThreadFinishedError: There is nothing to cancel.
        """
        await self._database.threads.cancel(thread_id, cancellation)
        for segment in self._segments:
            if segment.thread_id == thread_id:
                segment.brake.cancel(cancellation)

    async def called_off(self) -> list[str]:
        """The threads whose run somebody has called off, and nobody ends."""
        now, found = time.time(), []
        for status in sorted(UNFINISHED):
            records = await self._database.threads.recent(limit=MOST_QUESTIONS, status=status)
            found += [
                each.thread_id
                for each in records
                if each.cancellation is not None
                and (each.lease is None or each.lease.expires_at < now)
            ]
        return found

    def drain(self) -> None:
        """Let every run stop at its next superstep, and begin no other.

        What runs raises `DrainedError` then, and its thread can be resumed anywhere.
        """
        self._draining = True
        for segment in self._segments:
            segment.brake.drain()

    def _refuse_if_draining(self, thread_id: str) -> None:
        if self._draining:
            raise DrainedError(thread_id)

    async def fork(  # noqa: PLR0913  one for each thing a fork may differ in
        self,
        thread_id: str,
        new_thread_id: str,
        *,
        run_id: str,
        checkpoint_id: str | None,
        inputs: Mapping[str, Mapping[str, Any]],
        user: str | None,
    ) -> Plan:
        """Make a thread whose run begins at a moment of another's; run it with `resume`.

        Raises:
            ThreadNotFoundError, ForkError, ThreadBusyError, ThreadPendingError: Nothing was made.
        """
        self._refuse_if_draining(new_thread_id)
        record = await self._database.threads.get(thread_id)
        graph = self._compiler.compile(record.plan)
        snapshot = await graph.aget_state(thread_config(thread_id, checkpoint_id=checkpoint_id))
        latest = known_outcomes(await graph.aget_state(thread_config(thread_id), subgraphs=True))
        plan = forked_plan(
            record.plan,
            snapshot,
            run_id=run_id,
            inputs=inputs,
            undone=[id_ for id_, outcome in latest.items() if undoing_begun(outcome)],
            user=user,
        )
        claim = self._database.history.begin(
            new_thread_id, plan, holder=holder_name(), seconds=self._seconds
        )
        begun = await self._claimed(claim, lambda begun: (begun.lease, RUNNING))
        await self._release(begun.lease, RUNNING)
        return plan

    def _segment(self, lease: Lease, plan: Plan, since: float, status: str = RUNNING) -> Hold:
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
            await self._release(segment.held.lease, segment.status, asked, segment.said)

    async def _claimed(
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
                await self._release(*held)
            raise

    async def _release(
        self,
        lease: Lease,
        status: str,
        asked: Sequence[NewRequest] | None = None,
        said: Answers | None = None,
        *,
        heed_cancellation: bool = False,
    ) -> Released:
        """End a lease, also while this task is being cancelled; see `HistoryStore.end`."""
        release = self._database.history.end(
            lease, status=status, asked=asked, answers=said, heed_cancellation=heed_cancellation
        )
        released = await (asyncio.shield(release) if self._database.durable else release)
        if released.new:
            self._announce(released.new)
        return released

    async def _pause(self, segment: Segment, interrupts: Iterable[Interrupt]) -> bool:
        """Let go of a thread that asks something; False if it is answered meanwhile."""
        asked, held, brake = self._requests(segment, interrupts), segment.held, segment.brake
        held.drop()  # a renewal that comes after the release would take the lease for lost
        released = await self._release(
            held.lease,
            WorkflowStatus.INTERRUPTED,
            asked,
            heed_cancellation=brake.cancellation is None,
        )
        segment.released = released.ended
        if not released.ended:
            held.keep()
        if released.cancellation is not None:
            brake.cancel(released.cancellation)
        return released.ended

    async def _answers(
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

    async def _run(
        self,
        segment: Segment,
        graph_input: Any,  # noqa: ANN401  an input, or None to go on
        known: Outcomes,
        local: LocalParts,
        answers: Mapping[str, object] = NO_ANSWERS,
    ) -> WorkflowResult:
        plan = segment.plan
        graph = self._compiler.compile(plan, with_store=self._agents.need_store)
        handle = self._handle(segment, known, local)
        segment.status = RUNNING
        segment.may_ask = segment.may_ask or asks(plan)
        lapsed: set[str] = set()
        with open_handle(plan.run_id, handle):
            while True:
                given = _resumption(answers) or graph_input
                if plan.is_plain() and local.watch is None:
                    values, asked = await drive_plain(graph, given, segment, known)
                else:
                    values, asked = await drive(graph, given, segment, local, self._note)
                taken, graph_input, answers = answers, None, NO_ANSWERS
                if not asked:
                    break
                if again := [each.id for each in asked if each.id in taken]:
                    await self._database.approvals.applied(segment.thread_id, again)
                if over := _over(handle) - lapsed:
                    lapsed |= over  # nobody is asked there any more, but by what undoes something
                    continue
                if await self._pause(segment, asked):
                    # what was done inside a subgraph is not in the outer graph's output yet
                    done = merge_outcomes(values.get("outcomes", {}), known)
                    values = {**values, "outcomes": done}
                    break
                if not _over(handle) - lapsed:  # else it was cancelled from elsewhere
                    answers = await self._answers(segment, asked)
        return self._conclude(segment, values, asked)

    def _handle(self, segment: Segment, known: Outcomes, local: LocalParts) -> RunHandle:
        """Put together what the nodes use beside their state."""
        handle = RunHandle(
            agents=self._agents,
            clock=self._clock,
            callables=local.callables,
            observe=local.observe,
            lease=segment.held if self._database.durable else None,
            slots=self._slots,
            brake=segment.brake,
            stop=stop_signal(segment.plan.document, known),
            outcomes=known,
            seeds=scope_seeds(segment.plan),
        )
        for inner, found in segment.scopes:
            handle.scope(inner["run_id"].partition(INSIDE)[2], inner, found)
        return handle

    async def _note(self, segment: Segment, asked: Sequence[Asked]) -> None:
        """Enter what a run asks beside tasks that still run."""
        segment.may_ask = True
        requests = [new_request(segment.thread_id, segment.plan, each) for each in asked]
        token = segment.held.lease.token
        self._announce(await self._database.approvals.record(requests, token=token))

    def _conclude(
        self, segment: Segment, values: Mapping[str, Any], interrupts: Iterable[Interrupt]
    ) -> WorkflowResult:
        """Sum up the segment, and note how the thread stands."""
        if error := values.get("route", {}).get("error"):
            segment.status = WorkflowStatus.FAILED
            raise RoutingError([Problem("bad_route", error)])
        result = result_of(segment.thread_id, segment.plan, values, interrupts)
        segment.status = result.status
        if result.status not in UNFINISHED:
            segment.settled = segment.may_ask
            said = said_in(segment.plan, values.get("outcomes", {}))
            segment.said = turn_of(segment.plan, result, said)
        return result


def _over(handle: RunHandle) -> set[str]:
    """The plans that have their end, though tasks may still have to be told; by path."""
    over = {
        path
        for path, each in (("", handle), *handle.scopes.items())
        if each.stop is not None and each.stop.verdict is not None
    }
    if handle.brake is not None and handle.brake.cancellation is not None:
        over.add("")
    return over


def _lease_of(claimed: Claimed) -> tuple[Lease, str] | None:
    """What is to be released if nobody waits for the claim any more."""
    if claimed.lease is None:
        return None
    return claimed.lease, RUNNING if claimed.record is None else claimed.record.status


def _resumption(answers: Mapping[str, object]) -> Command[Any] | None:
    """What LangGraph goes on with; it takes an empty answer for one to everything."""
    return Command(resume=dict(answers)) if answers else None
