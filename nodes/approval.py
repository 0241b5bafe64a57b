"""The approval node: asks a person, and does nothing else.

LangGraph runs a node again from its start when it resumes, so nothing with an effect may
stand before `interrupt()`. Whether anybody has to be asked is decided in a node before, and
what the answer leads to happens in the task's own node. The question and the answer have
the shapes of LangChain's human-in-the-loop middleware (`HITLRequest`, `HITLResponse`), so
that Studio and Agent Chat UI can show them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core.runnables import RunnableConfig
from langgraph.types import interrupt

from nodes.agent_call import (
    announce,
    approval_key,
    approval_of,
    blocked,
    condition_outcome,
    input_of,
)
from nodes.expressions import ExpressionError, holds, scope_of, successful_outputs
from nodes.run_handle import handle_of
from state.approval import policy_of
from state.decision import read_answer
from state.outcome import Outcome, error_record, is_finished
from state.plan import asks_first, in_turn, is_stale, path_of
from state.run_state import ApprovalRecord, RunState, RunUpdate
from state.status import TaskStatus

if TYPE_CHECKING:
    from state.approval import PolicyDocument
    from state.jsonvalue import JsonObject
    from state.plan_document import PlannedTask

APPROVAL = ".approval"
CONDITION = ".condition"
BUDGET = ".budget"
NEEDLESS = "needless"
"""Stands as the decision where the policy's threshold is not reached."""


def first_node(task: PlannedTask) -> str:
    """The node where a task begins."""
    if not task["approval"]:
        return before_call(task)
    return task["id"] + (CONDITION if asks_first(task) else APPROVAL)


def before_call(task: PlannedTask) -> str:
    """The node where an attempt at a task begins, once it is approved."""
    return task["id"] + BUDGET if "budgeted" in task else task["id"]


async def decide_condition(state: RunState, config: RunnableConfig) -> RunUpdate:
    """Find out whether a task is to run, and whether anybody has to approve it."""
    plan, outcomes = state["plan"], state["outcomes"]
    task = plan["tasks"][config["metadata"]["langgraph_node"].removesuffix(CONDITION)]
    if _is_over(task["id"], state):
        return {}
    run = handle_of(state)
    outcome = blocked(task, outcomes, run) or condition_outcome(task, state, run)
    if outcome is not None:
        outcome = in_turn(outcome, plan)
        announce(run, task["id"], outcome)
        return {"outcomes": {task["id"]: outcome}}
    if is_needed(task, state):
        return {}
    return {"approvals": {approval_key(plan, task["id"]): {"decision": NEEDLESS, "message": ""}}}


def _is_over(task_id: str, state: RunState) -> bool:
    outcome = state["outcomes"].get(task_id)
    return outcome is not None and is_finished(outcome) and not is_stale(outcome, state["plan"])


def is_needed(task: PlannedTask, state: RunState) -> bool:
    """Whether the policy's threshold is reached; one that cannot be told counts as reached."""
    policy = policy_of(task["approval"])
    if policy is None or policy["when"] is None:
        return policy is not None
    try:
        return holds(
            {"kind": "cel", "expression": policy["when"]},
            outcomes=state["outcomes"],
            input_data=input_of(state, task),
            callables={},
            scope=scope_of(state["plan"]),
        )
    except ExpressionError:
        return True


async def approve(state: RunState, config: RunnableConfig) -> RunUpdate:
    """Pause until somebody decides about the task, unless nobody has to."""
    plan, outcomes = state["plan"], state["outcomes"]
    task = plan["tasks"][config["metadata"]["langgraph_node"].removesuffix(APPROVAL)]
    if _is_over(task["id"], state) or approval_of(task, state) is not None:
        return {}
    if blocked(task, outcomes, handle_of(state)) is not None:
        return {}
    try:
        question = approval_request(task, state)
    except ExpressionError as error:
        failed = Outcome(status=TaskStatus.FAILED.value, attempts=0, error=error_record(error))
        return {"outcomes": {task["id"]: in_turn(failed, plan)}}
    answer = interrupt(question)
    return {"approvals": {approval_key(plan, task["id"]): approval_record(answer)}}


def approval_request(task: PlannedTask, state: RunState) -> JsonObject:
    """The question about a task, as a `HITLRequest` with one action.

    `arguments` repeats `args` for Agent Inbox; `upstream` holds what was achieved so far.

    Raises:
        ExpressionError: A field of the task's input cannot be worked out.
    """
    plan, outcomes, given = state["plan"], state["outcomes"], input_of(state, task)
    path = path_of(plan, task["id"])
    who = asked_about(task)
    policy = policy_of(task["approval"])
    assert policy is not None  # noqa: S101  only tasks with one are asked about
    known = successful_outputs(outcomes)
    request: JsonObject = {
        "action_requests": [
            {
                "name": who,
                "args": given,
                "arguments": given,
                "description": f"May {who} do task {path!r}?",
            }
        ],
        "review_configs": [_review_config(who, policy)],
        "task_id": path,
        "upstream": {other: known[other] for other in task["upstream"] if other in known},
        "requester": plan["user"],
    }
    if "request" in plan and plan["request"]["assumptions"]:
        request["assumptions"] = [*plan["request"]["assumptions"]]
    return request


def asked_about(task: PlannedTask) -> str:
    """Whose action an approval is about."""
    return task["agent"] or task["capability"] or task["id"]


def _review_config(who: str, policy: PolicyDocument) -> JsonObject:
    config: JsonObject = {"action_name": who, "allowed_decisions": [*policy["allowed"]]}
    if policy["arguments"] is not None:
        config["args_schema"] = policy["arguments"]
    return config


def approval_record(answer: object) -> ApprovalRecord:
    """Read an answer; what is no clear one is a rejection (fail closed)."""
    by = answer.get("by") if isinstance(answer, dict) else None
    decision = read_answer(answer)
    if isinstance(decision, str):
        return {"decision": "reject", "message": decision}
    record: ApprovalRecord = {
        "decision": decision["type"],
        "message": decision.get("message", ""),
    }
    if isinstance(by, str):
        record["by"] = by
    if "edited_action" in decision:
        record["arguments"] = decision["edited_action"]["args"]
    return record
