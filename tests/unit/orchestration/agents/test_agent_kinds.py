"""Every kind of handler: it gets its task, answers, and fails without harm to its siblings."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any, TypedDict

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.runnables import Runnable, RunnableLambda
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import interrupt

from orchestration import (
    AgentContext,
    AgentRegistry,
    AgentSpec,
    AgentTask,
    RegistrationError,
    SimpleCoordinator,
    WorkflowResult,
    WorkflowStatus,
)


class Count(TypedDict, total=False):
    n: int
    until: int
    answer: str


async def asynchronous(input_data: dict[str, Any]) -> dict[str, Any]:
    return {"n": input_data["until"]}


async def asynchronous_with_context(
    input_data: dict[str, Any], context: AgentContext
) -> dict[str, Any]:
    assert context.idempotency_key.endswith(":agent")
    return {"n": input_data["until"]}


def synchronous(input_data: dict[str, Any]) -> dict[str, Any]:
    assert threading.current_thread() is not threading.main_thread()
    return {"n": input_data["until"]}


class CallableObject:
    async def __call__(self, input_data: dict[str, Any]) -> dict[str, Any]:
        return {"n": input_data["until"]}


def bound(_word: str, input_data: dict[str, Any]) -> dict[str, Any]:
    return {"n": input_data["until"]}


def counting_graph() -> Any:  # noqa: ANN401  LangGraph's type takes four parameters
    async def step(state: Count) -> Count:
        return {"n": state.get("n", 0) + 1}

    graph = StateGraph(Count)
    graph.add_node("step", step)
    graph.add_edge(START, "step")
    graph.add_conditional_edges(
        "step", lambda state: "step" if state["n"] < state["until"] else "__end__"
    )
    return graph.compile()


async def run(handler: object, *, until: int = 3) -> WorkflowResult:
    registry = AgentRegistry()
    registry.register(AgentSpec("agent", handler=handler))
    coordinator = SimpleCoordinator(registry=registry, database_url="memory://")
    return await coordinator.execute_sequential([AgentTask("agent", {"until": until})])


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: asynchronous, id="async function"),
        pytest.param(lambda: asynchronous_with_context, id="async function with context"),
        pytest.param(lambda: synchronous, id="sync function"),
        pytest.param(CallableObject, id="object"),
        pytest.param(lambda: partial(bound, "word"), id="partial"),
        pytest.param(lambda: RunnableLambda(bound.__get__("word")), id="runnable"),
        pytest.param(counting_graph, id="compiled graph"),
    ],
)
async def test_every_kind_of_handler_does_its_task(make: Callable[[], object]) -> None:
    result = await run(make())
    assert result.status == WorkflowStatus.COMPLETED, result
    assert result["agent"].output["n"] == 3


async def test_a_chat_model_answers_with_its_text() -> None:
    registry = AgentRegistry()
    model: Runnable[Any, Any] = FakeListChatModel(responses=["At seven."])
    registry.register(AgentSpec("agent", handler=model))
    coordinator = SimpleCoordinator(registry=registry, database_url="memory://")
    messages = [{"role": "user", "content": "When does it start?"}]
    result = await coordinator.execute_sequential([AgentTask("agent", {"messages": messages})])
    assert result["agent"].output["content"] == "At seven."


async def test_a_chat_model_hears_its_instructions_then_what_was_said_before() -> None:
    heard: list[list[tuple[str, str]]] = []

    class Listening(FakeListChatModel):
        def _call(self, messages: list[Any], *_: object, **__: object) -> str:
            heard.append([(each.type, str(each.content)) for each in messages])
            return "At seven."

    registry = AgentRegistry()
    registry.register(AgentSpec("agent", handler=Listening(responses=[])))
    coordinator = SimpleCoordinator(registry=registry, database_url="memory://")
    for text in ("When does it start?", "And when does it end?"):
        messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]
        task = AgentTask("agent", {"messages": messages})
        await coordinator.execute_sequential([task], thread_id="t")
    assert heard[1] == [
        ("system", "Be brief."),
        ("human", "When does it start?"),
        ("ai", "At seven."),
        ("human", "And when does it end?"),
    ]


async def test_a_graph_may_take_as_many_steps_as_it_may_alone() -> None:
    result = await run(counting_graph(), until=500)
    assert result["agent"].output["n"] == 500


async def test_a_graph_finds_the_databases_store() -> None:
    async def remember(_state: Count, runtime: Runtime[None]) -> Count:
        assert runtime.store is not None
        await runtime.store.aput(("seats",), "a", {"n": 7})
        found = await runtime.store.aget(("seats",), "a")
        return {"n": 0 if found is None else found.value["n"]}

    graph: Any = StateGraph(Count)
    graph.add_node("remember", remember)
    graph.add_edge(START, "remember")
    assert (await run(graph.compile()))["agent"].output["n"] == 7


async def test_a_graph_that_never_ends_is_stopped_by_its_own_limit() -> None:
    result = await run(counting_graph().with_config(recursion_limit=20), until=500)
    assert result["agent"].error is not None
    assert result["agent"].error["type"] == "GraphRecursionError"


async def test_a_question_of_a_graph_that_is_an_agent_pauses_and_its_answer_goes_in() -> None:
    async def ask(state: Count) -> Count:
        return {"answer": interrupt("which seat?")}

    graph = StateGraph(Count)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    registry = AgentRegistry()
    registry.register(AgentSpec("agent", handler=graph.compile()))
    coordinator = SimpleCoordinator(registry=registry, database_url="memory://")
    paused = await coordinator.execute_sequential([AgentTask("agent", {"until": 1})])
    assert paused.status == WorkflowStatus.INTERRUPTED
    (question,) = paused.interrupts
    assert question.value == "which seat?"
    done = await coordinator.resume(paused.thread_id, {question.interrupt_id: "12 C"})
    assert done["agent"].output["answer"] == "12 C"


@pytest.mark.parametrize(
    "make",
    [
        lambda: AgentSpec("agent", handler="no callable"),
        lambda: AgentSpec("agent"),
        lambda: AgentSpec("an agent", handler=synchronous),
        lambda: AgentSpec("agent", "one_capability", handler=synchronous),
        lambda: AgentSpec("agent", handler=synchronous, max_concurrency=0),
    ],
)
def test_what_cannot_be_an_agent_is_refused_with_its_name(make: Callable[[], AgentSpec]) -> None:
    with pytest.raises(RegistrationError, match="agent"):
        make()
