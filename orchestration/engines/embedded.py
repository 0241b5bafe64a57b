"""The embedded engine: runs threads in this process.

Its one idea is `advance`: take a thread's lease, read its checkpoint, and run it to its
next interrupt or its end. Anybody may do it again at any time, from any process: the
checkpointer is the only state, and the lease keeps two from running one thread.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import (
    AsyncIterator,
    Callable,
    Collection,
    Coroutine,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from langgraph.types import Command

from checkpoints.approvals import Filter
from checkpoints.sqlite_saver import LEASE_TOKEN
from checkpoints.threads import RUNNING, UNFINISHED
from graph.compiler import Compiler
from nodes.plan_loader import fresh_state
from nodes.run_handle import SYSTEM_CLOCK, RunHandle, open_handle, stop_signal
from orchestration.engines.asking import (
    MOST_QUESTIONS,
    all_asked,
    asked_in,
    asks,
    has_deadlines,
    matched,
    may_ask_beside,
    new_request,
)
from orchestration.engines.leases import (
    HeldLease,
    LeaseKeeper,
    holder_name,
    lease_seconds,
    unguarded,
)
from orchestration.engines.local_parts import LocalParts
from orchestration.engines.snapshots import (
    belongs_to,
    check_callables,
    known_outcomes,
    next_step,
    pending_interrupts,
)
from state.errors import DecisionError, LeaseLostError, Problem, RoutingError, ThreadBusyError
from state.outcome import is_finished
from state.result import TaskResult, WorkflowResult, workflow_status
from state.status import WorkflowStatus

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from langchain_core.runnables import RunnableConfig
    from langgraph.types import Interrupt

    from checkpoints.approvals import ApprovalLedger, ApprovalRequest, Asked, Due
    from checkpoints.database import Database
    from checkpoints.threads import Lease, ThreadRecord
    from graph.compiler import CompiledPlan
    from nodes.ports import Agents, Clock
    from orchestration.engines.local_parts import Chunk
    from state.decision import Decider
    from state.plan import Plan
    from state.run_state import Outcomes


T = TypeVar("T")

NO_PARTS = LocalParts()
NO_ANSWERS: Final[Mapping[str, object]] = {}
LEAST_LIMIT: Final = 10_000
"""Supersteps that LangGraph allows a run, at least; a graph that is an agent inherits the limit."""


def announce_nothing(_due: Sequence[Due]) -> None:
    """Tell nobody."""


@dataclass(slots=True, kw_only=True)
class Segment:
    """A thread that this process holds, ready to run."""

    thread_id: str
    plan: Plan
    config: RunnableConfig
    held: HeldLease
    status: str = RUNNING
    """How the thread stands when the segment ends."""
    may_ask: bool = False
    """Whether the ledger may hold questions of it."""
    settled: bool = False
    """Whether it has come to an end, and whatever it asked is closed with it."""
    released: bool = False


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
    ) -> None:
        """Take what is to be used.

        Args:
            database: Where threads are kept.
            agents: Who does the tasks.
            slots: Entered for each agent call.
            lease: How long one lasts, in seconds.
            clock: What time it is for the nodes.
            announce: Begins to tell people what happened to requests; never waits.
        """
        self._database = database
        self._agents = agents
        self._slots = slots
        self._clock = clock
        self._announce = announce
        self._seconds = lease_seconds(lease)
        self._keeper = LeaseKeeper(database.threads, self._seconds)
        self._compiler = Compiler(database.checkpointer, database.store)

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
        since = time.monotonic()
        claim = self._database.threads.start(
            thread_id, plan, holder=holder_name(), seconds=self._seconds
        )
        lease = await self._claimed(claim, lambda lease: (lease, RUNNING))
        async with self._segment(lease, plan, since) as segment:
            first = _first_input(plan, clear=not new_id)
            return await self._run(segment, first, {}, local)

    async def resume(self, thread_id: str, local: LocalParts = NO_PARTS) -> WorkflowResult:
        """Run a thread on from where its checkpoints say it stands, with what was decided.

        Raises:
            ThreadNotFoundError: There is no such thread.
            ThreadBusyError: Somebody runs the thread.
            CallableLostError: It needs a callable that this process does not have.
            RoutingError, LeaseLostError: As for `start`.
        """
        since = time.monotonic()
        claim = self._database.threads.resume(
            thread_id, holder=holder_name(), seconds=self._seconds
        )
        record, lease = await self._claimed(claim, lambda both: (both[1], both[0].status))
        async with self._segment(lease, record.plan, since, record.status) as segment:
            if has_deadlines(record.plan):
                self._announce(await self._database.approvals.work_off(thread_id=thread_id))
            return await self._resume(segment, local)

    async def _resume(self, segment: Segment, local: LocalParts) -> WorkflowResult:
        graph = self._compiler.compile(segment.plan)
        snapshot = await graph.aget_state(segment.config, subgraphs=True)
        plan, step = segment.plan, next_step(snapshot, segment.plan)
        segment.may_ask = True
        if local.run_id != plan.run_id:  # of the thread's run before
            local = LocalParts(watch=local.watch)
        known = {} if step == "start" else known_outcomes(snapshot)
        if local.observe is not None:
            for task_id, outcome in known.items():
                local.observe(task_id, outcome)
        if step == "finished":
            return self._conclude(segment, snapshot.values, ())
        answers: Mapping[str, object] = {}
        if step != "start" and snapshot.interrupts:
            answers = await self._answers(segment, snapshot.interrupts)
            if step == "wait" and not answers and await self._pause(segment, snapshot.interrupts):
                return self._conclude(segment, snapshot.values, snapshot.interrupts)
        check_callables(segment.thread_id, plan, snapshot, local.callables)
        if step == "start":
            return await self._run(segment, _first_input(plan), {}, local)
        return await self._run(segment, None, known, local, answers)

    async def decide(
        self, thread_id: str, decisions: Mapping[str, object], decider: Decider, local: LocalParts
    ) -> list[ApprovalRequest]:
        """Record answers to what a thread asks, all or none; `resume` goes on with them.

        Args:
            thread_id: Whose questions.
            decisions: Answers by task id, interrupt id or request id.
            decider: Who answers.
            local: What this process has of the run.

        Raises:
            ThreadNotFoundError: There is no such thread.
            DecisionError: An answer fits nothing that is asked, or is not allowed.
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
        return await ledger.decide(answers, decider)

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
            left += [each.thread_id for each in records if _was_left(each, known, time.time())]
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
        except ThreadBusyError:
            return False
        async with self._segment(lease, record.plan, time.monotonic(), record.status) as segment:
            graph = self._compiler.compile(record.plan)
            snapshot = await graph.aget_state(segment.config, subgraphs=True)
            waits = next_step(snapshot, record.plan) == "wait"
            if waits:
                await self._note(segment, snapshot.interrupts)
                segment.status = WorkflowStatus.INTERRUPTED
            return waits

    async def _check_callables(self, record: ThreadRecord, local: LocalParts) -> None:
        if next(record.plan.callables(), None) is None:
            return
        graph = self._compiler.compile(record.plan)
        snapshot = await graph.aget_state(_config(record.thread_id), subgraphs=True)
        here = local.callables if local.run_id == record.plan.run_id else {}
        check_callables(record.thread_id, record.plan, snapshot, here)

    async def threads(self, *, limit: int, status: str | None) -> list[ThreadRecord]:
        """Return threads, the last changed first."""
        return await self._database.threads.recent(limit=limit, status=status)

    async def inspect(self, thread_id: str) -> tuple[ThreadRecord, WorkflowResult]:
        """Read a thread and what is known of its run, without its lease.

        Raises:
            ThreadNotFoundError: There is no such thread.
        """
        record = await self._database.threads.get(thread_id)
        graph = self._compiler.compile(record.plan)
        snapshot = await graph.aget_state(_config(thread_id), subgraphs=True)
        if not belongs_to(snapshot, record.plan):
            return record, _result(thread_id, record.plan, {}, ())
        values = {**snapshot.values, "outcomes": known_outcomes(snapshot)}
        return record, _result(thread_id, record.plan, values, snapshot.interrupts)

    @asynccontextmanager
    async def _segment(
        self, lease: Lease, plan: Plan, since: float, status: str = RUNNING
    ) -> AsyncIterator[Segment]:
        """Hold a lease while the body runs the thread; release it however that ends."""
        durable = self._database.durable
        held = self._keeper.hold(lease, since=since) if durable else unguarded(lease)
        segment = Segment(
            thread_id=lease.thread_id,
            plan=plan,
            config=_config(lease.thread_id, lease.token, plan),
            held=held,
            status=status,
        )
        try:
            yield segment
        except LeaseLostError:
            held.lost = True
            raise
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if not held.lost or current is None:
                raise
            current.uncancel()
            raise LeaseLostError(lease.thread_id) from None
        finally:
            held.drop()
            if not held.lost and not segment.released:
                await self._release(lease, segment.status, () if segment.settled else None)

    async def _claimed(
        self, claim: Coroutine[Any, Any, T], lease_of: Callable[[T], tuple[Lease, str]]
    ) -> T:
        """Await a claim; one that commits although nobody waits for it any more is released."""
        if not self._database.durable:
            return await claim
        claiming = asyncio.ensure_future(claim)
        try:
            return await asyncio.shield(claiming)
        except asyncio.CancelledError:
            await asyncio.wait({claiming})
            if claiming.exception() is None:
                lease, status = lease_of(claiming.result())
                await self._release(lease, status)
            raise

    async def _release(
        self, lease: Lease, status: str, asked: Sequence[Asked] | None = None
    ) -> bool:
        """End a lease, also while this task is being cancelled; see `ThreadStore.release`."""
        release = self._database.threads.release(lease, status=status, asked=asked)
        return await (asyncio.shield(release) if self._database.durable else release)

    async def _pause(self, segment: Segment, interrupts: Iterable[Interrupt]) -> bool:
        """Let go of a thread that asks something; False if it is answered meanwhile."""
        asked = all_asked(pending_interrupts(interrupts))
        segment.released = await self._release(
            segment.held.lease, WorkflowStatus.INTERRUPTED, asked
        )
        return segment.released

    async def _answers(
        self, segment: Segment, interrupts: Iterable[Interrupt]
    ) -> Mapping[str, object]:
        """Enter questions into the ledger, and return what is decided about them already."""
        asked = await self._note(segment, interrupts)
        return await self._database.approvals.answers(segment.thread_id, asked)

    async def _note(self, segment: Segment, interrupts: Iterable[Interrupt]) -> Sequence[Asked]:
        asked = all_asked(pending_interrupts(interrupts))
        await self._record(segment, asked)
        return asked

    async def _record(self, segment: Segment, asked: Sequence[Asked]) -> None:
        segment.may_ask = True
        requests = [new_request(segment.thread_id, segment.plan, each) for each in asked]
        token = segment.held.lease.token
        self._announce(await self._database.approvals.record(requests, token=token))

    async def _run(
        self,
        segment: Segment,
        graph_input: Any,  # noqa: ANN401  an input, or None to go on
        known: Outcomes,
        local: LocalParts,
        answers: Mapping[str, object] = NO_ANSWERS,
    ) -> WorkflowResult:
        plan = segment.plan
        graph = self._compiler.compile(plan)
        handle = RunHandle(
            agents=self._agents,
            clock=self._clock,
            callables=local.callables,
            observe=local.observe,
            lease=segment.held if self._database.durable else None,
            slots=self._slots,
            stop=stop_signal(plan.document, known),
            outcomes=known,
        )
        segment.status = RUNNING
        segment.may_ask = segment.may_ask or asks(plan)
        with open_handle(plan.run_id, handle):
            while True:
                given = _resumption(answers) or graph_input
                if plan.is_plain() and local.watch is None:
                    values, asked = await _drive_plain(graph, given, segment, known)
                else:
                    values, asked = await self._drive(graph, given, segment, local)
                if answers:
                    await self._database.approvals.applied(segment.thread_id, list(answers))
                graph_input, answers = None, NO_ANSWERS
                if not asked:
                    break
                if handle.stop is not None and handle.stop.verdict is not None:
                    continue  # the run has its end: nobody is asked any more, questions lapse
                answers = await self._answers(segment, asked)
                if not answers and await self._pause(segment, asked):
                    break
        return self._conclude(segment, values, asked)

    async def _drive(
        self,
        graph: CompiledPlan,
        graph_input: Any,  # noqa: ANN401  an input, a Command or None
        segment: Segment,
        local: LocalParts,
    ) -> tuple[Mapping[str, Any], Sequence[Interrupt]]:
        """Run a graph to its next pause or its end; return its output, and what it asks.

        What is asked beside tasks that still run is entered into the ledger at once, so that
        it can be answered meanwhile.
        """
        config, beside = segment.config, may_ask_beside(segment.plan)
        if local.watch is None and not beside:
            # version 2 streams less inside, and hands out interrupts by themselves
            output = await graph.ainvoke(graph_input, config, durability="sync", version="v2")
            return output.value or {}, output.interrupts
        async for each in graph.astream(
            graph_input, config, durability="sync", stream_mode="tasks", subgraphs=True
        ):
            chunk = cast("Chunk", each)
            if local.watch is not None:
                local.watch(chunk)
            if beside and (asked := list(asked_in(chunk))):
                await self._record(segment, asked)
        snapshot = await graph.aget_state(config)
        return snapshot.values, snapshot.interrupts

    def _conclude(
        self, segment: Segment, values: Mapping[str, Any], interrupts: Iterable[Interrupt]
    ) -> WorkflowResult:
        """Sum up the segment, and note how the thread stands."""
        if error := values.get("route", {}).get("error"):
            segment.status = WorkflowStatus.FAILED
            raise RoutingError([Problem("bad_route", error)])
        result = _result(segment.thread_id, segment.plan, values, interrupts)
        segment.status = result.status
        segment.settled = segment.may_ask and result.status != WorkflowStatus.INTERRUPTED
        return result


