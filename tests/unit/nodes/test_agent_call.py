from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from state.agent_context import AgentContext
from state.errors import AgentError, AgentRefusedError
from state.status import TaskStatus, WorkflowStatus
from state.task import AgentTask

if TYPE_CHECKING:
    from tests.unit.nodes.conftest import Bench

Input = dict[str, Any]
PARALLEL: dict[str, Any] = {"strategy": "parallel"}
ONE_BY_ONE: dict[str, Any] = {"strategy": "sequential"}
GUARDED: dict[str, Any] = {"strategy": "parallel", "on_failure": "fail_fast"}
WAYS = [pytest.param(way, id="-".join(way.values())) for way in (ONE_BY_ONE, PARALLEL, GUARDED)]
every_way = pytest.mark.parametrize("way", WAYS)


async def never(_input: Input) -> Input:
    await asyncio.Event().wait()
    return {}


async def refuse(_input: Input) -> NoReturn:
    raise AgentRefusedError("only 3 seats are left")


async def break_down(_input: Input) -> NoReturn:
    raise KeyError("seat")


async def give_up(_input: Input) -> NoReturn:
    raise asyncio.CancelledError


@every_way
async def test_an_answer_is_a_success(bench: Bench, way: dict[str, Any]) -> None:
    async def agent(given: Input, context: AgentContext) -> Input:
        return {"given": given, "key": context.idempotency_key, "attempt": context.attempt}

    bench.hire(a=agent)
    result = await bench.run(AgentTask("a", {"x": 1}), **way)
    assert result.status == WorkflowStatus.COMPLETED
    assert result["a"].output == {"given": {"x": 1}, "key": "run:a", "attempt": 1}
    assert (result["a"].agent, result["a"].version, result["a"].attempts) == ("a", "1", 1)
    assert bench.told == [("a", "succeeded")]


def sync_agent(given: Input) -> Input:
    return {"thread": threading.current_thread().name, **given}


@every_way
async def test_a_sync_agent_works_beside_the_loop(bench: Bench, way: dict[str, Any]) -> None:
    bench.hire(a=sync_agent)
    result = await bench.run(AgentTask("a", {"x": 1}), **way)
    assert result["a"].output["x"] == 1
    assert result["a"].output["thread"] != threading.main_thread().name


def sync_break_down(_input: Input) -> NoReturn:
    raise KeyError("seat")


@every_way
@pytest.mark.parametrize(
    ("agent", "code", "words"),
    [
        pytest.param(break_down, "agent_raised", "'seat'", id="raised"),
        pytest.param(sync_break_down, "agent_raised", "'seat'", id="raised in a thread"),
        pytest.param(refuse, "agent_refused", "only 3 seats", id="refused"),
        pytest.param(give_up, "agent_failed", "cancelled itself", id="gave up"),
        pytest.param(lambda _: [1], "unknown_reply", "is a list", id="list"),
        pytest.param(lambda _: None, "unknown_reply", "NoneType", id="nothing"),
        pytest.param(lambda _: "done", "unknown_reply", "is a str", id="text"),
        pytest.param(lambda _: {1: 2}, "unknown_reply", "key 1", id="number as key"),
        pytest.param(lambda _: {"x": {1}}, "unknown_reply", "'a'.x is a set", id="set"),
        pytest.param(lambda _: {"x": float("nan")}, "unknown_reply", "nan", id="nan"),
    ],
)
async def test_what_goes_wrong_is_an_outcome(
    bench: Bench, agent: object, code: str, words: str, way: dict[str, Any]
) -> None:
    bench.hire(a=agent)
    task = (await bench.run(AgentTask("a"), **way))["a"]
    assert task.error is not None
    assert (task.status, task.error["code"], task.attempts) == (TaskStatus.FAILED, code, 1)
    assert words in task.error["message"]


class Hangup(BaseException):
    """Like KeyboardInterrupt, but no debugger or runner minds it."""


async def hang_up(_input: Input) -> NoReturn:
    raise Hangup


