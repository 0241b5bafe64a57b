"""What became of a task that is made of others, summed up from what became of those."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from state.outcome import Outcome, blocks
from state.plan import own_outcomes
from state.result import settled_status
from state.status import SkipCause, TaskStatus, WorkflowStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from state.jsonvalue import JsonObject, JsonValue
    from state.outcome import ErrorRecord
    from state.plan_document import PlanDocument
    from state.run_state import Outcomes, RunState

_STATUS: Final[Mapping[WorkflowStatus, TaskStatus]] = {
    WorkflowStatus.COMPLETED: TaskStatus.SUCCEEDED,
    WorkflowStatus.REJECTED: TaskStatus.REJECTED,
    WorkflowStatus.CANCELLED: TaskStatus.CANCELLED,
}
"""Anything else has failed."""


def scope_outcome(state: RunState) -> Outcome:
    """Sum up the plan inside a task; what was achieved is kept, however it came out."""
    plan = state["plan"]
    own = own_outcomes(plan, state["outcomes"])
    route = state.get("route") or {}
    ended = route.get("ended")
    status = _status(plan, own, ended)
    outcome = Outcome(status=status.value, attempts=1, inner=own, output=_output(plan, own, state))
    if "repeat" in plan or "supervision" in plan:
        outcome["turns"] = plan.get("turn", 0)
    match status:
        case TaskStatus.FAILED:
            outcome["error"] = ended or _error(own, route.get("error"))
        case TaskStatus.REJECTED | TaskStatus.CANCELLED:
            outcome["reason"] = ended["message"] if ended else _reason(own)
    if status == TaskStatus.CANCELLED and (ended or _is_called_off(own)):
        outcome["because"] = SkipCause.CANCELLED.value
    return outcome


def _status(plan: PlanDocument, own: Outcomes, ended: ErrorRecord | None) -> TaskStatus:
    if ended is not None:
        called_off = ended["code"] == SkipCause.CANCELLED
        return TaskStatus.CANCELLED if called_off else TaskStatus.FAILED
    status = _STATUS.get(settled_status(plan, own), TaskStatus.FAILED)
    if status == TaskStatus.FAILED and _was_stopped(own):
        return TaskStatus.CANCELLED
    return status


def _was_stopped(own: Outcomes) -> bool:
    """Whether nothing went wrong inside, and the plan around it came to its end meanwhile."""
    left = [outcome for outcome in own.values() if blocks(outcome)]
    return bool(left) and all(
        outcome["status"] in {TaskStatus.CANCELLED, TaskStatus.SKIPPED} for outcome in left
    )


def _is_called_off(own: Outcomes) -> bool:
    return any(outcome.get("because") == SkipCause.CANCELLED for outcome in own.values())


def _output(plan: PlanDocument, own: Outcomes, state: RunState) -> JsonObject:
    if "for_each" in plan:
        items: list[JsonValue] = [
            own[id_].get("output") if _succeeded(own.get(id_)) else None for id_ in plan["order"]
        ]
        return {"items": items}
    if plan["scope"].get("single"):
        only = own.get(plan["order"][0])
        return only.get("output", {}) if only is not None else {}
    wanted = plan["aggregate"]
    if wanted is None or wanted["kind"] == "collect":
        return {id_: own[id_].get("output", {}) for id_ in own if _succeeded(own[id_])}
    value = state.get("aggregate")
    return value if isinstance(value, dict) else {"result": value}


def _succeeded(outcome: Outcome | None) -> bool:
    return outcome is not None and outcome["status"] == TaskStatus.SUCCEEDED


def _error(own: Outcomes, routing: str | None) -> ErrorRecord:
    """The first error inside, with the task it is of."""
    if routing is not None:
        return {"code": "invalid_route", "type": "RoutingError", "message": routing}
    for id_, outcome in own.items():
        if "error" in outcome and blocks(outcome):
            error = outcome["error"]
            return {**error, "message": f"{id_}: {error['message']}"}
    left = [f"{id_} ({each['status']})" for id_, each in own.items() if blocks(each)]
    message = f"these did not succeed: {', '.join(left) or 'all'}"
    return {"code": "inner_task_failed", "type": "InnerTaskError", "message": message}


def _reason(own: Outcomes) -> str:
    """Why the first task inside that did not succeed did not."""
    for id_, outcome in own.items():
        if blocks(outcome) and outcome.get("reason"):
            return f"{id_}: {outcome['reason']}"
    return ""
