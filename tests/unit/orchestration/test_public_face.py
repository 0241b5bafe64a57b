"""The face: its names, the guard of the package names, and threads that are not free."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import orchestration
from orchestration import (
    AgentRegistry,
    AgentSpec,
    AgentTask,
    CallableLostError,
    ConfigurationError,
    DecisionError,
    RoutingError,
    SimpleCoordinator,
    ThreadBusyError,
    ThreadPendingError,
    WorkflowStatus,
)
from orchestration.agent_registry import registry_from_environment


def test_every_public_name_loads_and_they_are_sorted() -> None:
    classes = [name for name in orchestration.__all__ if name[0].isupper()]
    functions = [name for name in orchestration.__all__ if name[0].islower()]
    assert orchestration.__all__ == [*sorted(classes), *sorted(functions)]
    for name in orchestration.__all__:
        assert getattr(orchestration, name) is not None


@pytest.mark.parametrize("name", ["state", "graph", "nodes", "checkpoints"])
def test_a_package_of_the_same_name_elsewhere_is_named_with_the_remedy(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("")
    done = subprocess.run(
        [sys.executable, "-c", "import orchestration"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode != 0
    assert "ImportError" in done.stderr
    assert str(tmp_path / name) in done.stderr
    assert "Rename or move" in done.stderr


def test_an_endpoint_without_credentials_says_so_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    environment = {
        "SALES_ENDPOINT": "projects/p/locations/r/endpoints/7",
        "ORCHESTRATION_TEAM_DATABASE": str(tmp_path / "team.db"),
    }
    with pytest.raises(ConfigurationError, match="SALES_ENDPOINT: there are no credentials"):
        registry_from_environment(environment)
    assert not (tmp_path / "team.db").exists()


async def answer(_input: dict[str, Any]) -> dict[str, Any]:
    return {"price": 10}


@pytest.fixture
def registry() -> AgentRegistry:
    registry = AgentRegistry()
    registry.register(AgentSpec("quick", handler=answer))
    return registry


async def test_two_processes_never_run_one_thread(registry: AgentRegistry, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'threads.db'}"
    async with (
        SimpleCoordinator(registry=registry, database_url=url) as one,
        SimpleCoordinator(registry=registry, database_url=url) as other,
    ):
        called = asyncio.Event()

        async def wait_for_ever(_input: dict[str, Any]) -> dict[str, Any]:
            called.set()
            await asyncio.Event().wait()
            return {}

        registry.register(AgentSpec("endless", handler=wait_for_ever))
        run = asyncio.ensure_future(one.execute_sequential([AgentTask("endless")], thread_id="t"))
        await asyncio.wait_for(called.wait(), timeout=30)
        with pytest.raises(ThreadBusyError, match="is running it; its lease ends at"):
            await other.resume("t")
        run.cancel()
        await asyncio.wait({run})
        with pytest.raises(ThreadPendingError):
            await other.execute_sequential([AgentTask("quick")], thread_id="t")


async def test_a_pause_takes_one_fitting_answer(registry: AgentRegistry) -> None:
    coordinator = SimpleCoordinator(registry=registry, database_url="memory://")
    task = AgentTask("quick", requires_approval=True)
    paused = await coordinator.execute_sequential([task])
    assert paused.status == WorkflowStatus.INTERRUPTED
    wrong: dict[str, Any]
    for wrong in ({"quick": None}, {"quick": {}}, {"quick": "maybe"}, {"other": "approve"}):
        with pytest.raises(DecisionError):
            await coordinator.resume(paused.thread_id, wrong)
    done = await coordinator.resume(paused.thread_id, {"quick": "approve"})
    assert done.status == WorkflowStatus.COMPLETED
    with pytest.raises(DecisionError, match="nothing waits under 'quick'"):
        await coordinator.resume(paused.thread_id, {"quick": "reject"})


async def test_a_lambda_of_another_process_is_named_with_the_remedy(
    registry: AgentRegistry, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'threads.db'}"
    tasks = [
        AgentTask("quick", requires_approval=True),
        AgentTask("quick", task_id="next", condition=lambda: True),
    ]
    async with SimpleCoordinator(registry=registry, database_url=url) as first:
        paused = await first.execute_sequential(tasks)
    async with SimpleCoordinator(registry=registry, database_url=url) as second:
        with pytest.raises(CallableLostError, match=r"condition of task 'next'.*CEL"):
            await second.resume(paused.thread_id, {"quick": "approve"})
        _, known = await second.inspect(paused.thread_id)
        assert known.status == WorkflowStatus.INTERRUPTED


async def test_a_router_that_picks_nobody_known_is_an_error_and_calls_nobody(
    registry: AgentRegistry,
) -> None:
    coordinator = SimpleCoordinator(registry=registry, database_url="memory://")
    with pytest.raises(RoutingError, match=r"'legal'.*'quick'"):
        await coordinator.execute_conditional([AgentTask("quick")], lambda _data: "legal")
    assert registry.get_agent_stats()["calls"]["quick"] == 0


async def test_a_thread_takes_turns_without_mixing_them(registry: AgentRegistry) -> None:
    coordinator = SimpleCoordinator(registry=registry, database_url="memory://")
    first = await coordinator.execute_parallel([AgentTask("quick")], thread_id="t")
    second = await coordinator.execute_sequential(
        [AgentTask("quick", task_id="again")], thread_id="t"
    )
    assert [task.task_id for task in first] == ["quick"]
    assert second.outputs == {"again": {"price": 10}}
