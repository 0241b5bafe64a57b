from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from nodes.concurrency import ConcurrencyLimit
from nodes.stop_signal import CancelledByStopError, StopSignal
from state.failure_mode import FailureMode, quorum
from state.outcome import Outcome
from state.retry import RetryPolicy
from state.status import TaskStatus, WorkflowStatus
from state.task import AgentTask

if TYPE_CHECKING:
    from tests.unit.nodes.conftest import Bench

Input = dict[str, Any]
FAIL_FAST = FailureMode("fail_fast")
ALL_OR_NOTHING = FailureMode("all_or_nothing")
DONE = Outcome(status="succeeded", attempts=1, output={})
LOST = Outcome(status="failed", attempts=1)


def signal(mode: FailureMode, known: dict[str, Outcome] | None = None) -> StopSignal:
    document: Any = {"on_failure": mode.document(), "order": ["a", "b", "c"]}
    return StopSignal(document, known or {})


class Slow:
    """Works until it is cancelled, or told to finish."""

    def __init__(self) -> None:
        self.begun, self.finish = asyncio.Event(), asyncio.Event()
        self.cancelled = False

    async def __call__(self, _input: Input) -> Input:
        self.begun.set()
        try:
            await self.finish.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return {"slow": True}


async def test_a_call_is_cut_off_when_the_run_ends() -> None:
    stop, slow = signal(quorum(1)), Slow()
    call = asyncio.ensure_future(stop.guard(slow({})))
    await slow.begun.wait()
    stop.record("b", DONE)
    with pytest.raises(CancelledByStopError, match="quorum of 1 was reached"):
        await call
    assert slow.cancelled


async def test_a_call_begun_after_the_end_is_not_made() -> None:
    stop, slow = signal(quorum(1), {"a": DONE}), Slow()
    with pytest.raises(CancelledByStopError):
        await stop.guard(slow({}))
    assert not slow.begun.is_set()


async def test_all_or_nothing_lets_calls_finish_but_not_waits() -> None:
    stop, slow, wait = signal(ALL_OR_NOTHING), Slow(), Slow()
    call = asyncio.ensure_future(stop.guard(slow({})))
    waiting = asyncio.ensure_future(stop.guard(wait({}), only_waits=True))
    await slow.begun.wait()
    stop.record("b", LOST)
    with pytest.raises(CancelledByStopError):
        await waiting
    slow.finish.set()
    assert await call == {"slow": True}


async def test_a_call_that_cancels_itself_was_not_cut_off() -> None:
    async def give_up() -> NoReturn:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await signal(quorum(1)).guard(give_up())


async def test_cancelling_the_wait_cancels_the_call() -> None:
    stop, slow = signal(quorum(1)), Slow()
    call = asyncio.ensure_future(stop.guard(slow({})))
    await slow.begun.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.sleep(0)
    assert slow.cancelled


async def test_what_was_known_before_a_crash_counts() -> None:
    assert signal(quorum(2), {"a": DONE, "b": DONE}).verdict is not None
    assert signal(FAIL_FAST, {"a": LOST}).verdict is not None
    assert signal(quorum(2), {"a": DONE}).verdict is None


async def succeed(_input: Input) -> Input:
    return {}


async def test_a_quorum_does_not_wait_for_the_slow_third(bench: Bench) -> None:
    slow = Slow()
    bench.hire(a=slow, b=succeed, c=succeed)
    tasks = [AgentTask(id_) for id_ in "abc"]
    async with asyncio.timeout(10):
        result = await bench.run(*tasks, strategy="parallel", on_failure=quorum(2))
    assert (result.status, slow.cancelled) == (WorkflowStatus.COMPLETED, True)
    assert [str(task.status) for task in result] == ["cancelled", "succeeded", "succeeded"]
    assert result["a"].reason == "the quorum of 2 was reached"
    assert result.aggregate == {"b": {}, "c": {}}


async def test_a_quorum_that_can_no_longer_be_reached_cancels_the_rest(bench: Bench) -> None:
    slow = Slow()

    async def fail(_input: Input) -> NoReturn:
        await slow.begun.wait()
        raise RuntimeError("broken")

    bench.hire(a=slow, b=fail, c=fail)
    tasks = [AgentTask(id_) for id_ in "abc"]
    async with asyncio.timeout(10):
        result = await bench.run(*tasks, strategy="parallel", on_failure=quorum(2))
    assert (result.status, slow.cancelled) == (WorkflowStatus.FAILED, True)
    assert "could no longer be reached" in result["a"].reason


async def test_fail_fast_cancels_what_runs_and_skips_what_does_not(bench: Bench) -> None:
    slow = Slow()

    async def fail(_input: Input) -> NoReturn:
        await slow.begun.wait()
        raise RuntimeError("broken")

    bench.hire(a=slow, b=fail, c=succeed)
    tasks = [AgentTask("a"), AgentTask("b"), AgentTask("c", depends_on=["a"])]
    async with asyncio.timeout(10):
        result = await bench.run(*tasks, strategy="parallel", on_failure="fail_fast")
    assert result.status == WorkflowStatus.FAILED
    assert [str(task.status) for task in result] == ["cancelled", "failed", "skipped"]
    assert slow.cancelled


async def test_all_or_nothing_lets_what_runs_finish_and_skips_the_rest(bench: Bench) -> None:
    slow = Slow()

    async def fail(_input: Input) -> NoReturn:
        await slow.begun.wait()
        asyncio.get_running_loop().call_later(0.01, slow.finish.set)
        raise RuntimeError("broken")

    bench.hire(a=slow, b=fail, c=succeed)
    tasks = [AgentTask("a"), AgentTask("b"), AgentTask("c", depends_on=["a"])]
    async with asyncio.timeout(10):
        result = await bench.run(*tasks, strategy="parallel", on_failure="all_or_nothing")
    assert [str(task.status) for task in result] == ["succeeded", "failed", "skipped"]
    assert result["c"].reason == "'b' did not succeed"
    assert result.status == WorkflowStatus.FAILED


