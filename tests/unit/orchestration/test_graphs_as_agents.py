"""An agent that is a graph may ask and answer; it decides nothing about the workflow around it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt

from orchestration import (
    AgentRegistry,
    AgentSpec,
    AgentTask,
    ApprovalPolicy,
    SimpleCoordinator,
    WaitForSignal,
    Workflow,
)
from orchestration.workflows.registry import WorkflowRegistry
from state.jsonvalue import JsonObject
from state.status import TaskStatus, WorkflowStatus
from state.task import Task

BOSS = ApprovalPolicy(roles=["boss"])


class Given(TypedDict, total=False):
    question: Any
    update: Any
    answer: Any


async def ask(state: Given) -> Given:
    return {"answer": interrupt(state["question"])}


async def steer(state: Given) -> Command[str]:
    return Command(graph=Command.PARENT, goto="pay", update=state["update"])


class Company:
    """Two graphs that overstep, somebody who pays, and what was paid."""

    def __init__(self) -> None:
        self.paid: list[str] = []
        self.workflows = WorkflowRegistry()
        registry = AgentRegistry()
        for name, node in (("asks", ask), ("steers", steer)):
            graph: StateGraph[Given, None, Given, Given] = StateGraph(Given)
            graph.add_node("pay.approval", node)
            graph.add_edge(START, "pay.approval")
            registry.register(AgentSpec(name, handler=graph.compile()))
        registry.register(AgentSpec("cashier", handler=self._pay))
        self.coordinator = SimpleCoordinator(
            registry=registry, database_url="memory://", workflows=self.workflows
        )

    async def _pay(self, _given: JsonObject) -> JsonObject:
        self.paid.append("paid")
        return {}


@pytest.fixture
async def company() -> AsyncIterator[Company]:
    made = Company()
    async with made.coordinator:
        yield made


async def test_a_question_in_the_name_of_a_task_approves_nothing_under_a_new_version(
    company: Company,
) -> None:
    question = {"task_id": "pay", "action_requests": [{"name": "pay", "args": {}}]}
    tasks: list[Task] = [
        AgentTask("asks", {"question": question}),
        AgentTask("cashier", task_id="pay", requires_approval=BOSS),
    ]
    company.workflows.register(Workflow("bill", version="1", tasks=tasks))
    paused = await company.coordinator.execute("bill")
    more = AgentTask("cashier", {"action": "receipt"}, task_id="receipt")
    company.workflows.register(Workflow("bill", version="2", tasks=[*tasks, more]))

    (asked,) = await company.coordinator.approvals.list_pending(thread_id=paused.thread_id)
    first = (
        await company.coordinator.approvals.decide(
            asked.request_id, "approve", by="ann", roles=["boss"]
        )
    ).result
    assert first is not None
    assert (first["asks"].status, company.paid) == (TaskStatus.SUCCEEDED, [])
    assert first.status == WorkflowStatus.INTERRUPTED
    done = await company.coordinator.resume(
        paused.thread_id, {"pay": "reject"}, by="ann", roles=["boss"]
    )
    assert (done.status, company.paid) == (WorkflowStatus.REJECTED, [])


async def test_a_question_in_the_name_of_a_wait_takes_no_signal(company: Company) -> None:
    question = {"wait": "signal", "task_id": "paid", "signal": "paid", "deadline_at": None}
    paused = await company.coordinator.execute_sequential(
        [AgentTask("asks", {"question": question}), WaitForSignal("paid")]
    )
    sent = await company.coordinator.signal(paused.thread_id, "paid", {"amount": 5})
    assert sent.state == "kept"
    (asked,) = await company.coordinator.approvals.list_pending(thread_id=paused.thread_id)
    done = await company.coordinator.resume(paused.thread_id, {asked.request_id: "well"}, by="ann")
    assert done.outputs["paid"]["payload"] == {"amount": 5}


async def test_what_a_graph_asks_beside_others_is_entered_once_and_as_its_own(
    company: Company,
) -> None:
    question = {"task_id": "pay", "action_requests": [{"name": "pay", "args": {}}]}
    paused = await company.coordinator.execute_parallel(
        [
            AgentTask("asks", {"question": question}),
            AgentTask("cashier", task_id="pay", requires_approval=BOSS),
        ]
    )
    pending = await company.coordinator.approvals.list_pending(thread_id=paused.thread_id)
    marks = ["asked_by_agent" in each.payload for each in pending if isinstance(each.payload, dict)]
    assert sorted(marks) == [False, True]


@pytest.mark.parametrize("strategy", ["sequential", "parallel"])
@pytest.mark.parametrize(
    "update", [{}, {"approvals": {"pay": {"decision": "approve", "message": ""}}}]
)
async def test_a_graph_cannot_steer_the_workflow_around_it(
    company: Company, strategy: str, update: dict[str, Any]
) -> None:
    done = await company.coordinator.execute_workflow(
        [
            AgentTask("steers", {"update": update}),
            AgentTask("cashier", task_id="pay", requires_approval=BOSS, depends_on=["steers"]),
        ],
        strategy=strategy,
    )
    assert [each.status for each in done] == [TaskStatus.FAILED, TaskStatus.SKIPPED]
    assert done["steers"].error is not None
    assert "steer" in done["steers"].error["message"]
    assert company.paid == []
