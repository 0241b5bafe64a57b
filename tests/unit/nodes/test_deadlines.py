from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from state.failure_mode import quorum
from state.status import TaskStatus
from state.task import AgentTask

if TYPE_CHECKING:
    from tests.unit.nodes.conftest import Bench

Input = dict[str, Any]
ONE_BY_ONE: dict[str, Any] = {"strategy": "sequential"}
PARALLEL: dict[str, Any] = {"strategy": "parallel"}
GUARDED: dict[str, Any] = {"strategy": "parallel", "on_failure": "fail_fast"}
every_way = pytest.mark.parametrize(
    "way",
    [pytest.param(way, id="-".join(way.values())) for way in (ONE_BY_ONE, PARALLEL, GUARDED)],
)


async def never(_input: Input) -> Input:
    await asyncio.Event().wait()
    return {}


@every_way
async def test_no_answer_before_the_deadline_is_a_timeout(
    bench: Bench, way: dict[str, Any]
) -> None:
    bench.hire(a=never)
    task = (await bench.run(AgentTask("a", timeout=0.01), **way))["a"]
    assert task.error is not None
    assert (task.status, task.error["code"]) == (TaskStatus.TIMED_OUT, "agent_timed_out")
    assert "within 0.01 s" in task.error["message"]


@every_way
async def test_an_agents_own_timeout_is_a_timeout(bench: Bench, way: dict[str, Any]) -> None:
    async def impatient(_input: Input) -> Input:
        async with asyncio.timeout(0.001):
            return await never({})

    bench.hire(a=impatient)
    task = (await bench.run(AgentTask("a", timeout=60), **way))["a"]
    assert task.error is not None
    assert (task.status, task.error["type"]) == (TaskStatus.TIMED_OUT, "TimeoutError")


async def test_a_call_past_its_deadline_has_ended_when_its_task_has(bench: Bench) -> None:
    told_before_the_end: list[list[tuple[str, str]]] = []

    async def tidy(_input: Input) -> Input:
        try:
            return await never({})
        finally:
            await asyncio.sleep(0)
            told_before_the_end.append([*bench.told])

    bench.hire(a=tidy)
    await bench.run(AgentTask("a", timeout=0.01), **GUARDED)
    assert told_before_the_end == [[]]


class Stubborn:
    """Does not let itself be cancelled; answers when it likes."""

    def __init__(self) -> None:
        self.begun, self.done = asyncio.Event(), asyncio.Event()

    async def __call__(self, _input: Input) -> Input:
        asyncio.get_running_loop().call_later(2.0, self.done.set)
        self.begun.set()
        while not self.done.is_set():
            try:
                await self.done.wait()
            except asyncio.CancelledError:
                continue
        return {"late": True}


@every_way
async def test_an_answer_after_the_deadline_is_a_timeout_in_every_mode(
    bench: Bench, way: dict[str, Any]
) -> None:
    bench.hire(a=Stubborn())
    task = (await bench.run(AgentTask("a", timeout=0.01), **way))["a"]
    assert task.status == TaskStatus.TIMED_OUT


async def test_a_quorum_does_not_wait_for_who_will_not_be_cancelled(bench: Bench) -> None:
    stubborn = Stubborn()

    async def quick(_input: Input) -> Input:
        await stubborn.begun.wait()
        return {}

    bench.hire(a=stubborn, b=quick)
    await bench.run(AgentTask("a"), AgentTask("b"), strategy="parallel", on_failure=quorum(1))
    assert not stubborn.done.is_set()
