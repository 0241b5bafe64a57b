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

from nodes.agent_call import announce, blocked, condition_outcome
from nodes.expressions import ExpressionError, holds, successful_outputs
from nodes.run_handle import handle_of
from state.approval import policy_of
from state.decision import read_answer
from state.outcome import is_finished
from state.plan import asks_first
from state.run_state import ApprovalRecord, RunState, RunUpdate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from state.approval import PolicyDocument
    from state.jsonvalue import JsonObject
    from state.outcome import Outcome
    from state.plan import PlannedTask

APPROVAL = ".approval"
CONDITION = ".condition"
NEEDLESS = "needless"
"""Stands as the decision where the policy's threshold is not reached."""


def first_node(task: PlannedTask) -> str:
    """The node where a task begins."""
    if not task["approval"]:
        return task["id"]
    return task["id"] + (CONDITION if asks_first(task) else APPROVAL)


async def decide_condition(state: RunState, config: RunnableConfig) -> RunUpdate:
    """Find out whether a task is to run, and whether anybody has to approve it."""
    plan, outcomes = state["plan"], state["outcomes"]
    task = plan["tasks"][config["metadata"]["langgraph_node"].removesuffix(CONDITION)]
    if is_finished(outcomes.get(task["id"])):
        return {}
    run = handle_of(state)
    outcome = blocked(task, outcomes, run) or condition_outcome(task, outcomes, run)
    if outcome is not None:
        announce(run, task["id"], outcome)
        return {"outcomes": {task["id"]: outcome}}
    if is_needed(task, outcomes):
        return {}
    return {"approvals": {task["id"]: {"decision": NEEDLESS, "message": ""}}}


def is_needed(task: PlannedTask, outcomes: Mapping[str, Outcome]) -> bool:
    """Whether the policy's threshold is reached; one that cannot be told counts as reached."""
    policy = policy_of(task["approval"])
    if policy is None or policy["when"] is None:
        return policy is not None
    try:
        return holds(
            {"kind": "cel", "expression": policy["when"]},
            outcomes=outcomes,
            input_data=task["input"],
            callables={},
        )
    except ExpressionError:
        return True


async def approve(state: RunState, config: RunnableConfig) -> RunUpdate:
    """Pause until somebody decides about the task, unless nobody has to."""
    plan, outcomes = state["plan"], state["outcomes"]
    task = plan["tasks"][config["metadata"]["langgraph_node"].removesuffix(APPROVAL)]
    task_id = task["id"]
    if task_id in outcomes or task_id in state.get("approvals", {}):
        return {}
    if blocked(task, outcomes, handle_of(state)) is not None:
        return {}
    answer = interrupt(approval_request(task, outcomes, requester=plan["user"]))
    return {"approvals": {task_id: approval_record(answer)}}


def approval_request(
    task: PlannedTask, outcomes: Mapping[str, Outcome], *, requester: str | None = None
) -> JsonObject:
    """The question about a task, as a `HITLRequest` with one action.

    `arguments` repeats `args` for Agent Inbox; `upstream` holds what was achieved so far.
    """
    who = task["agent"] or task["capability"] or ""
    policy = policy_of(task["approval"])
    assert policy is not None  # noqa: S101  only tasks with one are asked about
    known = successful_outputs(outcomes)
    return {
        "action_requests": [
            {
                "name": who,
                "args": task["input"],
                "arguments": task["input"],
                "description": f"May {who} do task {task['id']!r}?",
            }
        ],
        "review_configs": [_review_config(who, policy)],
        "task_id": task["id"],
        "upstream": {other: known[other] for other in task["upstream"] if other in known},
        "requester": requester,
    }


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
