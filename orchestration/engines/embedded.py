"""The embedded engine: runs threads in this process.

Its one idea is `advance`: take a thread's lease, read its checkpoint, and run it to its
next interrupt or its end. Anybody may do it again at any time, from any process: the
checkpointer is the only state, and the lease keeps two from running one thread.
"""

from __future__ import annotations

import time
from collections.abc import (
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeVar

from langgraph.types import Command

from checkpoints.approvals import Filter
from checkpoints.events import RunKey
from checkpoints.threads import RUNNING, UNFINISHED
from graph.compiler import Compiler
from nodes.budgeting import BudgetLayer, Budgets
from nodes.middleware import Chain
from nodes.run_handle import SYSTEM_CLOCK, RunHandle, open_handle, stop_signal
from orchestration.engines.asking import (
    MOST_QUESTIONS,
    asks,
    has_deadlines,
    matched,
    was_left,
)
from orchestration.engines.dispatching import terms_of
from orchestration.engines.driving import drive, drive_plain
from orchestration.engines.held_threads import HeldThreads, announce_nothing
from orchestration.engines.leases import (
    holder_name,
    lease_seconds,
)
from orchestration.engines.local_parts import LocalParts
from orchestration.engines.segment import Segment, first_input, thread_config
from orchestration.engines.signalling import Signalled
from orchestration.engines.snapshots import (
    belongs_to,
    check_callables,
    known_outcomes,
    next_step,
    result_of,
    said_in,
    turn_of,
)
from orchestration.engines.time_travel import forked_plan
from orchestration.engines.upgrading import (
    Replacement,
    are_own,
    asked_names,
    by_path,
    is_newer,
    is_undoing,
    scope_seeds,
    standing_of,
    upgrade_error,
    upgrade_record,
    upgraded,
    with_waits,
)
from orchestration.engines.views import ThreadViews
from orchestration.streaming.recorder import Recorder, read_log
from orchestration.streaming.streams import EventStreams
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
from state.plan_document import INSIDE, ScopeSeed
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
        Due,
        OpenQuestions,
    )
    from checkpoints.database import Database
    from checkpoints.signals import NewSignal
    from checkpoints.threads import Claimed, Lease, ThreadRecord
    from graph.plan_request import Planned
    from nodes.middleware import Middleware
    from nodes.ports import Agents, Clock
    from orchestration.engines.snapshots import Next
    from orchestration.engines.upgrading import Standing
    from state.cancellation import Cancellation
    from state.decision import Decider
    from state.plan import Plan
    from state.result import TaskResult
    from state.run_state import Outcomes


T = TypeVar("T")

NO_PARTS = LocalParts()
NO_ANSWERS: Final[Mapping[str, object]] = {}
NO_SEEDS: Final[Mapping[str, ScopeSeed]] = {}


def as_it_began(_thread_id: str, _plan: Plan, *, as_begun: bool) -> None:
    """Know of no other version."""


def wrap_nothing(_plan: Plan, _known: Outcomes, _ending: ExitStack) -> Sequence[Middleware]:
    """Let calls be made as they are."""
    return ()


class Wrap(Protocol):
    """Says what runs around the calls of a run, while it runs in this process."""

    def __call__(self, plan: Plan, known: Outcomes, ending: ExitStack, /) -> Sequence[Middleware]:
        """Return the layers, the first is the outermost.

        Args:
            plan: Of the run.
            known: What became of its tasks so far.
            ending: Takes what is to be done when the run pauses or ends.
        """
        ...


