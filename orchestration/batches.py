"""Runs the requests of a batch, several at a time; each on a thread of its own, and once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Callable,
    Iterable,
    Sized,
)
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestration.batch_items import (
    BatchItem,
    BatchProgress,
    BatchResult,
    ItemResult,
    read_request,
)
from orchestration.run_options import check_thread_id
from state.errors import (
    BatchConflictError,
    DrainedError,
    LeaseLostError,
    OrchestrationError,
    PlanError,
    Problem,
    ThreadBusyError,
    ThreadExistsError,
)

if TYPE_CHECKING:
    from checkpoints.threads import ThreadRecord
    from graph.plan_request import Planned
    from orchestration.batch_items import Batch, Request
    from orchestration.engines.local_parts import LocalParts
    from state.plan import Plan
    from state.result import WorkflowResult

FIRST_PAUSE_SECONDS: Final = 0.05
LONGEST_PAUSE_SECONDS: Final = 2.0
"""Between two looks at an item that somebody else runs; each pause is twice the one before."""


class Runs(NamedTuple):
    """What a batch needs of a coordinator."""

    know_agents: Callable[[], Awaitable[None]]
    plan: Callable[[BatchItem], tuple[Planned, LocalParts]]
    start: Callable[[str, Planned, LocalParts], Awaitable[WorkflowResult]]
    """Runs a plan on a new thread; raises `ThreadExistsError` where there is one."""
    resume: Callable[[str, LocalParts], Awaitable[WorkflowResult]]
    thread: Callable[[str], Awaitable[ThreadRecord]]


class _Given(NamedTuple):
    """A request as it was given, whatever it is."""

    value: object


@dataclass(slots=True)
class _Entry:
    """A request that has begun."""

    index: int
    key: str
    thread_id: str
    item: BatchItem
    looks: int = 0
    """How often somebody else was found to run it."""
    made: tuple[Planned, LocalParts] | None = None


async def run_batch(
    runs: Runs, batch: Batch, on_progress: Callable[[BatchProgress], None] | None
) -> BatchResult:
    """Run a batch; see `SimpleCoordinator.execute_many`."""
    running = _Running(runs, batch, on_progress)
    failure: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as group:
            await running.feed(group)
    except BaseExceptionGroup as failures:
        failure = failures.exceptions[0]
    if failure is None:
        failure = running.drained
    if failure is not None:
        failure.add_note(f"It can be gone on with: batch_id={batch.batch_id!r}")
        raise failure
    return BatchResult(batch.batch_id, running.items())


class _Running:
    """A batch under way."""

    def __init__(
        self, runs: Runs, batch: Batch, on_progress: Callable[[BatchProgress], None] | None
    ) -> None:
        self.drained: DrainedError | None = None
        self._runs = runs
        self._batch = batch
        self._tell = on_progress
        self._slots = asyncio.Semaphore(batch.max_concurrency)
        self._begun = 0
        self._ended: dict[int, ItemResult] = {}
        """By index."""
        self._keys: set[str] = set()
        self._statuses: Counter[str] = Counter()

    def items(self) -> tuple[ItemResult, ...]:
        """What became of the requests, in their order."""
        return tuple(self._ended[index] for index in range(self._begun))

    async def feed(self, group: asyncio.TaskGroup) -> None:
        """Begin one request after another; none is taken before there is room for it."""
        async with aclosing(_each(self._batch.requests)) as requests:
            while self.drained is None:
                async with self._slots:
                    pass
                given = None if self.drained is not None else await anext(requests, None)
                if given is None:
                    return
                if (entry := self._entry(given.value)) is not None:
                    await self._slots.acquire()
                    group.create_task(self._run(entry))

    def _entry(self, given: object) -> _Entry | None:
        """Read the next request; None if it is none, which is its end."""
        index, self._begun = self._begun, self._begun + 1
        key = str(index)
        try:
            item = read_request(given)
            key = key if item.key is None else item.key
            self._check_key(key)
        except PlanError as error:
            self._end(ItemResult(index, key, self._thread_id(key), error=error))
            return None
        self._keys.add(key)
        self._progress()
        return _Entry(index, key, self._thread_id(key), item)

    def _check_key(self, key: str) -> None:
        check_thread_id(self._thread_id(key))
        if key in self._keys:
            message = f"another request of the batch has the key {key!r}; give each its own"
            raise PlanError([Problem("same_key", message)])

    def _thread_id(self, key: str) -> str:
        return f"{self._batch.batch_id}:{key}"

    async def _run(self, entry: _Entry) -> None:
        """Run one request to its end; while somebody else runs it, others have its slot."""
        try:
            elsewhere = await self._attempt(entry)
        finally:
            self._slots.release()
        while elsewhere is not None:
            await asyncio.sleep(_pause(elsewhere, entry.looks))
            entry.looks += 1
            async with self._slots:
                elsewhere = await self._attempt(entry)

    async def _attempt(self, entry: _Entry) -> ThreadBusyError | LeaseLostError | None:
        """Run a request as far as can be; return why it has to be looked at again."""
        result: WorkflowResult | None = None
        error: OrchestrationError | None = None
        try:
            result = await self._result(entry)
        except (ThreadBusyError, LeaseLostError) as elsewhere:
            return elsewhere
        except DrainedError as drained:
            self.drained = drained
            return None
        except OrchestrationError as its_own:
            error = its_own
        self._end(ItemResult(entry.index, entry.key, entry.thread_id, result, error))
        return None

    async def _result(self, entry: _Entry) -> WorkflowResult:
        """Begin the request's thread; where there is one, go on with it, or take what it came to.

        Whether it is there is decided in the transaction that makes it, so of several processes
        one begins it.
        """
        if entry.made is None:
            await self._runs.know_agents()
            entry.made = self._runs.plan(entry.item)
            try:
                return await self._runs.start(entry.thread_id, *entry.made)
            except ThreadExistsError:
                pass
        planned, parts = entry.made
        record = await self._runs.thread(entry.thread_id)
        if differences := [*_differences(record.plan, planned.plan)]:
            raise BatchConflictError(entry.thread_id, differences)
        return await self._runs.resume(entry.thread_id, parts._replace(run_id=record.plan.run_id))

    def _end(self, item: ItemResult) -> None:
        self._ended[item.index] = item
        self._statuses[item.status] += 1
        self._progress()

    def _progress(self) -> None:
        if self._tell is None:
            return
        requests, done = self._batch.requests, len(self._ended)
        total = len(requests) if isinstance(requests, Sized) else None
        running, statuses = self._begun - done, dict(self._statuses)
        self._tell(BatchProgress(self._batch.batch_id, done, total, running, statuses))


async def _each(
    requests: Iterable[Request] | AsyncIterable[Request],
) -> AsyncGenerator[_Given, None]:
    if isinstance(requests, AsyncIterable):
        async for each in requests:
            yield _Given(each)
    else:
        for each in requests:
            yield _Given(each)


def _pause(elsewhere: ThreadBusyError | LeaseLostError, looks: int) -> float:
    """In how many seconds to look again: at once when the other's lease ends."""
    pause = min(FIRST_PAUSE_SECONDS * 2.0 ** min(looks, 10), LONGEST_PAUSE_SECONDS)
    if isinstance(elsewhere, ThreadBusyError):
        return min(pause, max(elsewhere.expires_at - time.time(), 0.0) + 0.001)
    return pause


def _differences(stored: Plan, given: Plan) -> Iterable[str]:
    """Say in what a thread's request differs from an item; none if they are the same.

    Of a named workflow there may be a new version meanwhile, which the thread goes on under, or
    was over before.
    """
    before, now = stored.document, given.document
    old, new = before.get("definition"), now.get("definition")
    if (old and old["name"]) != (new and new["name"]):
        yield "workflow"
    elif (old and old["version"]) == (new and new["version"]) and (
        stored.signature() != given.signature()
    ):
        yield "tasks"
    for name in ("parameters", "tenant", "user"):
        if before.get(name) != now.get(name):
            yield name
