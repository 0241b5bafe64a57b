"""The planner's part for one task."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from graph.expressions import planned_expression
from graph.plan_request import Draft, Place, checked_input
from graph.planned_budget import may_pause
from graph.planned_call import add_call_settings
from nodes.expressions import expression_problem
from state.approval import DEFAULT_POLICY, ApprovalPolicy
from state.capability import AgentCapability
from state.jsonvalue import described, plain_text
from state.plan_document import ExpressionDocument, PlannedTask
from state.retry import RetryPolicy

if TYPE_CHECKING:
    from state.approval import PolicyDocument
    from state.jsonvalue import JsonObject
    from state.retry import RetryDocument
    from state.task import AgentTask, Condition, Task, WaitForSignal

LONGEST_TIMEOUT = 365 * 86400.0


def planned_task(task: AgentTask, place: Place, draft: Draft) -> PlannedTask:
    """Plan one task for an agent, noting every problem it has."""
    id_ = place.id_
    capability = _capability(task, id_, draft)
    if (task.agent_id is None) == (capability is None):
        draft.problem(
            "no_agent", f"task {id_!r} must name either agent_id or capability, and not both", id_
        )
    elif problem := draft.agents.problem_with(agent_id=task.agent_id, capability=capability):
        draft.problem(problem.code, f"task {id_!r}: {problem.message}", id_)
    input_data = checked_input(task.input_data, f"task {id_!r}: input_data", id_, draft)
    planned: PlannedTask = {
        "id": id_,
        "agent": None if task.agent_id is None else plain_text(task.agent_id),
        "capability": capability,
        "input": input_data,
        "needs": place.needs,
        "upstream": place.upstream(draft),
        "condition": None
        if task.condition is None
        else planned_condition(task.condition, id_, draft),
        "approval": None
        if task.requires_approval is False and "requires_approval" not in input_data
        else planned_approval(task.requires_approval, input_data, id_, draft),
        "timeout_seconds": None if task.timeout is None else planned_seconds(task, id_, draft),
        "retry": None if task.retry is None else _retry(task.retry, id_, draft),
    }
    if task.input_from:
        planned["input_from"] = _input_from(task.input_from, id_, draft)
    if task.cache is not None or task.compress_to is not None or task.context:
        add_call_settings(planned, task, draft)
    if draft.budgets and may_pause(draft.budgets):
        planned["budgeted"] = True
    return planned


def planned_shell(task: Task, place: Place, draft: Draft) -> PlannedTask:
    """Plan what all tasks have in common, for one that no agent does."""
    id_ = place.id_
    return {
        "id": id_,
        "agent": None,
        "capability": None,
        "input": {},
        "needs": place.needs,
        "upstream": place.upstream(draft),
        "condition": None
        if task.condition is None
        else planned_condition(task.condition, id_, draft),
        "approval": None
        if task.requires_approval is False
        else _without_edits(planned_approval(task.requires_approval, {}, id_, draft), id_, draft),
        "timeout_seconds": None,
        "retry": None,
    }


def _without_edits(policy: PolicyDocument | None, id_: str, draft: Draft) -> PolicyDocument | None:
    """There is no input that somebody could edit."""
    if policy is None:
        return None
    allowed = [each for each in policy["allowed"] if each != "edit"]
    if "edit" in policy["allowed"] and allowed == ["reject"]:
        message = f"task {id_!r}: approval allows only 'edit', and there is no input to edit"
        draft.problem("bad_approval", message, id_)
    return {**policy, "allowed": allowed}


def planned_condition(wanted: Condition, id_: str, draft: Draft) -> ExpressionDocument:
    """Plan a task's condition."""
    at = f"the condition of task {id_!r}"
    key = draft.key("condition", id_)
    return planned_expression(wanted, at=at, key=key, id_=id_, draft=draft)


def _input_from(wanted: object, id_: str, draft: Draft) -> dict[str, str]:
    at = f"task {id_!r}: input_from"
    if not isinstance(wanted, Mapping):
        message = f"{at} is {described(wanted)}; map names of fields to CEL expressions"
        draft.problem("bad_expression", message, id_)
        return {}
    for field, expression in wanted.items():
        if not isinstance(field, str) or not isinstance(expression, str):
            problem: str | None = "both name and expression are text"
        else:
            problem = expression_problem(expression, draft.variables)
        if problem:
            message = f"{at} has {described(field)}: {described(expression)}: {problem}"
            draft.problem("bad_expression", message, id_)
    return {str(field): str(expression) for field, expression in wanted.items()}


def _capability(task: AgentTask, id_: str, draft: Draft) -> str | None:
    if task.capability is None:
        return None
    try:
        return str(AgentCapability(task.capability))
    except (AttributeError, ValueError) as error:
        draft.problem("unknown_capability", f"task {id_!r}: {error}", id_)
        return "unknown"


def _retry(wanted: RetryPolicy, id_: str, draft: Draft) -> RetryDocument | None:
    if not isinstance(wanted, RetryPolicy):
        draft.problem(
            "bad_retry", f"task {id_!r}: retry is {described(wanted)}; give a RetryPolicy", id_
        )
        return None
    problems = list(wanted.problems())
    for problem in problems:
        draft.problem("bad_retry", f"task {id_!r}: {problem}", id_)
    return wanted.document() if not problems and wanted.max_attempts > 1 else None


def planned_seconds(task: AgentTask | WaitForSignal, id_: str, draft: Draft) -> float | None:
    """Plan a task's timeout, in seconds."""
    wanted = task.timeout
    seconds = seconds_of(wanted)
    if seconds is None:
        draft.problem(
            "bad_timeout",
            f"task {id_!r}: timeout is {described(wanted)}; it must be a positive number of "
            f"seconds (at most {LONGEST_TIMEOUT:g}), a timedelta, or None",
            id_,
        )
    return seconds


def seconds_of(wanted: object) -> float | None:
    """Return a positive span of at most a year in seconds; None if it is none."""
    seconds = wanted.total_seconds() if isinstance(wanted, timedelta) else wanted
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    return float(seconds) if 0 < seconds <= LONGEST_TIMEOUT else None


def planned_approval(
    wanted: bool | ApprovalPolicy,  # noqa: FBT001  what the caller gave
    input_data: JsonObject,
    id_: str,
    draft: Draft,
) -> PolicyDocument | None:
    """Plan who is to approve a task, if anybody."""
    if not isinstance(wanted, ApprovalPolicy):
        if not isinstance(wanted, bool):
            draft.problem(
                "bad_approval",
                f"task {id_!r}: requires_approval is {described(wanted)}; give True, False or an "
                "ApprovalPolicy",
                id_,
            )
        return DEFAULT_POLICY if wanted or input_data.get("requires_approval") else None
    problems = list(wanted.problems())
    if isinstance(wanted.when, str):
        problem = expression_problem(wanted.when, draft.variables)
        problems += [f"when is not valid CEL: {problem}"] if problem else []
    elif wanted.when is not None:
        problems.append(f"when is {described(wanted.when)}; give a CEL expression, or None")
    for problem in problems:
        draft.problem("bad_approval", f"task {id_!r}: approval {problem}", id_)
    return DEFAULT_POLICY if problems else wanted.document()
