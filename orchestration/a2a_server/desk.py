"""Begins, finds, resumes and cancels the tasks of one thing that is served."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, cast
from weakref import WeakValueDictionary

from a2a.types import Message, Task, TaskState
from a2a.utils.errors import (
    InternalError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)

from checkpoints.threads import RUNNING
from orchestration.a2a.remote_task import OVER
from orchestration.a2a_server.inputs import Given, decisions_in, given_by
from orchestration.a2a_server.runs import Run, Runs
from orchestration.a2a_server.served import key_of
from orchestration.a2a_server.states import TaskIds, questions_of, task_of, working
from orchestration.a2a_server.task_ids import context_of_task, task_id_for
from orchestration.a2a_server.telling import Telling
from state.errors import (
    ThreadBusyError,
    ThreadFinishedError,
    ThreadNotFoundError,
    ThreadPendingError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from orchestration.a2a_server.served import Served
    from orchestration.simple_coordinator import SimpleCoordinator
    from orchestration.workflow_events import WorkflowEvent

CALLER: Final = "a2a"
"""Who asks, as it is recorded; nobody of that name may approve it."""
MOST_RUNS: Final = 1000
"""Of one thing that is served, in one process; see `a2a_app`."""
_MOST_THREADS: Final = 1000
_SOONEST, _LATEST = 0.1, 2.0
"""Seconds between looks at a thread that another process runs."""


class Accepted(NamedTuple):
    """What became of a message."""

    ids: TaskIds
    run: Run | None
    """What goes on; None where nothing does now."""


class Desk:
    """Where messages come in for one agent or workflow.

    A task is a thread of the coordinator, and nothing is kept beside it: a message that comes
    twice finds the thread that it began, also after a restart.

    Args:
        coordinator: Who runs it.
        served: What is served.
        approvals_by: Under which name callers may approve; None if they may not.
        most_runs: That go on at the same time; a message that would begin one more is refused.
    """

    def __init__(
        self,
        coordinator: SimpleCoordinator,
        served: Served,
        *,
        approvals_by: str | None = None,
        most_runs: int = MOST_RUNS,
    ) -> None:
        self._coordinator = coordinator
        self._served = served
        self._approvals_by = approvals_by
        self._most_runs = most_runs
        self._key = key_of(served)
        self._runs = Runs()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def accept(self, message: Message) -> Accepted:
        """Begin the task of a message, or find it; or take its answer to a task's question.

        Raises:
            InvalidParamsError, ContentTypeNotSupportedError: It cannot be read.
            TaskNotFoundError, UnsupportedOperationError: The task that it names takes nothing.
            InternalError: As many tasks as there may be are under way.
        """
        if message.task_id:
            return await self._answer(message)
        given = given_by(message)
        ids = self._ids(task_id_for(message, key=self._key))
        lock = self._locks.setdefault(ids.task_id, asyncio.Lock())
        async with lock:  # or two messages at the same time would both find nothing
            run = self._runs.get(ids.task_id)
            if run is not None:
                return Accepted(ids, run)
            try:
                return await self.found(ids.task_id)
            except TaskNotFoundError:
                return Accepted(ids, self._begin(ids, given))

    async def found(self, task_id: str) -> Accepted:
        """Find a task, and let it go on if the process that ran it is gone.

        Raises:
            TaskNotFoundError: There is none.
        """
        ids = self._ids(task_id)
        run = self._runs.get(task_id)
        if run is None:
            try:
                record = await self._coordinator.thread(task_id)
            except ThreadNotFoundError:
                raise TaskNotFoundError from None
            run = self._runs.get(task_id)
            if run is None and record.status == RUNNING:
                run = self._runs.begin(task_id, partial(self._go_on, ids, None))
        return Accepted(ids, run)

    async def task(self, ids: TaskIds) -> Task:
        """Return how a task stands.

        Raises:
            TaskNotFoundError: There is none.
        """
        try:
            record, result = await self._coordinator.inspect(ids.task_id)
        except ThreadNotFoundError:
            if self._runs.get(ids.task_id) is not None:
                return working(ids)
            raise TaskNotFoundError from None
        return task_of(ids, result, record_status=record.status, updated_at=record.updated_at)

    async def tasks(self) -> list[TaskIds]:
        """Return the tasks there are, the last changed first; of many, the latest."""
        records = await self._coordinator.threads(limit=_MOST_THREADS)
        return [
            self._ids(each.thread_id) for each in records if each.thread_id.startswith(self._key)
        ]

    async def cancel(self, task_id: str) -> Task:
        """Call a task off.

        An agent's call under way is cancelled; a workflow's are awaited, as they may have acted
        and may have to be undone, so its task may still be working when this returns.

        Raises:
            TaskNotFoundError, TaskNotCancelableError: It cannot be.
        """
        ids = self._ids(task_id)
        while True:
            try:
                await self._coordinator.cancel(task_id, by=CALLER, reason="asked for over A2A")
                break
            except ThreadFinishedError:
                raise TaskNotCancelableError from None
            except ThreadNotFoundError:
                run = self._runs.get(task_id)
                if run is None:
                    raise TaskNotFoundError from None
                await run.progress()  # it has only just begun
        stops = self._served.stops_at_once and self._runs.get(task_id) is not None
        if stops and await self._runs.stop(task_id):
            await self._runs.begin(task_id, partial(self._go_on, ids, None)).ended()
        return await self.task(ids)

    async def resume_all(self) -> None:
        """Let all go on that was running when its process ended."""
        records = await self._coordinator.threads(limit=_MOST_THREADS, status=RUNNING)
        for record in records:
            if record.thread_id.startswith(self._key):
                await self.found(record.thread_id)

    async def close(self) -> None:
        """Stop all runs where they stand; they can be resumed."""
        await self._runs.close()

    def _ids(self, task_id: str) -> TaskIds:
        return TaskIds(task_id, context_of_task(task_id, key=self._key))

    async def _answer(self, message: Message) -> Accepted:
        ids = self._ids(message.task_id)
        task = await self.task(ids)
        if message.context_id and message.context_id != ids.context_id:
            raise TaskNotFoundError
        state = task.status.state
        if state != TaskState.TASK_STATE_INPUT_REQUIRED or self._runs.get(ids.task_id):
            why = "is over" if state in OVER else "does not wait for an answer now"
            raise UnsupportedOperationError(f"task {ids.task_id} {why}; send a new message")
        result = await self._coordinator.get_state(ids.task_id)
        approves = self._approvals_by is not None
        decisions = decisions_in(message, questions_of(result), approves=approves)
        work = partial(self._go_on, ids, decisions)
        return Accepted(ids, self._runs.begin(ids.task_id, work))

    def _begin(self, ids: TaskIds, given: Given) -> Run:
        if len(self._runs) >= self._most_runs:
            raise InternalError(
                f"{len(self._runs)} tasks are under way, and no more are taken now; send the "
                "message again later, nothing was done"
            )
        return self._runs.begin(ids.task_id, partial(self._start, ids, given))

    async def _start(self, ids: TaskIds, given: Given, run: Run) -> None:
        telling = Telling(run, ids)
        events = self._served.run(given, thread_id=ids.task_id, user=CALLER)
        try:
            async with aclosing(cast("AsyncGenerator[WorkflowEvent, None]", events)) as stream:
                async for event in stream:
                    telling.take(event)
        except (ThreadBusyError, ThreadPendingError):  # another process was faster
            await self._go_on(ids, None, run)
        else:
            telling.close(await self.task(ids))

    async def _go_on(self, ids: TaskIds, decisions: dict[str, object] | None, run: Run) -> None:
        """Resume a thread; while another process runs it, wait for that."""
        run.tell(await self.task(ids))
        pause = _SOONEST
        while True:
            try:
                by = self._approvals_by or CALLER
                await self._coordinator.resume(ids.task_id, decisions, by=by)
                break
            except ThreadBusyError:
                decisions = None  # they are recorded
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LATEST)
        Telling(run, ids).close(await self.task(ids))
