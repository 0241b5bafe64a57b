"""The agent node: one attempt at one task, and an outcome whatever happens.

A node never raises for a task that merely went wrong, so siblings finish and joins fire.
An attempt that failed and may be made again returns to the node itself (a self-loop), so
that how often it was tried and when it is due next stand in the checkpoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from langchain_core.runnables import RunnableConfig
from langgraph.types import Command

from nodes.attempt import attempt, until_due
from nodes.budgeting import AskFirstError
from nodes.expressions import ExpressionError, holds, scope_of, worked_out
from nodes.history import History
from nodes.run_handle import RunHandle, handle_of
from nodes.stop_signal import CancelledByStopError
from nodes.upstream import Upstream
from state.agent_context import AgentContext
from state.jsonvalue import JsonObject
from state.outcome import Outcome, blocks, error_record, is_finished, skipped
from state.plan import in_turn, is_stale
from state.plan_document import Handoff, PlanDocument, PlannedTask
from state.run_state import ApprovalRecord, RunState, RunUpdate
from state.status import SkipCause, TaskStatus

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

_OF_CALLS: Final = (
    "agent",
    "version",
    "endpoint",
    "tries",
    "routing",
    "usage",
    "cost",
    "started_at",
    "finished_at",
)
NEXT_NODES: Final = "orchestration_next"
"""Node metadata: where a node that may retry goes after its last attempt."""
AGAIN_NODE: Final = "orchestration_again"
"""Node metadata: where it goes for another attempt."""


async def call_agent(state: RunState, config: RunnableConfig) -> RunUpdate:
    """Do the task that this node is named after, in one attempt."""
    task_id = config["metadata"]["langgraph_node"]
    plan = state["plan"]
    previous = state["outcomes"].get(task_id)
    if previous is not None:
        if is_stale(previous, plan):
            previous = None
        elif is_finished(previous):  # its condition, in a node before, was false
            return {}
    run = handle_of(state)
    task = plan["tasks"][task_id]
    outcome = (
        hindrance(task, state, run)
        if previous is None
        else _refused(task, state, previous) or await _wait_for_retry(previous, run)
    )
    if outcome is None:
        if run.slots is None:
            outcome = await _attempt(state, task, run, config)
        else:
            async with run.slots:
                outcome = _ended_meanwhile(previous, run)
                if outcome is None:
                    outcome = await _attempt(state, task, run, config)
    if "turn" in plan:
        outcome = in_turn(outcome, plan)
    announce(run, task_id, outcome)
    return {"outcomes": {task_id: outcome}}


async def call_agent_with_retry(state: RunState, config: RunnableConfig) -> Command[str]:
    """Do the task that this node is named after; come back if it is to be tried again.

    It goes to the gate where a budget was used up between that and the call, by tasks beside it.
    """
    metadata = config["metadata"]
    try:
        update = await call_agent(state, config)
    except AskFirstError:
        return Command(goto=metadata[AGAIN_NODE])
    task_id = metadata["langgraph_node"]
    outcome = update.get("outcomes", {}).get(task_id)
    again = outcome is not None and not is_finished(outcome)
    goto: list[str] = [metadata[AGAIN_NODE]] if again else metadata[NEXT_NODES]
    return Command(goto=goto, update=update)


def announce(run: RunHandle, task_id: str, outcome: Outcome) -> None:
    """Tell this process at once what became of a task."""
    if run.outcomes is not None:
        run.outcomes[task_id] = outcome
    if run.stop is not None and is_finished(outcome):
        run.stop.record(task_id, outcome)
    if run.observe is not None:
        run.observe(task_id, outcome)


def hindrance(task: PlannedTask, state: RunState, run: RunHandle) -> Outcome | None:
    """The outcome of a task that is not to run at all, or None."""
    outcome = blocked(task, state["outcomes"], run)
    if outcome is not None:
        return outcome
    outcome = _refusal(task, state)
    if outcome is not None or task["approval"]:  # then its condition was decided before
        return outcome
    return condition_outcome(task, state, run)


def _refusal(task: PlannedTask, state: RunState) -> Outcome | None:
    """The outcome of a task whose agent a person does not let be called, or None.

    An answer given before the workflow was changed counts, also where nobody is asked any more.
    """
    if not task["approval"] and not state.get("approvals"):
        return None
    record = approval_of(task, state)
    return _without_calling(record) if record is not None or task["approval"] else None


def approval_of(task: PlannedTask, state: RunState) -> ApprovalRecord | None:
    """What was decided about a task, in the present turn; None if nothing was yet."""
    return state.get("approvals", {}).get(approval_key(state["plan"], task["id"]))


def approval_key(plan: PlanDocument, task_id: str) -> str:
    """Under what a decision is recorded: each turn needs its own."""
    return f"{task_id}#{plan['turn']}" if "turn" in plan else task_id


def _refused(task: PlannedTask, state: RunState, previous: Outcome) -> Outcome | None:
    """The outcome of a task that a person refused after it was tried, or None.

    Its approval may be needed only since the workflow was changed.
    """
    refused = _refusal(task, state)
    if refused is None:
        return None
    return {**_calls_of(previous), **refused, "attempts": previous["attempts"]}


async def _wait_for_retry(previous: Outcome, run: RunHandle) -> Outcome | None:
    """Wait until the next attempt is due; its outcome if the run ends first."""
    wait = until_due(previous, run)
    if run.stop is None:
        await wait
    else:
        try:
            await run.stop.guard(wait, only_waits=True)
        except CancelledByStopError as error:
            return _given_up(previous, str(error))
    return _ended_before_retry(previous, run)


def _ended_before_retry(previous: Outcome, run: RunHandle) -> Outcome | None:
    """The outcome of a task that was tried before its run ended, or None.

    It keeps its count of attempts: an outcome with fewer would be taken for an older one.
    """
    cancelled = called_off(run)
    if cancelled is not None:
        return {**cancelled, **_given_up(previous, cancelled["reason"])}
    stopped = _stopped(run)
    return None if stopped is None else _given_up(previous, stopped["reason"])


def _ended_meanwhile(previous: Outcome | None, run: RunHandle) -> Outcome | None:
    """The outcome of a task whose run ended while it waited for its turn, or None."""
    if previous is not None:
        return _ended_before_retry(previous, run)
    return called_off(run) or _stopped(run)


def _given_up(previous: Outcome, reason: str) -> Outcome:
    """The outcome of a task that is not tried again."""
    ended: Outcome = {
        **_calls_of(previous),
        "status": TaskStatus.CANCELLED.value,
        "attempts": previous["attempts"],
        "reason": reason,
    }
    if "error" in previous:
        ended["error"] = previous["error"]
    return ended


def _calls_of(previous: Outcome) -> Outcome:
    """Who was called for a task, and what that took."""
    return cast("Outcome", {key: previous[key] for key in _OF_CALLS if key in previous})


def called_off(run: RunHandle) -> Outcome | None:
    """The outcome of a task that has not begun when somebody cancels the run, or None."""
    if run.brake is None or run.brake.cancellation is None:
        return None
    return Outcome(
        status=TaskStatus.CANCELLED.value,
        attempts=0,
        reason=str(run.brake.cancellation),
        because=SkipCause.CANCELLED.value,
    )


def blocked(task: PlannedTask, outcomes: Mapping[str, Outcome], run: RunHandle) -> Outcome | None:
    """The outcome of a task that others keep from running, or None."""
    if run.brake is not None and run.brake.cancellation is not None:
        return called_off(run)
    for other in task["needs"]:
        needed = outcomes.get(other)
        if needed is not None and blocks(needed):
            root = needed.get("because_of", other)
            reason = f"{root!r} did not succeed ({outcomes[root]['status']})"
            return skipped(reason, because=SkipCause.UPSTREAM, because_of=root)
    return _stopped(run)


def condition_outcome(task: PlannedTask, state: RunState, run: RunHandle) -> Outcome | None:
    """None where the task's condition holds (or it has none), else its outcome."""
    condition = task["condition"]
    if condition is None:
        return None
    try:
        if holds(
            condition,
            outcomes=state["outcomes"],
            input_data=task["input"],
            callables=run.callables,
            scope=scope_of(state["plan"]),
        ):
            return None
    except ExpressionError as error:
        return Outcome(status=TaskStatus.FAILED.value, attempts=0, error=error_record(error))
    words = condition["expression"] if condition["kind"] == "cel" else condition["name"]
    return skipped(f"its condition is false: {words}", because=SkipCause.CONDITION)


