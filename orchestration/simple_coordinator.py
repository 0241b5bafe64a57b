"""The coordinator: hand over tasks and a strategy, get results that survive anything."""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Callable,
    Collection,
    Coroutine,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import ExitStack, aclosing, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Self, Unpack

from checkpoints.events import RunKey
from graph.plan_request import Planned, PlanRequest
from graph.planner import plan
from nodes.concurrency import ConcurrencyLimit
from orchestration.agent_registry import get_registry
from orchestration.engines.local_parts import LocalParts, local_parts
from orchestration.execution_stats import ExecutionStats
from orchestration.notifications import Announcer, notifier_from_environment
from orchestration.routing.new_work import NewWork
from orchestration.run_options import (
    DEFAULT_BATCH_CONCURRENCY,
    RunOptions,
    check_optimizer,
    check_options,
    check_thread_id,
    new_id,
    refuse_twice,
)
from orchestration.thread_reading import ThreadReading
from orchestration.workflow_events import WorkflowEvent
from orchestration.workflows.requests import plan_request, planned_for
from state.cancellation import Cancellation
from state.conversation import HistoryWindow
from state.decision import Decider
from state.errors import (
    ConfigurationError,
    PlanError,
    Problem,
    ThreadBusyError,
    ThreadExistsError,
    UpgradeError,
    WorkflowConflictError,
    WorkflowFileError,
    WorkflowNotFoundError,
)
from state.jsonvalue import described
from state.status import CoordinationStrategy, WorkflowStatus
from state.task import DEFAULT_TURNS
from state.workflow import Workflow

if TYPE_CHECKING:
    from types import TracebackType

    from checkpoints.approvals import Answer
    from checkpoints.history import KeepRuns
    from checkpoints.traffic import TrafficStore
    from graph.compiler import CompiledPlan
    from nodes.middleware import Middleware
    from orchestration.agent_registry import AgentRegistry
    from orchestration.approvals import ApprovalInbox
    from orchestration.batch_items import BatchItem, BatchProgress, BatchResult, Request
    from orchestration.engines.embedded import Answered, EmbeddedEngine
    from orchestration.engines.signalling import Signalled
    from orchestration.notifications import Notifier
    from orchestration.optimizations import Optimizer
    from orchestration.routing.upkeep import Upkeep
    from orchestration.workflows.registry import WorkflowRegistry
    from state.jsonvalue import JsonValue
    from state.outcome import Outcome
    from state.plan import Plan
    from state.result import TaskResult, WorkflowResult
    from state.task import Task
    from state.workflow import Router


