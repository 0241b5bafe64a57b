"""Our agents and workflows, served over A2A and used with the official client."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from a2a.client import A2ACardResolver, Client, ClientConfig, ClientFactory
from a2a.types import (
    CancelTaskRequest,
    GetTaskRequest,
    ListTasksRequest,
    Message,
    Part,
    Role,
    SendMessageRequest,
    StreamResponse,
    SubscribeToTaskRequest,
    Task,
    TaskState,
)
from a2a.utils.errors import (
    InvalidParamsError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)

from orchestration.a2a.values import contents, data_part
from orchestration.a2a_server.app import a2a_app
from orchestration.agent_registry import AgentRegistry
from orchestration.agents.a2a import connect
from orchestration.agents.endpoint import Endpoint
from orchestration.agents.spec import AgentSpec
from orchestration.simple_coordinator import SimpleCoordinator
from orchestration.workflows.registry import WorkflowRegistry
from state.agent_context import AgentContext
from state.errors import AgentRefusedError
from state.jsonvalue import JsonObject
from state.task import AgentTask
from state.workflow import Workflow
from tests.integration.a2a_serving import PATIENCE, serving

COMPLETED = TaskState.TASK_STATE_COMPLETED
WAITS = TaskState.TASK_STATE_INPUT_REQUIRED


class Desk:
    """An agent, and what it was called for."""

    def __init__(self) -> None:
        self.calls: list[JsonObject] = []
        self.keys: list[str] = []
        self.called, self.go, self.was_cancelled = (asyncio.Event() for _ in range(3))
        self.go.set()

    async def __call__(self, input_data: JsonObject, context: AgentContext) -> JsonObject:
        self.calls.append(input_data)
        self.keys.append(context.idempotency_key)
        context.emit("Two ")
        self.called.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.was_cancelled.set()
            raise
        if input_data.get("refuse"):
            raise AgentRefusedError("only 3 seats are left")
        if input_data.get("fail"):
            raise RuntimeError("password=hunter2")
        context.emit("seats.")
        return {"content": "Two seats.", "seats": 2}


class Office:
    """A coordinator whose agent and workflows are served."""

    def __init__(self, database_url: str = "memory://") -> None:
        self.desk = Desk()
        registry = AgentRegistry()
        registry.register(
            AgentSpec("tickets", ["ticket_purchase"], handler=self.desk, description="Sells seats.")
        )
        workflows = WorkflowRegistry()
        schema = {"properties": {"seats": {"type": "integer"}}, "required": ["seats"]}
        book = AgentTask("tickets", input_from={"seats": "parameters.seats"})
        workflows.register(Workflow("book", tasks=[book], parameters=schema))
        asks = AgentTask("tickets", {"action": "buy"}, requires_approval=True)
        workflows.register(Workflow("approved", tasks=[asks]))
        self.coordinator = SimpleCoordinator(
            registry=registry, workflows=workflows, database_url=database_url
        )

    @asynccontextmanager
    async def open(self, **served: Any) -> AsyncIterator[str]:  # noqa: ANN401  of `a2a_app`
        if not {"agents", "workflows"} & set(served):
            served["agents"] = ["tickets"]
        async with (
            asyncio.timeout(PATIENCE),
            self.coordinator,
            serving(lambda url: a2a_app(self.coordinator, url=url, **served)) as url,
        ):
            yield url


@asynccontextmanager
async def client_of(
    url: str, *, streaming: bool = False, bindings: Sequence[str] = (), token: str | None = None
) -> AsyncIterator[Client]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(headers=headers) as http:
        card = await A2ACardResolver(http, url).get_agent_card()
        config = ClientConfig(
            streaming=streaming, httpx_client=http, supported_protocol_bindings=[*bindings]
        )
        yield ClientFactory(config).create(card)


def says(text: str = "two seats", *, message_id: str = "", **more: Any) -> SendMessageRequest:  # noqa: ANN401  fields of a message
    data = more.pop("data", None)
    parts = [Part(text=text)] if data is None else [data_part(data)]
    message = Message(
        message_id=message_id or str(uuid.uuid4()), role=Role.ROLE_USER, parts=parts, **more
    )
    return SendMessageRequest(message=message)


async def task_of(client: Client, request: SendMessageRequest) -> Task:
    (answer,) = [each async for each in client.send_message(request)]
    return answer.task


def data_of(task: Task) -> object:
    (artifact,) = task.artifacts
    (data,) = contents(artifact.parts).data
    return data


def why(task: Task) -> str:
    return contents(task.status.message.parts).text


# -- agents --------------------------------------------------------------------------------


@pytest.mark.parametrize("binding", ["JSONRPC", "HTTP+JSON"])
async def test_an_agent_answers_the_official_client(binding: str) -> None:
    office = Office()
    async with office.open() as url, client_of(url, bindings=[binding]) as client:
        task = await task_of(client, says("two seats"))
        assert task.status.state == COMPLETED
        assert data_of(task) == {"content": "Two seats.", "seats": 2}
        assert contents(task.artifacts[0].parts).text == "Two seats."
        again = await client.get_task(GetTaskRequest(id=task.id))
        assert again == task
    assert office.desk.calls == [{"messages": [{"role": "user", "content": "two seats"}]}]


async def test_the_card_says_what_the_agent_can_do() -> None:
    async with Office().open() as url, httpx.AsyncClient() as http:
        card = await A2ACardResolver(http, url).get_agent_card()
    assert (card.name, card.description, card.version) == ("tickets", "Sells seats.", "1")
    assert [skill.id for skill in card.skills] == ["ticket_purchase"]
    assert "purchase_tickets" in card.skills[0].tags
    assert {each.protocol_binding for each in card.supported_interfaces} == {
        "JSONRPC",
        "HTTP+JSON",
    }


@pytest.mark.parametrize("binding", ["JSONRPC", "HTTP+JSON"])
async def test_text_is_streamed_while_the_agent_works(binding: str) -> None:
    office = Office()
    office.desk.go.clear()
    async with office.open() as url, client_of(url, streaming=True, bindings=[binding]) as client:
        heard: list[StreamResponse] = []
        async for update in client.send_message(says()):
            heard.append(update)
            if update.HasField("artifact_update"):
                office.desk.go.set()
    kinds = [each.WhichOneof("payload") for each in heard]
    assert kinds == ["task", *["artifact_update"] * 3, "status_update"]
    texts = [contents(each.artifact_update.artifact.parts).text for each in heard[1:4]]
    assert texts == ["Two ", "seats.", "Two seats."]
    assert [each.artifact_update.append for each in heard[1:4]] == [False, True, False]
    assert heard[-1].status_update.status.state == COMPLETED


async def test_a_message_that_comes_again_runs_once() -> None:
    office = Office()
    office.desk.go.clear()
    async with office.open() as url, client_of(url) as client:
        request = says(message_id="m-1")
        sends = [asyncio.create_task(task_of(client, request)) for _ in range(5)]
        await office.desk.called.wait()
        office.desk.go.set()
        tasks = await asyncio.gather(*sends, task_of(client, request))
        assert len({each.id for each in tasks}) == 1
        assert all(each.status.state == COMPLETED for each in tasks)
        other = await task_of(client, says(message_id="m-2"))
        assert other.id != tasks[0].id
    assert len(office.desk.calls) == 2


async def test_a_refusal_is_a_rejected_task() -> None:
    async with Office().open() as url, client_of(url) as client:
        task = await task_of(client, says(data={"refuse": True}))
    assert task.status.state == TaskState.TASK_STATE_REJECTED
    assert why(task) == "only 3 seats are left"


async def test_what_an_agent_raises_by_mistake_is_not_told_to_strangers() -> None:
    async with Office().open() as url, client_of(url) as client:
        task = await task_of(client, says(data={"fail": True}))
    assert task.status.state == TaskState.TASK_STATE_FAILED
    assert "RuntimeError" in why(task)
    assert "hunter2" not in str(task)


async def test_cancelling_a_task_cancels_the_agents_call() -> None:
    office = Office()
    office.desk.go.clear()
    async with office.open() as url, client_of(url) as client:
        request = says()
        request.configuration.return_immediately = True
        task = await task_of(client, request)
        assert task.status.state == TaskState.TASK_STATE_WORKING
        await office.desk.called.wait()
        ended = await client.cancel_task(CancelTaskRequest(id=task.id))
        assert ended.status.state == TaskState.TASK_STATE_CANCELED
        assert office.desk.was_cancelled.is_set()
        with pytest.raises(TaskNotCancelableError):
            await client.cancel_task(CancelTaskRequest(id=task.id))


async def test_a_task_can_be_followed_by_others() -> None:
    office = Office()
    office.desk.go.clear()
    async with office.open() as url, client_of(url, streaming=True) as client:
        request = says()
        first = await anext(aiter(client.send_message(request)))  # and hangs up
        await office.desk.called.wait()
        states = []
        async for update in client.subscribe(SubscribeToTaskRequest(id=first.task.id)):
            office.desk.go.set()
            if update.HasField("status_update"):
                states.append(update.status_update.status.state)
        assert states == [COMPLETED]
        with pytest.raises(UnsupportedOperationError):
            await anext(aiter(client.subscribe(SubscribeToTaskRequest(id=first.task.id))))
    assert len(office.desk.calls) == 1


async def test_our_own_connector_keeps_the_reply_and_its_key() -> None:
    office = Office()
    async with office.open() as url:
        connector = connect(Endpoint(address=url, kind="a2a"))
        context = AgentContext("thread", "task", "run", "run:task")
        asked: JsonObject = {"messages": [{"role": "user", "content": "hi"}], "vip": True}
        for attempt in (1, 2):
            reply = await connector.call(asked, context._replace(attempt=attempt))
            assert reply == {"content": "Two seats.", "seats": 2}
        await connector.close()
    assert office.desk.calls == [asked]


async def test_tasks_are_listed_by_context() -> None:
    async with Office().open() as url, client_of(url) as client:
        first = await task_of(client, says(context_id="trip"))
        await task_of(client, says(context_id="other"))
        found = await client.list_tasks(ListTasksRequest(context_id="trip"))
        assert [each.id for each in found.tasks] == [first.id]
        assert (found.total_size, found.next_page_token) == (1, "")
        assert not found.tasks[0].artifacts
        page = await client.list_tasks(ListTasksRequest(page_size=1))
        assert (len(page.tasks), page.total_size, page.next_page_token) == (1, 2, "1")


@pytest.mark.parametrize(
    "parts", [[], [Part(url="http://127.0.0.1/x")], [data_part([1])], [Part(text="")]]
)
async def test_what_cannot_be_taken_is_refused_and_runs_nothing(parts: list[Part]) -> None:
    office = Office()
    async with office.open() as url, client_of(url) as client:
        request = says()
        del request.message.parts[:]
        request.message.parts.extend(parts)
        with pytest.raises(Exception, match=r"."):
            await task_of(client, request)
    assert office.desk.calls == []


# -- what others may not see ---------------------------------------------------------------


async def test_other_threads_of_the_database_are_no_tasks() -> None:
    office = Office()
    async with office.open() as url, client_of(url) as client:
        await office.coordinator.execute_sequential([AgentTask("tickets")], thread_id="private")
        for task_id in ("private", "a2a.000000000000." + "0" * 32 + ".", "../private"):
            with pytest.raises(TaskNotFoundError):
                await client.get_task(GetTaskRequest(id=task_id))
            with pytest.raises(TaskNotFoundError):
                await client.cancel_task(CancelTaskRequest(id=task_id))
        assert list((await client.list_tasks(ListTasksRequest())).tasks) == []


async def test_a_token_is_needed_for_all_but_the_card() -> None:
    office = Office()
    async with office.open(token="s3cret") as url:  # noqa: S106  a test's
        async with client_of(url) as stranger:
            with pytest.raises(Exception, match="401"):
                await task_of(stranger, says())
        async with client_of(url, token="wrong") as wrong:  # noqa: S106
            with pytest.raises(Exception, match="401"):
                await task_of(wrong, says())
        async with client_of(url, token="s3cret") as known:  # noqa: S106
            assert (await task_of(known, says())).status.state == COMPLETED
        async with httpx.AsyncClient() as http:
            card = await A2ACardResolver(http, url).get_agent_card()
            assert card.security_schemes["bearer"].http_auth_security_scheme.scheme == "bearer"
    assert len(office.desk.calls) == 1


@pytest.mark.parametrize("headers", [{"Origin": "http://evil"}, {"Host": "evil.example"}])
async def test_web_pages_may_not_act_through_it(headers: dict[str, str]) -> None:
    office = Office()
    async with office.open() as url, httpx.AsyncClient() as http:
        answer = await http.get(f"{url}/v1/tasks", headers={"A2A-Version": "1.0", **headers})
        assert answer.status_code in {400, 403}
        answer = await http.get(f"{url}/v1/tasks", headers={"A2A-Version": "1.0"})
        assert answer.status_code == 200


# -- workflows -----------------------------------------------------------------------------


async def test_a_workflow_takes_its_parameters_from_the_data() -> None:
    office = Office()
    async with office.open(workflows=["book"]) as url, client_of(url) as client:
        task = await task_of(client, says(data={"seats": 4}))
        assert task.status.state == COMPLETED
        assert office.desk.calls == [{"seats": 4}]
        with pytest.raises(InvalidParamsError, match="seats"):
            await task_of(client, says(data={"seats": "many"}))


async def test_all_that_is_served_has_a_path_of_its_own() -> None:
    office = Office()
    async with office.open(agents=["tickets"], workflows=["book"]) as url:
        async with client_of(f"{url}/agents/tickets") as client:
            assert (await task_of(client, says())).status.state == COMPLETED
        async with client_of(f"{url}/workflows/book") as client:
            task = await task_of(client, says(data={"seats": 1}))
            assert task.status.state == COMPLETED


async def test_an_approval_is_not_given_by_who_asks() -> None:
    office = Office()
    async with office.open(workflows=["approved"]) as url, client_of(url) as client:
        task = await task_of(client, says("buy"))
        assert task.status.state == WAITS
        assert "approval of a person" in why(task)
        with pytest.raises(InvalidParamsError, match="approval of a person"):
            await task_of(client, says("approve", task_id=task.id))
        assert office.desk.calls == []
        await office.coordinator.resume(task.id, {"tickets": "approve"}, by="boss")
        done = await client.get_task(GetTaskRequest(id=task.id))
        assert done.status.state == COMPLETED
    assert len(office.desk.calls) == 1


@pytest.mark.parametrize(
    ("answer", "state", "calls"),
    [("approve", COMPLETED, 1), ("reject: too dear", TaskState.TASK_STATE_REJECTED, 0)],
)
async def test_callers_may_be_let_decide(answer: str, state: TaskState, calls: int) -> None:
    office = Office()
    async with (
        office.open(workflows=["approved"], approvals_by="gateway") as url,
        client_of(url) as client,
    ):
        task = await task_of(client, says("buy"))
        ended = await task_of(client, says(answer, task_id=task.id))
        assert (ended.id, ended.status.state) == (task.id, state)
        with pytest.raises(UnsupportedOperationError):
            await task_of(client, says(answer, task_id=task.id))
    assert len(office.desk.calls) == calls


async def test_our_connector_says_what_was_asked_and_calls_the_task_off() -> None:
    office = Office()
    async with office.open(workflows=["approved"]) as url:
        connector = connect(Endpoint(address=url, kind="a2a"))
        with pytest.raises(AgentRefusedError, match="approval of a person"):
            await connector.call({}, AgentContext("thread", "task", "run", "key"))
        await connector.close()
        (thread,) = await office.coordinator.threads()
        assert thread.status == "cancelled"


async def test_our_connector_can_wait_for_somebody_there() -> None:
    office = Office()
    async with office.open(workflows=["approved"]) as url:
        settings = {"on_input_required": "wait"}
        connector = connect(Endpoint(address=url, kind="a2a", settings=settings))
        context = AgentContext("thread", "task", "run", "key")
        call = asyncio.create_task(connector.call({}, context))
        while not (waiting := await office.coordinator.threads(status="interrupted")):  # noqa: ASYNC110  the office bounds it
            await asyncio.sleep(0.01)
        await office.coordinator.resume(waiting[0].thread_id, {"tickets": "approve"}, by="boss")
        assert (await call)["content"] == "Two seats."
        await connector.close()


# -- restarts ------------------------------------------------------------------------------


async def test_tasks_survive_a_restart_and_messages_stay_known(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'tasks.db'}"
    before, after = Office(database), Office(database)
    request = says(message_id="m-1")
    async with before.open() as url, client_of(url) as client:
        task = await task_of(client, request)
    async with after.open() as url, client_of(url) as client:
        assert await client.get_task(GetTaskRequest(id=task.id)) == task
        assert (await task_of(client, request)).id == task.id
    assert (len(before.desk.calls), len(after.desk.calls)) == (1, 0)


async def test_what_was_running_when_the_server_stopped_goes_on(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'tasks.db'}"
    before, after = Office(database), Office(database)
    before.desk.go.clear()
    request = says(message_id="m-1")
    request.configuration.return_immediately = True
    async with before.open() as url, client_of(url) as client:
        task = await task_of(client, request)
        await before.desk.called.wait()
    async with after.open() as url, client_of(url) as client:
        request.configuration.return_immediately = False
        ended = await task_of(client, request)
        assert (ended.id, ended.status.state) == (task.id, COMPLETED)
    assert before.desk.keys == after.desk.keys
