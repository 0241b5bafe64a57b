"""A wide fan-out: fifty agents of 50 ms each beside each other, against LangGraph by hand.

The subject is `SimpleCoordinator.execute_parallel` on `memory://`, the reference a
`StateGraph` on `InMemorySaver` with fifty nodes after START and one that joins them.
"""

from __future__ import annotations

import asyncio
import operator
import uuid
from typing import Annotated, Final, TypedDict

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph

from benchmarks.measure import Comparison, Contender, Effort, Report, Target, interleave, main
from orchestration import AgentRegistry, AgentSpec, AgentTask, SimpleCoordinator

Answer = dict[str, bool]

AGENTS: Final = tuple(f"agent{number}" for number in range(1, 51))
SECONDS: Final = 0.05


class State(TypedDict, total=False):
    """The state of the graph made by hand."""

    outputs: Annotated[dict[str, Answer], operator.or_]
    aggregate: dict[str, Answer]


async def work(input_data: dict[str, str]) -> Answer:  # noqa: ARG001  what an agent gets
    """Wait as for a remote agent."""
    await asyncio.sleep(SECONDS)
    return {"ok": True}


def ours(coordinator: SimpleCoordinator) -> Contender:
    """The fan-out as a user of the project runs it."""

    async def run() -> None:
        tasks = [AgentTask(agent_id, {"for": agent_id}) for agent_id in AGENTS]
        result = await coordinator.execute_parallel(tasks)
        if list(result.outputs) != list(AGENTS):
            raise AssertionError(result)

    return run


def by_hand() -> Contender:
    """The same work as somebody writes it who knows LangGraph well."""
    graph = StateGraph(State)
    for agent_id in AGENTS:

        async def call(state: State, agent_id: str = agent_id) -> State:  # noqa: ARG001
            return {"outputs": {agent_id: await work({"for": agent_id})}}

        graph.add_node(agent_id, call)
        graph.add_edge(START, agent_id)

    async def join(state: State) -> State:
        return {"aggregate": state["outputs"]}

    graph.add_node("join", join)
    graph.add_edge(list(AGENTS), "join")
    compiled = graph.compile(checkpointer=InMemorySaver())

    async def run() -> None:
        thread_id = uuid.uuid4().hex
        result = await compiled.ainvoke(
            {"outputs": {}}, {"configurable": {"thread_id": thread_id}}, durability="sync"
        )
        if len(result["aggregate"]) != len(AGENTS):
            raise AssertionError(result)

    return run


async def benchmark(quick: bool) -> Report:  # noqa: FBT001  called by `main`
    """Measure both."""
    effort = Effort(rounds=2, runs=2, warm_up=1) if quick else Effort(rounds=7, runs=20, warm_up=5)
    registry = AgentRegistry()
    for agent_id in AGENTS:
        registry.register(AgentSpec(agent_id, handler=work))
    async with SimpleCoordinator(registry=registry, database_url="memory://") as coordinator:
        times = await interleave({"ours": ours(coordinator), "by hand": by_hand()}, effort)
    row = Comparison(
        name=f"{len(AGENTS)} agents of {SECONDS * 1000:g} ms",
        subject=times["ours"],
        reference=times["by hand"],
        target=Target(1.10),
    )
    return Report("fan-out: SimpleCoordinator / StateGraph by hand", [row])


if __name__ == "__main__":
    main(benchmark, __doc__)
