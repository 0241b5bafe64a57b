from __future__ import annotations

import asyncio
import gc

import pytest

from orchestration.optimizer.retrieval.flights import Flights


class Work:
    """Counts its runs, and goes on when it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.runs = 0
        self.cancelled = 0
        self.may_end = asyncio.Event()
        self.begun = asyncio.Event()
        self._error = error

    async def __call__(self) -> str:
        self.runs += 1
        self.begun.set()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self._error:
            raise self._error
        return "done"


async def begun(flights: Flights[str], work: Work, *, callers: int) -> list[asyncio.Task[str]]:
    tasks = [asyncio.create_task(flights.join("key", work)) for _ in range(callers)]
    await work.begun.wait()
    await asyncio.sleep(0)
    return tasks


async def test_callers_at_the_same_time_share_one_run() -> None:
    work = Work()
    tasks = await begun(Flights(), work, callers=20)
    work.may_end.set()
    assert await asyncio.gather(*tasks) == ["done"] * 20
    assert work.runs == 1


async def test_a_cancelled_first_caller_takes_nobody_elses_result() -> None:
    work = Work()
    first, *others = await begun(Flights(), work, callers=3)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    work.may_end.set()
    assert await asyncio.gather(*others) == ["done"] * 2
    assert work.cancelled == 0


async def test_work_that_nobody_waits_for_is_cancelled_and_the_next_caller_begins_anew() -> None:
    flights, work = Flights[str](), Work()
    tasks = await begun(flights, work, callers=2)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    again = asyncio.create_task(flights.join("key", work))
    work.begun.clear()
    await work.begun.wait()
    work.may_end.set()
    assert await again == "done"
    assert (work.runs, work.cancelled) == (2, 1)


async def test_an_error_reaches_everybody_and_is_not_kept() -> None:
    flights, work = Flights[str](), Work(ValueError("no"))
    tasks = await begun(flights, work, callers=3)
    work.may_end.set()
    errors = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(error) for error in errors] == ["no"] * 3
    with pytest.raises(ValueError, match="no"):
        await flights.join("key", work)
    assert work.runs == 2


async def test_an_error_that_nobody_waits_for_any_more_is_no_complaint() -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    async def stubborn() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("at the end")

    task = asyncio.create_task(Flights[str]().join("key", stubborn))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gc.collect()
    assert complaints == []


async def test_other_keys_are_other_work() -> None:
    flights, work = Flights[str](), Work()
    work.may_end.set()
    await asyncio.gather(flights.join("a", work), flights.join("b", work))
    assert work.runs == 2
