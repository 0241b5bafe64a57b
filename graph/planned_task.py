"""The planner's part for one task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from graph.expressions import planned_expression
from graph.plan_request import Draft, checked_input
from nodes.expressions import expression_problem
from state.approval import DEFAULT_POLICY, ApprovalPolicy
from state.capability import AgentCapability
from state.jsonvalue import described, plain_text
from state.plan import ExpressionDocument, PlannedTask
from state.retry import RetryPolicy
from state.status import CoordinationStrategy

if TYPE_CHECKING:
    from state.approval import PolicyDocument
    from state.jsonvalue import JsonObject
    from state.retry import RetryDocument
    from state.task import AgentTask, Condition

LONGEST_TIMEOUT = 365 * 86400.0


def planned_task(  # noqa: PLR0913, PLR0917  one argument for each thing a task is made from
    task: AgentTask,
    id_: str,
    earlier: Sequence[str],
    needs: Mapping[str, list[str]],
    strategy: CoordinationStrategy,
    draft: Draft,
) -> PlannedTask:
    """Plan one task, noting every problem it has."""
    capability = _capability(task, id_, draft)
    if (task.agent_id is None) == (capability is None):
        draft.problem(
            "no_agent", f"task {id_!r} must name either agent_id or capability, and not both", id_
        )
    elif problem := draft.agents.problem_with(agent_id=task.agent_id, capability=capability):
        draft.problem(problem.code, f"task {id_!r}: {problem.message}", id_)
    input_data = checked_input(task.input_data, f"task {id_!r}: input_data", id_, draft)
    sequential = strategy == CoordinationStrategy.SEQUENTIAL
    return {
        "id": id_,
        "agent": None if task.agent_id is None else plain_text(task.agent_id),
        "capability": capability,
        "input": input_data,
        "needs": needs[id_],
        "upstream": list(earlier) if sequential else needs[id_],
        "condition": None if task.condition is None else _condition(task.condition, id_, draft),
        "approval": None
        if task.requires_approval is False and "requires_approval" not in input_data
        else _approval(task.requires_approval, input_data, id_, draft),
        "timeout_seconds": None if task.timeout is None else _timeout(task.timeout, id_, draft),
        "retry": None if task.retry is None else _retry(task.retry, id_, draft),
    }


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


def _timeout(wanted: float | timedelta, id_: str, draft: Draft) -> float | None:
    seconds = wanted.total_seconds() if isinstance(wanted, timedelta) else wanted
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not number or not 0 < seconds <= LONGEST_TIMEOUT:
        draft.problem(
            "bad_timeout",
            f"task {id_!r}: timeout is {described(wanted)}; it must be a positive number of "
            f"seconds (at most {LONGEST_TIMEOUT:g}), a timedelta, or None",
            id_,
        )
        return None
    return float(seconds)


def _approval(
    wanted: bool | ApprovalPolicy,  # noqa: FBT001  what the caller gave
    input_data: JsonObject,
    id_: str,
    draft: Draft,
) -> PolicyDocument | None:
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
        problem = expression_problem(wanted.when)
        problems += [f"when is not valid CEL: {problem}"] if problem else []
    elif wanted.when is not None:
        problems.append(f"when is {described(wanted.when)}; give a CEL expression, or None")
    for problem in problems:
        draft.problem("bad_approval", f"task {id_!r}: approval {problem}", id_)
    return DEFAULT_POLICY if problems else wanted.document()


def _condition(condition: Condition, id_: str, draft: Draft) -> ExpressionDocument:
    at = f"the condition of task {id_!r}"
    return planned_expression(condition, at=at, key=f"condition/{id_}", id_=id_, draft=draft)
