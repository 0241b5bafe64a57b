"""What callers of a served agent or workflow may not do, though they have the token."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, TypedDict

import pytest
from a2a.types import Task
from a2a.utils.errors import InvalidParamsError
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt

from orchestration import AgentSpec, Wait, WaitForSignal
from orchestration.a2a.values import contents
from state.task import AgentTask
from state.workflow import Workflow
from tests.integration.test_a2a_serving import WAITS, Office, client_of, says, task_of


class Asked(TypedDict, total=False):
    question: Any
    answer: Any


async def _ask(state: Asked) -> Asked:
    return {"answer": interrupt(state["question"])}


class Bank(Office):
    """A workflow that asks the caller something, and beside that waits for others."""

    def __init__(self, question: object = "which card?") -> None:
        super().__init__()
        graph: StateGraph[Asked, None, Asked, Asked] = StateGraph(Asked)
        graph.add_node("ask", _ask)
        graph.add_edge(START, "ask")
        self.coordinator.registry.register(AgentSpec("clerk", handler=graph.compile()))
        tasks = [
            AgentTask("clerk", {"question": question}, task_id="card"),
            Wait(timedelta(days=2), task_id="cooling_off"),
            WaitForSignal("payment.received", task_id="payment"),
            AgentTask("tickets", {"action": "pay"}, task_id="pay", requires_approval=True),
        ]
        self.coordinator.workflows.register(Workflow("pay", tasks=tasks, strategy="parallel"))

    def asked_in(self, task: Task) -> dict[str, str]:
        """Ids of what is asked, by task."""
        (data,) = contents(task.status.message.parts).data
        assert isinstance(data, dict)
        return {each["task_id"]: each["id"] for each in data["questions"]}  # type: ignore[index, call-overload, union-attr, misc]  # JSON


@pytest.mark.parametrize("name", ["cooling_off", "payment"])
async def test_a_caller_ends_no_wait(name: str) -> None:
    bank = Bank()
    async with bank.open(workflows=["pay"]) as url, client_of(url) as client:
        task = await task_of(client, says(data={"go": True}))
        assert task.status.state == WAITS
        waiting = {
            each.task_id: each.interrupt_id
            for each in (await bank.coordinator.get_state(task.id)).interrupts
        }
        for key in (name, waiting[name]):
            with pytest.raises(InvalidParamsError, match="is not asked"):
                await task_of(client, says(task_id=task.id, data={"decisions": {key: {"ok": 1}}}))
        after = await bank.coordinator.get_state(task.id)
        assert {each.task_id for each in after.interrupts} == set(waiting)


async def test_an_agents_question_is_answered_by_its_task_and_no_wait_in_its_name() -> None:
    bank = Bank({"task_id": "cooling_off", "say": "which card?"})
    async with bank.open(workflows=["pay"]) as url, client_of(url) as client:
        task = await task_of(client, says(data={"go": True}))
        asked = bank.asked_in(task)
        decisions = {asked.get("cooling_off", asked.get("card", "")): "visa"}
        answered = await task_of(client, says(task_id=task.id, data={"decisions": decisions}))
        state = await bank.coordinator.get_state(answered.id)
        assert {each.task_id for each in state.interrupts} == {"cooling_off", "payment", "pay"}
        assert state["card"].output["answer"] == "visa"
