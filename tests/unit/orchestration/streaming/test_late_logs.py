"""A log that begins when a run has been under way for a while: what its checkpoints know."""

from __future__ import annotations

import pytest

from orchestration import AgentTask, ForEach, Repeat, Workflow
from state.task import Task
from tests.unit.orchestration.streaming.stage import Stage, all_of, lines

ASKS = AgentTask("b", requires_approval=True)


async def known(task: Task, **options: object) -> list[str]:
    """What is told of a run that was not streamed, and has paused."""
    stage = Stage("memory://")
    async with stage.open() as coordinator:
        result = await coordinator.execute_workflow([task], thread_id="t", **options)  # type: ignore[arg-type]
        assert result.status == "interrupted"
        told = await all_of(coordinator.resume_stream("t"))
        assert await all_of(coordinator.resume_stream("t", after=len(told))) == []
        return lines(told)


async def test_of_a_loop_its_present_turn_is_told() -> None:
    body = Workflow("body", tasks=[AgentTask("a"), ASKS])
    assert await known(Repeat(body, until="turn >= 2", max_turns=2, task_id="again")) == [
        "run_started",
        "task_started again",
        "turn_started again",
        "task_started again#1/a",
        "task_finished again#1/a succeeded",
        "approval_requested again#1/b",
        "run_finished interrupted",
    ]


async def test_of_items_each_is_told() -> None:
    told = await known(ForEach([1, 2], [AgentTask("a"), ASKS], task_id="each"))
    assert told[:2] == ["run_started", "task_started each"]
    for number in (0, 1):
        mine = [line for line in told if f"each/{number}/" in line]
        assert mine == [
            f"task_started each/{number}/a",
            f"task_finished each/{number}/a succeeded",
            f"approval_requested each/{number}/b",
        ]


@pytest.mark.parametrize("strategy", ["sequential", "parallel"])
async def test_a_run_that_is_over_is_told_from_its_end(strategy: str) -> None:
    stage = Stage("memory://")
    async with stage.open() as coordinator:
        tasks = [AgentTask("a"), AgentTask("b")]
        await coordinator.execute_workflow(tasks, strategy=strategy, thread_id="t")
        assert lines(await all_of(coordinator.resume_stream("t"))) == [
            "run_started",
            "task_started a",
            "task_finished a succeeded",
            "task_started b",
            "task_finished b succeeded",
            "run_finished completed",
        ]
    assert stage.calls in (["a", "b"], ["b", "a"])


async def test_a_task_that_the_router_left_out_has_no_beginning() -> None:
    stage = Stage("memory://")
    async with stage.open() as coordinator:
        tasks = [AgentTask("a"), AgentTask("b")]
        await coordinator.execute_conditional(tasks, lambda _: "b", thread_id="t")
        assert lines(await all_of(coordinator.resume_stream("t"))) == [
            "run_started",
            "task_finished a skipped",
            "task_started b",
            "task_finished b succeeded",
            "run_finished completed",
        ]