class Current(Protocol):
    """Plans a run's request as its workflow is now, or as it was when the run began."""

    def __call__(self, thread_id: str, plan: Plan, /, *, as_begun: bool) -> Planned | None:
        """Return the plan, and its callables; None where that version is not known.

        Raises:
            UpgradeError: The latest version cannot be used for the run.
        """
        ...


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
        current: Current = as_it_began,
        called: str | None = None,
        wrap: Wrap = wrap_nothing,
    ) -> None:
        """Take what is to be used.

        Args:
            database: Where threads are kept.
            agents: Who does the tasks.
            slots: Entered for each agent call.
            lease: How long one lasts, in seconds.
            clock: What time it is for the nodes.
            announce: Begins to tell people what happened to requests; never waits.
            current: Plans the request of a thread's run by the latest version of its
                workflow, or by that which it began with; None where that is not known.
            called: How commands in messages name the database; None is the default.
            wrap: Says what runs around the calls of a run.
        """
        self._database = database
        self._agents = agents
        self._slots = slots
        self._clock = clock
        self._announce = announce
        self._current = current
        self._called = called
        self._wrap = wrap
        self._seconds = lease_seconds(lease)
        self._held = HeldThreads(database, self._seconds, announce)
        self._compiler = Compiler(database.checkpointer, database.store)
        self.views = ThreadViews(database, self._compiler)
        self.streams = EventStreams(database)

    async def start(
        self,
        thread_id: str,
        plan: Plan,
        local: LocalParts = NO_PARTS,
        *,
        new_id: bool = False,
        only_new: bool = False,
    ) -> WorkflowResult:
        """Begin a run on a new thread, or on one whose last run is over.

        Args:
            thread_id: Where to keep it.
            plan: What to do.
            local: What this process has of it.
            new_id: Whether nobody can have used the id before, so that nothing of an earlier
                run has to be cleared.
            only_new: Whether to begin only if there is no such thread yet.

        Raises:
            ThreadExistsError: `only_new`, and there is one.
            ThreadBusyError: Somebody runs the thread.
            ThreadPendingError: Its last run has not finished.
            RoutingError: The router failed, or chose nothing that can run.
            LeaseLostError: Another process took the thread over meanwhile.
        """
        self._held.refuse_if_draining(thread_id)
        since = time.monotonic()
        claim = self._database.history.begin(
            thread_id, plan, holder=holder_name(), seconds=self._seconds, only_new=only_new
        )
        if self._database.durable:
            begun = await self._held.claimed(claim, lambda begun: (begun.lease, RUNNING))
        else:
            begun = await claim
        async with self._held.hold(begun.lease, plan, since) as segment:
            segment.begins = True
            if local.streamed:
                segment.recorder = Recorder(self._database.events, segment)
            is_clear = new_id or only_new or begun.is_emptied
            first = first_input(plan, begun.history, clear=not is_clear)
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
        self._held.refuse_if_draining(thread_id)
        since = time.monotonic()
        claim = self._database.threads.resume(
            thread_id, holder=holder_name(), seconds=self._seconds
        )
        record, lease = await self._held.claimed(claim, lambda both: (both[1], both[0].status))
        async with self._held.hold(lease, record.plan, since, record.status) as segment:
            segment.brake.cancellation = record.cancellation
            segment.streamed = record.streamed
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
        claimed = await self._held.claimed(claim, _lease_of)
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
        sent = await self._held.claimed(claim, lambda sent: _lease_of(sent.claimed))
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
        async with self._held.hold(lease, record.plan, since, record.status) as segment:
            self._held.refuse_if_draining(record.thread_id)
            segment.brake.cancellation = record.cancellation
            segment.streamed = record.streamed
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
            local = LocalParts(watch=local.watch, streamed=local.streamed)
        known = segment.take_up(snapshot)
        await self._record(segment, snapshot, known, wanted=local.streamed)
        if step == "finished":
            local.tell(known)
            return self._conclude(segment, snapshot.values, ())
        goes_on = segment.brake.cancellation is None
        asked = snapshot.interrupts if goes_on and step != "start" else ()
        answers = await self._held.answers(segment, asked, questions) if asked else NO_ANSWERS
        as_begun = as_begun or not goes_on or is_undoing(known)
        newest = self._current(segment.thread_id, plan, as_begun=as_begun)
        if newest is not None:
            local = local.knowing(newest.callables, plan.run_id)
            follows = not as_begun and is_newer(newest.plan, plan)
            if follows and are_own(asked, answers):
                return await self._upgrade(segment, snapshot, newest.plan, local, answers)
        if step == "start":
            return await self._begin(segment, snapshot, local)
        local.tell(known)
        if await self._still_waits(segment, asked, answers, step):
            return self._conclude(segment, snapshot.values, asked)
        if segment.brake.cancellation is None:  # a pause may have found that it is cancelled
            check_callables(segment.thread_id, plan, snapshot, local.callables)
        return await self._run(segment, None, known, local, answers)

    async def _record(
        self, segment: Segment, snapshot: StateSnapshot, known: Outcomes, *, wanted: bool = False
    ) -> None:
        """Write the run's events from now on, and at once those that nobody has written.

        Only if it was streamed so far, or that is `wanted`.
        """
        if not segment.streamed and not wanted:
            return
        if segment.recorder is None:
            log = self._database.events
            logged = await read_log(log, RunKey(segment.thread_id, segment.plan.run_id))
            segment.recorder = Recorder(log, segment, logged)
        if belongs_to(snapshot, segment.plan):
            segment.recorder.catch_up(snapshot, segment, known)

    async def _still_waits(
        self,
        segment: Segment,
        asked: Sequence[Interrupt],
        answers: Mapping[str, object],
        step: Next,
    ) -> bool:
        """Let go of a thread that waits for answers and has none; whether it does."""
        waits = bool(asked) and step == "wait" and not answers
        return waits and await self._held.pause(segment, asked)

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
            raise upgrade_error(
                segment.thread_id, plan, new, differences=lines, database=self._called
            )
        standing = self._with_waits(standing, snapshot, answers)
        replacement = Replacement(
            upgraded(new, standing, by_path(snapshot.interrupts, answers)),
            upgrade_record(plan, new, upgrade),
            frozenset(answers),
        )
        result = await self._go_on_as(segment, snapshot, replacement, local)
        return result or await self._resume(segment, local)

    def _with_waits(
        self, standing: Standing, snapshot: StateSnapshot, answers: Mapping[str, object]
    ) -> Standing:
        run = RunHandle(agents=self._agents, clock=self._clock)
        return with_waits(standing, snapshot.interrupts, answers, run)

    async def _go_on_as(
        self,
        segment: Segment,
        snapshot: StateSnapshot,
        replacement: Replacement,
        local: LocalParts,
    ) -> WorkflowResult | None:
        """Replace the plan of a thread that is held, and run it on; None if it was answered."""
        plan, thread_id = replacement.plan, segment.thread_id
        check_callables(thread_id, plan, snapshot, local.callables)
        if not await self._database.threads.upgrade(
            segment.held.lease, plan, replacement.record, taken=replacement.taken
        ):
            return None
        segment.go_on_as(plan)
        if segment.recorder is not None:
            segment.recorder.go_on_as(plan)
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
        self._held.refuse_if_draining(thread_id)
        since = time.monotonic()
        claim = self._database.threads.resume(
            thread_id, holder=holder_name(), seconds=self._seconds
        )
        record, lease = await self._held.claimed(claim, lambda both: (both[1], both[0].status))
        async with self._held.hold(lease, record.plan, since, record.status) as segment:
            if record.status not in UNFINISHED:
                raise ThreadFinishedError(thread_id, record.status)
            segment.streamed = record.streamed
            if record.cancellation is not None:  # it ends as it began
                segment.brake.cancellation = record.cancellation
                return await self._resume(segment, local)
            graph = self._compiler.compile(record.plan)
            snapshot = await graph.aget_state(segment.config, subgraphs=True)
            await self._record(segment, snapshot, segment.take_up(snapshot))
            standing = standing_of(snapshot, record.plan)
            names = asked_names(thread_id, standing, new.plan, ask)
            upgrade = standing.upgrade_to(record.plan, new.plan)
            local = local.knowing(new.callables, record.plan.run_id)
            result = None
            while result is None:  # an answer may come in between
                answers = await self._held.answers(segment, snapshot.interrupts)
                given = by_path(snapshot.interrupts, answers)
                done = self._with_waits(standing, snapshot, answers)
                replacement = Replacement(
                    upgraded(new.plan, done, given, renamed=names),
                    upgrade_record(record.plan, new.plan, upgrade, by=by),
                    frozenset(answers),
                )
                result = await self._go_on_as(segment, snapshot, replacement, local)
            return result

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
            record, lease = await self._held.claimed(
                self._database.threads.resume(
                    thread_id, holder=holder_name(), seconds=self._seconds
                ),
                lambda both: (both[1], both[0].status),
            )
        except (NewerPlanError, ThreadBusyError):  # whoever can run it does this
            return False
        async with self._held.hold(lease, record.plan, time.monotonic(), record.status) as segment:
            graph = self._compiler.compile(record.plan)
            snapshot = await graph.aget_state(segment.config, subgraphs=True)
            waits = next_step(snapshot, record.plan) == "wait"
            if waits:
                await self._held.answers(segment, snapshot.interrupts)
                segment.status = WorkflowStatus.INTERRUPTED
            return waits

    async def _check_callables(self, record: ThreadRecord, local: LocalParts) -> None:
        if next(record.plan.callables(), None) is None:
            return
        graph = self._compiler.compile(record.plan)
        snapshot = await graph.aget_state(thread_config(record.thread_id), subgraphs=True)
        here = local.callables if local.run_id == record.plan.run_id else {}
        with suppress(UpgradeError):  # the answer is recorded all the same
            if newest := self._current(record.thread_id, record.plan, as_begun=False):
                here = {**newest.callables, **here}
        check_callables(record.thread_id, record.plan, snapshot, here)

    async def cancel(self, thread_id: str, cancellation: Cancellation) -> None:
        """Note that a thread's run is called off; whoever runs it, or resumes it, ends it.

        Raises:
            ThreadNotFoundError, ThreadFinishedError: There is nothing to cancel.
        """
        await self._database.threads.cancel(thread_id, cancellation)
        self._held.cancel(thread_id, cancellation)

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
        self._held.drain()

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
        self._held.refuse_if_draining(new_thread_id)
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
        begun = await self._held.claimed(claim, lambda begun: (begun.lease, RUNNING))
        await self._held.release(begun.lease, RUNNING)
        return plan

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
        local = _watched(segment, local)
        ending = ExitStack()
        handle = self._handle(segment, known, local, ending)
        segment.status = RUNNING
        segment.may_ask = segment.may_ask or asks(plan)
        lapsed: set[str] = set()
        with ending, open_handle(plan.run_id, handle):
            while True:
                given = _resumption(answers) or graph_input
                if plan.is_plain() and local.watch is None:
                    values, asked = await drive_plain(graph, given, segment, known)
                else:
                    values, asked = await drive(graph, given, segment, local, self._held.note)
                segment.learn(values)
                taken, graph_input, answers = answers, None, NO_ANSWERS
                if not asked:
                    break
                if again := [each.id for each in asked if each.id in taken]:
                    await self._database.approvals.applied(segment.thread_id, again)
                if over := _over(handle) - lapsed:
                    lapsed |= over  # nobody is asked there any more, but by what undoes something
                    continue
                if await self._held.pause(segment, asked):
                    # what was done inside a subgraph is not in the outer graph's output yet
                    done = merge_outcomes(values.get("outcomes", {}), known)
                    values = {**values, "outcomes": done}
                    break
                if not _over(handle) - lapsed:  # else it was cancelled from elsewhere
                    answers = await self._held.answers(segment, asked)
        return self._conclude(segment, values, asked)

    def _handle(
        self, segment: Segment, known: Outcomes, local: LocalParts, ending: ExitStack
    ) -> RunHandle:
        """Put together what the nodes use beside their state."""
        budgets = self._budgets(segment)
        handle = RunHandle(
            agents=self._agents,
            clock=self._clock,
            callables=local.callables,
            chain=self._chain(segment.plan, known, budgets, ending),
            budgets=budgets,
            observe=segment.keep_account(known).observing(local.observe),
            say=local.say,
            ready=local.ready,
            tell=local.verdict,
            terms=terms_of(segment, known, self._database.traffic),
            lease=segment.held if self._database.durable else None,
            slots=self._slots,
            brake=segment.brake,
            stop=stop_signal(segment.plan.document, known),
            outcomes=known,
            seeds=scope_seeds(segment.plan) if "seed" in segment.plan.document else NO_SEEDS,
        )
        for inner, found in segment.scopes:
            handle.scope(inner["run_id"].partition(INSIDE)[2], inner, found)
        return handle

    def _budgets(self, segment: Segment) -> Budgets | None:
        """What the run may use up; None is no limit."""
        plan, store = segment.plan.document, self._database.spending
        if "budgets" not in plan:
            return None
        return Budgets(plan, thread_id=segment.thread_id, store=store, clock=self._clock)

    def _chain(
        self, plan: Plan, known: Outcomes, budgets: Budgets | None, ending: ExitStack
    ) -> Chain | None:
        """Put together what runs around the run's calls; None where nothing does."""
        layers = self._wrap(plan, known, ending)
        if budgets is not None:
            layers = [BudgetLayer(budgets), *layers]
        return Chain(layers) if layers else None

    def _conclude(
        self, segment: Segment, values: Mapping[str, Any], interrupts: Iterable[Interrupt]
    ) -> WorkflowResult:
        """Sum up the segment, and note how the thread stands."""
        if error := values.get("route", {}).get("error"):
            segment.status = WorkflowStatus.FAILED
            raise RoutingError([Problem("bad_route", error)])
        result = result_of(segment.thread_id, segment.plan, values, interrupts)
        segment.status = result.status
        if segment.recorder is not None:
            segment.recorder.finish(segment.plan, result)
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


def _watched(segment: Segment, local: LocalParts) -> LocalParts:
    """The live parts of a run, with who writes down what happens in it."""
    recorder = segment.recorder
    if recorder is None:
        return local
    recorder.catch_up_seed(segment.plan)
    return recorder.listening(local)


def _lease_of(claimed: Claimed) -> tuple[Lease, str] | None:
    """What is to be released if nobody waits for the claim any more."""
    if claimed.lease is None:
        return None
    return claimed.lease, RUNNING if claimed.record is None else claimed.record.status


def _resumption(answers: Mapping[str, object]) -> Command[Any] | None:
    """What LangGraph goes on with; it takes an empty answer for one to everything."""
    return Command(resume=dict(answers)) if answers else None
