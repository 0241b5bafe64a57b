from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from checkpoints.database import connect
from checkpoints.memory_threads import MemoryThreads
from checkpoints.threads import Lease, Renewal
from orchestration import (
    AgentRegistry,
    AgentSpec,
    AgentTask,
    ConfigurationError,
    LeaseLostError,
    SimpleCoordinator,
    ThreadBusyError,
    WorkflowStatus,
)
from orchestration.engines.leases import LEASE_VARIABLE, HeldLease, LeaseKeeper, lease_seconds
from state.plan import Plan

Handler = Callable[[dict[str, Any]], Any]


def coordinator(file: Path, *handlers: Handler, lease: float) -> SimpleCoordinator:
    """A coordinator whose agents `a`, `b` and so on do what the handlers do."""
    registry = AgentRegistry()
    for name, handler in zip("abc", handlers, strict=False):
        registry.register(AgentSpec(name, handler=handler))
    url = f"sqlite:///{file}"
    return SimpleCoordinator(registry=registry, database_url=url, lease_seconds=lease)


def taken_by_another(file: Path) -> None:
    """Claim the thread as another process does once the lease has run out."""
    with closing(connect(file)) as connection:
        connection.execute(
            "UPDATE orchestration_threads SET lease_token = lease_token + 1, "
            "lease_holder = 'another', lease_expires_at = 1e12"
        )


def stored(file: Path) -> list[tuple[Any, ...]]:
    """Everything that is in the file of the thread."""
    sql = (
        "SELECT 'checkpoint', checkpoint_ns, checkpoint_id, '' FROM checkpoints UNION ALL "
        "SELECT 'write', checkpoint_id, task_path, channel FROM writes UNION ALL "
        "SELECT 'thread', status, lease_holder, lease_token FROM orchestration_threads "
        "ORDER BY 1, 3"
    )
    with closing(connect(file)) as connection:
        return connection.execute(sql).fetchall()


async def test_a_call_may_take_longer_than_the_lease(file: Path) -> None:
    other = coordinator(file, lease=0.6)

    async def slow(_input: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(1.5)  # real time: what is tested is a heartbeat
        with pytest.raises(ThreadBusyError):
            await other.resume("t")
        return {"ok": True}

    async with coordinator(file, slow, lease=0.6) as runs, other:
        result = await runs.execute_sequential([AgentTask("a")], thread_id="t")
    assert result.status == WorkflowStatus.COMPLETED


async def test_a_heartbeat_that_finds_the_lease_lost_cancels_the_run(file: Path) -> None:
    left = asyncio.Event()
    seen: list[list[tuple[Any, ...]]] = []

    async def endless(_input: dict[str, Any]) -> dict[str, Any]:
        taken_by_another(file)
        seen.append(stored(file))
        try:
            await asyncio.sleep(3600)
        finally:
            left.set()
        return {}

    async with coordinator(file, endless, lease=0.3) as runs:
        with pytest.raises(LeaseLostError):
            await asyncio.wait_for(
                runs.execute_sequential([AgentTask("a")], thread_id="t"), timeout=20
            )
    assert left.is_set()
    assert [stored(file)] == seen


async def test_a_process_that_lost_its_thread_unawares_saves_and_calls_nothing_more(
    file: Path,
) -> None:
    seen: list[list[tuple[Any, ...]]] = []
    called = []

    async def first(_input: dict[str, Any]) -> dict[str, Any]:
        taken_by_another(file)
        seen.append(stored(file))
        return {"ok": True}

    async def second(_input: dict[str, Any]) -> dict[str, Any]:
        called.append("b")
        return {}

    async with coordinator(file, first, second, lease=3600) as runs:
        with pytest.raises(LeaseLostError, match="nothing more of it is written"):
            await runs.execute_sequential([AgentTask("a"), AgentTask("b")], thread_id="t")
    assert called == []
    assert [stored(file)] == seen


async def test_a_stale_branch_of_a_parallel_run_saves_nothing_more(file: Path) -> None:
    seen: list[list[tuple[Any, ...]]] = []
    called = []

    async def first(_input: dict[str, Any]) -> dict[str, Any]:
        taken_by_another(file)
        seen.append(stored(file))
        return {"ok": True}

    async def quick(_input: dict[str, Any]) -> dict[str, Any]:
        called.append("c")
        return {"ok": True}

    tasks = [AgentTask("a"), AgentTask("b", depends_on=["a"]), AgentTask("c", depends_on=["b"])]
    async with coordinator(file, first, quick, quick, lease=3600) as runs:
        with pytest.raises(LeaseLostError):
            await runs.execute_parallel([*tasks, AgentTask("a", task_id="d")], thread_id="t")
    assert called == []
    assert stored(file) == seen[-1]


async def test_after_a_loss_the_caller_can_go_on(file: Path) -> None:
    async def first(_input: dict[str, Any]) -> dict[str, Any]:
        taken_by_another(file)
        await asyncio.sleep(3600)
        return {}

    async with coordinator(file, first, lease=0.3) as runs:
        with pytest.raises(LeaseLostError):
            await runs.execute_sequential([AgentTask("a")])
        current = asyncio.current_task()
        assert current is not None
        assert current.cancelling() == 0
        await asyncio.sleep(0)  # a cancellation left behind would be raised here


@pytest.mark.parametrize("wanted", [0.0, -1.0, float("nan")])
def test_a_lease_lasts_a_positive_time(wanted: float) -> None:
    with pytest.raises(ConfigurationError, match="use a positive number"):
        lease_seconds(wanted)


def test_a_variable_that_is_no_number_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LEASE_VARIABLE, "abc")
    with pytest.raises(ConfigurationError, match="ORCHESTRATION_LEASE_SECONDS='abc'"):
        lease_seconds()


class Renewals(MemoryThreads):
    """Tells of every renewal."""

    def __init__(self) -> None:
        super().__init__()
        self.renewed: dict[str, asyncio.Event] = {}

    async def renew(self, leases: Sequence[Lease], *, seconds: float) -> Renewal:  # noqa: ARG002
        for lease in leases:
            if lease.thread_id in self.renewed:
                self.renewed[lease.thread_id].set()
        return Renewal(set(), {})


def test_a_loop_that_ends_does_not_take_the_heartbeat_of_the_others_with_it(
    make_plan: Callable[[str], Plan],
) -> None:
    threads = Renewals()
    keeper = LeaseKeeper(threads, 0.1)

    async def claim(thread_id: str) -> HeldLease:
        lease = await threads.start(thread_id, make_plan("r"), holder="me", seconds=0.1)
        return keeper.hold(lease, since=asyncio.get_running_loop().time())

    async def until_renewed(thread_id: str) -> None:
        threads.renewed[thread_id] = asyncio.Event()
        await asyncio.wait_for(threads.renewed[thread_id].wait(), timeout=1)

    with closing(asyncio.new_event_loop()) as one, closing(asyncio.new_event_loop()) as two:
        first = one.run_until_complete(claim("first"))
        one.run_until_complete(until_renewed("first"))
        two.run_until_complete(claim("second"))
        first.drop()
        one.close()
        two.run_until_complete(until_renewed("second"))
