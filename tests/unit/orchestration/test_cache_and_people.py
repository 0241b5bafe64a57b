"""What a person says to an agent is for that call alone, whatever the cache holds."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt

from orchestration import AgentRegistry, AgentSpec, AgentTask, Optimizer, SimpleCoordinator
from state.run_state import CoreOutput


class Asking(TypedDict, total=False):
    question: str
    answer: str


async def ask(state: Asking) -> Asking:
    await asyncio.sleep(0)  # so that others join
    return {"answer": interrupt({"question": state["question"]})}


@pytest.fixture
def agents() -> AgentRegistry:
    """Know an agent that changes nothing, but has to ask somebody."""
    graph: StateGraph[Asking, None, Asking, Asking] = StateGraph(Asking)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    registry = AgentRegistry()
    registry.register(AgentSpec("asks", handler=graph.compile(), read_only=True))
    return registry


def tasks() -> list[AgentTask]:
    return [AgentTask("asks", {"question": "May they?"})]


async def test_each_run_gets_the_answer_that_was_given_to_it(
    agents: AgentRegistry, tmp_path: Path
) -> None:
    options: Any = {"optimizer": Optimizer(), "database_url": f"sqlite:///{tmp_path / 'a.db'}"}
    async with SimpleCoordinator(registry=agents, **options) as runs:
        begun = (runs.execute_sequential(tasks(), thread_id=name) for name in "abc")
        assert {str(each.status) for each in await asyncio.gather(*begun)} == {"interrupted"}
    async with SimpleCoordinator(registry=agents, **options) as runs:
        for name in "abc":
            (asked,) = (await runs.get_state(name)).interrupts
            result = await runs.resume(name, {asked.interrupt_id: name})
            assert result[0].output["answer"] == name
            verdict: Any = result[0].middleware["cache"]
            assert verdict["verdict"] == "bypass"
        assert (await runs.execute_sequential(tasks())).status == "interrupted"


async def test_so_does_each_run_of_a_graph_around_it(agents: AgentRegistry) -> None:
    runs = SimpleCoordinator(registry=agents, optimizer=Optimizer(), database_url="memory://")
    graph: StateGraph[CoreOutput, None, CoreOutput, CoreOutput] = StateGraph(CoreOutput)
    graph.add_node("flow", runs.compile(tasks()))
    graph.add_edge(START, "flow")
    outer: Any = graph.compile(checkpointer=InMemorySaver())
    places: dict[str, Any] = {name: {"configurable": {"thread_id": name}} for name in "ab"}
    for place in places.values():
        assert "__interrupt__" in await outer.ainvoke({}, place)
    for name, place in places.items():
        done = await outer.ainvoke(Command(resume=name), place)
        assert done["outcomes"]["asks"]["output"]["answer"] == name
