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

from nodes.expressions import ExpressionError, holds
from nodes.history import History
from nodes.run_handle import RunHandle, handle_of
from nodes.stop_signal import CancelledByStopError
from nodes.upstream import Upstream
from state.agent_context import AgentContext
from state.errors import (
    AgentError,
    AgentNotFoundError,
    AgentRefusedError,
    AgentTimeoutError,
    AgentUnavailableError,
    UnknownReplyError,
)
from state.jsonvalue import JsonObject, NotJsonError, json_object
from state.outcome import Outcome, blocks, error_record, is_finished, skipped
from state.plan import PlannedTask
from state.retry import retry_delay
from state.run_state import RunState, RunUpdate
from state.status import SkipCause, TaskStatus

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from nodes.ports import Agent

NEXT_NODES: Final = "orchestration_next"
"""Node metadata: where a node that may retry goes after its last attempt."""

_SUCCEEDED: Final = TaskStatus.SUCCEEDED.value
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
    task = state["plan"]["tasks"][task_id]
    outcome = (
        _hindrance(task, state, run) if previous is None else await _wait_for_retry(previous, run)
    )
    if outcome is None:
        if run.slots is None:
            outcome = await _attempt(state, task, run, config)
        else:
            async with run.slots:
                outcome = _stopped(run) or await _attempt(state, task, run, config)
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
    if run.outcomes is not None:
        run.outcomes[task_id] = outcome
    if run.stop is not None and is_finished(outcome):
        run.stop.record(task_id, outcome)
    if run.observe is not None:
        run.observe(task_id, outcome)


def _hindrance(task: PlannedTask, state: RunState, run: RunHandle) -> Outcome | None:
    """The outcome of a task that is not to run at all, or None."""
    outcomes = state["outcomes"]
    outcome = blocked(task, outcomes, run)
    if outcome is not None:
        return outcome
    if task["approval"]:  # its condition was decided before anybody was asked
        return _rejected(task, state)
    return condition_outcome(task, outcomes, run)


async def _wait_for_retry(previous: Outcome, run: RunHandle) -> Outcome | None:
    """Wait until the next attempt is due; its outcome if the run ends first."""
    wait = run.clock.sleep(max(0.0, previous.get("next_due_at", 0.0) - run.clock.now()))
    if run.stop is None:
        await wait
        return None
    try:
        await run.stop.guard(wait, only_waits=True)
    except CancelledByStopError as error:
        ended = Outcome(
            status=TaskStatus.CANCELLED.value, attempts=previous["attempts"], reason=str(error)
        )
        if "error" in previous:
            ended["error"] = previous["error"]
        return ended
    return None


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
        if holds(condition, outcomes=outcomes, input_data=task["input"], callables=run.callables):
            return None
    except ExpressionError as error:
        return Outcome(status=TaskStatus.FAILED.value, attempts=0, error=error_record(error))
    words = condition["expression"] if condition["kind"] == "cel" else condition["name"]
    return skipped(f"its condition is false: {words}", because=SkipCause.CONDITION)


def _stopped(run: RunHandle) -> Outcome | None:
    if run.stop is None or run.stop.verdict is None:
        return None
    return skipped(run.stop.verdict.reason, because=SkipCause.STOPPED)


def _rejected(task: PlannedTask, state: RunState) -> Outcome | None:
    decision = state.get("approvals", {}).get(task["id"])
    if decision is None or decision["decision"] != "reject":
        return None
    reason = decision["message"] or "the approver rejected it"
    return Outcome(status=TaskStatus.REJECTED.value, attempts=0, reason=reason)


def _context(
    state: RunState, task: PlannedTask, run: RunHandle, config: RunnableConfig
) -> AgentContext:
    plan, outcomes, timeout = state["plan"], state["outcomes"], task["timeout_seconds"]
    task_id, run_id = task["id"], plan["run_id"]
    previous = outcomes.get(task_id)
    return AgentContext(
        thread_id=config["configurable"].get("thread_id", ""),
        task_id=task_id,
        run_id=run_id,
        attempt=1 if previous is None else previous["attempts"] + 1,
        idempotency_key=f"{run_id}:{task_id}",
        deadline=None if timeout is None else run.clock.now() + timeout,
        upstream=Upstream(task["upstream"], outcomes),
        tenant=plan["tenant"],
        user=plan["user"],
        history=History(plan["history"]) if "history" in plan else (),
    )


async def _attempt(
    state: RunState, task: PlannedTask, run: RunHandle, config: RunnableConfig
) -> Outcome:
    """Call the agent once and say what became of it."""
    if run.lease is not None:
        await run.lease.confirm()
    context = _context(state, task, run, config)
    started = run.clock.now()
    agent: Agent | None = None
    try:
        agent = run.agents.choose(agent_id=task["agent"], capability=task["capability"])
        call = agent.call(json_object(task["input"], at="input_data"), context)
        bounded = run.stop is not None or task["timeout_seconds"] is not None
        reply = await (_bounded(call, agent, task, run) if bounded else call)
        outcome: Outcome = {
            "status": _SUCCEEDED,
            "attempts": context.attempt,
            "output": json_object(reply, at=f"the reply of agent {agent.agent_id!r}"),
        }
    except GraphBubbleUp:  # an interrupt of a graph that is the agent
        raise
    except Exception as error:  # noqa: BLE001  whatever an agent raises is its task's outcome
        outcome = _failure(error, run, task, context)
    except asyncio.CancelledError:
        if _is_cancelled():
            raise
        outcome = _failure(AgentError("the agent cancelled itself"), run, task, context)
    if agent is not None:
        outcome["agent"], outcome["version"] = agent.agent_id, agent.version
    outcome["started_at"], outcome["finished_at"] = started, run.clock.now()
    return outcome


async def _bounded(
    call: Awaitable[JsonObject], agent: Agent, task: PlannedTask, run: RunHandle
) -> JsonObject:
    """Await the agent's reply, no longer than the deadline and the run allow."""
    timeout = task["timeout_seconds"]
    if run.stop is not None:
        call = run.stop.guard(call)
    if timeout is None:
        return await call
    try:
        async with asyncio.timeout(timeout) as limit:
            reply = await call
    except TimeoutError:
        if not limit.expired():  # the agent's own
            raise
    if not limit.expired():  # an agent that swallows its cancellation answers too late
        return reply
    raise AgentTimeoutError(
        f"agent {agent.agent_id!r} did not answer within {timeout:g} s; "
        "it may have acted all the same"
    )


def _is_cancelled() -> bool:
    """Whether this task was asked to stop, as opposed to an agent that raised for itself."""
    current = asyncio.current_task()
    return current is not None and current.cancelling() > 0


def _failure(error: Exception, run: RunHandle, task: PlannedTask, context: AgentContext) -> Outcome:
    if isinstance(error, CancelledByStopError):
        return Outcome(
            status=TaskStatus.CANCELLED.value, attempts=context.attempt, reason=str(error)
        )
    if isinstance(error, NotJsonError):
        error = UnknownReplyError(f"{error}; agents answer with a JSON object")
    timed_out = isinstance(error, AgentTimeoutError | TimeoutError)
    status = TaskStatus.TIMED_OUT if timed_out else TaskStatus.FAILED
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
