"""What becomes of four tasks beside each other when three of them go wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from orchestration import (
    AgentRegistry,
    AgentSpec,
    AgentTask,
    FailureMode,
    SimpleCoordinator,
    TaskStatus,
    WorkflowStatus,
    quorum,
)


async def good(_input: dict[str, Any]) -> dict[str, Any]:
    return {"ok": True}


async def broken(_input: dict[str, Any]) -> dict[str, Any]:
    raise RuntimeError("the agent fell over")


async def slow(_input: dict[str, Any]) -> dict[str, Any]:
    await asyncio.Event().wait()
    return {}


async def odd(_input: dict[str, Any]) -> object:
    return object()


@pytest.fixture
def coordinator() -> SimpleCoordinator:
    registry = AgentRegistry()
    for name, handler in {"good": good, "broken": broken, "slow": slow, "odd": odd}.items():
        registry.register(AgentSpec(name, handler=handler))
    return SimpleCoordinator(registry=registry, database_url="memory://")


def four() -> list[AgentTask]:
    return [
        AgentTask("good"),
        AgentTask("broken"),
        AgentTask("slow", timeout=0.05),
        AgentTask("odd"),
    ]


async def test_going_on_gives_four_distinct_outcomes_and_an_aggregate(
    coordinator: SimpleCoordinator,
) -> None:
    tasks = four()
    result = await coordinator.execute_parallel(tasks, on_failure="continue")
    assert result.status == WorkflowStatus.PARTIAL
    assert [task.status for task in result] == [
        TaskStatus.SUCCEEDED,
        TaskStatus.FAILED,
        TaskStatus.TIMED_OUT,
        TaskStatus.FAILED,
    ]
    codes = [None if task.error is None else task.error["code"] for task in result]
    assert codes == [None, "agent_raised", "agent_timed_out", "unknown_reply"]
    assert result.aggregate == {"good": {"ok": True}}
    assert [task.status for task in tasks] == [task.status for task in result]


async def test_failing_fast_cancels_what_runs(coordinator: SimpleCoordinator) -> None:
    tasks = [AgentTask("slow"), AgentTask("broken")]
    result = await coordinator.execute_parallel(tasks, on_failure="fail_fast")
    assert result.status == WorkflowStatus.FAILED
    assert [task.status for task in result] == [TaskStatus.CANCELLED, TaskStatus.FAILED]
    assert "'broken' did not succeed" in result["slow"].reason


async def test_all_or_nothing_lets_what_runs_finish(coordinator: SimpleCoordinator) -> None:
    begun, failed = asyncio.Event(), asyncio.Event()

    async def steady(_input: dict[str, Any]) -> dict[str, Any]:
        begun.set()
        await failed.wait()
        return {"finished": True}

    async def failing(_input: dict[str, Any]) -> dict[str, Any]:
        await begun.wait()
        failed.set()
        raise RuntimeError("the agent fell over")

    coordinator.registry.register(AgentSpec("steady", handler=steady))
    coordinator.registry.register(AgentSpec("failing", handler=failing))
    result = await coordinator.execute_parallel(
        [AgentTask("steady"), AgentTask("failing")], on_failure="all_or_nothing"
    )
    assert result.status == WorkflowStatus.FAILED
    assert result["steady"].output == {"finished": True}


@pytest.mark.parametrize("url", ["memory://", "sqlite"])
async def test_a_quorum_of_two_does_not_wait_for_the_slow_third(
    coordinator: SimpleCoordinator, url: str, tmp_path: Path
) -> None:
    if url == "sqlite":
        coordinator = SimpleCoordinator(
            registry=coordinator.registry, database_url=f"sqlite:///{tmp_path / 'threads.db'}"
        )
    tasks = [AgentTask("slow"), AgentTask("good"), AgentTask("good")]
    async with coordinator:
        result = await asyncio.wait_for(
            coordinator.execute_parallel(tasks, on_failure=quorum(2)), timeout=30
        )
    assert result.status == WorkflowStatus.COMPLETED
    assert result["slow"].status == TaskStatus.CANCELLED
    assert result.aggregate == {"good": {"ok": True}, "good_2": {"ok": True}}


async def test_a_quorum_out_of_reach_fails_at_once(coordinator: SimpleCoordinator) -> None:
    tasks = [AgentTask("slow"), AgentTask("broken"), AgentTask("odd")]
    result = await coordinator.execute_parallel(tasks, on_failure=FailureMode("quorum", 2))
    assert result.status == WorkflowStatus.FAILED
    assert result["slow"].status == TaskStatus.CANCELLED


async def test_a_sequence_stops_at_the_first_failure_and_says_why(
    coordinator: SimpleCoordinator,
) -> None:
    tasks = [AgentTask("good"), AgentTask("broken"), AgentTask("good"), AgentTask("good")]
    result = await coordinator.execute_sequential(tasks)
    assert result.status == WorkflowStatus.FAILED
    assert [str(task.status) for task in result] == ["succeeded", "failed", "skipped", "skipped"]
    assert result["good_3"].reason == "'broken' did not succeed (failed)"


async def test_a_sequence_told_to_go_on_does(coordinator: SimpleCoordinator) -> None:
    tasks = [AgentTask("broken"), AgentTask("good")]
    result = await coordinator.execute_sequential(tasks, on_failure="continue")
    assert result.status == WorkflowStatus.PARTIAL
    assert result["good"].succeeded
