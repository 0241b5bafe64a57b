"""A scenario of the reference interpreter, run for real: what happened, and what came of it."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

from checkpoints.database import Database, open_database
from graph.plan_request import PlanRequest
from graph.planner import plan
from nodes.concurrency import ConcurrencyLimit
from nodes.ports import NO_TERMS, Agent, Terms
from orchestration import (
    AgentContext,
    AgentRefusedError,
    AgentRegistry,
    AgentSpec,
    AgentTask,
    AgentTimeoutError,
    FailureMode,
    RetryPolicy,
)
from orchestration.engines.embedded import EmbeddedEngine
from orchestration.engines.local_parts import LocalParts
from state.approval import ApprovalPolicy
from state.decision import Decider
from state.errors import DrainedError, Problem
from state.outcome import Outcome, is_finished
from state.result import WorkflowResult
from tests.unit.graph.leaping_loop import LoopClock
from tests.unit.graph.reference_interpreter import Check, Event, Fate, Job, Scenario

THREAD, RUN = "thread", "run"
TIMEOUT = 100.0
"""Longer than any agent works that does not hang."""
RETRY_SECONDS = 1.0
MOST_STRETCHES = 60


class Disturbance(NamedTuple):
    """What happens to the process at one call of an agent."""

    call: int
    """Which one, over all agents; 1 is the first."""
    kind: Literal["kill", "cancel", "drain"]
    acts_first: bool
    """Whether the agent's effect has happened already."""


@dataclass
class Casting:
    """Agents that say when one is chosen: from then on it counts as called.

    Its first step comes a turn of the loop later, and a run may have its end just then.
    """

    agents: AgentRegistry
    chosen: Callable[[str], None]
    need_store: bool = False

    def choose(
        self,
        *,
        agent_id: str | None,
        capability: str | None,
        thread_id: str = "",
        terms: Terms = NO_TERMS,
    ) -> Agent:
        agent = self.agents.choose(
            agent_id=agent_id, capability=capability, thread_id=thread_id, terms=terms
        )
        self.chosen(agent.agent_id)
        return agent

    def problem_with(self, *, agent_id: str | None, capability: str | None) -> Problem | None:
        return self.agents.problem_with(agent_id=agent_id, capability=capability)


