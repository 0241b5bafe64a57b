"""Text in pieces, from whatever is in this process."""

from __future__ import annotations

from typing import Any

from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langgraph.graph import MessagesState, StateGraph

from orchestration import AgentContext, AgentRegistry, AgentSpec, AgentTask, SimpleCoordinator
from orchestration.workflow_events import WorkflowEvent

ASKED = {"messages": [{"role": "user", "content": "hello"}]}


def model() -> GenericFakeChatModel:
    said = AIMessage(
        "good day to you",
        usage_metadata={"input_tokens": 3, "output_tokens": 4, "total_tokens": 7},
    )
    return GenericFakeChatModel(messages=iter([said]))


def graph() -> object:
    inner = model()

    async def answer(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await inner.ainvoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("answer", answer)
    builder.set_entry_point("answer")
    return builder.compile()


async def aloud(_input: dict[str, Any], context: AgentContext) -> dict[str, Any]:
    for word in ("good ", "day"):
        context.emit(word)
    return {"content": "good day", "usage": {"input_tokens": 1, "output_tokens": 2}}


async def events_of(handler: object) -> list[WorkflowEvent]:
    registry = AgentRegistry()
    registry.register(AgentSpec("agent", handler=handler))
    async with SimpleCoordinator(registry=registry, database_url="memory://") as coordinator:
        return [event async for event in coordinator.stream([AgentTask("agent", ASKED)])]


def spoken(events: list[WorkflowEvent]) -> list[str]:
    return [str(event.data["text"]) for event in events if event.kind == "token"]


async def test_a_chat_model_a_graph_and_a_callable_are_heard_as_they_speak() -> None:
    whole = ["good", " ", "day", " ", "to", " ", "you"]
    assert spoken(await events_of(model())) == whole
    assert spoken(await events_of(graph())) == whole
    assert spoken(await events_of(aloud)) == ["good ", "day"]


async def test_pieces_come_between_the_beginning_of_a_task_and_its_end() -> None:
    events = await events_of(aloud)
    kinds = [event.kind for event in events if event.task_id == "agent"]
    assert kinds == ["task_started", "token", "token", "task_finished"]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))


async def test_without_a_listener_nothing_is_asked_for_in_pieces() -> None:
    heard: list[bool] = []

    async def agent(_input: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        heard.append(context.streams)
        context.emit("into the void")
        return {}

    registry = AgentRegistry()
    registry.register(AgentSpec("agent", handler=agent))
    async with SimpleCoordinator(registry=registry, database_url="memory://") as coordinator:
        await coordinator.execute_sequential([AgentTask("agent")])
    assert heard == [False]


async def test_what_a_model_used_stands_on_the_outcome() -> None:
    registry = AgentRegistry()
    registry.register(AgentSpec("aloud", handler=aloud))
    async with SimpleCoordinator(registry=registry, database_url="memory://") as coordinator:
        result = await coordinator.execute_sequential([AgentTask("aloud")])
    assert result["aloud"].outcome is not None
    assert result["aloud"].outcome["usage"] == {"input_tokens": 1, "output_tokens": 2}
