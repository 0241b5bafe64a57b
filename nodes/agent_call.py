"""The agent node: one attempt at one task, and an outcome whatever happens.

A node never raises for a task that merely went wrong, so siblings finish and joins fire.
An attempt that failed and may be made again returns to the node itself (a self-loop), so
that how often it was tried and when it is due next stand in the checkpoint.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphBubbleUp
from langgraph.types import Command

from nodes.expressions import ExpressionError, evaluate
from nodes.run_handle import RunHandle, handle_of
from nodes.stop_signal import CancelledByStopError
from state.agent_context import AgentContext
from state.errors import (
    AgentNotFoundError,
    AgentRefusedError,
    AgentTimeoutError,
    AgentUnavailableError,
    OrchestrationError,
    UnknownReplyError,
)
from state.jsonvalue import JsonObject, NotJsonError, json_object
from state.outcome import Outcome, blocks, error_record, is_finished, skipped
from state.plan import PlannedTask
from state.retry import retry_delay
from state.run_state import RunState, RunUpdate
from state.status import SkipCause, TaskStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nodes.ports import Agent

NEXT_NODES: Final = "orchestration_next"
"""Node metadata: where a node that may retry goes after its last attempt."""

_NEVER_RETRIED = (
    AgentNotFoundError,
    AgentRefusedError,
    AgentUnavailableError,
    ExpressionError,
    UnknownReplyError,
)


async def call_agent(state: RunState, config: RunnableConfig) -> RunUpdate:
    """Do the task that this node is named after, in one attempt."""
    task_id = config["metadata"]["langgraph_node"]
    previous = state["outcomes"].get(task_id)
    if is_finished(previous):  # its condition, in a node before, was false
        return {}
    run = handle_of(state)
    outcome = await _outcome(state, task_id, run, config)
    announce(run, task_id, outcome)
    return {"outcomes": {task_id: outcome}}


async def call_agent_with_retry(state: RunState, config: RunnableConfig) -> Command[str]:
    """Do the task that this node is named after; come back if it is to be tried again."""
    update = await call_agent(state, config)
    metadata = config["metadata"]
    task_id = metadata["langgraph_node"]
    outcome = update.get("outcomes", {}).get(task_id)
    again = outcome is not None and not is_finished(outcome)
    goto: list[str] = [task_id] if again else metadata[NEXT_NODES]
    return Command(goto=goto, update=update)


def announce(run: RunHandle, task_id: str, outcome: Outcome) -> None:
    """Tell this process at once what became of a task."""
    if run.stop is not None and is_finished(outcome):
        run.stop.record(task_id, outcome)
    if run.observe is not None:
        run.observe(task_id, outcome)


async def _outcome(
    state: RunState, task_id: str, run: RunHandle, config: RunnableConfig
) -> Outcome:
    task, previous = state["plan"]["tasks"][task_id], state["outcomes"].get(task_id)
    if previous is not None:
        await _until_due(previous, run)
        hindrance = _stopped(run)
    else:
        hindrance = blocked(task, state["outcomes"], run) or _rejected(task, state)
        if hindrance is None and not task["approval"]:
            hindrance = condition_outcome(task, state["outcomes"], run)
    if hindrance is not None:
        return hindrance
    if run.lease is not None:
        await run.lease.confirm()
    return await _attempt(run, task, _context(state, task, run, config))


def blocked(task: PlannedTask, outcomes: Mapping[str, Outcome], run: RunHandle) -> Outcome | None:
    """The outcome of a task that others keep from running, or None."""
    for other in task["needs"]:
        needed = outcomes.get(other)
        if needed is not None and blocks(needed):
            root = needed.get("because_of", other)
            reason = f"{root!r} did not succeed ({outcomes[root]['status']})"
            return skipped(reason, because=SkipCause.UPSTREAM, because_of=root)
    return _stopped(run)


def condition_outcome(
    task: PlannedTask, outcomes: Mapping[str, Outcome], run: RunHandle
) -> Outcome | None:
    """None where the task's condition holds (or it has none), else its outcome."""
    condition = task["condition"]
    if condition is None:
        return None
    try:
        holds = evaluate(
            condition,
            outcomes=outcomes,
            input_data=task["input"],
            argument=outcomes,
            callables=run.callables,
        )
    except ExpressionError as error:
        return Outcome(status=TaskStatus.FAILED.value, attempts=0, error=error_record(error))
    if holds:
        return None
    words = condition["expression"] if condition["kind"] == "cel" else condition["name"]
    return skipped(f"its condition is false: {words}", because=SkipCause.CONDITION)