@dataclass
class Stage:
    """Runs one scenario, through whatever disturbs it, to its end."""

    scenario: Scenario
    folder: Path | None = None
    """Where the database is; None for memory."""
    slots: int | None = None
    one_answer_at_a_time: bool = False
    disturbances: list[Disturbance] = field(default_factory=list)

    story: list[Event] = field(default_factory=list)
    effects: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The world outside: what stands under each idempotency key."""
    chosen: list[tuple[str, int]] = field(default_factory=list)
    """Task and attempt of every call that was to be made."""
    calls: list[tuple[str, int]] = field(default_factory=list)
    """And of every call that came to its agent."""
    keys: dict[str, set[str]] = field(default_factory=dict)
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    called_again: list[str] = field(default_factory=list)
    """Tasks that were called although a checkpoint knew their end."""
    deaths: int = 0

    def __post_init__(self) -> None:
        self._dead = False
        self._settled: set[str] = set()
        self._file = None if self.folder is None else self.folder / "runs0.db"
        self._running: asyncio.Task[WorkflowResult] | None = None
        self._attempts: dict[str, int] = {}
        registry = AgentRegistry()
        for job in self.scenario.jobs:
            registry.register(AgentSpec(job.id, handler=self._agent(job)))
        self._agents = Casting(registry, self._choose)

    async def run(self) -> WorkflowResult:
        """Start the run, go on after each death, and answer what is asked."""
        result = await self._stretch(self._start)
        for _ in range(MOST_STRETCHES):
            if result is None:
                result = await self._stretch(self._resume)
            elif result.interrupts:
                self.asked |= {each.task_id for each in result.interrupts}
                result = await self._stretch(self._answer(result))
            else:
                return result
        raise AssertionError(f"never ends: {result}")

    # -- the process ---------------------------------------------------------------------

    async def _stretch(
        self, work: Callable[[EmbeddedEngine], Awaitable[WorkflowResult]]
    ) -> WorkflowResult | None:
        """Let a process do something; None if it dies meanwhile."""
        database, self._dead = self._open(), False
        engine = EmbeddedEngine(
            database,
            self._agents,
            slots=None if self.slots is None else ConcurrencyLimit(self.slots),
            clock=LoopClock(),
        )
        self._engine = engine
        self._running = asyncio.ensure_future(work(engine))
        try:
            await asyncio.wait({self._running})
            if not self._running.cancelled() and not isinstance(
                self._running.exception(), DrainedError
            ):
                return self._running.result()
        finally:
            if database.durable:
                database.close()
        await self._look_back()
        return None

    def _open(self) -> Database:
        if self._file is not None:
            return open_database(f"sqlite:///{self._file}?synchronous=NORMAL")
        if not hasattr(self, "memory"):
            self.memory = open_database("memory://")
        return self.memory

    async def _look_back(self) -> None:
        """Note what the checkpoints know after a death."""
        self.deaths += 1
        self._dead = False
        database = self._open()
        try:
            _, known = await EmbeddedEngine(database, self._agents).views.inspect(THREAD)
        finally:
            if database.durable:
                database.close()
        saved = {
            each.task_id: each.attempts if each.status == "pending" else 0
            for each in known
            if each.status != "pending" or each.attempts
        }
        self._settled = {id_ for id_, attempts in saved.items() if not attempts}
        self._attempts = {id_: attempts for id_, attempts in saved.items() if attempts}
        self.story.append(Event("die", saved=saved))

    async def _start(self, engine: EmbeddedEngine) -> WorkflowResult:
        request = PlanRequest(
            [task_of(job, hangs=self._hangs) for job in self.scenario.jobs],
            strategy=self.scenario.strategy,
            on_failure=FailureMode(self.scenario.mode, self.scenario.quorum),
            router=f"'{self.scenario.route}'" if self.scenario.strategy == "conditional" else None,
        )
        planned = plan(request, agents=self._agents, run_id=RUN)
        return await engine.start(THREAD, planned.plan, self._parts)

    async def _resume(self, engine: EmbeddedEngine) -> WorkflowResult:
        return await engine.resume(THREAD, self._parts)

    def _answer(
        self, result: WorkflowResult
    ) -> Callable[[EmbeddedEngine], Awaitable[WorkflowResult]]:
        jobs = {job.id: job for job in self.scenario.jobs}
        asked = [each.task_id for each in result.interrupts]
        if self.one_answer_at_a_time:
            asked = asked[:1]

        async def answer(engine: EmbeddedEngine) -> WorkflowResult:
            words = {id_: answer_of(jobs[id_]) for id_ in asked}
            answers = await engine.matched(THREAD, words, self._parts)
            answered = await engine.answer(answers, Decider(None), lambda _: self._parts)
            assert answered.result is not None
            return answered.result

        return answer

    @property
    def _parts(self) -> LocalParts:
        return LocalParts(run_id=RUN, observe=self._observe)

    @property
    def _hangs(self) -> bool:
        """Whether a call that takes too long is waited for; real time must not pass."""
        return self._file is None

    def _observe(self, task_id: str, outcome: Outcome) -> None:
        if self._dead or task_id in self._settled:
            return
        if is_finished(outcome):
            self._settled.add(task_id)
            self.story.append(Event("settle", task_id))
        else:
            self._attempts[task_id] = outcome["attempts"]
            self.story.append(Event("end", task_id, outcome["attempts"]))

    def _choose(self, task_id: str) -> None:
        if not self._dead:
            attempt = self._attempts.get(task_id, 0) + 1
            self.chosen.append((task_id, attempt))
            self.story.append(Event("begin", task_id, attempt))

    # -- the agents ----------------------------------------------------------------------

    def _agent(self, job: Job) -> Callable[..., Awaitable[dict[str, Any]]]:
        async def work(given: dict[str, Any], context: AgentContext) -> dict[str, Any]:
            if self._dead:
                await asyncio.Event().wait()
            if job.id in self._settled:
                self.called_again.append(job.id)
            self.calls.append((job.id, context.attempt))
            self.keys.setdefault(job.id, set()).add(context.idempotency_key)
            self.seen[job.id] = dict(context.upstream)
            return await self._act(job, context)

        return work

    async def _act(self, job: Job, context: AgentContext) -> dict[str, Any]:
        number, act = len(self.calls), job.act(context.attempt)
        disturbance = next((each for each in self.disturbances if each.call == number), None)
        if disturbance is not None and not disturbance.acts_first:
            await self._disturb(disturbance)
        await self._take_time(job.seconds)
        if act == "succeed":
            self.effects.setdefault(context.idempotency_key, job.output)
        if disturbance is not None and disturbance.acts_first:
            await self._disturb(disturbance)
        if act == "time_out" and self._hangs:
            await asyncio.Event().wait()
        self.story.append(Event("end", job.id, context.attempt))
        if act == "time_out":
            raise AgentTimeoutError("it took too long")
        if act == "fail":
            raise ConnectionError("not now")
        if act == "refuse":
            raise AgentRefusedError("no")
        return self.effects[context.idempotency_key]

    async def _take_time(self, seconds: int) -> None:
        if self._file is None:
            await asyncio.sleep(seconds)
            return
        for _ in range(seconds):
            await asyncio.sleep(0)

    async def _disturb(self, disturbance: Disturbance) -> None:
        if disturbance.kind == "drain":
            self._engine.drain()
            return
        assert self._running is not None
        if disturbance.kind == "kill":
            self._leave_the_disk_as_it_is()
        self._dead = disturbance.kind == "kill"
        self._running.cancel()
        await asyncio.Event().wait()

    def _leave_the_disk_as_it_is(self) -> None:
        """What `kill -9` leaves: whatever is committed, under a lease that nobody ends."""
        assert self.folder is not None
        assert self._file is not None
        copy = self.folder / f"runs{len(self.calls)}.db"
        with closing(sqlite3.connect(self._file)) as here, closing(sqlite3.connect(copy)) as there:
            here.backup(there)
            there.execute("UPDATE orchestration_threads SET lease_expires_at = 0")
            there.commit()
        self._file = copy


def clear(folder: Path) -> None:
    """Remove the databases of the example before."""
    shutil.rmtree(folder)
    folder.mkdir()


def fates_of(result: WorkflowResult) -> dict[str, Fate]:
    """What became of each task, in the interpreter's words."""
    fates = {}
    for task in result:
        outcome: Mapping[str, Any] = task._outcome
        fates[task.task_id] = Fate(
            str(task.status),
            task.attempts,
            outcome.get("because", ""),
            outcome.get("because_of", ""),
            outcome.get("output"),
        )
    return fates


def answer_of(job: Job) -> object:
    assert job.decision is not None, f"{job.id} was asked about"
    return {"decisions": [{"type": job.decision, "message": "a word"}]}


def task_of(job: Job, *, hangs: bool) -> AgentTask:
    retry = RetryPolicy(
        max_attempts=job.attempts,
        initial_delay=timedelta(seconds=RETRY_SECONDS if hangs else 0),
        jitter=False,
    )
    policy = ApprovalPolicy(
        when=None if job.threshold is None else cel(job.threshold),
    )
    return AgentTask(
        job.id,
        task_id=job.id,
        depends_on=job.after,
        condition=None if job.condition is None else cel(job.condition),
        requires_approval=False if job.decision is None else policy,
        timeout=TIMEOUT if hangs else None,
        retry=retry if job.attempts > 1 else None,
    )


def cel(test: Check) -> str:
    """A condition as the product has it."""
    return {
        "always": "1 < 2",
        "never": "1 > 2",
        "nonsense": "1 + 1",
        "succeeded": f"outcomes.{test.about}.status == 'succeeded'",
        "has": f"has(outputs.{test.about})",
        "more": f"outputs.{test.about}.value > 3",
        "missing": f"outputs.{test.about}.nothing",
    }[test.asks]