def _stopped(run: RunHandle) -> Outcome | None:
    if run.stop is None or run.stop.verdict is None:
        return None
    return skipped(run.stop.verdict.reason, because=SkipCause.STOPPED)


def _without_calling(record: ApprovalRecord | None) -> Outcome | None:
    """The outcome of a task whose agent is not to be called after all, or None."""
    match record:
        case None:  # no way leads here; but what nobody approved must not run
            return Outcome(
                status=TaskStatus.REJECTED.value, attempts=0, reason="nobody was asked about it"
            )
        case {"decision": "reject"}:
            reason = record["message"] or "the approver rejected it"
            return Outcome(status=TaskStatus.REJECTED.value, attempts=0, reason=reason)
        case {"decision": "respond"}:
            answer: JsonObject = {"content": record["message"], "answered_by": record.get("by")}
            return Outcome(
                status=TaskStatus.SUCCEEDED.value,
                attempts=0,
                output=answer,
                reason="a person answered instead",
            )
    return None


def input_of(state: RunState, task: PlannedTask) -> JsonObject:
    """What the agent is to get, and an approver to see.

    Raises:
        ExpressionError: A field of it cannot be worked out.
    """
    plan, given = state["plan"], task["input"]
    if "handoff" in plan:
        given = with_handoff(given, plan["handoff"])
    return worked_out(task, plan, state["outcomes"], given)


