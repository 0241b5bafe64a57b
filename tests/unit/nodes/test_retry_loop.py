from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from state.agent_context import AgentContext
from state.errors import AgentRefusedError
from state.failure_mode import FailureMode, quorum
from state.retry import RetryPolicy
from state.status import TaskStatus, WorkflowStatus
from state.task import AgentTask

if TYPE_CHECKING:
    from tests.unit.nodes.conftest import Bench

Input = dict[str, Any]
PATIENT = RetryPolicy(max_attempts=4, initial_delay=timedelta(seconds=10), jitter=False)
WAYS = ["sequential", "parallel"]


class Flaky:
    """Fails a number of times, then answers with the attempts it saw."""

    def __init__(self, failures: int, error: Exception | None = None) -> None:
        self.failures = failures
        self.error = error or RuntimeError("broken")
        self.seen: list[tuple[int, str, float | None]] = []

    async def __call__(self, _input: Input, context: AgentContext) -> Input:
        self.seen.append((context.attempt, context.idempotency_key, context.deadline))
        if len(self.seen) <= self.failures:
            raise self.error
        return {"attempts": [attempt for attempt, _, _ in self.seen]}


@pytest.mark.parametrize("strategy", WAYS)
async def test_a_failed_attempt_is_made_again_after_growing_waits(
    bench: Bench, strategy: str
) -> None:
    agent = Flaky(3)
    bench.hire(a=agent)
    result = await bench.run(AgentTask("a", retry=PATIENT, timeout=7), strategy=strategy)
    assert result["a"].output == {"attempts": [1, 2, 3, 4]}
    assert (result.status, result["a"].attempts) == (WorkflowStatus.COMPLETED, 4)
    assert bench.clock.slept == [10, 20, 40]
    assert {key for _, key, _ in agent.seen} == {"run:a"}
    assert [deadline for _, _, deadline in agent.seen] == [1007, 1017, 1037, 1077]
    assert [status for _, status in bench.told] == ["pending"] * 3 + ["succeeded"]


@pytest.mark.parametrize("strategy", WAYS)
async def test_after_the_last_attempt_it_has_failed(bench: Bench, strategy: str) -> None:
    agent = Flaky(99)
    bench.hire(a=agent)
    result = await bench.run(AgentTask("a", retry=PATIENT), strategy=strategy)
    assert (result["a"].status, result["a"].attempts) == (TaskStatus.FAILED, 4)
    assert len(agent.seen) == 4
    assert result.status == WorkflowStatus.FAILED


async def test_attempts_and_the_next_due_time_stand_in_the_checkpoint(bench: Bench) -> None:
    bench.hire(a=Flaky(2))
    await bench.run(AgentTask("a", retry=PATIENT))
    stood = [outcomes["a"] for outcomes in await bench.history() if "a" in outcomes]
    assert [(each["status"], each["attempts"], each.get("next_due_at")) for each in stood] == [
        ("pending", 1, 1010.0),
        ("pending", 2, 1030.0),
        ("succeeded", 3, None),
    ]


@pytest.mark.parametrize(
    "error", [AgentRefusedError("no"), pytest.param(None, id="a reply that is no object")]
)
async def test_what_would_only_be_said_again_is_not_asked_again(
    bench: Bench, error: Exception | None
) -> None:
    asked = []

    async def agent(_input: Input) -> Any:  # noqa: ANN401
        asked.append(1)
        if error is not None:
            raise error
        return ["no object"]

    bench.hire(a=agent)
    result = await bench.run(AgentTask("a", retry=PATIENT))
    assert (result["a"].status, len(asked)) == (TaskStatus.FAILED, 1)


async def test_a_timeout_is_tried_again(bench: Bench) -> None:
    async def agent(_input: Input, context: AgentContext) -> Input:
        if context.attempt == 1:
            await asyncio.Event().wait()
        return {}

    bench.hire(a=agent)
    result = await bench.run(AgentTask("a", retry=PATIENT, timeout=0.01))
    assert (result["a"].status, result["a"].attempts) == (TaskStatus.SUCCEEDED, 2)


async def test_what_comes_after_waits_for_the_last_attempt(bench: Bench) -> None:
    flaky, after = Flaky(2), Flaky(0)
    bench.hire(a=flaky, b=after, c=after)
    tasks = [
        AgentTask("a", retry=PATIENT),
        AgentTask("b", depends_on=["a"]),
        AgentTask("c", depends_on=["a"]),
    ]
    result = await bench.run(*tasks, strategy="parallel")
    assert [task.status for task in result] == [TaskStatus.SUCCEEDED] * 3
    assert (len(flaky.seen), len(after.seen)) == (3, 2)


async def test_a_retry_beside_others_does_not_hold_them_up(bench: Bench) -> None:
    done = asyncio.Event()

    async def flaky(_input: Input, context: AgentContext) -> Input:
        if context.attempt == 1:
            raise RuntimeError("broken")
        async with asyncio.timeout(5):
            await done.wait()
        return {}

    async def last(_input: Input) -> Input:
        done.set()
        return {}

    async def first(_input: Input) -> Input:
        return {}

    bench.hire(a=flaky, b=first, c=last)
    tasks = [AgentTask("a", retry=PATIENT), AgentTask("b"), AgentTask("c", depends_on=["b"])]
    result = await bench.run(*tasks, strategy="parallel")
    assert result.status == WorkflowStatus.COMPLETED


async def test_the_condition_is_asked_once(bench: Bench) -> None:
    asked: list[int] = []
    bench.hire(a=Flaky(2))

    def ask() -> bool:
        asked.append(1)
        return True

    task = AgentTask("a", retry=PATIENT, condition=ask)
    assert (await bench.run(task))["a"].attempts == 3
    assert asked == [1]


async def fail(_input: Input) -> Input:
    raise RuntimeError("broken")


async def succeed(_input: Input) -> Input:
    return {}


@pytest.mark.parametrize(
    ("mode", "other", "expected"),
    [
        (FailureMode("fail_fast"), fail, WorkflowStatus.FAILED),
        (FailureMode("all_or_nothing"), fail, WorkflowStatus.FAILED),
        (quorum(1), succeed, WorkflowStatus.COMPLETED),
    ],
    ids=["fail_fast", "all_or_nothing", "quorum"],
)
async def test_a_run_that_stops_ends_what_waits_to_be_tried_again(
    bench: Bench, mode: FailureMode, other: object, expected: WorkflowStatus
) -> None:
    bench.hire(a=Flaky(99), b=other)
    tasks = [AgentTask("a", retry=PATIENT), AgentTask("b")]
    result = await bench.run(*tasks, strategy="parallel", on_failure=mode)
    assert result.status == expected
    assert (result["a"].status, result["a"].attempts) == (TaskStatus.CANCELLED, 1)


async def test_a_task_may_be_tried_thousands_of_times(bench: Bench) -> None:
    bench.hire(a=Flaky(330))
    policy = RetryPolicy(max_attempts=400, backoff=10, max_delay=timedelta(0))
    assert (await bench.run(AgentTask("a", retry=policy)))["a"].attempts == 331
