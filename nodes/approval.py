"""The approval node: asks a person, and does nothing else.

LangGraph runs a node again from its start when it resumes, so nothing with an effect may
stand before `interrupt()`. What the answer leads to happens in the task's own node. The
question and the answer have the shapes of LangChain's human-in-the-loop middleware
(`HITLRequest`, `HITLResponse`), so that Studio and Agent Chat UI can show them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core.runnables import RunnableConfig
from langgraph.types import interrupt

from nodes.agent_call import announce, blocked, condition_outcome
from nodes.expressions import successful_outputs
from nodes.run_handle import handle_of
from state.run_state import ApprovalRecord, RunState, RunUpdate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from state.jsonvalue import JsonObject
    from state.outcome import Outcome
    from state.plan import PlannedTask

APPROVAL = ".approval"
CONDITION = ".condition"
DECISIONS = ("approve", "reject")


def first_node(task: PlannedTask) -> str:
    """The node where a task begins."""
    if not task["approval"]:
        return task["id"]
    return task["id"] + (APPROVAL if task["condition"] is None else CONDITION)


async def decide_condition(state: RunState, config: RunnableConfig) -> RunUpdate:
    """Evaluate the condition of a task before anybody is asked to approve it."""
    plan, outcomes = state["plan"], state["outcomes"]
    task = plan["tasks"][config["metadata"]["langgraph_node"].removesuffix(CONDITION)]
    run = handle_of(state)
    outcome = blocked(task, outcomes, run) or condition_outcome(task, outcomes, run)
    if outcome is None:
        return {}
    announce(run, task["id"], outcome)
    return {"outcomes": {task["id"]: outcome}}


async def approve(state: RunState, config: RunnableConfig) -> RunUpdate:
    """Pause until somebody approves or rejects the task, unless it will not run anyway."""
    plan, outcomes = state["plan"], state["outcomes"]
    task = plan["tasks"][config["metadata"]["langgraph_node"].removesuffix(APPROVAL)]
    if task["id"] in outcomes or blocked(task, outcomes, handle_of(state)) is not None:
        return {}
    answer = interrupt(approval_request(task, outcomes))
    return {"approvals": {task["id"]: approval_record(answer)}}


def approval_request(task: PlannedTask, outcomes: Mapping[str, Outcome]) -> JsonObject:
    """The question about a task, as a `HITLRequest` with one action.

    `arguments` repeats `args` for Agent Inbox; `upstream` holds what was achieved so far.
    """
    who = task["agent"] or task["capability"] or ""
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
        "review_configs": [{"action_name": who, "allowed_decisions": [*DECISIONS]}],
        "task_id": task["id"],
        "upstream": {other: known[other] for other in task["upstream"] if other in known},
    }


def answer_problem(answer: object) -> str | None:
    """Say why `answer` is no answer to an approval, or None; asked before anything resumes."""
    match answer:
        case {"decisions": [{"type": "approve"}]}:
            return None
        case {"decisions": [{"type": "reject", **rest}]} if isinstance(
            rest.get("message", ""), str
        ):
            return None
    return (
        f"{answer!r} is no answer to an approval; use "
        '{"decisions": [{"type": "approve"}]} or '
        '{"decisions": [{"type": "reject", "message": "why"}]}'
    )


def approval_record(answer: object) -> ApprovalRecord:
    """Read a `HITLResponse`; what is no clear approval is a rejection (fail closed)."""
    match answer:
        case {"decisions": [{"type": "approve"}]}:
            return {"decision": "approve", "message": ""}
        case {"decisions": [{"type": "reject", "message": str(message)}]}:
            return {"decision": "reject", "message": message}
        case {"decisions": [{"type": "reject"}]}:
            return {"decision": "reject", "message": ""}
    return {"decision": "reject", "message": answer_problem(answer) or ""}
