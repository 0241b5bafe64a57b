"""Graphs for LangGraph Studio and `langgraph dev`; `langgraph.json` names them.

Each is made when the server first asks for it, carries its plan along, and begins a new run
whenever it is invoked. Input may be empty, or hold `messages` for the first agent. The
server brings its own checkpointer.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from graph.compiler import compile_template
from graph.plan_request import PlanRequest
from graph.planner import plan
from nodes.run_handle import RunHandle
from orchestration.agent_registry import get_registry
from orchestration.enterprise import EnterpriseOrchestrator
from state.approval import ApprovalPolicy
from state.status import CoordinationStrategy
from state.task import AgentTask

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

    from graph.compiler import CompiledPlan


@cache
def purchase() -> CompiledPlan:
    """Buy tickets, log the expense, and note it in the CRM, one after another."""
    return _graph(
        "studio-purchase",
        PlanRequest(
            tasks=[
                AgentTask("ticketing", _user("Book 4 tickets for tonight")),
                AgentTask("finance", {"action": "log_expense"}),
                AgentTask("sales", {"action": "update_crm"}),
            ],
            strategy=CoordinationStrategy.SEQUENTIAL,
        ),
    )


@cache
def notifications() -> CompiledPlan:
    """Tell three systems at once what was bought."""
    return _graph(
        "studio-notifications",
        PlanRequest(
            tasks=[
                AgentTask("ticketing", {"action": "send_sms"}),
                AgentTask("sales", {"action": "update_crm"}),
                AgentTask("finance", {"action": "log_expense"}),
            ],
            strategy=CoordinationStrategy.PARALLEL,
        ),
    )


@cache
def router() -> CompiledPlan:
    """Send a message to the agent it is for."""
    text = "input.messages[0].content"
    return _graph(
        "studio-router",
        PlanRequest(
            tasks=[
                AgentTask("ticketing", _user("What time does the game start?")),
                AgentTask("sales", _user("Update the CRM for Acme")),
                AgentTask("finance", _user("What is left in the travel budget?")),
            ],
            strategy=CoordinationStrategy.CONDITIONAL,
            router={
                f"{text}.contains('budget') || {text}.contains('expense')": "finance",
                f"{text}.contains('CRM') || {text}.contains('proposal')": "sales",
                "true": "ticketing",
            },
        ),
    )


@cache
def approval() -> CompiledPlan:
    """Buy tickets, pause until a person approves the expense, and tell the buyer.

    If the expense is rejected, the tickets are given back.
    """
    return _graph(
        "studio-approval",
        PlanRequest(
            tasks=[
                AgentTask(
                    "ticketing",
                    _user("Book 40 tickets for tonight"),
                    compensate={"action": "cancel_order"},
                ),
                AgentTask(
                    "finance",
                    {"action": "approve_expense"},
                    requires_approval=ApprovalPolicy(when="outputs.ticketing.total_price > 1000"),
                ),
                AgentTask("ticketing", {"action": "send_sms"}, task_id="confirmation"),
            ],
            strategy=CoordinationStrategy.SEQUENTIAL,
        ),
    )


@cache
def supervisor() -> CompiledStateGraph[Any, None, Any, Any]:
    """Do what a message asks for, over all agents, and answer."""
    return EnterpriseOrchestrator().compile(key="studio-supervisor")


def _user(text: str) -> dict[str, list[dict[str, str]]]:
    return {"messages": [{"role": "user", "content": text}]}


def _graph(key: str, request: PlanRequest) -> CompiledPlan:
    registry = get_registry()
    planned = plan(request, agents=registry, run_id=key)

    def make_handle() -> RunHandle:
        return RunHandle(agents=registry, callables=planned.callables)

    return compile_template(planned.plan, make_handle, key=key)