async def _drive_plain(
    graph: CompiledPlan,
    graph_input: Any,  # noqa: ANN401  an input, a Command or None
    segment: Segment,
    known: Outcomes,
) -> tuple[Mapping[str, Any], Sequence[Interrupt]]:
    """Run a plain sequence, whose whole result is the outcomes that its nodes announce to `known`.

    Letting LangGraph stream nothing saves two percent. A task without an end means that its
    agent, a graph itself, asks something: then the checkpoint says what.
    """
    async for _ in graph.astream(graph_input, segment.config, durability="sync", stream_mode=[]):
        raise AssertionError("nothing is streamed without a stream mode")
    if all(is_finished(known.get(id_)) for id_ in segment.plan.document["order"]):
        return {"outcomes": known}, ()
    snapshot = await graph.aget_state(segment.config)
    return snapshot.values, snapshot.interrupts


def _was_left(record: ThreadRecord, known: Collection[str], now: float) -> bool:
    """Whether whoever ran the thread last may not have entered what it asks."""
    if record.lease is None:
        return record.status == RUNNING or record.thread_id not in known
    return record.lease.expires_at < now


def _result(
    thread_id: str, plan: Plan, values: Mapping[str, Any], interrupts: Iterable[Interrupt]
) -> WorkflowResult:
    outcomes: Outcomes = values.get("outcomes", {})
    pending = pending_interrupts(interrupts)
    return WorkflowResult(
        thread_id,
        workflow_status(plan, outcomes, interrupted=bool(pending)),
        tuple([TaskResult(id_, outcomes.get(id_)) for id_ in plan.document["order"]]),
        pending,
        values.get("aggregate"),
        plan.document["waits"],
    )


def _config(thread_id: str, token: int | None = None, plan: Plan | None = None) -> RunnableConfig:
    configurable: dict[str, Any] = {"thread_id": thread_id}
    if token is not None:
        configurable[LEASE_TOKEN] = token
    if plan is None:
        return {"configurable": configurable}
    attempts = sum(task["retry"]["max_attempts"] if task["retry"] else 1 for task in plan.tasks())
    return {"configurable": configurable, "recursion_limit": max(LEAST_LIMIT, 25 + 3 * attempts)}


def _resumption(answers: Mapping[str, object]) -> Command[Any] | None:
    """What LangGraph goes on with; it takes an empty answer for one to everything."""
    return Command(resume=dict(answers)) if answers else None


def _first_input(plan: Plan, *, clear: bool = True) -> dict[str, Any]:
    """The input of a run; a plain sequence has fewer keys, and a new thread nothing to clear."""
    if not clear:
        return {"plan": plan.document}
    fresh = fresh_state(plan.document)
    return {key: fresh[key] for key in ("plan", "outcomes")} if plan.is_plain() else fresh
