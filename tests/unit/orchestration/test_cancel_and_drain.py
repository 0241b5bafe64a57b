"""Calling a run off, and stopping it where it can be resumed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestration import (
    AgentContext,
    AgentRegistry,
    AgentSpec,
    AgentTask,
    DrainedError,
    RetryPolicy,
    SimpleCoordinator,
    TaskStatus,
    ThreadFinishedError,
    Workflow,
    WorkflowResult,
    WorkflowStatus,
)

HOUR = timedelta(hours=1)
PATIENT = RetryPolicy(max_attempts=3, initial_delay=HOUR, max_delay=HOUR)
WAYS = ["sequential", "parallel"]


class Office:
    """Agents that say when they begin, and wait until they may end."""

    def __init__(self) -> None:
        self.begun, self.may_end = asyncio.Event(), asyncio.Event()
        self.done: list[str] = []
        self.registry = AgentRegistry()
        self.registry.register(AgentSpec("quick", handler=self.quick))
        self.registry.register(AgentSpec("slow", handler=self.slow))
        self.registry.register(AgentSpec("broken", handler=self.broken))

    async def quick(self, input_data: dict[str, Any]) -> dict[str, Any]:
        self.done.append(str(input_data.get("name", "quick")))
        return {"done": True}

    async def slow(self, _input: dict[str, Any]) -> dict[str, Any]:
        self.begun.set()
        await self.may_end.wait()
        self.done.append("slow")
        return {"done": True}

    async def broken(self, _input: dict[str, Any]) -> dict[str, Any]:
        self.begun.set()
        raise RuntimeError("broken")


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture(params=["memory", "sqlite"])
async def coordinator(
    request: pytest.FixtureRequest, office: Office, tmp_path: Path
) -> AsyncIterator[SimpleCoordinator]:
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'threads.db'}"
    async with SimpleCoordinator(registry=office.registry, database_url=url) as coordinator:
        yield coordinator


async def until_tried(coordinator: SimpleCoordinator) -> None:
    async with asyncio.timeout(30):
        while (await coordinator.inspect("t"))[1]["broken"].attempts == 0:  # noqa: ASYNC110  a checkpoint has no event
            await asyncio.sleep(0)


def statuses(result: WorkflowResult) -> list[str]:
    return [str(task.status) for task in result]


@pytest.mark.parametrize("strategy", WAYS)
async def test_a_paused_run_that_is_cancelled_ends_and_its_question_lapses(
    coordinator: SimpleCoordinator, office: Office, strategy: str
) -> None:
    tasks = [
        AgentTask("quick"),
        AgentTask("quick", task_id="asked", requires_approval=True, depends_on=["quick"]),
        AgentTask("quick", task_id="after", depends_on=["asked"]),
    ]
    paused = await coordinator.execute_workflow(tasks, strategy=strategy)
    (request,) = await coordinator.approvals.list_pending()
    ended = await coordinator.cancel(paused.thread_id, by="ann", reason="no budget")
    assert ended is not None
    assert ended.status == WorkflowStatus.CANCELLED
    assert statuses(ended) == ["succeeded", "cancelled", "cancelled"]
    assert ended["asked"].reason == "ann cancelled the run: no budget"
    assert office.done == ["quick"]
    assert (await coordinator.approvals.get(request.request_id)).status == "lapsed"
    again = await coordinator.resume(paused.thread_id)
    assert again.status == WorkflowStatus.CANCELLED


@pytest.mark.parametrize("strategy", WAYS)
async def test_a_call_under_way_is_awaited_and_nothing_begins_after_it(
    coordinator: SimpleCoordinator, office: Office, strategy: str
) -> None:
    tasks = [AgentTask("slow"), AgentTask("quick", depends_on=["slow"])]
    run = asyncio.ensure_future(
        coordinator.execute_workflow(tasks, strategy=strategy, thread_id="t")
    )
    await office.begun.wait()
    assert await coordinator.cancel("t", by="ann") is None
    office.may_end.set()
    result = await run
    assert result.status == WorkflowStatus.CANCELLED
    assert statuses(result) == ["succeeded", "cancelled"]


async def test_a_wait_before_another_attempt_ends_at_once(
    coordinator: SimpleCoordinator, office: Office
) -> None:
    task = AgentTask("broken", retry=PATIENT)
    run = asyncio.ensure_future(coordinator.execute_sequential([task], thread_id="t"))
    await office.begun.wait()
    await until_tried(coordinator)
    await coordinator.cancel("t", by="ann")
    result = await asyncio.wait_for(run, timeout=30)
    assert result.status == WorkflowStatus.CANCELLED
    assert result["broken"].status == TaskStatus.CANCELLED
    assert result["broken"].attempts == 1


async def test_what_is_over_cannot_be_cancelled(coordinator: SimpleCoordinator) -> None:
    done = await coordinator.execute_sequential([AgentTask("quick")])
    with pytest.raises(ThreadFinishedError, match=r"over \(completed\)"):
        await coordinator.cancel(done.thread_id)


async def test_a_cancelled_thread_takes_new_tasks(coordinator: SimpleCoordinator) -> None:
    task = AgentTask("quick", requires_approval=True)
    paused = await coordinator.execute_sequential([task])
    await coordinator.cancel(paused.thread_id)
    again = await coordinator.execute_sequential([AgentTask("quick")], thread_id=paused.thread_id)
    assert again.status == WorkflowStatus.COMPLETED


async def test_a_conditional_run_is_cancelled_though_its_router_is_gone(
    office: Office, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'threads.db'}"
    async with SimpleCoordinator(registry=office.registry, database_url=url) as first:
        task = AgentTask("quick", requires_approval=True, condition=lambda: True)
        paused = await first.execute_sequential([task, AgentTask("quick", condition=lambda: True)])
    async with SimpleCoordinator(registry=office.registry, database_url=url) as second:
        ended = await second.cancel(paused.thread_id)
    assert ended is not None
    assert ended.status == WorkflowStatus.CANCELLED


async def test_another_process_ends_what_is_cancelled_at_its_next_heartbeat(
    office: Office, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'threads.db'}"
    tasks = [AgentTask("slow"), AgentTask("quick")]
    async with (
        SimpleCoordinator(registry=office.registry, database_url=url, lease_seconds=0.3) as runner,
        SimpleCoordinator(registry=office.registry, database_url=url) as other,
    ):
        run = asyncio.ensure_future(runner.execute_sequential(tasks, thread_id="t"))
        await office.begun.wait()
        assert await other.cancel("t", by="ann", reason="changed my mind") is None
        await asyncio.sleep(0.3)  # a lease time holds three heartbeats
        office.may_end.set()
        result = await run
    assert result.status == WorkflowStatus.CANCELLED
    assert result["quick"].reason == "ann cancelled the run: changed my mind"


@pytest.mark.parametrize("strategy", WAYS)
async def test_a_drained_run_stops_after_the_call_under_way_and_is_resumed_elsewhere(
    office: Office, tmp_path: Path, strategy: str
) -> None:
    url = f"sqlite:///{tmp_path / 'threads.db'}"
    tasks = [AgentTask("slow"), AgentTask("quick", depends_on=["slow"])]
    async with SimpleCoordinator(registry=office.registry, database_url=url) as first:
        run = asyncio.ensure_future(first.execute_workflow(tasks, strategy=strategy, thread_id="t"))
        await office.begun.wait()
        first.drain()
        with pytest.raises(DrainedError):
            await first.execute_sequential([AgentTask("quick")])
        office.may_end.set()
        with pytest.raises(DrainedError, match="stopped at a checkpoint"):
            await run
    assert office.done == ["slow"]
    async with SimpleCoordinator(registry=office.registry, database_url=url) as second:
        result = await second.resume("t")
    assert result.status == WorkflowStatus.COMPLETED
    assert office.done == ["slow", "quick"]


async def test_a_wait_before_another_attempt_is_drained_at_once_and_goes_on_later(
    coordinator: SimpleCoordinator, office: Office
) -> None:
    task = AgentTask("broken", retry=PATIENT)
    run = asyncio.ensure_future(coordinator.execute_sequential([task], thread_id="t"))
    await office.begun.wait()
    await until_tried(coordinator)
    coordinator.drain()
    with pytest.raises(DrainedError):
        await asyncio.wait_for(run, timeout=30)
    record, known = await coordinator.inspect("t")
    assert (record.status, record.lease) == ("running", None)
    assert known["broken"].attempts == 1


@pytest.mark.parametrize("strategy", WAYS)
async def test_what_a_cancelled_run_achieved_is_undone(
    coordinator: SimpleCoordinator, office: Office, strategy: str
) -> None:
    tasks = [
        AgentTask("quick", {"name": "buy"}, task_id="buy", compensate={"name": "sell"}),
        AgentTask("quick", {"name": "pay"}, task_id="pay", depends_on=["buy"],
                  compensate={"name": "refund"}),
        AgentTask("quick", task_id="asked", requires_approval=True, depends_on=["pay"],
                  compensate={"name": "never"}),
    ]  # fmt: skip
    paused = await coordinator.execute_workflow(tasks, strategy=strategy)
    ended = await coordinator.cancel(paused.thread_id)
    assert ended is not None
    assert ended.status == WorkflowStatus.CANCELLED
    assert statuses(ended) == ["compensated", "compensated", "cancelled"]
    assert office.done == ["buy", "pay", "refund", "sell"]


async def test_a_cancelled_run_waits_to_try_again_to_undo_something(
    coordinator: SimpleCoordinator, office: Office
) -> None:
    tried: list[int] = []

    async def stubborn(_input: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        tried.append(context.attempt)
        if context.attempt == 1:
            raise RuntimeError("not now")
        return {}

    office.registry.register(AgentSpec("stubborn", handler=stubborn))
    soon = RetryPolicy(initial_delay=timedelta(milliseconds=1), jitter=False)
    tasks = [
        AgentTask("quick", compensate=AgentTask("stubborn", retry=soon)),
        AgentTask("quick", requires_approval=True),
    ]
    paused = await coordinator.execute_sequential(tasks)
    ended = await coordinator.cancel(paused.thread_id)
    assert ended is not None
    assert ended["quick"].status == TaskStatus.COMPENSATED
    assert tried == [1, 2]


async def test_what_waits_for_its_turn_does_not_begin_once_the_run_is_cancelled(
    office: Office,
) -> None:
    coordinator = SimpleCoordinator(
        registry=office.registry, database_url="memory://", max_concurrency=1
    )
    tasks = [AgentTask("slow", task_id="a"), *(AgentTask("quick") for _ in range(4))]
    run = asyncio.ensure_future(coordinator.execute_parallel(tasks, thread_id="t"))
    await office.begun.wait()
    await coordinator.cancel("t")
    office.may_end.set()
    result = await run
    assert result.status == WorkflowStatus.CANCELLED
    assert office.done == ["slow"]


@pytest.mark.parametrize("strategy", WAYS)
async def test_a_cancellation_from_elsewhere_is_met_by_the_pause_before_any_heartbeat(
    office: Office, tmp_path: Path, strategy: str
) -> None:
    url = f"sqlite:///{tmp_path / 'threads.db'}"
    tasks = [
        AgentTask("quick", {"name": "buy"}, task_id="buy", compensate={"name": "sell"}),
        AgentTask("slow", depends_on=["buy"]),
        AgentTask("quick", task_id="asked", requires_approval=True, depends_on=["slow"]),
    ]
    async with (
        SimpleCoordinator(registry=office.registry, database_url=url) as runner,
        SimpleCoordinator(registry=office.registry, database_url=url) as other,
    ):
        run = asyncio.ensure_future(
            runner.execute_workflow(tasks, strategy=strategy, thread_id="t")
        )
        await office.begun.wait()
        assert await other.cancel("t", by="ann") is None
        office.may_end.set()
        result = await run
        assert await other.approvals.list_pending() == []
    assert result.status == WorkflowStatus.CANCELLED
    assert statuses(result) == ["compensated", "succeeded", "cancelled"]
    assert office.done == ["buy", "slow", "sell"]


async def test_a_sweep_ends_a_cancelled_run_whose_process_is_gone(
    office: Office, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'threads.db'}"
    tasks = [AgentTask("slow"), AgentTask("quick")]
    async with SimpleCoordinator(registry=office.registry, database_url=url) as first:
        run = asyncio.ensure_future(first.execute_sequential(tasks, thread_id="t"))
        await office.begun.wait()
        async with SimpleCoordinator(registry=office.registry, database_url=url) as other:
            await other.cancel("t", by="ann")
        run.cancel()
        await asyncio.wait({run})
    async with SimpleCoordinator(registry=office.registry, database_url=url) as later:
        (ended,) = (await later.approvals.sweep()).resumed
    assert ended.status == WorkflowStatus.CANCELLED
    assert office.done == []


async def test_a_run_whose_claim_was_under_way_is_drained_too(
    office: Office, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'threads.db'}"
    async with SimpleCoordinator(registry=office.registry, database_url=url) as coordinator:
        await coordinator.threads()  # opens the database
        run = asyncio.ensure_future(coordinator.execute_sequential([AgentTask("quick")] * 1))
        await asyncio.sleep(0)
        coordinator.drain()
        with pytest.raises(DrainedError):
            await run
    assert office.done == []


async def test_a_run_that_was_called_off_is_not_migrated_but_ended(
    office: Office, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'threads.db'}"
    asks = AgentTask("quick", {"name": "old"}, task_id="old", requires_approval=True)
    async with SimpleCoordinator(registry=office.registry, database_url=url) as leaving:
        await leaving.execute(Workflow("w", version="1", tasks=[asks]), thread_id="t")
        leaving.drain()
        with pytest.raises(DrainedError):  # noted, and left to whoever comes next
            await leaving.cancel("t", by="ann")
    newer = Workflow("w", version="2", tasks=[AgentTask("quick", task_id="new")])
    async with SimpleCoordinator(registry=office.registry, database_url=url) as coordinator:
        result = await coordinator.migrate("t", newer, dict.fromkeys)
    assert (result.status, office.done) == (WorkflowStatus.CANCELLED, [])
