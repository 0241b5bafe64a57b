"""The budget gate: asks a person whether a run may use up more, before it calls an agent.

LangGraph runs the node again from its start when somebody has answered. So about which budget a
question is, and what is granted, is written under keys that stay the same until the node is done.
"""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Final

from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphInterrupt
from langgraph.types import interrupt

from nodes.agent_call import announce, approval_key, hindrance
from nodes.approval import BUDGET, approval_record
from nodes.run_handle import handle_of
from state.budget import Overrun, Spent, grant_in, said
from state.outcome import Outcome, is_finished
from state.plan import in_turn, is_stale, path_of
from state.question import is_own
from state.run_state import RunState, RunUpdate
from state.status import TaskStatus

if TYPE_CHECKING:
    from nodes.budgeting import Budgets
    from state.budget import BudgetDocument
    from state.jsonvalue import JsonObject, JsonValue
    from state.plan_document import PlanDocument
    from state.run_state import ApprovalRecord

ACTION: Final = "budget"


async def ask_for_budget(state: RunState, config: RunnableConfig) -> RunUpdate:
    """Pause as long as a budget is used up and nobody has granted more, or said no."""
    plan = state["plan"]
    task_id = config["metadata"]["langgraph_node"].removesuffix(BUDGET)
    run, known = handle_of(state), _present(state, task_id)
    if run.budgets is None or (known is not None and is_finished(known)):
        return {}
    if known is None and hindrance(plan["tasks"][task_id], state, run) is not None:
        return {}
    earlier = state.get("approvals", {}).get(budget_key(plan, task_id))
    refusal = None if earlier is None else await _take(run.budgets, earlier, plan, task_id)
    if refusal is None:
        here: str = config["configurable"]["checkpoint_ns"]  # LangGraph's: of this step of the run
        refusal = await _ask(run.budgets, here, path_of(plan, task_id))
    if refusal is None:
        return {}
    outcome = in_turn(_refused(refusal, known), plan)
    announce(run, task_id, outcome)
    return {"outcomes": {task_id: outcome}}


def budget_key(plan: PlanDocument, task_id: str) -> str:
    """Under what an answer is recorded that was given before the workflow was changed."""
    return f"{approval_key(plan, task_id)}#{ACTION}"


def asked_budget(plan: PlanDocument, question: JsonValue) -> BudgetDocument | None:
    """The budget that one of the plan's own questions is about; None for any other question."""
    if not isinstance(question, dict) or not is_own(question):
        return None
    asked, budgets = question.get("budget"), plan.get("budgets", [])
    index = asked.get("index") if isinstance(asked, dict) else None
    return budgets[index] if isinstance(index, int) and 0 <= index < len(budgets) else None


def budget_question(overrun: Overrun, *, index: int, path: str) -> JsonObject:
    """The question as a `HITLRequest` with one action: to let its limits be used up once more."""
    again: JsonObject = dict(overrun.budget["limits"])
    more = said(overrun.budget["limits"])
    return {
        "action_requests": [
            {
                "name": ACTION,
                "args": again,
                "arguments": again,
                "description": f"{overrun}. May it use up {more} more, from task {path!r} on?",
            }
        ],
        "review_configs": [
            {
                "action_name": ACTION,
                "allowed_decisions": [*overrun.budget["approval"]["allowed"]],
                "args_schema": overrun.budget["approval"]["arguments"],
            }
        ],
        "task_id": path,
        "budget": {"index": index, **overrun.as_json()},
    }


async def _take(
    budgets: Budgets, answer: ApprovalRecord, plan: PlanDocument, task_id: str
) -> ApprovalRecord | None:
    """Let an answer count that was given before the workflow was changed; return a refusal.

    It grants once, also where the task is tried several times. Where several budgets are used up
    it is not known which it was about, so they are asked about anew.
    """
    if answer["decision"] not in {"approve", "edit"}:
        return answer
    over = await budgets.used_up()
    if len(over) != 1:
        return None
    (overrun,) = over
    granted = _granted(overrun, answer)
    if granted is None:
        return answer
    key = f"{path_of(plan, task_id)}#{plan.get('turn', 0)}:{json.dumps(answer, sort_keys=True)}"
    await budgets.grant(key, granted, overrun.budget["per"])
    return None


async def _ask(budgets: Budgets, here: str, path: str) -> ApprovalRecord | None:
    """Ask until no budget is used up any more; return an answer that grants nothing."""
    for number in count():
        key = f"{here}:{number}"
        overrun = await budgets.asked_about(key)
        if overrun is None:
            return None
        index = budgets.documents.index(overrun.budget)
        try:
            said = interrupt(budget_question(overrun, index=index, path=path))
        except GraphInterrupt:
            if overrun.measures:
                raise
            return None  # it has come back before anybody answered
        answer = approval_record(said)
        granted = _granted(overrun, answer)
        if granted is None:
            return answer
        await budgets.grant(key, granted, overrun.budget["per"])
    raise AssertionError("counting has no end")


def _granted(overrun: Overrun, answer: ApprovalRecord) -> Spent | None:
    if answer["decision"] == "approve":
        return grant_in(overrun.budget["limits"])
    return grant_in(answer.get("arguments", {})) if answer["decision"] == "edit" else None


def _refused(answer: ApprovalRecord, known: Outcome | None) -> Outcome:
    said = answer["message"] or "nobody granted more"
    refused = Outcome(
        status=TaskStatus.REJECTED.value,
        attempts=0 if known is None else known["attempts"],
        reason=f"its budget is used up: {said}",
    )
    if known is not None and "error" in known:
        refused["error"] = known["error"]
    return refused


def _present(state: RunState, task_id: str) -> Outcome | None:
    """What became of the task so far, in the present turn."""
    known = state["outcomes"].get(task_id)
    return None if known is None or is_stale(known, state["plan"]) else known
