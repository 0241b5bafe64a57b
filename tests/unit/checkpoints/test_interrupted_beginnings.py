from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint

from checkpoints.database import Database, connect
from checkpoints.group_commit import GroupCommitWriter
from checkpoints.sqlite_saver import LEASE_TOKEN, GroupCommitSqliteSaver
from orchestration import AgentRegistry, AgentSpec, AgentTask, LeaseLostError, WorkflowStatus
from orchestration.simple_coordinator import SimpleCoordinator
from state.errors import ThreadNotFoundError


@pytest.fixture
def called() -> list[str]:
    return []


@pytest.fixture
async def runs(file: Path, called: list[str]) -> AsyncIterator[SimpleCoordinator]:
    async def reply(_input: dict[str, Any]) -> dict[str, Any]:
        called.append("a")
        return {"ok": True}

    registry = AgentRegistry()
    registry.register(AgentSpec("a", handler=reply))
    url = f"sqlite:///{file}"
    async with SimpleCoordinator(registry=registry, database_url=url) as coordinator:
        yield coordinator


async def writer_of(runs: SimpleCoordinator) -> GroupCommitWriter:
    saver = (await runs._engine())._database.checkpointer
    assert isinstance(saver, GroupCommitSqliteSaver)
    return saver._writer


async def test_a_run_that_is_cancelled_while_it_claims_its_thread_leaves_it_free(
    runs: SimpleCoordinator,
) -> None:
    writer, go_on = await writer_of(runs), threading.Event()
    writer.submit(lambda _: go_on.wait(10))
    starting = asyncio.ensure_future(runs.execute_sequential([AgentTask("a")], thread_id="t"))
    for _ in range(100):  # let it come to its claim
        await asyncio.sleep(0)
    starting.cancel()
    go_on.set()
    await asyncio.wait({starting})
    await asyncio.wrap_future(writer.submit(lambda _: None))  # all that was queued is done
    try:
        result = await runs.resume("t")
    except ThreadNotFoundError:  # a claim that never happened is as good
        result = await runs.execute_sequential([AgentTask("a")], thread_id="t")
    assert result.status == WorkflowStatus.COMPLETED


async def test_checkpoints_left_over_without_a_thread_record_do_not_pass_for_the_new_runs(
    runs: SimpleCoordinator, file: Path, called: list[str]
) -> None:
    await runs.execute_sequential([AgentTask("a")], thread_id="t")
    with closing(connect(file)) as connection:
        connection.execute("DELETE FROM orchestration_threads")
    result = await runs.execute_sequential([AgentTask("a")], thread_id="t")
    assert result.status == WorkflowStatus.COMPLETED
    assert called == ["a", "a"]


async def test_an_input_that_could_not_be_saved_does_not_spoil_later_reads(
    database: Database,
) -> None:
    saver = database.checkpointer
    refused: RunnableConfig = {
        "configurable": {"thread_id": "t", "checkpoint_ns": "", LEASE_TOKEN: 7}
    }
    try:
        await saver.aput(refused, empty_checkpoint(), {"source": "input", "step": -1}, {})
        await saver.aget_tuple(refused)  # here at the latest it may be said, once
    except LeaseLostError:
        pass
    assert await saver.aget_tuple({"configurable": {"thread_id": "t"}}) is None
    assert [each async for each in saver.alist(None)] == []


async def test_an_input_that_waits_for_company_is_seen_by_the_next_read(
    database: Database,
) -> None:
    config: RunnableConfig = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
    checkpoint = empty_checkpoint()
    stored = await database.checkpointer.aput(
        config, checkpoint, {"source": "input", "step": -1}, {}
    )
    found = await database.checkpointer.aget_tuple(stored)
    assert found is not None
    assert found.checkpoint["id"] == checkpoint["id"]