@pytest.mark.parametrize("way", WAYS[:2])
async def test_what_is_no_exception_of_the_agents_is_not_swallowed(
    bench: Bench, way: dict[str, Any]
) -> None:
    bench.hire(a=hang_up)
    with pytest.raises(Hangup):
        await bench.run(AgentTask("a"), **way)


def test_a_keyboard_interrupt_reaches_the_caller(bench: Bench) -> None:
    async def interrupted(_input: Input) -> NoReturn:
        raise KeyboardInterrupt

    bench.hire(a=interrupted)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(bench.run(AgentTask("a")))


async def test_cancelling_the_run_cancels_its_agent(bench: Bench) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def agent(_input: Input) -> Input:
        begun.set()
        try:
            return await never({})
        finally:
            ended.set()

    bench.hire(a=agent)
    run = asyncio.ensure_future(bench.run(AgentTask("a"), **GUARDED))
    await begun.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert ended.is_set()


async def test_an_agent_unregistered_meanwhile_is_a_failure(bench: Bench) -> None:
    async def dismiss(_input: Input) -> Input:
        bench.agents.unregister("b")
        return {}

    bench.hire(a=dismiss, b=refuse)
    result = await bench.run(AgentTask("a"), AgentTask("b"))
    assert result["b"].error is not None
    assert result["b"].error["code"] == "agent_not_found"


async def test_a_context_says_who_asks_and_until_when(bench: Bench) -> None:
    seen: list[AgentContext] = []

    async def agent(_input: Input, context: AgentContext) -> Input:
        seen.append(context)
        return {"n": len(seen)}

    bench.hire(a=agent)
    tasks = [AgentTask("a"), AgentTask("a", timeout=5)]
    await bench.run(*tasks, tenant="acme", user="ann")
    first, second = seen
    assert (first.thread_id, first.run_id, first.tenant, first.user) == (
        "thread", "run", "acme", "ann",
    )  # fmt: skip
    assert (first.deadline, second.deadline) == (None, bench.clock.now() + 5)
    assert (first.upstream, second.upstream) == ({}, {"a": {"n": 1}})


class SilentError(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


class RemoteError(Exception):
    """Like `grpc.RpcError`."""

    def code(self) -> int:
        return 5


@pytest.mark.parametrize("error", [SilentError(), RemoteError(), AgentError(404)])  # type: ignore[arg-type]  # on purpose
async def test_no_exception_of_an_agent_breaks_the_run(bench: Bench, error: Exception) -> None:
    async def agent(_input: Input) -> NoReturn:
        raise error

    bench.hire(a=agent)
    assert (await bench.run(AgentTask("a")))["a"].status == TaskStatus.FAILED


async def test_an_agent_cannot_change_what_the_next_attempt_gets(bench: Bench) -> None:
    async def agent(given: Input) -> Input:
        return {"taken": given.pop("action")}

    bench.hire(a=agent)
    tasks = [AgentTask("a", {"action": "buy"})]
    await bench.run(*tasks)
    record, _ = await bench.engine.views.inspect("thread")
    assert record.plan.document["tasks"]["a"]["input"] == {"action": "buy"}


async def test_an_agent_cannot_change_what_another_achieved(bench: Bench) -> None:
    async def make(_input: Input) -> Input:
        return {"items": [1]}

    async def spoil(_input: Input, context: AgentContext) -> Input:
        items = context.upstream["a"]["items"]
        assert isinstance(items, list)
        items.append(2)
        return {}

    bench.hire(a=make, b=spoil)
    assert (await bench.run(AgentTask("a"), AgentTask("b")))["a"].output == {"items": [1]}


async def test_a_stop_iteration_of_a_sync_agent_is_a_failure(bench: Bench) -> None:
    def agent(_input: Input) -> Input:
        nobody: list[Input] = []
        return next(iter(nobody))

    bench.hire(a=agent)
    task = (await bench.run(AgentTask("a", timeout=0.2)))["a"]
    assert task.status == TaskStatus.FAILED
