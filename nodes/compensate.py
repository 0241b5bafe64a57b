"""The compensation node: undoes what a workflow achieved before it came to nothing (saga).

It stands at the end of every graph whose plan says how to undo a task, and returns to itself
after each attempt: so what was undone stands in a checkpoint before the next task's turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core.runnables import RunnableConfig
from langgraph.types import Command

from nodes.agent_call import NEXT_NODES, announce
from nodes.attempt import attempt, until_due
from nodes.run_handle import RunHandle, handle_of
from nodes.upstream import Upstream
from state.agent_context import AgentContext
from state.compensation import next_compensation
from state.outcome import Outcome
from state.plan import COMPENSATE
from state.result import settled_status
from state.run_state import RunState
from state.status import TaskStatus

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from state.plan import Work
    from state.run_state import Outcomes


async def compensate(state: RunState, config: RunnableConfig) -> Command[str]:
    """Undo one task, in one attempt, if any is to be undone; come back for the next."""
    after: list[str] = config["metadata"][NEXT_NODES]
    task_id = _next(state, state["outcomes"])
    if task_id is None:
        return Command(goto=after)
    run = handle_of(state)
    previous = state["outcomes"][task_id].get("compensation")
    if previous is not None:
        await until_due(previous, run, though_cancelled=True)
    if run.slots is None:
        undoing = await _undo(task_id, state, run, config)
    else:
        async with run.slots:
            undoing = await _undo(task_id, state, run, config)
    outcome = _undone(state["outcomes"][task_id], undoing)
    announce(run, task_id, outcome)
    more = _next(state, {**state["outcomes"], task_id: outcome}) is not None
    return Command(goto=[COMPENSATE] if more else after, update={"outcomes": {task_id: outcome}})


def _next(state: RunState, outcomes: Outcomes) -> str | None:
    plan = state["plan"]
    return next_compensation(plan, outcomes, status=settled_status(plan, outcomes))


def _undone(outcome: Outcome, undoing: Outcome) -> Outcome:
    """The task's outcome after an attempt to undo it."""
    changed: Outcome = {**outcome, "compensation": undoing}
    if undoing["status"] == TaskStatus.SUCCEEDED:
        changed["status"] = TaskStatus.COMPENSATED.value
    return changed


def _undo(
    task_id: str, state: RunState, run: RunHandle, config: RunnableConfig
) -> Awaitable[Outcome]:
    """Begin to call whoever undoes the task.

    No stop signal ends this early: the run is over already, and what was begun is finished.
    """
    context = _context(task_id, state, run, config)
    return attempt(_work(task_id, state, run), context, run=run, stop=None)


def _work(task_id: str, state: RunState, run: RunHandle) -> Work:
    """Whom to call, for what: of several with the task's capability, who did the task."""
    task = state["plan"]["tasks"][task_id]
    work = task["compensate"]
    doer = state["outcomes"][task_id].get("agent")
    if work["capability"] is None or work["capability"] != task["capability"] or doer is None:
        return work
    if run.agents.problem_with(agent_id=doer, capability=None) is not None:
        return work
    return {**work, "agent": doer, "capability": None}


def _context(task_id: str, state: RunState, run: RunHandle, config: RunnableConfig) -> AgentContext:
    plan, outcomes = state["plan"], state["outcomes"]
    previous = outcomes[task_id].get("compensation")
    timeout = plan["tasks"][task_id]["compensate"]["timeout_seconds"]
    return AgentContext(
        thread_id=config["configurable"].get("thread_id", ""),
        task_id=task_id,
        run_id=plan["run_id"],
        attempt=1 if previous is None else previous["attempts"] + 1,
        idempotency_key=f"{plan['run_id']}:{task_id}:compensate",
        deadline=None if timeout is None else run.clock.now() + timeout,
        upstream=Upstream([task_id], outcomes),
        tenant=plan["tenant"],
        user=plan["user"],
    )