def with_handoff(given: JsonObject, handoff: Handoff) -> JsonObject:
    """Add what an agent gets from the one that handed over to it."""
    told: JsonObject = {
        "from": handoff["sender"],
        "message": handoff["message"],
        "reason": handoff["reason"],
    }
    received: JsonObject = {**given, "handoff": told}
    if handoff["message"]:
        before = given.get("messages", [])
        said: JsonObject = {"role": "user", "content": handoff["message"]}
        received["messages"] = [*before, said] if isinstance(before, list) else [said]
    return received


def _context(
    state: RunState, task: PlannedTask, run: RunHandle, config: RunnableConfig
) -> AgentContext:
    plan, outcomes, timeout = state["plan"], state["outcomes"], task["timeout_seconds"]
    task_id, run_id = task["id"], plan["run_id"]
    previous = outcomes.get(task_id)
    if previous is not None and is_stale(previous, plan):
        previous = None
    return AgentContext(
        thread_id=config["configurable"].get("thread_id", ""),
        task_id=task_id,
        run_id=run_id,
        attempt=1 if previous is None else previous["attempts"] + 1,
        idempotency_key=f"{run_id}:{task_id}"
        if "supervision" not in plan  # a loop has its turn in the run's id
        else f"{run_id}:{task_id}#{plan['turn']}",
        deadline=None if timeout is None else run.clock.now() + timeout,
        upstream=Upstream(task["upstream"], outcomes),
        tenant=plan["tenant"],
        user=plan["user"],
        history=History(plan["history"]) if "history" in plan else (),
    )


def _attempt(
    state: RunState, task: PlannedTask, run: RunHandle, config: RunnableConfig
) -> Awaitable[Outcome]:
    """Begin to call the agent."""
    # there may be decisions about tasks without approval, of before the workflow was changed
    decided = task["approval"] or state.get("approvals")
    if decided or "input_from" in task or "handoff" in state["plan"]:
        return _attempt_with_input(state, task, run, config)
    context = _context(state, task, run, config)
    previous, stop = _previous(state, context), run.stop
    return attempt(task, context, run=run, stop=stop, previous=previous, chain=run.chain)


async def _attempt_with_input(
    state: RunState, task: PlannedTask, run: RunHandle, config: RunnableConfig
) -> Outcome:
    """Call the agent with an input that is not known from the plan alone."""
    record = approval_of(task, state)
    try:
        edited = record is not None and "arguments" in record
        given = record["arguments"] if record is not None and edited else input_of(state, task)
    except ExpressionError as error:
        return Outcome(status=TaskStatus.FAILED.value, attempts=0, error=error_record(error))
    work: PlannedTask = {**task, "input": given}
    context, stop = _context(state, task, run, config), run.stop
    previous = _previous(state, context)
    return await attempt(work, context, run=run, stop=stop, previous=previous, chain=run.chain)


def _previous(state: RunState, context: AgentContext) -> Outcome | None:
    """What became of the attempt before, if there was one."""
    return None if context.attempt == 1 else state["outcomes"][context.task_id]