def _stopped(run: RunHandle) -> Outcome | None:
    if run.stop is None or run.stop.verdict is None:
        return None
    return skipped(run.stop.verdict.reason, because=SkipCause.STOPPED)


def _rejected(task: PlannedTask, state: RunState) -> Outcome | None:
    decision = state["approvals"].get(task["id"])
    if decision is None or decision["decision"] != "reject":
        return None
    reason = decision["message"] or "the approver rejected it"
    return Outcome(status=TaskStatus.REJECTED.value, attempts=0, reason=reason)


async def _until_due(previous: Outcome, run: RunHandle) -> None:
    wait = previous.get("next_due_at", 0.0) - run.clock.now()
    if wait > 0:
        await run.clock.sleep(wait)


def _context(
    state: RunState, task: PlannedTask, run: RunHandle, config: RunnableConfig
) -> AgentContext:
    plan, outcomes, timeout = state["plan"], state["outcomes"], task["timeout_seconds"]
    task_id, run_id = task["id"], plan["run_id"]
    previous = outcomes.get(task_id)
    upstream = {
        other: outcomes[other]["output"]
        for other in task["upstream"]
        if other in outcomes and outcomes[other]["status"] == TaskStatus.SUCCEEDED
    }
    return AgentContext(
        thread_id=config["configurable"].get("thread_id", ""),
        task_id=task_id,
        run_id=run_id,
        attempt=1 if previous is None else previous["attempts"] + 1,
        idempotency_key=f"{run_id}:{task_id}",
        deadline=None if timeout is None else run.clock.now() + timeout,
        upstream=upstream,
        tenant=plan["tenant"],
        user=plan["user"],
    )


async def _attempt(run: RunHandle, task: PlannedTask, context: AgentContext) -> Outcome:
    """Call the agent once and say what became of it."""
    started = run.clock.now()
    agent: Agent | None = None
    try:
        agent = run.agents.choose(agent_id=task["agent"], capability=task["capability"])
        output = await _call(run, agent, task, context)
        outcome = Outcome(
            status=TaskStatus.SUCCEEDED.value, attempts=context.attempt, output=output
        )
    except GraphBubbleUp:  # an interrupt of a graph that is the agent
        raise
    except CancelledByStopError as error:
        outcome = Outcome(
            status=TaskStatus.CANCELLED.value, attempts=context.attempt, reason=str(error)
        )
    except Exception as error:  # noqa: BLE001  whatever an agent raises is its task's outcome
        outcome = _failure(error, run, task, context)
    if agent is not None:
        outcome["agent"], outcome["version"] = agent.agent_id, agent.version
    outcome["started_at"], outcome["finished_at"] = started, run.clock.now()
    return outcome


async def _call(
    run: RunHandle, agent: Agent, task: PlannedTask, context: AgentContext
) -> JsonObject:
    if run.slots is None:
        reply = await _answer(run, agent, task, context)
    else:
        async with run.slots:
            reply = await _answer(run, agent, task, context)
    try:
        return json_object(reply, at=f"the reply of agent {agent.agent_id!r}")
    except NotJsonError as error:
        raise UnknownReplyError(f"{error}; agents answer with a JSON object") from error


async def _answer(
    run: RunHandle, agent: Agent, task: PlannedTask, context: AgentContext
) -> JsonObject:
    call = agent.call(task["input"], context)
    if run.stop is not None:
        call = run.stop.guard(call)
    timeout = task["timeout_seconds"]
    try:
        async with asyncio.timeout(timeout) as limit:
            return await call
    except TimeoutError as error:
        if limit.expired():
            raise AgentTimeoutError(
                f"agent {agent.agent_id!r} did not answer within {timeout:g} s; "
                "it may have acted all the same"
            ) from error
        raise AgentTimeoutError(f"agent {agent.agent_id!r} timed out: {error}") from error
    except asyncio.CancelledError as error:
        current = asyncio.current_task()
        if current is not None and current.cancelling():
            raise
        raise OrchestrationError(f"agent {agent.agent_id!r} cancelled itself") from error


def _failure(error: Exception, run: RunHandle, task: PlannedTask, context: AgentContext) -> Outcome:
    status = TaskStatus.TIMED_OUT if isinstance(error, AgentTimeoutError) else TaskStatus.FAILED
    outcome = Outcome(status=status.value, attempts=context.attempt, error=error_record(error))
    policy = task["retry"]
    if (
        policy is not None
        and context.attempt < policy["max_attempts"]
        and not isinstance(error, _NEVER_RETRIED)
    ):
        wait = retry_delay(policy, context.attempt, seed=context.idempotency_key)
        outcome["status"] = TaskStatus.PENDING.value
        outcome["next_due_at"] = run.clock.now() + wait
    return outcome
