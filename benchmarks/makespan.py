"""Two uneven chains beside each other: does one wait for the other?

a1 (10 ms) → a2 (300 ms) beside b1 (300 ms) → b2 (10 ms), under `execute_parallel` on
`memory://`. LangGraph ends a superstep only when its slowest node does, so a flat graph
takes about twice as long as its longest chain; that one is measured for contrast. The
reference of both rows is not measured: it is the longest chain, 310 ms.
"""

from __future__ import annotations

import asyncio
import operator
import uuid
from typing import Annotated, Final, TypedDict

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph

from benchmarks.measure import (
    Comparison,
    Contender,
    Effort,
    Report,
    Target,
    Times,
    interleave,
    main,
)
from orchestration import AgentRegistry, AgentSpec, AgentTask, SimpleCoordinator

Answer = dict[str, bool]

CHAINS: Final = ({"a1": 0.01, "a2": 0.3}, {"b1": 0.3, "b2": 0.01})
"""For each chain, its tasks in order and what each takes, in seconds."""
LONGEST: Final = max(sum(chain.values()) for chain in CHAINS)


class State(TypedDict):
    """The state of the graph made by hand."""

    outputs: Annotated[dict[str, Answer], operator.or_]


def make_agent(seconds: float) -> AgentSpec:
    """An agent that takes its time; its id says how much."""

    async def work(input_data: dict[str, str]) -> Answer:  # noqa: ARG001  what an agent gets
        await asyncio.sleep(seconds)
        return {"ok": True}

    return AgentSpec(agent_name(seconds), handler=work)


def agent_name(seconds: float) -> str:
    """Name the agent that takes this long."""
    return f"takes_{round(seconds * 1000)}_ms"


def ours(coordinator: SimpleCoordinator) -> Contender:
    """Both chains as a user of the project runs them."""

    async def run() -> None:
        tasks = [
            AgentTask(
                agent_name(seconds),
                task_id=task_id,
                depends_on=[*chain][position - 1 : position],
            )
            for chain in CHAINS
            for position, (task_id, seconds) in enumerate(chain.items())
        ]
        result = await coordinator.execute_parallel(tasks)
        if len(result.outputs) != len(tasks):
            raise AssertionError(result)

    return run


def by_hand() -> Contender:
    """Both chains in one flat graph, as most people write it."""
    graph = StateGraph(State)
    for chain in CHAINS:
        before = START
        for task_id, seconds in chain.items():

            async def call(state: State, task_id: str = task_id, seconds: float = seconds) -> State:  # noqa: ARG001
                await asyncio.sleep(seconds)
                return {"outputs": {task_id: {"ok": True}}}

            graph.add_node(task_id, call)
            graph.add_edge(before, task_id)
            before = task_id
    compiled = graph.compile(checkpointer=InMemorySaver())

    async def run() -> None:
        thread_id = uuid.uuid4().hex
        await compiled.ainvoke(
            {"outputs": {}}, {"configurable": {"thread_id": thread_id}}, durability="sync"
        )

    return run


async def benchmark(quick: bool) -> Report:  # noqa: FBT001  called by `main`
    """Measure both."""
    effort = Effort(rounds=2, runs=1, warm_up=1) if quick else Effort(rounds=5, runs=6)
    registry = AgentRegistry()
    for seconds in {each for chain in CHAINS for each in chain.values()}:
        registry.register(make_agent(seconds))
    async with SimpleCoordinator(registry=registry, database_url="memory://") as coordinator:
        times = await interleave({"ours": ours(coordinator), "by hand": by_hand()}, effort)
    longest = Times.constant(LONGEST, like=times["ours"])
    return Report(
        "two chains, 10+300 ms beside 300+10 ms: wall time / longest chain",
        [
            Comparison(
                name="SimpleCoordinator",
                subject=times["ours"],
                reference=longest,
                target=Target(1.15),
            ),
            Comparison(
                name="flat StateGraph by hand (contrast)",
                subject=times["by hand"],
                reference=longest,
            ),
        ],
    )


if __name__ == "__main__":
    main(benchmark, __doc__)
