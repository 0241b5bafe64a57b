"""The node of a cyclic plan that says whose turn is next; it records why, and never raises.

What ends a cycle is asked first, then whom the agent handed over to, then the supervisor. An
agent hands over by answering with `handoff_to` (a task id), and with `message` and `reason`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from langchain_core.runnables import RunnableConfig
from langgraph.types import Command

from nodes.agent_call import NEXT_NODES, announce, called_off
from nodes.approval import first_node
from nodes.attempt import attempt
from nodes.expressions import ExpressionError, holds, scope_of
from nodes.routing import choice, task_for
from nodes.run_handle import handle_of
from nodes.upstream import Upstream
from state.agent_context import AgentContext
from state.errors import HandoffError, OutOfTurnsError, SupervisorError
from state.jsonvalue import described, json_object
from state.outcome import blocks, cancellation_record, error_record, is_finished, skipped
from state.plan import in_turn, is_stale
from state.plan_document import FINISH, SUPERVISOR
from state.run_state import CyclicState
from state.status import SkipCause, TaskStatus

if TYPE_CHECKING:
    from nodes.run_handle import RunHandle
    from state.errors import TurnError
    from state.jsonvalue import JsonObject
    from state.outcome import ErrorRecord, Outcome
    from state.plan_document import PlanDocument, Work
    from state.run_state import Outcomes, TurnRecord


class Verdict(NamedTuple):
    """Whose turn is next."""

    task: str | None
    """None ends the cycle."""
    by: str
    message: str = ""
    reason: str = ""
    error: TurnError | ExpressionError | None = None


async def supervise(state: CyclicState, config: RunnableConfig) -> Command[str]:
    """Decide whose turn is next, or end the cycle."""
    plan, run = state["plan"], handle_of(state)
    if (cancelled := called_off(run)) is not None:
        return _end(state, run, Verdict(None, "cancelled"), config, cancellation_record(cancelled))
    verdict = _pending(plan, state["outcomes"]) or await _decide(state, run, config)
    if verdict.task is None or verdict.error is not None:
        return _end(state, run, verdict, config)
    turn = plan.get("turn", 0) + (verdict.by != "resumed")
    if turn > plan["supervision"]["max_turns"]:
        error = OutOfTurnsError(
            f"{turn - 1} turns were taken, as many as allowed (max_turns), and {verdict.task!r} "
            f"would have been next (by {verdict.by})"
        )
        return _end(state, run, verdict._replace(task=None, by="max_turns", error=error), config)
    return _go_on(state, verdict, turn)


def _go_on(state: CyclicState, verdict: Verdict, turn: int) -> Command[str]:
    plan = state["plan"]
    assert verdict.task is not None  # noqa: S101  the caller has looked
    changed: PlanDocument = {**plan, "turn": turn, "current": verdict.task}
    if verdict.by != "resumed":
        changed.pop("handoff", None)
    if verdict.by in {"handoff", SUPERVISOR}:
        sender = plan.get("current", SUPERVISOR) if verdict.by == "handoff" else SUPERVISOR
        changed["handoff"] = {
            "sender": sender,
            "message": verdict.message,
            "reason": verdict.reason,
        }
    update = {"plan": changed, "turns": [*state.get("turns", []), _record(plan, verdict, turn)]}
    return Command(goto=first_node(plan["tasks"][verdict.task]), update=update)


def _record(plan: PlanDocument, verdict: Verdict, turn: int) -> TurnRecord:
    return {
        "turn": turn,
        "task": verdict.task,
        "by": verdict.by,
        "sender": plan.get("current", ""),
        "message": verdict.message,
        "reason": verdict.reason,
    }


def _end(
    state: CyclicState,
    run: RunHandle,
    verdict: Verdict,
    config: RunnableConfig,
    ended: ErrorRecord | None = None,
) -> Command[str]:
    """End the cycle: say why, and that whoever had no turn was not needed."""
    plan = state["plan"]
    left: Outcomes = {}
    for id_ in plan["order"]:
        if not is_finished(state["outcomes"].get(id_)):
            left[id_] = in_turn(_never_had_a_turn(run), plan)
            announce(run, id_, left[id_])
    record = _record(plan, verdict, plan.get("turn", 0))
    update: dict[str, Any] = {"outcomes": left, "turns": [*state.get("turns", []), record]}
    if verdict.error is not None:
        ended = error_record(verdict.error)
    if ended is not None:
        update["route"] = {"ended": ended}
    return Command(goto=config["metadata"][NEXT_NODES], update=update)


def _never_had_a_turn(run: RunHandle) -> Outcome:
    return called_off(run) or skipped("it had no turn", because=SkipCause.NOT_ROUTED)


def _pending(plan: PlanDocument, outcomes: Outcomes) -> Verdict | None:
    """The task whose turn it is and that was not done: where a fork begins."""
    current = plan.get("current")
    if current is None:
        return None
    known = outcomes.get(current)
    if known is not None and is_finished(known) and not is_stale(known, plan):
        return None
    return Verdict(current, "resumed")


async def _decide(state: CyclicState, run: RunHandle, config: RunnableConfig) -> Verdict:
    plan = state["plan"]
    current = plan.get("current")
    if current is None:
        start = plan["supervision"]["start"]
        return Verdict(start, "start") if start else await _ask(state, run, config)
    outcome = state["outcomes"][current]
    if blocks(outcome) and (_is_final(outcome) or plan["on_failure"]["kind"] != "continue"):
        return Verdict(None, "failure")
    try:
        if _is_reached(state, run):
            return Verdict(None, "until")
    except ExpressionError as error:
        return Verdict(None, "until", error=error)
    handed = _handed_over(plan, outcome)
    if handed is not None:
        return handed
    return await _ask(state, run, config)


def _is_final(outcome: Outcome) -> bool:
    """Whether a failure ends the cycle in any mode: a person said no."""
    return outcome["status"] == TaskStatus.REJECTED


def _is_reached(state: CyclicState, run: RunHandle) -> bool:
    plan = state["plan"]
    until = plan["supervision"]["until"]
    return until is not None and holds(
        until,
        outcomes=state["outcomes"],
        input_data={},
        callables=run.callables,
        scope=scope_of(plan),
    )


def _handed_over(plan: PlanDocument, outcome: Outcome) -> Verdict | None:
    """To whom the agent handed over; None if it said nothing of that."""
    output = outcome.get("output", {})
    wanted = output.get("handoff_to")
    if wanted is None:
        return None
    message, reason = _text(output.get("message")), _text(output.get("reason"))
    target = task_for(plan, wanted) if isinstance(wanted, str) else None
    if target is None:
        error = HandoffError(
            f"{plan['current']!r} handed over to {described(wanted)}; tasks are {plan['order']}"
        )
        return Verdict(None, "handoff", message, reason, error)
    return Verdict(target, "handoff", message, reason)


async def _ask(state: CyclicState, run: RunHandle, config: RunnableConfig) -> Verdict:
    """What the supervisor says; without one, nobody is next."""
    plan = state["plan"]
    supervision = plan["supervision"]
    message = reason = ""
    answer: object
    try:
        if supervision["agent"] is not None:
            reply = await _call(state, run, config)
            answer = FINISH if reply.get("finish") is True else reply.get("next")
            message, reason = _text(reply.get("message")), _text(reply.get("reason"))
        elif supervision["router"] is not None:
            answer = choice(supervision["router"], state, run)
        else:
            return Verdict(None, "end")
    except (SupervisorError, ExpressionError) as error:
        return Verdict(None, SUPERVISOR, error=error)
    if answer is None or (isinstance(answer, str) and answer.lower() in {FINISH, "__end__"}):
        return Verdict(None, SUPERVISOR, message, reason)
    target = task_for(plan, answer) if isinstance(answer, str) else None
    if target is None:
        wrong = SupervisorError(
            f"the supervisor named {described(answer)}; name one of {plan['order']}, or {FINISH!r}"
        )
        return Verdict(None, SUPERVISOR, message, reason, wrong)
    return Verdict(target, SUPERVISOR, message, reason)


async def _call(state: CyclicState, run: RunHandle, config: RunnableConfig) -> JsonObject:
    """Ask the agent that supervises.

    Raises:
        SupervisorError: It failed.
    """
    plan = state["plan"]
    work = plan["supervision"]["agent"]
    assert work is not None  # noqa: S101  the caller has looked
    turn = plan.get("turn", 0)
    context = AgentContext(
        thread_id=config["configurable"].get("thread_id", ""),
        task_id=SUPERVISOR,
        run_id=plan["run_id"],
        idempotency_key=f"{plan['run_id']}:{SUPERVISOR}#{turn}",
        deadline=None
        if work["timeout_seconds"] is None
        else run.clock.now() + work["timeout_seconds"],
        upstream=Upstream(plan["order"], state["outcomes"]),
        tenant=plan["tenant"],
        user=plan["user"],
    )
    given: JsonObject = {**work["input"], **_situation(state)}
    asked: Work = {**work, "input": given}
    if run.slots is None:
        outcome = await attempt(asked, context, run=run, stop=run.stop, chain=run.chain)
    else:
        async with run.slots:
            outcome = await attempt(asked, context, run=run, stop=run.stop, chain=run.chain)
    if outcome["status"] != TaskStatus.SUCCEEDED:
        error = outcome.get("error")
        why = outcome["status"] if error is None else error["message"]
        raise SupervisorError(f"the supervisor did not answer: {why}")
    return outcome["output"]


def _situation(state: CyclicState) -> JsonObject:
    """What a supervising agent is told: who is there, and what happened so far."""
    plan, outcomes = state["plan"], state["outcomes"]
    members: JsonObject = {
        id_: {
            "agent": task["agent"],
            "capability": task["capability"],
            "status": outcomes[id_]["status"] if id_ in outcomes else TaskStatus.PENDING.value,
        }
        for id_, task in plan["tasks"].items()
    }
    return {
        "tasks": members,
        "turns": [json_object(each, at="turns") for each in state.get("turns", [])],
        "turn": plan.get("turn", 0),
        "max_turns": plan["supervision"]["max_turns"],
    }


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
