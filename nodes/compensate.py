"""The compensation node: undoes what a workflow achieved before it came to nothing (saga).

It stands at the end of every graph whose plan says how to undo a task, and returns to itself
after each attempt: so what was undone stands in a checkpoint before the next task's turn.
What a task is made of is undone too, under the keys that it would have inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from langchain_core.runnables import RunnableConfig
from langgraph.types import Command

from nodes.agent_call import NEXT_NODES, announce
from nodes.attempt import attempt, until_due
from nodes.run_handle import RunHandle, handle_of
from nodes.upstream import Upstream
from state.agent_context import AgentContext
from state.compensation import next_compensation, place_of, with_undoing
from state.outcome import Outcome
from state.plan import own_outcomes
from state.plan_document import COMPENSATE, INSIDE
from state.result import settled_status
from state.run_state import RunState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from state.plan_document import PlanDocument, PlannedTask, Work
    from state.run_state import Outcomes


async def compensate(state: RunState, config: RunnableConfig) -> Command[str]:
    """Undo one task, in one attempt, if any is to be undone; come back for the next."""
    after: list[str] = config["metadata"][NEXT_NODES]
    plan, outcomes = state["plan"], state["outcomes"]
    path = _next(plan, outcomes)
    if path is None:
        return Command(goto=after)
    run, undoable = handle_of(state), _undoable(state, path)
    previous = undoable.outcome.get("compensation")
    if previous is not None:
        await until_due(previous, run, though_cancelled=True)
    if run.slots is None:
        undoing = await _undo(undoable, state, run, config)
    else:
        async with run.slots:
            undoing = await _undo(undoable, state, run, config)
    changed = with_undoing(plan, outcomes, path, undoing)
    task_id = path.partition(INSIDE)[0]
    announce(run, task_id, changed[task_id])
    more = _next(plan, changed) is not None
    update = {"outcomes": {task_id: changed[task_id]}}
    return Command(goto=[COMPENSATE] if more else after, update=update)


def _next(plan: PlanDocument, outcomes: Outcomes) -> str | None:
    own = own_outcomes(plan, outcomes)
    return next_compensation(plan, own, status=settled_status(plan, own))


class Undoable(NamedTuple):
    """A task that is to be undone, wherever it is."""

    task: PlannedTask
    run_id: str
    """Of the plan that the task is in."""
    outcomes: Mapping[str, Outcome]
    """Of that plan."""

    @property
    def outcome(self) -> Outcome:
        """What became of the task."""
        return self.outcomes[self.task["id"]]


def _undoable(state: RunState, path: str) -> Undoable:
    return Undoable(*place_of(state["plan"], state["outcomes"], path))


def _undo(
    undoable: Undoable, state: RunState, run: RunHandle, config: RunnableConfig
) -> Awaitable[Outcome]:
    """Begin to call whoever undoes the task.

    No stop signal ends this early: the run is over already, and what was begun is finished.
    """
    context = _context(undoable, state["plan"], run, config)
    previous = undoable.outcome.get("compensation")
    return attempt(_work(undoable, run), context, run=run, stop=None, previous=previous)


def _work(undoable: Undoable, run: RunHandle) -> Work:
    """Whom to call, for what: of several with the task's capability, who did the task."""
    task = undoable.task
    work = task["compensate"]
    doer = undoable.outcome.get("agent")
    if work["capability"] is None or work["capability"] != task["capability"] or doer is None:
        return work
    if run.agents.problem_with(agent_id=doer, capability=None) is not None:
        return work
    return {**work, "agent": doer, "capability": None}


def _context(
    undoable: Undoable, plan: PlanDocument, run: RunHandle, config: RunnableConfig
) -> AgentContext:
    task_id = undoable.task["id"]
    previous = undoable.outcome.get("compensation")
    timeout = undoable.task["compensate"]["timeout_seconds"]
    return AgentContext(
        thread_id=config["configurable"].get("thread_id", ""),
        task_id=task_id,
        run_id=undoable.run_id,
        attempt=1 if previous is None else previous["attempts"] + 1,
        idempotency_key=f"{undoable.run_id}:{task_id}:compensate",
        deadline=None if timeout is None else run.clock.now() + timeout,
        upstream=Upstream([task_id], undoable.outcomes),
        tenant=plan["tenant"],
        user=plan["user"],
    )