class SimpleCoordinator(ThreadReading):
    """Runs tasks for several agents as one durable workflow.

    Every strategy becomes a LangGraph graph with a checkpoint after each step, so a
    workflow can be paused, killed, and resumed elsewhere by its thread id alone. One
    coordinator serves any number of concurrent workflows. It opens its database when it is
    first used; close it with `async with` or `close()`, or leave that to its end. While
    `async with` lasts, endpoints of agents are probed and sources of agents are watched; else
    that is done only as calls are made.

    Args:
        registry: Who the agents are; by default `get_registry()`.
        optimizer: What runs around calls of agents: cache, compression, context, budgets. By
            default `get_optimizer()`, only where agents or tasks ask for some of it.
        database_url: Where threads are kept; see `checkpoints.open_database`. By default
            the environment's `ORCHESTRATION_DATABASE_URL`, or a file in `.orchestration/`.
        max_concurrency: Agent calls at the same time, over all workflows of this
            coordinator; None is no limit.
        lease_seconds: How long after a crash a thread stays taken; by default the
            environment's `ORCHESTRATION_LEASE_SECONDS`, or 30.
        keep_runs: When a thread begins another run, how many of its earlier runs keep their
            checkpoints: a number, or "all" for looking back without end. 0 keeps none, as a
            run needs none; messages stay in any case. By default the environment's
            `ORCHESTRATION_KEEP_RUNS`, or 0.
        history_window: How much of a thread's earlier messages agents see.
        workflows: Where definitions are found by name, to be run, and for threads that go on
            under their latest version; by default `get_workflows()`.
        notifier: Tells people that something waits for them; by default through the services
            in the environment's `ORCHESTRATION_NOTIFY_URLS`, if there are any.
        clock: What time it is for approvals and waits, in seconds since the epoch.
    """

    def __init__(  # noqa: PLR0913  one for each setting
        self,
        *,
        registry: AgentRegistry | None = None,
        optimizer: Optimizer | None = None,
        database_url: str | None = None,
        max_concurrency: int | None = None,
        lease_seconds: float | None = None,
        keep_runs: KeepRuns | None = None,
        history_window: HistoryWindow | None = None,
        workflows: WorkflowRegistry | None = None,
        notifier: Notifier | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if max_concurrency is not None and max_concurrency < 1:
            raise ConfigurationError(
                f"max_concurrency is {max_concurrency}; give at least 1, or None"
            )
        check_optimizer(optimizer)
        self._registry = registry
        self._optimizer = optimizer
        self._database_url = database_url
        self._lease_seconds = lease_seconds
        self._keep_runs = keep_runs
        self._history_window = history_window or HistoryWindow()
        self._workflows = workflows
        self._notifier = notifier
        self._clock = clock
        self._announcer: Announcer | None = None
        self._slots = None if max_concurrency is None else ConcurrencyLimit(max_concurrency)
        self._opening = threading.Lock()
        self._opened: EmbeddedEngine | None = None
        self._closer: weakref.finalize[..., SimpleCoordinator] | None = None
        self._traffic: TrafficStore | None = None
        self._upkeep: Upkeep | None = None
        self._unfinished: dict[str, LocalParts] = {}
        self._stats = ExecutionStats()

    @property
    def registry(self) -> AgentRegistry:
        """The agents this coordinator can call."""
        if self._registry is None:
            self._registry = get_registry()
        return self._registry

    @property
    def optimizer(self) -> Optimizer:
        """What runs around the calls of agents, where anything does."""
        from orchestration.optimizations import get_optimizer  # noqa: PLC0415  only where used

        return self._optimizer or get_optimizer()

    @property
    def slots(self) -> ConcurrencyLimit | None:
        """What bounds agent calls at the same time; None is no limit."""
        return self._slots

    @property
    def workflows(self) -> WorkflowRegistry:
        """The definitions that can be run by name."""
        if self._workflows is None:
            from orchestration.workflows.registry import get_workflows  # noqa: PLC0415

            self._workflows = get_workflows()
        return self._workflows

    # -- running -------------------------------------------------------------------------

    async def execute(
        self,
        workflow: Workflow | str,
        *,
        parameters: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> WorkflowResult:
        """Run a definition.

        Args:
            workflow: The definition, or the name of a registered one: `purchase`, or
                `purchase@2` for a certain version.
            parameters: What its expressions know as `parameters`; checked against its schema,
                whose defaults are filled in.
            options: See `RunOptions`; they come before what the definition says.

        Raises:
            WorkflowNotFoundError, WorkflowFileError: There is no such definition, or it is none.
            PlanError: It cannot run as given, or the parameters do not fit; no agent was called.
            ThreadBusyError, ThreadPendingError: The thread takes no new tasks now.
        """
        await self.know_agents()
        planned, tasks = self._plan_workflow(workflow, parameters, options)
        return await self._start(options.get("thread_id"), planned, local_parts(planned, tasks))

    async def execute_sequential(
        self, tasks: Sequence[Task], **options: Unpack[RunOptions]
    ) -> WorkflowResult:
        """Run tasks one after another; each gets the outputs of all before it.

        The first failure ends the sequence, and the rest is skipped, unless
        `on_failure="continue"`.

        Args:
            tasks: What to do; their `status`, `output` and `error` are set as it is done.
            options: See `RunOptions`.

        Raises:
            PlanError: The tasks cannot run as given; no agent was called.
            ThreadBusyError, ThreadPendingError: The thread takes no new tasks now.
        """
        await self.know_agents()
        return await self._execute(tasks, CoordinationStrategy.SEQUENTIAL, None, None, options)

    async def execute_parallel(
        self, tasks: Sequence[Task], **options: Unpack[RunOptions]
    ) -> WorkflowResult:
        """Run tasks beside each other, as far as their `depends_on` allows.

        By default a failure only skips what builds on it (`on_failure="continue"`), and
        `result.aggregate` collects the outputs. Arguments and errors as in
        `execute_sequential`.
        """
        await self.know_agents()
        return await self._execute(tasks, CoordinationStrategy.PARALLEL, None, None, options)

    async def execute_conditional(
        self,
        tasks: Sequence[Task],
        router: Router,
        *,
        input_data: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> WorkflowResult:
        """Run the one task that a router picks.

        Args:
            tasks: The tasks to pick from.
            router: A callable that gets the input data and returns an agent id, task id or
                capability; or a CEL expression that does; or a map of CEL conditions to
                targets, tried in order.
            input_data: What the router sees; by default the first task's.
            options: See `RunOptions`.

        Raises:
            RoutingError: The router failed, or returned nothing that can run.
            PlanError, ThreadBusyError, ThreadPendingError: As in `execute_sequential`.
        """
        await self.know_agents()
        return await self._execute(
            tasks, CoordinationStrategy.CONDITIONAL, router, input_data, options
        )

    async def execute_cyclic(
        self, tasks: Sequence[Task], **options: Unpack[RunOptions]
    ) -> WorkflowResult:
        """Let tasks have turns: agents hand over to each other, or a supervisor picks the next.

        An agent hands over by answering with `handoff_to` (a task id, agent id or capability),
        and, if it likes, a `message` and a `reason`; the next one finds them in its input's
        `handoff`, and the message as the last of its `messages`. It ends when `until` holds,
        when nobody is next, when a task fails, or after `max_turns` (10): then `result.error`
        says so, and what was achieved is kept.

        Args:
            tasks: Who may have turns.
            options: See `RunOptions`; `supervisor`, `start`, `until` and `max_turns` are for
                cycles. A supervisor is a callable that gets the outcomes so far, CEL, a map of
                CEL conditions to targets, or an `AgentTask` whose agent answers with `next`; it
                names a task, or says `finish`.

        Raises:
            PlanError, ThreadBusyError, ThreadPendingError: As in `execute_sequential`.
        """
        await self.know_agents()
        return await self._execute(tasks, CoordinationStrategy.CYCLIC, None, None, options)

    async def execute_workflow(
        self,
        tasks: Sequence[Task],
        *,
        strategy: CoordinationStrategy | str = CoordinationStrategy.SEQUENTIAL,
        router: Router | None = None,
        input_data: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> WorkflowResult:
        """Run tasks under any strategy; see the methods named after them."""
        await self.know_agents()
        return await self._execute(tasks, strategy, router, input_data, options)

    async def execute_many(  # noqa: PLR0913  one for each thing that is said of a batch
        self,
        requests: Iterable[Request] | AsyncIterable[Request],
        *,
        strategy: CoordinationStrategy | str = CoordinationStrategy.SEQUENTIAL,
        router: Router | None = None,
        input_data: Mapping[str, Any] | None = None,
        max_concurrency: int = DEFAULT_BATCH_CONCURRENCY,
        batch_id: str | None = None,
        on_progress: Callable[[BatchProgress], None] | None = None,
        **options: Unpack[RunOptions],
    ) -> BatchResult:
        """Run many requests, several at a time; a bad one does not sink the others.

        Called again with the same batch id, it finishes what is unfinished and returns what was
        over; no request runs twice, whoever died and whoever else runs the same batch meanwhile.
        If it is cancelled, what runs stops where it stands.

        Args:
            requests: Lists of tasks, workflows, or `BatchItem`s; taken one by one as there is
                room, from an iterable that does not block or an async one.
            strategy: Of lists of tasks, as are the next two.
            router: Of conditional tasks.
            input_data: What the router sees.
            max_concurrency: Requests at the same time.
            batch_id: Under which the batch is gone on with; by default a new one. A request's
                thread is `batch_id:key`.
            on_progress: Told at each beginning and end of a request.
            options: See `RunOptions`; `thread_id` is not for batches.

        Raises:
            ConfigurationError: A setting cannot be; nothing was run.
            DrainedError: The coordinator was drained; nothing more begins.
        """
        from orchestration.batch_items import batch_of  # noqa: PLC0415
        from orchestration.batches import Runs, run_batch  # noqa: PLC0415

        def planned(item: BatchItem) -> tuple[Planned, LocalParts]:
            said = item.options(options)
            if item.workflow is not None:
                made, tasks = self._plan_workflow(item.workflow, item.parameters, said)
            else:
                tasks = item.tasks or ()
                made = self._plan(tasks, strategy, router, input_data, said)
            return made, local_parts(made, tasks)

        start = partial(self._start, only_new=True)
        runs = Runs(self.know_agents, planned, start, self._go_on, self.thread)
        batch = batch_of(requests, options, batch_id=batch_id, max_concurrency=max_concurrency)
        return await run_batch(runs, batch, on_progress)

    def planned(self, request: PlanRequest) -> Planned:
        """Plan what is to be run, without running it.

        Raises:
            PlanError: With every problem of the request.
        """
        if self._optimizer is not None:
            standing = self._optimizer.standing_budgets(request.tenant)
            request = request._replace(budgets=[*request.budgets, *standing])
        planned = plan(request, agents=NewWork(self.registry), run_id=new_id())
        if planned.plan.traits.wrapped:
            self.optimizer.check_context(planned.plan)
        return planned

    async def run(self, planned: Planned, *, thread_id: str | None = None) -> WorkflowResult:
        """Run a plan on a new thread, or on one whose last run is over.

        Raises:
            ThreadBusyError, ThreadPendingError: The thread takes no new tasks now.
        """
        check_thread_id(thread_id)
        parts = local_parts(planned)
        return await self._start(thread_id, planned, parts)

    async def resume(
        self,
        thread_id: str,
        decisions: Mapping[str, object] | None = None,
        *,
        by: str | None = None,
        roles: Collection[str] = (),
        as_begun: bool = False,
    ) -> WorkflowResult:
        """Run a thread on from where it stands; on a finished one, return its result.

        A thread of a named workflow goes on under the workflow's latest version, if it can.

        Args:
            thread_id: Any thread of the database, started by whatever process.
            decisions: Answers to what the thread waits for, by task id (or interrupt id, or
                the ledger's request id); to an approval `"approve"`, `"reject"`, or
                LangChain's `HITLResponse`, e.g.
                `{"decisions": [{"type": "reject", "message": "too dear"}]}`.
            by: Who decides; some policies need to know.
            roles: What they are, for policies that want a role.
            as_begun: Whether to go on under the version of its workflow that it began with.

        Raises:
            UpgradeError: Its workflow was changed in ways that it cannot follow; answers are
                recorded all the same.
            ThreadNotFoundError: There is no such thread.
            ThreadBusyError: Somebody is running it. Answers are recorded all the same, and
                are used when that run pauses.
            AlreadyDecidedError: Somebody else was first.
            NotAllowedError: Who decides may not; the question stays open.
            DecisionError: An answer fits nothing that is asked; all stays as it was.
            CallableLostError: It needs a Python callable of a process that is gone.
        """
        decider = Decider(by, tuple(roles))
        return await self._resume(thread_id, decisions, decider, as_begun=as_begun)

    async def _resume(
        self,
        thread_id: str,
        decisions: Mapping[str, object] | None,
        decider: Decider,
        *,
        as_begun: bool,
        streamed: bool = False,
    ) -> WorkflowResult:
        engine = await self._engine()
        parts = self._parts_of(thread_id, streamed=streamed)
        if decisions:
            answers = await engine.matched(thread_id, decisions, parts)
            answered = await self.answer(answers, decider, as_begun=as_begun, streamed=streamed)
            if answered.busy is not None:
                raise answered.busy
            if answered.result is not None:
                return answered.result
        return await self._go_on(thread_id, parts, as_begun=as_begun)

    async def _go_on(
        self, thread_id: str, parts: LocalParts, *, as_begun: bool = False
    ) -> WorkflowResult:
        engine = await self._engine()
        result = await engine.resume(thread_id, parts, as_begun=as_begun)
        self._remember(result, parts)
        await self.announcer.settle()
        return result

    async def answer(
        self,
        answers: Sequence[Answer],
        decider: Decider,
        *,
        as_begun: bool = False,
        streamed: bool = False,
    ) -> Answered:
        """Answer questions of one thread by request id; people use `approvals` or `resume`."""
        engine = await self._engine()
        parts_of = partial(self._parts_of, streamed=streamed)
        answered = await engine.answer(answers, decider, parts_of, as_begun=as_begun)
        if answered.result is not None:
            self._remember(answered.result, self._parts_of(answered.result.thread_id))
        await self.announcer.settle()
        return answered

    async def signal(
        self,
        thread_id: str,
        name: str,
        payload: JsonValue = None,
        *,
        by: str | None = None,
        signal_id: str | None = None,
    ) -> Signalled:
        """Send a signal to a thread, and let its run go on if it waits for that.

        A signal that comes early is kept until something waits for it; one signal answers one
        wait. What is left when the run ends is not used, and stays on record.

        Args:
            thread_id: Any thread of the database whose run is not over.
            name: One that some task of the run waits for.
            payload: Any JSON value, for the tasks after.
            by: Who sends it; for the audit trail.
            signal_id: Sent again with the same id it is still one signal, so whoever is not
                sure that it arrived may send it again. By default a new id.

        Raises:
            ThreadNotFoundError, ThreadFinishedError: Nobody can take it.
            UnknownSignalError: No task of the run waits for such signals.
            SignalError: It cannot be sent like that, or its id was used for another.
        """
        from orchestration.engines.signalling import new_signal  # noqa: PLC0415

        engine = await self._engine()
        new = new_signal(thread_id, name, payload, by=by, signal_id=signal_id)
        done = await engine.signal(new, self._parts_of)
        if done.result is not None:
            self._remember(done.result, self._parts_of(thread_id))
        await self.announcer.settle()
        return done

    def _parts_of(self, thread_id: str, *, streamed: bool = False) -> LocalParts:
        parts = self._unfinished.get(thread_id) or LocalParts()
        return parts._replace(streamed=True) if streamed else parts

    async def cancel(
        self, thread_id: str, *, by: str | None = None, reason: str = ""
    ) -> WorkflowResult | None:
        """Call a run off: no further task begins, questions lapse, what can be is compensated.

        Calls under way are awaited, as they may have acted. It takes effect exactly once, also
        where this process dies: whoever resumes the thread carries it out.

        Returns:
            The cancelled run's result; None where another process runs the thread and ends
            it at its next heartbeat.

        Raises:
            ThreadNotFoundError, ThreadFinishedError: There is nothing to cancel.
        """
        engine = await self._engine()
        await engine.cancel(thread_id, Cancellation(by, reason, time.time()))
        try:
            return await self.resume(thread_id)
        except ThreadBusyError:
            return None

    async def migrate(
        self,
        thread_id: str,
        workflow: Workflow,
        names: Callable[[Mapping[str, TaskResult]], Mapping[str, str | None]],
        *,
        by: str | None = None,
    ) -> WorkflowResult:
        """Let a run go on under any version of a workflow, by what you say becomes of its tasks.

        Args:
            thread_id: A thread whose run is not over.
            workflow: What it goes on with.
            names: Gets what has begun, by task id; returns under which task id of the new
                version each goes on, or None for what is knowingly given up.
            by: Who says so; it is recorded.

        Raises:
            MigrationError: The names do not fit; nothing was changed.
            PlanError: The workflow cannot run as it is.
            ThreadNotFoundError, ThreadBusyError, ThreadFinishedError: There is nothing to migrate.
        """
        engine = await self._engine()
        record = (await engine.views.inspect(thread_id))[0]
        planned = self._planned_as(workflow, record.plan)
        parts = self._parts_of(thread_id)
        result = await engine.migrate(thread_id, planned, names, by=by, local=parts)
        self._remember(result, parts)
        return result

    def _planned_as(self, workflow: Workflow, plan_: Plan) -> Planned:
        """Plan a workflow for the run of another plan."""
        make = partial(plan, agents=self.registry, run_id=plan_.run_id)
        return planned_for(workflow, plan_, make)

    def _current(self, thread_id: str, plan_: Plan, /, *, as_begun: bool) -> Planned | None:
        """Plan a run's request by its workflow, the latest version or that it began with.

        Raises:
            UpgradeError: The latest cannot be read, or not be planned for this run.
        """
        definition = plan_.document.get("definition")
        if definition is None:
            return None
        name, old, new = definition["name"], definition["version"], "its latest version"
        if as_begun:
            return self._as_begun(name, old, plan_)
        try:
            workflow = self.workflows.latest(name)
            if workflow is None:
                return None
            new = workflow.version
            return self._planned_as(workflow, plan_)
        except (PlanError, WorkflowConflictError, WorkflowFileError) as error:
            lines = [
                f"~ it cannot be used for this run: {line}" for line in str(error).splitlines()
            ]
            raise UpgradeError(
                thread_id,
                name,
                old=old,
                new=new,
                differences=lines,
                database=named_database(self._database_url),
            ) from error

    def _as_begun(self, name: str, version: str, plan_: Plan) -> Planned | None:
        """Plan by the version that a run began with, if it is still known: for its callables."""
        if next(plan_.callables(), None) is None:
            return None
        with suppress(PlanError, WorkflowConflictError, WorkflowFileError, WorkflowNotFoundError):
            return self._planned_as(self.workflows.get(name, version), plan_)
        return None

    async def fork(
        self,
        thread_id: str,
        *,
        checkpoint_id: str | None = None,
        new_thread_id: str | None = None,
        inputs: Mapping[str, Mapping[str, Any]] | None = None,
        user: str | None = None,
    ) -> str:
        """Make a new thread that begins at a moment of another's run; `resume` runs it.

        What had succeeded by then stands. Everything else is done anew, under idempotency
        keys of its own, and whoever approved something of the old run is asked again.

        Args:
            thread_id: Whose run.
            checkpoint_id: Which moment, from `timeline`; by default the latest.
            new_thread_id: Of the fork; by default a new one.
            inputs: New input data for tasks that are done anew, by task id.
            user: Who asks for the fork; needed with `inputs` where the old run has a user.

        Returns:
            The new thread's id.

        Raises:
            ThreadNotFoundError, ForkError: Nothing was made.
            ThreadBusyError, ThreadPendingError: The new id is taken.
        """
        check_thread_id(new_thread_id)
        engine = await self._engine()
        made = new_id() if new_thread_id is None else new_thread_id
        await engine.fork(
            thread_id,
            made,
            run_id=new_id(),
            checkpoint_id=checkpoint_id,
            inputs=inputs or {},
            user=user,
        )
        return made

    def drain(self) -> None:
        """Let every run of this coordinator stop at its next superstep, as for SIGTERM.

        Whoever awaits one gets a `DrainedError`; its thread can be resumed anywhere. Nothing
        new begins. Call it from the event loop that runs them.
        """
        if self._opened is not None:
            self._opened.drain()

    async def stream(
        self,
        tasks: Sequence[Task] | Workflow | str,
        *,
        strategy: CoordinationStrategy | str | None = None,
        router: Router | None = None,
        input_data: Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> AsyncGenerator[WorkflowEvent]:
        """Run tasks and yield what happens, in order; the last event holds the result.

        Each event is in the database before it is yielded, so a stream that was cut, here or by
        the death of this process, goes on with `resume_stream`. A slow reader does not hold up
        the run. Leaving the iteration early stops the run where it stands.

        Args:
            tasks: What to do: tasks, a definition, or the name of one as in `execute`. A
                definition says by itself what the next three are for.
            strategy: By default sequential.
            router: Of conditional tasks.
            input_data: What the router sees.
            parameters: Of a definition.
            options: See `RunOptions`.
        """
        await self.know_agents()
        if isinstance(tasks, Workflow | str):
            refuse_twice(strategy, router, input_data)
            planned, work = self._plan_workflow(tasks, parameters, options)
        else:
            strategy = CoordinationStrategy.SEQUENTIAL if strategy is None else strategy
            planned, work = self._plan(tasks, strategy, router, input_data, options), tasks
        parts = local_parts(planned, work)
        async with aclosing(await self._streamed(options.get("thread_id"), planned, parts)) as told:
            async for event in told:
                yield event

    async def stream_planned(
        self, planned: Planned, *, thread_id: str | None = None
    ) -> AsyncGenerator[WorkflowEvent]:
        """Run a plan and yield what happens, as `stream` does."""
        async with aclosing(await self._streamed(thread_id, planned, local_parts(planned))) as told:
            async for event in told:
                yield event

    async def _streamed(
        self, thread_id: str | None, planned: Planned, parts: LocalParts
    ) -> AsyncGenerator[WorkflowEvent]:
        """What happens in a run of a plan, which begins when it is read."""
        engine = await self._engine()
        chosen = thread_id or new_id()
        begin = partial(self._start, chosen, planned, parts._replace(streamed=True))
        return engine.streams.begin(RunKey(chosen, planned.plan.run_id), begin)

    async def resume_stream(  # noqa: PLR0913  those of `resume`, and `after`
        self,
        thread_id: str,
        decisions: Mapping[str, object] | None = None,
        *,
        after: int = 0,
        by: str | None = None,
        roles: Collection[str] = (),
        as_begun: bool = False,
    ) -> AsyncGenerator[WorkflowEvent]:
        """Yield the events of a thread's run after one of them, run it on, and yield what comes.

        What was told before, here or in a process that died, is not told again, and nothing is
        left out: the events are those of a stream that was never cut. A run that another
        process runs is followed, and taken over if that process dies. It ends when the run is
        over or pauses; where nothing came after, it yields nothing. Leaving the iteration early
        stops what runs here, as with `stream`. The events of a run that was not streamed so far
        begin with what its checkpoints know.

        Args:
            thread_id: Any thread of the database; of its runs, it is the last.
            decisions: As for `resume`.
            after: The `sequence` of the last event that you have; 0 for all.
            by: As for `resume`, as are the others.
            roles: What they are.
            as_begun: Under which version of its workflow it goes on.

        Raises:
            BadSequenceError: The run has no such event.
            EventsGoneError: `after` is too long ago, for a database in memory.
            ThreadNotFoundError, AlreadyDecidedError, NotAllowedError, DecisionError,
                UpgradeError, CallableLostError: As for `resume`.
        """
        engine = await self._engine()

        async def go_on(is_first: bool) -> WorkflowResult:  # noqa: FBT001
            return await self._resume(
                thread_id,
                decisions if is_first else None,  # they are recorded, whoever runs the thread
                Decider(by, tuple(roles)),
                as_begun=as_begun,
                streamed=True,
            )

        async with aclosing(engine.streams.go_on(thread_id, go_on, after=after)) as told:
            async for event in told:
                yield event

    def compile(
        self,
        tasks: Sequence[Task] | Workflow | str,
        *,
        strategy: CoordinationStrategy | str | None = None,
        router: Router | None = None,
        parameters: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> CompiledPlan:
        """Return the LangGraph graph itself, to draw, to invoke (`ainvoke({})`), to embed.

        Each invocation is a run of its own. The graph has no checkpointer, so it can be
        embedded in others, and nothing of this coordinator's database or leases.
        """
        from graph.compiler import compile_template  # noqa: PLC0415  LangGraph is heavy
        from nodes.middleware import Chain  # noqa: PLC0415
        from nodes.run_handle import RunHandle  # noqa: PLC0415

        if isinstance(tasks, Workflow | str):
            refuse_twice(strategy, router, None)
            planned, _ = self._plan_workflow(tasks, parameters, options)
        else:
            strategy = CoordinationStrategy.SEQUENTIAL if strategy is None else strategy
            planned = self._plan(tasks, strategy, router, None, options)
        registry, slots = self.registry, self._slots

        def make_handle() -> RunHandle:
            layers = self._wrap(planned.plan, {}, ExitStack())
            chain = Chain(layers) if layers else None
            callables = planned.callables
            return RunHandle(agents=registry, callables=callables, slots=slots, chain=chain)

        return compile_template(planned.plan, make_handle)

    # -- looking -------------------------------------------------------------------------

    @property
    def approvals(self) -> ApprovalInbox:
        """What waits for a person in this coordinator's database."""
        from orchestration.approvals import ApprovalInbox  # noqa: PLC0415  imports this module

        return ApprovalInbox(self)

    @property
    def announcer(self) -> Announcer:
        """Tells people what happens to requests.

        Raises:
            ConfigurationError: The environment asks for what cannot be.
        """
        if self._announcer is None:
            self._announcer = Announcer(self._notifier or notifier_from_environment())
        return self._announcer

    def get_execution_stats(self) -> dict[str, Any]:
        """Count what this coordinator did in this process.

        Returns `total_executions`, `avg_time_ms`, `strategies_used` (strategy to count) and
        `statuses` (workflow status to count).
        """
        return self._stats.summary()

    # -- closing -------------------------------------------------------------------------

    def close(self) -> None:
        """Close the database; a later use opens it again."""
        with self._opening:
            if self._closer is not None:
                self._closer()
            self._opened = self._closer = self._traffic = None

    async def __aenter__(self) -> Self:
        if self.registry.needs_upkeep:
            self._upkeep = await self.registry.upkeep().__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._upkeep is not None:
            upkeep, self._upkeep = self._upkeep, None
            await upkeep.__aexit__(kind, error, trace)
        await self.registry.settle()
        await asyncio.to_thread(self.close)

    # -- inside --------------------------------------------------------------------------

    def _wrap(
        self, plan_: Plan, known: Mapping[str, Outcome], ending: ExitStack, /
    ) -> Sequence[Middleware]:
        """Say what runs around the calls of a run."""
        asked = plan_.traits.wrapped or self.registry.has_settings
        if self._optimizer is None and not asked:
            return ()
        return self.optimizer.layers(plan_, known, ending, agents=self.registry)

    def _plan(
        self,
        tasks: Sequence[Task],
        strategy: CoordinationStrategy | str,
        router: Router | None,
        input_data: Mapping[str, Any] | None,
        options: RunOptions,
    ) -> Planned:
        check_options(options)
        request = PlanRequest(
            tasks=tasks,
            strategy=strategy,
            router=router,
            router_input=input_data,
            on_failure=options.get("on_failure"),
            aggregate=options.get("aggregate"),
            tenant=options.get("tenant"),
            user=options.get("user"),
            supervisor=options.get("supervisor"),
            start=options.get("start"),
            until=options.get("until"),
            max_turns=options.get("max_turns", DEFAULT_TURNS),
            session=options.get("session", False),
            retry_budget=options.get("retry_budget"),
            budget=options.get("budget"),
        )
        return self.planned(request)

    def _plan_workflow(
        self,
        workflow: Workflow | str,
        parameters: Mapping[str, Any] | None,
        options: RunOptions,
    ) -> tuple[Planned, Sequence[Task]]:
        """Plan a definition; also return its tasks, which take over what becomes of them."""
        check_options(options)
        if not isinstance(workflow, str | Workflow):
            message = f"the workflow is {described(workflow)}; give a Workflow, or the name of one"
            raise PlanError([Problem("bad_workflow", message)])
        if isinstance(workflow, str):
            name, _, version = workflow.partition("@")
            workflow = self.workflows.get(name, version or None)
        request = plan_request(workflow, parameters=parameters, options=options)
        return self.planned(request), workflow.tasks

    def _execute(
        self,
        tasks: Sequence[Task],
        strategy: CoordinationStrategy | str,
        router: Router | None,
        input_data: Mapping[str, Any] | None,
        options: RunOptions,
    ) -> Coroutine[Any, Any, WorkflowResult]:
        """Plan tasks; return the run, so that no frame more stands between it and its caller."""
        planned = self._plan(tasks, strategy, router, input_data, options)
        return self._start(options.get("thread_id"), planned, local_parts(planned, tasks))

    async def _start(
        self,
        chosen_id: str | None,
        planned: Planned,
        parts: LocalParts,
        *,
        only_new: bool = False,
    ) -> WorkflowResult:
        engine = await self._engine()
        strategy, begun = str(planned.plan.strategy), time.perf_counter()
        status = "error"
        try:
            result = await engine.start(
                chosen_id or new_id(),
                planned.plan,
                parts,
                new_id=chosen_id is None,
                only_new=only_new,
            )
            status = str(result.status)
        except ThreadExistsError:  # a batch asked whether it is there; nothing was executed
            status = ""
            raise
        finally:
            if status:
                self._stats.record(strategy, status, time.perf_counter() - begun)
        self._remember(result, parts)
        await self.registry.flush()
        await self.announcer.settle()
        return result

    def _remember(self, result: WorkflowResult, parts: LocalParts) -> None:
        """Keep the live parts of a run while it waits for a person."""
        if result.status == WorkflowStatus.INTERRUPTED:
            self._unfinished[result.thread_id] = parts
        else:
            self._unfinished.pop(result.thread_id, None)

    async def know_agents(self) -> None:
        """Know which agents there are now, and what others know of them; runs do so too."""
        if self._traffic is not None:
            self.registry.share(self._traffic)
        await self.registry.sync()

    async def _engine(self) -> EmbeddedEngine:
        if self._opened is None:
            engine = await asyncio.to_thread(self._open)
            await self.know_agents()
            return engine
        return self._opened

    def _open(self) -> EmbeddedEngine:
        """Open the database; LangGraph is imported only now."""
        from checkpoints.database import open_database  # noqa: PLC0415
        from checkpoints.history import HistoryPolicy, keep_runs_setting  # noqa: PLC0415
        from nodes.run_handle import SystemClock  # noqa: PLC0415
        from orchestration.engines.embedded import EmbeddedEngine  # noqa: PLC0415

        with self._opening:
            if self._opened is not None:
                return self._opened
            announcer = self.announcer
            policy = HistoryPolicy(keep_runs_setting(self._keep_runs), self._history_window)
            database = open_database(self._database_url, history=policy, clock=self._clock)
            self._traffic = database.traffic if database.durable else None
            self._closer = weakref.finalize(
                self, close_database, self.registry, database.traffic, database.close
            )
            self._opened = EmbeddedEngine(
                database,
                self.registry,
                slots=self._slots,
                lease=self._lease_seconds,
                clock=SystemClock(self._clock),
                announce=announcer,
                current=self._current,
                called=named_database(self._database_url),
                wrap=self._wrap,
            )
            return self._opened


def close_database(
    registry: AgentRegistry, traffic: TrafficStore, close: Callable[[], None]
) -> None:
    """Close a database that the registry may share."""
    registry.unshare(traffic)
    close()


def named_database(url: str | None) -> str | None:
    """How commands in messages name a database: not at all by default, or with a password."""
    return None if url is None or "@" in url else url
