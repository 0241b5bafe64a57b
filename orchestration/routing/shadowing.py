"""Copies of calls for versions that are being tried out; nobody sees what they answer."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from checkpoints.traffic import CallRecord
from nodes.ports import Terms
from orchestration.routing.routed_call import RoutedCall
from state.agent_context import AgentContext
from state.status import TaskStatus

if TYPE_CHECKING:
    from orchestration.routing.agent_group import VersionState
    from orchestration.routing.router import Router
    from state.jsonvalue import JsonObject

SHADOW: str = "~"
"""Stands between the path of a task and the version that got a copy of its call."""
LONGEST: timedelta = timedelta(minutes=5)
"""Then a copy is broken off, whose call had no deadline."""


async def shadow_call(
    router: Router, version: VersionState, input_data: JsonObject, context: AgentContext
) -> None:
    """Call a version with a copy of a call, and record how it did."""
    spec = version.spec
    copy = AgentContext(
        thread_id=context.thread_id,
        task_id=context.task_id,
        run_id=context.run_id,
        idempotency_key=f"{context.idempotency_key}{SHADOW}{spec.version}",
        deadline=context.deadline,
        upstream=context.upstream,
        tenant=context.tenant,
        user=context.user,
        history=context.history,
    )
    call = RoutedCall(router, spec, Terms(), context.thread_id)
    status = TaskStatus.SUCCEEDED
    try:
        async with asyncio.timeout(_seconds(context, router.clock())):
            await call.call_version(version, input_data, copy)
    except Exception:  # noqa: BLE001  what a version does wrong that is tried out is counted
        status = TaskStatus.FAILED
    if router.sharing is None:
        return
    tries = call.told["tries"]
    usage = call.told.get("usage")
    record = CallRecord(
        run_id=context.run_id,
        path=f"{context.task_id}{SHADOW}{spec.version}",
        thread_id=context.thread_id,
        tenant=context.tenant,
        agent_id=spec.agent_id,
        version=spec.version,
        endpoint=call.told.get("endpoint", ""),
        status=str(status),
        calls=len(tries),
        seconds=tries[-1]["seconds"] if tries else 0.0,
        input_tokens=0 if usage is None else usage["input_tokens"],
        output_tokens=0 if usage is None else usage["output_tokens"],
        cost=call.told.get("cost"),
        finished_at=router.clock(),
    )
    await router.sharing.store.record([record])


def _seconds(context: AgentContext, now: float) -> float:
    """How long a copy may take."""
    longest = LONGEST.total_seconds()
    return longest if context.deadline is None else min(context.deadline - now, longest)
