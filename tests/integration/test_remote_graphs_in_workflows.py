"""A graph on a real LangGraph server asks, and the workflow here pauses and goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command

from orchestration import (
    AgentRegistry,
    AgentSpec,
    AgentTask,
    RetryPolicy,
    SimpleCoordinator,
    WorkflowResult,
)
from orchestration.agents.connector import Connector
from orchestration.testing.agent_stage import PATIENCE, Echoes, Fails, Says
from state.agent_context import AgentContext
from state.errors import AgentError
from state.jsonvalue import JsonObject, JsonValue
from state.status import TaskStatus, WorkflowStatus
from tests.integration.langgraph_stage import LangGraphServer, LangGraphStage


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LangGraphServer]:
    with LangGraphServer(tmp_path_factory.mktemp("langgraph")).running() as server:
        yield server


class Parent(TypedDict, total=False):
    answers: Any


def asked(text: str) -> JsonObject:
    return {"messages": [{"role": "user", "content": text}]}


def output_of(done: WorkflowResult, task_id: str = "remote") -> dict[str, Any]:
    output = done[task_id].output
    assert output is not None
    return dict(output)


def coordinator(connector: Connector, database_url: str = "memory://") -> SimpleCoordinator:
    async def call(input_data: JsonObject, context: AgentContext) -> JsonObject:
        return await connector.call(input_data, context)

    registry = AgentRegistry()
    registry.register(AgentSpec("remote", handler=call))
    return SimpleCoordinator(registry=registry, database_url=database_url)


async def test_each_question_of_a_remote_graph_pauses_the_workflow(
    server: LangGraphServer,
) -> None:
    stage = LangGraphStage(server, "asking")
    connector = stage.connector()
    async with coordinator(connector) as here:
        first = await here.execute_sequential([AgentTask("remote", asked("seat meal"))])
        assert first.status == WorkflowStatus.INTERRUPTED
        assert [each.value for each in first.interrupts] == [{"which": "seat"}]
        second = await here.resume(
            first.thread_id, {first.interrupts[0].interrupt_id: "12 C"}, by="ann"
        )
        assert [each.value for each in second.interrupts] == [{"which": "meal"}]
        assert stage.received == []
        done = await here.resume(
            first.thread_id, {second.interrupts[0].interrupt_id: {"dish": "soup"}}, by="ann"
        )
    await connector.close()
    assert done.status == WorkflowStatus.COMPLETED
    assert output_of(done)["answers"] == ["12 C", {"dish": "soup"}]
    assert len(stage.received) == 1


async def test_another_process_goes_on_with_the_answer(
    server: LangGraphServer, tmp_path: Path
) -> None:
    stage = LangGraphStage(server, "asking")
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    before, after = stage.connector(), stage.connector()
    async with coordinator(before, url) as here:
        paused = await here.execute_sequential([AgentTask("remote", asked("seat"))])
    await before.close()
    async with coordinator(after, url) as elsewhere:
        (question,) = paused.interrupts
        done = await elsewhere.resume(paused.thread_id, {question.interrupt_id: "1 A"}, by="ann")
    await after.close()
    assert output_of(done)["answers"] == ["1 A"]
    assert len(stage.received) == 1


async def test_an_answer_that_was_passed_on_before_a_crash_is_not_asked_for_again(
    server: LangGraphServer,
) -> None:
    stage = LangGraphStage(server, "asking")
    connector = stage.connector()
    crashes = ["once"]

    async def node(state: Parent) -> Parent:
        context = AgentContext("thread", "task", "run", idempotency_key="crash:task")
        reply = await connector.call(asked("seat"), context)
        if crashes:
            raise ConnectionError(crashes.pop())
        return {"answers": reply["answers"]}

    builder: StateGraph[Parent, None, Parent, Parent] = StateGraph(Parent)
    builder.add_node("node", node)
    builder.add_edge(START, "node")
    graph = builder.compile(checkpointer=InMemorySaver())
    config: RunnableConfig = {"configurable": {"thread_id": "parent"}}
    paused = await graph.ainvoke({}, config)
    assert paused["__interrupt__"][0].value == {"which": "seat"}
    with pytest.raises(ConnectionError):
        await graph.ainvoke(Command(resume="12 C"), config)
    done = await graph.ainvoke(None, config)
    await connector.close()
    assert done == {"answers": ["12 C"]}
    assert len(stage.received) == 1


async def test_two_remote_graphs_ask_side_by_side(server: LangGraphServer) -> None:
    stage = LangGraphStage(server, "asking")
    connector = stage.connector()
    async with coordinator(connector) as here:
        paused = await here.execute_parallel(
            [
                AgentTask("remote", asked("seat"), task_id="one"),
                AgentTask("remote", asked("meal"), task_id="two"),
            ]
        )
        questions: list[Any] = [each.value for each in paused.interrupts]
        answers: dict[str, JsonValue] = {
            each.interrupt_id: question["which"].upper()
            for each, question in zip(paused.interrupts, questions, strict=True)
        }
        assert len(answers) == 2
        done = await here.resume(paused.thread_id, answers, by="ann")
    await connector.close()
    assert output_of(done, "one")["answers"] == ["SEAT"]
    assert output_of(done, "two")["answers"] == ["MEAL"]


async def test_a_second_attempt_goes_on_where_the_first_one_failed(
    server: LangGraphServer,
) -> None:
    stage = LangGraphStage(server)
    stage.play(Fails("the database is gone"))
    connector = stage.connector()

    async def call(input_data: JsonObject, context: AgentContext) -> JsonObject:
        if context.attempt == 2:
            stage.play(Says(("well",)))
        return await connector.call(input_data, context)

    registry = AgentRegistry()
    registry.register(AgentSpec("remote", handler=call))
    retry = RetryPolicy(max_attempts=2, initial_delay=timedelta(milliseconds=1))
    async with SimpleCoordinator(registry=registry, database_url="memory://") as here:
        done = await here.execute_sequential([AgentTask("remote", asked("hello"), retry=retry)])
    await connector.close()
    assert done["remote"].status == TaskStatus.SUCCEEDED
    assert [each.text for each in stage.received] == ["hello", "hello"]
    messages: Any = output_of(done)["messages"]
    assert [each["content"] for each in messages] == ["hello", "well"]


async def test_a_call_joins_the_one_with_its_key_that_is_under_way(
    server: LangGraphServer,
) -> None:
    stage = LangGraphStage(server)
    stage.play(Echoes(held=True))
    first, second = stage.connector(), stage.connector()
    context = AgentContext("thread", "task", "run", idempotency_key="joined:task")
    async with asyncio.timeout(2 * PATIENCE):
        calls = [asyncio.create_task(first.call(asked("hello"), context))]
        await stage.arrived()
        calls.append(asyncio.create_task(second.call(asked("hello"), context)))
        await stage.requested("GET", "/stream")
        assert not any(call.done() for call in calls)
        stage.release()
        replies = await asyncio.gather(*calls)
    for connector in (first, second):
        await connector.close()
    assert replies[0] == replies[1]
    assert len(stage.received) == 1


async def test_a_question_that_no_workflow_can_put_is_an_error(server: LangGraphServer) -> None:
    connector = LangGraphStage(server, "asking").connector()
    with pytest.raises(AgentError, match="not called by a workflow"):
        await connector.call(
            asked("seat"), AgentContext("thread", "task", "run", idempotency_key="alone:task")
        )
    await connector.close()


async def test_a_graph_that_is_not_there_has_not_begun(server: LangGraphServer) -> None:
    stage = LangGraphStage(server, "nobody")
    connector = stage.connector()
    with pytest.raises(AgentError, match="Invalid assistant") as raised:
        await connector.call(
            asked("seat"), AgentContext("thread", "task", "run", idempotency_key="none:task")
        )
    await connector.close()
    assert not raised.value.may_have_started
