from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from checkpoints import group_commit
from checkpoints.database import Database, connect
from checkpoints.group_commit import GroupCommitWriter
from checkpoints.sqlite_saver import GroupCommitSqliteSaver
from orchestration import AgentRegistry, AgentSpec, AgentTask, WorkflowStatus
from orchestration.engines.embedded import EmbeddedEngine
from orchestration.simple_coordinator import SimpleCoordinator

AGENTS = ["a", "b", "c", "d", "e"]
CLAIM, RELEASE = 1, 1
"""The checkpoints of the input and of the graph's start share the first task's commit."""


@pytest.fixture
def registry() -> AgentRegistry:
    async def reply(_input: dict[str, Any]) -> dict[str, Any]:
        return {"ok": True}

    agents = AgentRegistry()
    for name in AGENTS:
        agents.register(AgentSpec(name, handler=reply))
    return agents


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let lazy writes wait as long as they must, however slow the machine's disk is."""
    monkeypatch.setattr(group_commit, "LAZY_SECONDS", 1.0)


def tasks() -> list[AgentTask]:
    return [AgentTask(name) for name in AGENTS]


def writer_of(database: Database) -> GroupCommitWriter:
    assert isinstance(database.checkpointer, GroupCommitSqliteSaver)
    return database.checkpointer._writer


async def commits_of(file: Path, registry: AgentRegistry, *, runs: int) -> int:
    """Count the commits of that many runs of the five tasks at once."""
    async with SimpleCoordinator(registry=registry, database_url=f"sqlite:///{file}") as each:
        engine = await each._engine()
        assert isinstance(engine, EmbeddedEngine)
        results = await asyncio.gather(*[each.execute_sequential(tasks()) for _ in range(runs)])
        assert {result.status for result in results} == {WorkflowStatus.COMPLETED}
        return writer_of(engine._database).commits


@pytest.mark.usefixtures("patient")
async def test_a_sequence_commits_once_a_superstep(file: Path, registry: AgentRegistry) -> None:
    assert await commits_of(file, registry, runs=1) == CLAIM + len(AGENTS) + RELEASE


@pytest.mark.usefixtures("patient")
async def test_runs_at_the_same_time_share_their_commits(
    file: Path, registry: AgentRegistry
) -> None:
    one_by_one = 20 * (CLAIM + len(AGENTS) + RELEASE)
    assert await commits_of(file, registry, runs=20) < one_by_one / 2


async def test_a_question_is_in_the_file_when_the_workflow_returns(
    file: Path, registry: AgentRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "LAZY_SECONDS", 3600.0)  # nothing may wait for company
    work = [AgentTask("a"), AgentTask("b", requires_approval=True)]
    async with SimpleCoordinator(registry=registry, database_url=f"sqlite:///{file}") as first:
        result = await first.execute_sequential(work, thread_id="t")
        reader = connect(file)
        saved = reader.execute("SELECT count(*) FROM writes WHERE channel = '__interrupt__'")
        assert saved.fetchone() == (1,)
        reader.close()
    assert [each.task_id for each in result.interrupts] == ["b"]

    async with SimpleCoordinator(registry=registry, database_url=f"sqlite:///{file}") as second:
        paused = await second.resume("t")
        assert [each.task_id for each in paused.interrupts] == ["b"]
        done = await second.resume("t", {"b": {"decisions": [{"type": "approve"}]}})
    assert done.status == WorkflowStatus.COMPLETED


async def test_a_fast_branch_is_saved_while_a_slow_one_still_runs(
    file: Path, registry: AgentRegistry
) -> None:
    seen = []

    def slow(_input: dict[str, Any]) -> dict[str, Any]:
        reader, pause = connect(file), threading.Event()
        for _ in range(1000):  # ten seconds
            sql = "SELECT count(*) FROM writes WHERE channel = 'outcomes' AND task_path LIKE '%a'"
            seen.append(reader.execute(sql).fetchone())
            if seen[-1] == (1,):
                break
            pause.wait(0.01)
        reader.close()
        return {"ok": True}

    registry.register(AgentSpec("slow", handler=slow))
    async with SimpleCoordinator(registry=registry, database_url=f"sqlite:///{file}") as runs:
        await runs.execute_parallel([AgentTask("a"), AgentTask("slow")])
    assert seen[-1] == (1,)


async def test_cancelling_one_run_leaves_those_beside_it_alone(
    file: Path, registry: AgentRegistry
) -> None:
    arrived, go_on = asyncio.Semaphore(0), asyncio.Event()

    async def reply(_input: dict[str, Any]) -> dict[str, Any]:
        arrived.release()
        await go_on.wait()
        return {"ok": True}

    registry.register(AgentSpec("gate", handler=reply))
    async with SimpleCoordinator(registry=registry, database_url=f"sqlite:///{file}") as runs:
        engine = await runs._engine()
        waiting = [
            asyncio.ensure_future(runs.execute_sequential([AgentTask("gate")])) for _ in range(4)
        ]
        for _ in waiting:
            await arrived.acquire()
        with writer_held_up(writer_of(engine._database)):
            go_on.set()
            await everything_has_happened()  # all four wait for their checkpoints
            waiting[0].cancel()
            await everything_has_happened()
        others = await asyncio.gather(*waiting[1:], return_exceptions=True)
        await asyncio.wait(waiting)
    assert [getattr(each, "status", each) for each in others] == [WorkflowStatus.COMPLETED] * 3


async def everything_has_happened() -> None:
    """Let the event loop go round until nothing is left to do without the writer."""
    for _ in range(200):
        await asyncio.sleep(0)


@contextmanager
def writer_held_up(writer: GroupCommitWriter) -> Iterator[None]:
    """Keep the writer busy, so that whatever is submitted meanwhile makes one batch."""
    go_on = threading.Event()
    writer.submit(lambda _: go_on.wait(10))
    try:
        yield
    finally:
        go_on.set()
