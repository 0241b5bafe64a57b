"""The embedded engine: runs threads in this process.

Its one idea is `advance`: take a thread's lease, read its checkpoint, and run it to its
next interrupt or its end. Anybody may do it again at any time, from any process: the
checkpointer is the only state, and the lease keeps two from running one thread.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from langgraph.types import Command

from checkpoints.history import Answers
from checkpoints.sqlite_saver import LEASE_TOKEN
from checkpoints.threads import RUNNING, UNFINISHED
from graph.compiler import Compiler
from nodes.plan_loader import fresh_state
from nodes.run_handle import SYSTEM_CLOCK, RunHandle, open_handle, stop_signal
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
    resume_values,
)
from state.conversation import answered, asked
from state.errors import LeaseLostError, Problem, RoutingError
from state.outcome import is_finished
from state.result import TaskResult, WorkflowResult, workflow_status
from state.status import WorkflowStatus

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from langchain_core.runnables import RunnableConfig
    from langgraph.types import Interrupt

    from checkpoints.database import Database
    from checkpoints.history import RecordedMessage
    from checkpoints.threads import Lease, ThreadRecord
    from graph.compiler import CompiledPlan
    from nodes.ports import Agents, Clock
    from orchestration.engines.local_parts import Chunk
    from state.jsonvalue import JsonObject
    from state.plan import Plan
    from state.run_state import Outcomes


T = TypeVar("T")

NO_PARTS = LocalParts()
LEAST_LIMIT: Final = 10_000
"""Supersteps that LangGraph allows a run, at least; a graph that is an agent inherits the limit."""


@dataclass(slots=True, kw_only=True)
class Segment:
    """A thread that this process holds, ready to run."""

    thread_id: str
    plan: Plan
    config: RunnableConfig
    held: HeldLease
    status: str = RUNNING
    """How the thread stands when the segment ends."""
    answers: Answers | None = None
    """What the agents said, once the run is over."""


class EmbeddedEngine:
    """Runs threads of one database in this process."""

    def __init__(
        self,
        database: Database,
        agents: Agents,
        *,
        slots: AbstractAsyncContextManager[None] | None = None,
        lease: float | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """`slots` is entered for each agent call; `lease` is in seconds."""
        self._database = database
        self._agents = agents
        self._slots = slots
        self._clock = clock
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
        claim = self._database.history.begin(
            thread_id, plan, holder=holder_name(), seconds=self._seconds
        )
        begun = await self._claimed(claim, lambda begun: (begun.lease, RUNNING))
        async with self._segment(begun.lease, plan, since) as segment:
            first = _first_input(plan, begun.history, clear=not new_id)
            return await self._run(segment, first, {}, local)

    async def resume(
        self,
        thread_id: str,
        local: LocalParts = NO_PARTS,
        *,
        decisions: Mapping[str, object] | None = None,
    ) -> WorkflowResult:
        """Run a thread on from where its checkpoints say it stands.

        Raises:
            ThreadNotFoundError: There is no such thread.
            ThreadBusyError: Somebody runs the thread.
            DecisionError: An answer fits nothing that is asked; all stays as it was.
            CallableLostError: It needs a callable that this process does not have.
            RoutingError, LeaseLostError: As for `start`.
        """
        since = time.monotonic()
        claim = self._database.threads.resume(
            thread_id, holder=holder_name(), seconds=self._seconds
        )
        record, lease = await self._claimed(claim, lambda both: (both[1], both[0].status))
        async with self._segment(lease, record.plan, since, record.status) as segment:
            return await self._resume(segment, decisions, local)

    async def _resume(
        self, segment: Segment, decisions: Mapping[str, object] | None, local: LocalParts
    ) -> WorkflowResult:
        graph = self._compiler.compile(segment.plan)
        snapshot = await graph.aget_state(segment.config, subgraphs=True)
        plan, step = segment.plan, next_step(snapshot, segment.plan)
        if local.run_id != plan.run_id:  # of the thread's run before
            local = LocalParts(watch=local.watch)
        known = {} if step == "start" else known_outcomes(snapshot)
        if local.observe is not None:
            for task_id, outcome in known.items():
                local.observe(task_id, outcome)
        pending = () if step == "start" else pending_interrupts(snapshot.interrupts)
        answers = resume_values(segment.thread_id, pending, decisions or {})
        if step == "finished" or (step == "wait" and not answers):
            return self._conclude(segment, snapshot.values, snapshot.interrupts)
        check_callables(segment.thread_id, plan, snapshot, local.callables)
        if step == "start":
            history = await self._database.history.before(segment.thread_id, run_id=plan.run_id)
            return await self._run(segment, _first_input(plan, history), {}, local)
        return await self._run(segment, Command(resume=answers) if answers else None, known, local)

    async def threads(self, *, limit: int, status: str | None) -> list[ThreadRecord]:
        """Return threads, the last changed first."""
        return await self._database.threads.recent(limit=limit, status=status)

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
            if not held.lost:
                await self._release(lease, segment.status, segment.answers)

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

    async def _release(self, lease: Lease, status: str, answers: Answers | None = None) -> None:
        """End a lease, also while this task is being cancelled."""
        release = self._database.history.end(lease, status=status, answers=answers)
        await (asyncio.shield(release) if self._database.durable else release)

    async def _run(
        self,
        segment: Segment,
        graph_input: Any,  # noqa: ANN401  an input, a Command or None
        known: Outcomes,
        local: LocalParts,
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
        with open_handle(plan.run_id, handle):
            if plan.is_plain() and local.watch is None:
                values, asked = await _drive_plain(graph, graph_input, segment, known)
            else:
                values, asked = await _drive(graph, graph_input, segment.config, local)
            if asked and handle.stop is not None and handle.stop.verdict is not None:
                # the run has its end, so nobody is asked any more: the questions lapse
                values, asked = await _drive(graph, None, segment.config, local)
        return self._conclude(segment, values, asked)

    def _conclude(
        self, segment: Segment, values: Mapping[str, Any], interrupts: Iterable[Interrupt]
    ) -> WorkflowResult:
        """Sum up the segment, and note how the thread stands."""
        if error := values.get("route", {}).get("error"):
            segment.status = WorkflowStatus.FAILED
            raise RoutingError([Problem("bad_route", error)])
        result = _result(segment.thread_id, segment.plan, values, interrupts)
        segment.status = result.status
        if result.status not in UNFINISHED:
            segment.answers = _answers(segment.plan, values.get("outcomes", {}))
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


async def _drive(
    graph: CompiledPlan,
    graph_input: Any,  # noqa: ANN401  an input, a Command or None
    config: RunnableConfig,
    local: LocalParts,
) -> tuple[Mapping[str, Any], Sequence[Interrupt]]:
    """Run a graph to its next pause or its end; return its output, and what it asks."""
    if local.watch is None:
        # version 2 streams less inside, and hands out interrupts by themselves
        output = await graph.ainvoke(graph_input, config, durability="sync", version="v2")
        return output.value or {}, output.interrupts
    async for chunk in graph.astream(
        graph_input, config, durability="sync", stream_mode="tasks", subgraphs=True
    ):
        local.watch(cast("Chunk", chunk))
    snapshot = await graph.aget_state(config)
    return snapshot.values, snapshot.interrupts


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


def _answers(plan: Plan, outcomes: Outcomes) -> Answers | None:
    """What a finished run adds to its thread's messages; None if its tasks brought none."""
    brought = asked(plan.document)
    if not brought:
        return None
    return Answers(plan.run_id, len(brought), answered(plan.document, outcomes))


def _config(thread_id: str, token: int | None = None, plan: Plan | None = None) -> RunnableConfig:
    configurable: dict[str, Any] = {"thread_id": thread_id}
    if token is not None:
        configurable[LEASE_TOKEN] = token
    if plan is None:
        return {"configurable": configurable}
    attempts = sum(task["retry"]["max_attempts"] if task["retry"] else 1 for task in plan.tasks())
    return {"configurable": configurable, "recursion_limit": max(LEAST_LIMIT, 25 + 3 * attempts)}


def _first_input(plan: Plan, history: list[JsonObject], *, clear: bool = True) -> dict[str, Any]:
    """The input of a run; a plain sequence has fewer keys, and a new thread nothing to clear.

    The history travels in the plan: a key of its own would cost time in every superstep.
    """
    document = plan.document
    if history:
        document = {**document, "history": history}
    if not clear:
        return {"plan": document}
    fresh = fresh_state(document)
    return {key: fresh[key] for key in ("plan", "outcomes")} if plan.is_plain() else fresh
