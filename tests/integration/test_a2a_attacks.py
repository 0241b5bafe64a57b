"""What callers of a served agent or workflow may not do, though they have the token."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, TypedDict

import httpx
import pytest
from a2a.types import ListTasksRequest, Task, TaskState
from a2a.utils.errors import InternalError, InvalidParamsError
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt

from orchestration import AgentSpec, Wait, WaitForSignal
from orchestration.a2a.values import contents
from orchestration.simple_coordinator import SimpleCoordinator
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


async def test_no_more_tasks_begin_than_there_may_be() -> None:
    office = Office()
    office.desk.go.clear()
    async with office.open(most_runs=2) as url, client_of(url) as client:
        requests = [says(message_id=f"m-{each}") for each in range(3)]
        for request in requests:
            request.configuration.return_immediately = True
        first, _ = [await task_of(client, each) for each in requests[:2]]
        with pytest.raises(InternalError, match="no more are taken"):
            await task_of(client, requests[2])
        assert (await task_of(client, requests[0])).id == first.id  # it was taken before
        office.desk.go.set()
        ended = says(message_id="m-0")
        assert (await task_of(client, ended)).status.state == TaskState.TASK_STATE_COMPLETED
        assert (await task_of(client, requests[2])).id != first.id
    assert len(office.desk.calls) == 3


class Counting(SimpleCoordinator):
    """Counts how many threads are looked at."""

    looks = 0

    async def inspect(self, *given: Any, **named: Any) -> Any:  # noqa: ANN401  as there
        self.looks += 1
        return await super().inspect(*given, **named)


async def test_of_many_tasks_only_the_page_is_looked_at() -> None:
    office = Office()
    counting = office.coordinator = Counting(
        registry=office.coordinator.registry, database_url="memory://"
    )
    async with office.open() as url, client_of(url) as client:
        for _ in range(5):
            await task_of(client, says())
        counting.looks = 0
        listed = await client.list_tasks(ListTasksRequest(page_size=2))
        assert (len(listed.tasks), listed.total_size, listed.next_page_token) == (2, 5, "2")
        assert counting.looks == 2
        done = TaskState.TASK_STATE_COMPLETED
        listed = await client.list_tasks(ListTasksRequest(page_size=2, page_token="4", status=done))  # noqa: S106  a page
        assert (len(listed.tasks), listed.total_size, listed.next_page_token) == (1, 5, "")


@pytest.mark.parametrize(
    "message",
    [
        '"parts": [{"data": {"a": NaN}}]',
        '"parts": [{"text": "a"}], "metadata": {"timeout_seconds": NaN}',
        '"parts": [{"text": "a"}], "metadata": {"timeout_seconds": 1e308}',
    ],
)
async def test_numbers_that_json_does_not_have_are_the_callers_mistake(message: str) -> None:
    office = Office()
    body = (
        '{"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": '
        f'{{"messageId": "m", "role": "ROLE_USER", {message}}}}}}}'
    )
    async with office.open() as url, httpx.AsyncClient() as http:
        answer = await http.post(url, content=body, headers={"A2A-Version": "1.0"})
    assert answer.json()["error"]["code"] == -32602  # invalid parameters
    assert office.desk.calls == []
