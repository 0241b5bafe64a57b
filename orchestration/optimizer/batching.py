"""Several calls of tools at once: ordered results, and one that fails does not sink the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from orchestration.optimizer.batchable import own_copy
from orchestration.optimizer.calling import call, is_control_flow
from orchestration.optimizer.tool_calls import ToolCall, canonical, close_unrun, read_calls
from orchestration.optimizer.tools import Tools
from state.errors import ConfigurationError, ToolNotFoundError, ToolTimeoutError
from state.jsonvalue import described

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from orchestration.optimizer.tool_calls import Call, ReadCall

DEFAULT_CONCURRENCY: Final = 8


class BatchResults(list[Any]):
    """What calls returned, in their order; where one failed, its exception stands in its place."""

    def __init__(self, ran: Sequence[_Ran], *, calls: int) -> None:
        super().__init__(each.value if each.error is None else each.error for each in ran)
        self.failures: Mapping[int, BaseException] = {
            position: each.error for position, each in enumerate(ran) if each.error is not None
        }
        """Exceptions by position."""
        self.seconds = tuple(each.seconds for each in ran)
        """How long each call took, without waiting for its turn; 0 for one that was not begun."""
        self.calls = calls
        """How many different calls there were."""


class _Ran(NamedTuple):
    """What became of one call."""

    value: object
    error: BaseException | None
    seconds: float


@dataclass(slots=True)
class _Job:
    """One call that is to be made, and the positions that want what it returns."""

    work: Callable[[], Awaitable[Any]]
    is_batched: bool = False
    positions: list[int] = field(default_factory=list)
    begun: float | None = None
    """When its tool was called."""


class _Limits(NamedTuple):
    slots: asyncio.Semaphore
    seconds: float | None
    """For each call."""


async def batch_tool_calls(
    calls: Iterable[Call],
    *,
    tools: Tools | None = None,
    max_concurrency: int = DEFAULT_CONCURRENCY,
    call_timeout: timedelta | None = None,
    total_timeout: timedelta | None = None,
) -> BatchResults:
    """Make calls at the same time, and return what they came to, in their order.

    A call is a function without arguments (a sync one runs in a thread), an awaitable, or a call
    of a registered tool: a `ToolCall`, or LangChain's or OpenAI's dict. Equal calls of a tool are
    made once if it is read-only or if they carry the same id; anything else is done as often as
    it is given, and an awaitable once. If the caller is cancelled, so are the calls, and awaited.

    Args:
        calls: What to do.
        tools: The tools that calls name.
        max_concurrency: Calls at the same time; those of a batchable tool don't count.
        call_timeout: For each call, from when it begins.
        total_timeout: For all of them together.

    Returns:
        The values; where a call failed, its exception, as with
        `asyncio.gather(return_exceptions=True)`. See `BatchResults`.

    Raises:
        ToolCallError: Something is no call. No call was made.
        ConfigurationError: A limit cannot be. No call was made.
    """
    given = [*calls]
    try:
        seconds = _seconds(call_timeout, "call_timeout")
        total = _seconds(total_timeout, "total_timeout")
        if max_concurrency < 1:
            raise ConfigurationError(f"max_concurrency is {max_concurrency}; give at least 1")
        jobs = _jobs(read_calls(given), tools or Tools())
        limits = _Limits(asyncio.Semaphore(max_concurrency), seconds)
        ran = await _run(jobs, limits, total)
    finally:
        close_unrun(given)
    return _in_order(jobs, ran, len(given))


def _seconds(timeout: timedelta | None, name: str) -> float | None:
    if timeout is None:
        return None
    if not isinstance(timeout, timedelta) or timeout <= timedelta(0):
        said = timeout if isinstance(timeout, timedelta) else described(timeout)
        raise ConfigurationError(f"{name} is {said}; give a timedelta above 0, or None")
    return timeout.total_seconds()


def _jobs(calls: Sequence[ReadCall], tools: Tools) -> list[_Job]:
    """Find the calls that are to be made."""
    jobs: dict[object, _Job] = {}
    for position, each in enumerate(calls):
        key, job = _job(each, tools)
        jobs.setdefault(position if key is None else key, job).positions.append(position)
    return [*jobs.values()]


def _job(given: ReadCall, tools: Tools) -> tuple[object, _Job]:
    """Say what a call does, and by what it is known where equal ones are one; None: they aren't."""
    if not isinstance(given, ToolCall):
        if isinstance(given, Awaitable):
            return ("awaitable", id(given)), _Job(partial(_awaited, given))
        return None, _Job(partial(call, given))
    try:
        tool = tools.get(given.name)
    except ToolNotFoundError as error:
        return None, _Job(partial(_failing, error))
    job = _Job(partial(tool.call, given.arguments), tool.is_batched)
    arguments = canonical(given.arguments)
    if arguments is None or not (tool.read_only or given.call_id):
        return None, job
    return (given.name, arguments, None if tool.read_only else given.call_id), job


