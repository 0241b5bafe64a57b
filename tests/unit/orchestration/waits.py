"""Runs that wait: plans whose tasks of certain names do not call their agent, but wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from graph.plan_request import Planned, PlanRequest
from graph.planner import plan
from orchestration.engines.local_parts import local_parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestration import AgentTask, SimpleCoordinator, WorkflowResult
    from state.waiting import WaitDocument

DAY = 86400.0


def timer(seconds: float) -> WaitDocument:
    return {"kind": "timer", "seconds": seconds}


def until(at: float) -> WaitDocument:
    return {"kind": "until", "at": at}


def signal(name: str, timeout: float | None = None) -> WaitDocument:
    return {"kind": "signal", "signal": name, "timeout_seconds": timeout}


def planned(
    coordinator: SimpleCoordinator,
    tasks: Sequence[AgentTask],
    waits: Mapping[str, WaitDocument],
    *,
    run_id: str = "run",
    **wishes: Any,  # noqa: ANN401
) -> Planned:
    """Plan tasks; those named in `waits` wait instead."""
    request = PlanRequest(tasks=tasks, **wishes)
    made = plan(request, agents=coordinator.registry, run_id=run_id)
    for task_id, wait in waits.items():
        cast("dict[str, Any]", made.plan.document["tasks"][task_id])["wait"] = wait
    return made


async def run(
    coordinator: SimpleCoordinator,
    tasks: Sequence[AgentTask],
    waits: Mapping[str, WaitDocument],
    thread_id: str = "t",
    run_id: str = "run",
    **wishes: Any,  # noqa: ANN401
) -> WorkflowResult:
    """Run tasks, some of which wait, on a thread."""
    made = planned(coordinator, tasks, waits, run_id=run_id, **wishes)
    return await coordinator._start(thread_id, made, local_parts(made, tasks))
