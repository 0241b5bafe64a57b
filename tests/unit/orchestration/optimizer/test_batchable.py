"""Backends that take many calls at once."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine
from typing import Any, cast

import pytest

from orchestration.optimizer.batchable import Batchable, batchable
from state.errors import ConfigurationError, ToolBackendError


class Backend:
    """Notes its batches; answers with squares."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate: asyncio.Event | None = None
        self.asked = asyncio.Event()

    async def load(self, calls: list[dict[str, Any]]) -> list[Any]:
        self.batches.append([each["n"] for each in calls])
        self.asked.set()
        if self.gate is not None:
            await self.gate.wait()
        return [each["n"] ** 2 if each["n"] >= 0 else ValueError(each["n"]) for each in calls]


async def every(*calls: Coroutine[Any, Any, Any]) -> list[Any]:
    return list(await asyncio.gather(*calls, return_exceptions=True))


@pytest.fixture
def backend() -> Backend:
    return Backend()


async def test_calls_of_several_tasks_within_a_window_are_one(backend: Backend) -> None:
    tool = batchable(backend.load, window_seconds=0.001)

    async def run(n: int) -> object:
        await asyncio.sleep(0)
        return await tool(n=n)

    assert await asyncio.gather(*map(run, range(5))) == [0, 1, 4, 9, 16]
    assert backend.batches == [[0, 1, 2, 3, 4]]


async def test_a_full_batch_goes_at_once_and_the_rest_with_the_window(backend: Backend) -> None:
    tool = batchable(backend.load, max_size=2, window_seconds=0.001)
    assert await asyncio.gather(*(tool(n=n) for n in range(5))) == [0, 1, 4, 9, 16]
    assert backend.batches == [[0, 1], [2, 3], [4]]


async def test_nothing_is_remembered_from_one_window_to_the_next(backend: Backend) -> None:
    tool = batchable(backend.load, window_seconds=0, read_only=True)
    assert [await tool(n=3), await tool(n=3)] == [9, 9]
    assert backend.batches == [[3], [3]]


async def test_equal_calls_are_one_only_for_what_is_read_only(backend: Backend) -> None:
    acting = batchable(backend.load, window_seconds=0)
    looking = batchable(backend.load, window_seconds=0, read_only=True)
    assert await every(acting(n=2), acting(n=2)) == [4, 4]
    assert await every(looking(n=2), looking(n=3), looking(n=2)) == [4, 9, 4]
    assert backend.batches == [[2, 2], [2, 3]]


async def test_those_who_share_a_call_get_copies() -> None:
    tool = batchable(lambda calls: [{"n": 1} for _ in calls], window_seconds=0, read_only=True)
    one, other = await asyncio.gather(tool(n=1), tool(n=1))
    one["n"] = 2
    assert other == {"n": 1}


async def test_an_exception_among_the_results_is_raised_to_that_call_alone(
    backend: Backend,
) -> None:
    tool = batchable(backend.load, window_seconds=0)
    good, bad = await every(tool(n=2), tool(n=-2))
    assert good == 4
    assert isinstance(bad, ValueError)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ([1], "got 2 calls and answered 1"),
        ([1, 2, 3], "got 2 calls and answered 3"),
        ({"a": 1, "b": 2}, "a dict instead of a list"),
        ("ab", "a str instead of a list"),
        (None, "a NoneType instead of a list"),
        ([StopIteration(), StopIteration()], "StopIteration"),
    ],
)
async def test_a_backend_that_answers_otherwise_fails_each_call_and_says_why(
    answer: object, text: str
) -> None:
    tool = batchable(lambda _: cast("Any", answer), window_seconds=0)
    for each in await asyncio.gather(tool(n=1), tool(n=2), return_exceptions=True):
        assert isinstance(each, ToolBackendError)
        assert text in str(each)


async def test_a_backend_that_raises_fails_each_call() -> None:
    async def broken(_calls: list[dict[str, Any]]) -> list[Any]:
        raise ConnectionError("gone")

    tool = batchable(broken, window_seconds=0)
    results = await asyncio.gather(tool(n=1), tool(n=2), return_exceptions=True)
    assert [type(each) for each in results] == [ConnectionError, ConnectionError]


async def test_a_backend_that_is_cancelled_leaves_nobody_waiting() -> None:
    async def cancelled(_calls: list[dict[str, Any]]) -> list[Any]:
        raise asyncio.CancelledError

    tool = batchable(cancelled, window_seconds=0)
    with pytest.raises(ToolBackendError, match="stopped before it answered"):
        await tool(n=1)


async def test_a_caller_that_is_cancelled_does_not_cancel_the_batch(backend: Backend) -> None:
    backend.gate = asyncio.Event()
    tool = batchable(backend.load, window_seconds=0, read_only=True)
    first, same, other = (asyncio.ensure_future(tool(n=n)) for n in (1, 1, 2))
    await backend.asked.wait()
    first.cancel()
    backend.gate.set()
    assert [await same, await other] == [1, 4]
    assert first.cancelled()


async def test_what_nobody_wants_any_more_is_not_asked(backend: Backend) -> None:
    tool = batchable(backend.load, window_seconds=0.001)
    gone, alone = (asyncio.ensure_future(tool(n=n)) for n in (1, 2))
    await asyncio.sleep(0)
    gone.cancel()
    assert await alone == 4
    assert backend.batches == [[2]]


async def test_the_backend_sees_no_context_of_any_one_caller() -> None:
    tenant = contextvars.ContextVar("tenant", default="nobody")

    async def load(calls: list[dict[str, Any]]) -> list[str]:
        return [tenant.get()] * len(calls)

    tool = batchable(load, max_size=2, window_seconds=0)
    tenant.set("a")
    assert await tool(n=1) == "nobody"
    assert await every(tool(n=1), tool(n=2)) == ["nobody", "nobody"]


def test_one_tool_serves_loops_one_after_the_other(backend: Backend) -> None:
    tool = batchable(backend.load, window_seconds=0)

    async def both() -> list[Any]:
        return await every(tool(n=1), tool(n=2))

    assert [asyncio.run(both()), asyncio.run(both())] == [[1, 4], [1, 4]]
    assert backend.batches == [[1, 2], [1, 2]]


@pytest.mark.parametrize(
    ("setting", "text"),
    [({"max_size": 0}, "max_size is 0"), ({"window_seconds": -1.0}, "window_seconds is -1.0")],
)
def test_a_setting_that_cannot_be_is_refused(
    backend: Backend, setting: dict[str, Any], text: str
) -> None:
    with pytest.raises(ConfigurationError, match=text):
        Batchable(backend.load, **setting)