async def _awaited(given: Awaitable[Any]) -> Any:  # noqa: ANN401  whatever it gives
    return await given


async def _failing(error: Exception) -> None:
    raise error


async def _run(jobs: Sequence[_Job], limits: _Limits, total: float | None) -> list[_Ran]:
    """Do all jobs; what is not done in time fails."""
    tasks = [asyncio.ensure_future(_done(job, limits)) for job in jobs]
    if not tasks:
        return []
    try:
        finished, _ = await asyncio.wait(tasks, timeout=total, return_when=asyncio.FIRST_EXCEPTION)
        for task in finished:
            task.result()  # raises control flow
    finally:
        await _stop(tasks)
    late = 0.0 if total is None else total
    return [_result(task, job, late) for task, job in zip(tasks, jobs, strict=True)]


def _result(task: asyncio.Task[_Ran], job: _Job, total: float) -> _Ran:
    if not task.cancelled():
        return task.result()
    spent = 0.0 if job.begun is None else time.perf_counter() - job.begun
    return _Ran(None, ToolTimeoutError(total, begun=job.begun is not None), spent)


async def _stop(tasks: Sequence[asyncio.Task[_Ran]]) -> None:
    """Cancel what still runs and wait for its end, however often this task is cancelled."""
    for each in tasks:
        each.cancel()
    cancelled = None
    while running := [each for each in tasks if not each.done()]:
        try:
            await asyncio.wait(running)
        except asyncio.CancelledError as error:
            cancelled = error
    for each in tasks:
        if not each.cancelled():
            each.exception()  # or asyncio complains that nobody looked at it
    if cancelled is not None:
        raise cancelled


async def _done(job: _Job, limits: _Limits) -> _Ran:
    """Make one call, and say what became of it; control flow is raised."""
    slot: AbstractAsyncContextManager[object] = nullcontext() if job.is_batched else limits.slots
    async with slot:
        job.begun = time.perf_counter()
        value, error = await _value(job, limits.seconds)
        return _Ran(value, error, time.perf_counter() - job.begun)


async def _value(job: _Job, seconds: float | None) -> tuple[object, BaseException | None]:
    scope = asyncio.timeout(seconds)
    try:
        async with scope:
            return await job.work(), None
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return None, error  # what it waited for was cancelled, and not this call
    except Exception as error:
        if is_control_flow(error):
            raise
        if seconds is not None and scope.expired():
            return None, ToolTimeoutError(seconds)
        return None, error


def _in_order(jobs: Sequence[_Job], ran: Sequence[_Ran], total: int) -> BatchResults:
    by_position: dict[int, _Ran] = {}
    for job, each in zip(jobs, ran, strict=True):
        first, *others = job.positions
        by_position[first] = each
        for position in others:
            by_position[position] = each._replace(value=own_copy(each.value))
    return BatchResults([by_position[position] for position in range(total)], calls=len(jobs))
