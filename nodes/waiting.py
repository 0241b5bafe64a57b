"""The waiting nodes: until a time has come, or somebody has sent a signal.

The first visit records when the wait is over, and returns to the node: from then on a crash
does not make it count anew. The second visit pauses the run, as an approval does, so that
it can wait for days without a process; only a short wait for a time is slept through.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

from langchain_core.runnables import RunnableConfig
from langgraph.types import Command, interrupt

from nodes.agent_call import NEXT_NODES, announce, blocked, called_off, condition_outcome
from nodes.attempt import until_due
from nodes.run_handle import RunHandle, handle_of
from nodes.stop_signal import CancelledByStopError
from state.outcome import ErrorRecord, Outcome, is_finished
from state.plan import in_turn, is_stale, path_of
from state.run_state import RunState
from state.status import TaskStatus
from state.waiting import due_at, signal_question, timer_question

if TYPE_CHECKING:
    from state.jsonvalue import JsonObject, JsonValue
    from state.plan_document import PlannedTask
    from state.waiting import SignalWait

SHORT_WAIT_SECONDS: Final = 60.0
"""Up to this long, a run waits for a time in its process, and holds its thread."""


async def wait_for_time(state: RunState, config: RunnableConfig) -> Command[str]:
    """Go on when the time has come for which the task that this node is named after waits."""
    task, run = _task_of(state, config), handle_of(state)
    previous = _known(task, state)
    if previous is None:
        return _go(state, config, run, _first_visit(task, state, run))
    if is_finished(previous):
        return _go(state, config, run, None)
    due = previous["next_due_at"]
    if due - previous["started_at"] <= SHORT_WAIT_SECONDS:  # the same whenever it is asked
        await _sleep(previous, run)
        ended = _ended(run)
        return _go(state, config, run, ended or _time_has_come(previous, run, at=run.clock.now()))
    ended = _ended(run)
    if ended is None:
        answer = interrupt(timer_question(path_of(state["plan"], task["id"]), due=due))
        ended = _time_has_come(previous, run, at=_fired_at(answer, run))
    return _go(state, config, run, ended)


async def wait_for_signal(state: RunState, config: RunnableConfig) -> Command[str]:
    """Go on when the signal has come for which the task that this node is named after waits."""
    task, run = _task_of(state, config), handle_of(state)
    previous = _known(task, state)
    if previous is None:
        return _go(state, config, run, _first_visit(task, state, run))
    if is_finished(previous):
        return _go(state, config, run, None)
    outcome = _ended(run)
    if outcome is None:
        name = cast("SignalWait", task["wait"])["signal"]
        deadline = previous.get("next_due_at")
        path = path_of(state["plan"], task["id"])
        answer = interrupt(signal_question(path, signal=name, deadline=deadline))
        outcome = _signalled(name, previous, run, answer)
    return _go(state, config, run, outcome)


def answered_wait(
    task: PlannedTask, previous: Outcome, answer: JsonValue, run: RunHandle
) -> Outcome:
    """What a task comes to that waits, by what its run is resumed with; as its node would say."""
    wait = task["wait"]
    if wait["kind"] == "signal":
        outcome = _signalled(wait["signal"], previous, run, answer)
    else:
        outcome = _time_has_come(previous, run, at=_fired_at(answer, run))
    return {**outcome, "turn": previous["turn"]} if "turn" in previous else outcome


def _known(task: PlannedTask, state: RunState) -> Outcome | None:
    """How the task stands in the present turn."""
    outcome = state["outcomes"].get(task["id"])
    return None if outcome is None or is_stale(outcome, state["plan"]) else outcome


def _task_of(state: RunState, config: RunnableConfig) -> PlannedTask:
    return state["plan"]["tasks"][config["metadata"]["langgraph_node"]]


def _go(
    state: RunState, config: RunnableConfig, run: RunHandle, outcome: Outcome | None
) -> Command[str]:
    """Write the outcome, and come back if the task still waits."""
    metadata = config["metadata"]
    task_id = metadata["langgraph_node"]
    if outcome is None:
        return Command(goto=metadata[NEXT_NODES])
    outcome = in_turn(outcome, state["plan"])
    announce(run, task_id, outcome)
    goto: list[str] = metadata[NEXT_NODES] if is_finished(outcome) else [task_id]
    return Command(goto=goto, update={"outcomes": {task_id: outcome}})


def _first_visit(task: PlannedTask, state: RunState, run: RunHandle) -> Outcome:
    """Begin to wait, unless the task is not to run at all."""
    hindrance = blocked(task, state["outcomes"], run) or condition_outcome(task, state, run)
    if hindrance is not None:
        return hindrance
    now = run.clock.now()
    begun = Outcome(status=TaskStatus.PENDING.value, attempts=0, started_at=now)
    due = due_at(task["wait"], now=now)
    if due is not None:
        begun["next_due_at"] = due
    return begun


async def _sleep(previous: Outcome, run: RunHandle) -> None:
    """Wait in this process, until it is due or the run ends."""
    wait = until_due(previous, run)
    if run.stop is None:
        await wait
        return
    with suppress(CancelledByStopError):  # the run has its end, which the caller looks at
        await run.stop.guard(wait, only_waits=True)


def _ended(run: RunHandle) -> Outcome | None:
    """The outcome of a wait that the end of the run ends, or None."""
    if run.stop is not None and run.stop.verdict is not None:
        reason = run.stop.verdict.reason
        return Outcome(status=TaskStatus.CANCELLED.value, attempts=0, reason=reason)
    return called_off(run)


def _time_has_come(previous: Outcome, run: RunHandle, *, at: float) -> Outcome:
    begun = previous["started_at"]
    output: JsonObject = {
        "waited_seconds": round(max(at - begun, 0.0), 6),
        "due_at": previous["next_due_at"],
    }
    return _over(previous, run, TaskStatus.SUCCEEDED, output=output)


def _fired_at(answer: Any, run: RunHandle) -> float:  # noqa: ANN401  whatever it is resumed with
    """When the ledger's clock said so; who resumes a graph of their own need not say it."""
    at = answer.get("fired_at") if isinstance(answer, dict) else None
    return at if isinstance(at, int | float) else run.clock.now()


def _signalled(name: str, previous: Outcome, run: RunHandle, answer: JsonValue) -> Outcome:
    match answer:
        case {"timed_out": True}:
            message = f"no signal {name!r} came in time"
            error = ErrorRecord(code="signal_timed_out", type="TimeoutError", message=message)
            return {**_over(previous, run, TaskStatus.TIMED_OUT), "error": error}
        case {"signal": str(sent), "payload": payload, **rest} if sent == name:
            sender = cast("JsonObject", rest).get("sent_by")
            output: JsonObject = {"signal": name, "payload": payload, "sent_by": sender}
            return _over(previous, run, TaskStatus.SUCCEEDED, output=output)
    message = (
        f"what the run was resumed with is not the signal {name!r}; it has the form "
        f'{{"signal": "{name}", "payload": ...}}'
    )
    error = ErrorRecord(code="bad_signal", type="ValueError", message=message)
    return {**_over(previous, run, TaskStatus.FAILED), "error": error}


def _over(
    previous: Outcome, run: RunHandle, status: TaskStatus, *, output: JsonObject | None = None
) -> Outcome:
    outcome = Outcome(
        status=status.value,
        attempts=0,
        started_at=previous["started_at"],
        finished_at=run.clock.now(),
    )
    if output is not None:
        outcome["output"] = output
    return outcome