@pytest.mark.parametrize(
    ("mode", "succeeds"),
    [
        pytest.param(FAIL_FAST, False, id="fail_fast"),
        pytest.param(quorum(1), True, id="quorum"),
        pytest.param(ALL_OR_NOTHING, False, id="all_or_nothing"),
    ],
)
async def test_what_waits_for_its_turn_is_not_begun_after_the_end(
    bench: Bench, mode: FailureMode, *, succeeds: bool
) -> None:
    calls = []

    async def agent(_input: Input) -> Input:
        calls.append(1)
        await asyncio.sleep(0)
        if not succeeds:
            raise RuntimeError("broken")
        return {}

    bench.slots = ConcurrencyLimit(1)
    bench.hire(a=agent)
    tasks = [AgentTask("a") for _ in range(3)]
    result = await bench.run(*tasks, strategy="parallel", on_failure=mode)
    assert len(calls) == 1
    assert {task.status for task in result[1:]} <= {TaskStatus.SKIPPED, TaskStatus.CANCELLED}


async def test_what_never_began_had_no_attempt(bench: Bench) -> None:
    async def agent(_input: Input) -> Input:
        await asyncio.sleep(0)
        return {}

    bench.slots = ConcurrencyLimit(1)
    bench.hire(a=agent)
    tasks = [AgentTask("a") for _ in range(2)]
    result = await bench.run(*tasks, strategy="parallel", on_failure=quorum(1))
    assert [task.attempts for task in result] == [1, 0]


@pytest.mark.parametrize("mode", [FAIL_FAST, ALL_OR_NOTHING], ids=lambda mode: mode.kind)
async def test_what_waits_for_its_turn_to_be_tried_again_is_given_up_at_the_end(
    bench: Bench, mode: FailureMode
) -> None:
    tries = []

    async def good(_input: Input) -> Input:
        return {}

    async def flaky(_input: Input) -> Input:
        tries.append(1)
        await let_others_queue()
        raise RuntimeError("not now")

    async def broken(_input: Input) -> Input:
        await let_others_queue()
        raise RuntimeError("broken")

    async def let_others_queue() -> None:
        for _ in range(100):
            await asyncio.sleep(0)

    bench.slots = ConcurrencyLimit(1)
    bench.hire(good=good, flaky=flaky, broken=broken)
    result = await bench.run(
        AgentTask("good"),
        AgentTask("broken", depends_on=["good"]),
        AgentTask("flaky", retry=RetryPolicy(max_attempts=2, initial_delay=timedelta(0))),
        strategy="parallel",
        on_failure=mode,
    )
    assert result.status == WorkflowStatus.FAILED
    assert (result["flaky"].status, result["flaky"].attempts) == (TaskStatus.CANCELLED, 1)
    assert result["flaky"].error is not None
    assert len(tries) == 1


def inside(around: StopSignal, mode: FailureMode) -> StopSignal:
    document: Any = {"on_failure": mode.document(), "order": ["x", "y"]}
    return StopSignal(document, {}, around=around, judges=mode.kind != "continue")


GOES_ON = FailureMode("continue")


@pytest.mark.parametrize("mode", [GOES_ON, FAIL_FAST])
async def test_the_end_of_the_plan_around_ends_calls_inside(mode: FailureMode) -> None:
    around, slow = signal(FAIL_FAST), Slow()
    stop = inside(inside(around, mode), mode)
    call = asyncio.ensure_future(stop.guard(slow({})))
    await slow.begun.wait()
    around.record("a", LOST)
    with pytest.raises(CancelledByStopError, match="'a' did not succeed"):
        await call
    assert slow.cancelled
    assert stop.verdict == around.verdict


async def test_the_end_of_a_plan_inside_leaves_the_one_around_alone() -> None:
    around, slow, other = signal(FAIL_FAST), Slow(), Slow()
    stop = inside(around, FAIL_FAST)
    call = asyncio.ensure_future(stop.guard(slow({})))
    beside = asyncio.ensure_future(around.guard(other({})))
    await slow.begun.wait()
    stop.record("x", LOST)
    with pytest.raises(CancelledByStopError, match="'x' did not succeed"):
        await call
    assert around.verdict is None
    other.finish.set()
    assert await beside == {"slow": True}


async def test_an_end_before_a_guarded_call_has_begun_leaves_nothing_behind() -> None:
    """Whatever is cancelled before it began is closed: no call is ever left unawaited."""
    around, slow = signal(FAIL_FAST), Slow()
    stop = inside(around, GOES_ON)
    call = asyncio.ensure_future(stop.guard(slow({})))
    asyncio.get_running_loop().call_soon(around.record, "a", LOST)
    with pytest.raises(CancelledByStopError):
        await call
    late = Slow()
    with pytest.raises(CancelledByStopError):
        await stop.guard(late({}))
    await asyncio.sleep(0)
    assert not late.begun.is_set()


async def test_a_call_inside_that_ends_by_itself_says_what_it_said() -> None:
    async def refuse() -> NoReturn:
        raise ValueError("mine")

    stop = inside(signal(FAIL_FAST), FAIL_FAST)
    slow = Slow()
    slow.finish.set()
    assert await stop.guard(slow({})) == {"slow": True}
    with pytest.raises(ValueError, match="mine"):
        await stop.guard(refuse())
