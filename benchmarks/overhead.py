"""What the layer costs: five no-op agents in a sequence, against LangGraph by hand.

The subject is `SimpleCoordinator.execute_sequential`, everything included: planning, the
thread's record and lease, fencing, outcomes. The reference is a `StateGraph` of five nodes
that call the same five handlers, compiled once, with a fresh thread for each run and
`durability="sync"` like ours.

- in memory: `memory://` against `InMemorySaver`.
- durable: `sqlite:///...` against LangGraph's stock `AsyncSqliteSaver` in WAL mode with
  `synchronous=FULL`, each on a fresh file of its own on the same disk.
- throughput: fifty such durable workflows at once; the ratio is that of workflows a second.

The files are in the system's folder for temporary ones; where that is no real disk, set
TMPDIR to one, or the durable rows say nothing.
"""

from __future__ import annotations

import asyncio
import operator
import tempfile
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypedDict

import aiosqlite
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, StateGraph

from benchmarks.measure import Comparison, Contender, Effort, Report, Target, interleave, main
from orchestration import AgentRegistry, AgentSpec, AgentTask, SimpleCoordinator

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver

Answer = dict[str, bool]
Handler = Callable[[dict[str, str]], Awaitable[Answer]]

AGENTS: Final = tuple(f"agent{number}" for number in range(1, 6))
AT_ONCE: Final = 50


class State(TypedDict):
    """The state of the graph made by hand."""

    outputs: Annotated[dict[str, Answer], operator.or_]


async def do_nothing(input_data: dict[str, str]) -> Answer:  # noqa: ARG001  what an agent gets
    """Answer at once."""
    return {"ok": True}


HANDLERS: Final[dict[str, Handler]] = dict.fromkeys(AGENTS, do_nothing)


def ours(coordinator: SimpleCoordinator) -> Contender:
    """One workflow as a user of the project runs it."""

    async def run() -> None:
        tasks = [AgentTask(agent_id, {"step": agent_id}) for agent_id in AGENTS]
        result = await coordinator.execute_sequential(tasks)
        if any(output != {"ok": True} for output in result.outputs.values()):
            raise AssertionError(result)

    return run


def by_hand(saver: BaseCheckpointSaver[str]) -> Contender:
    """The same work as somebody writes it who knows LangGraph well."""
    graph = StateGraph(State)
    for agent_id, handler in HANDLERS.items():

        async def call(
            state: State,  # noqa: ARG001  each works on its own input
            agent_id: str = agent_id,
            handler: Handler = handler,
        ) -> State:
            return {"outputs": {agent_id: await handler({"step": agent_id})}}

        graph.add_node(agent_id, call)
    for before, after in zip([START, *AGENTS[:-1]], AGENTS, strict=True):
        graph.add_edge(before, after)
    compiled = graph.compile(checkpointer=saver)

    async def run() -> None:
        thread_id = uuid.uuid4().hex
        result = await compiled.ainvoke(
            {"outputs": {}}, {"configurable": {"thread_id": thread_id}}, durability="sync"
        )
        if list(result["outputs"]) != list(AGENTS):
            raise AssertionError(result)

    return run


def all_at_once(run: Contender) -> Contender:
    """Many of the same workflow concurrently."""

    async def run_all() -> None:
        await asyncio.gather(*(run() for _ in range(AT_ONCE)))

    return run_all


def open_coordinator(database_url: str) -> SimpleCoordinator:
    """A coordinator whose agents are the handlers."""
    registry = AgentRegistry()
    for agent_id, handler in HANDLERS.items():
        registry.register(AgentSpec(agent_id, handler=handler))
    return SimpleCoordinator(registry=registry, database_url=database_url)


async def stock_saver(path: Path, stack: AsyncExitStack) -> AsyncSqliteSaver:
    """LangGraph's own saver, as durable as ours."""
    connection = await stack.enter_async_context(aiosqlite.connect(path))
    await connection.execute("PRAGMA journal_mode=WAL")
    await connection.execute("PRAGMA synchronous=FULL")
    saver = AsyncSqliteSaver(connection)
    await saver.setup()
    return saver


async def in_memory(effort: Effort) -> Comparison:
    """Measure the layer alone."""
    async with open_coordinator("memory://") as coordinator:
        times = await interleave(
            {"ours": ours(coordinator), "by hand": by_hand(InMemorySaver())}, effort
        )
    return Comparison(
        name="in memory", subject=times["ours"], reference=times["by hand"], target=Target(1.10)
    )


async def durable(effort: Effort, *, at_once: bool = False) -> Comparison:
    """Measure on disk, one workflow after another or many at once."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="overhead-")))
        url = f"sqlite:///{folder / 'ours.db'}"
        coordinator = await stack.enter_async_context(open_coordinator(url))
        runs = {
            "ours": ours(coordinator),
            "by hand": by_hand(await stock_saver(folder / "by_hand.db", stack)),
        }
        if at_once:
            runs = {name: all_at_once(run) for name, run in runs.items()}
        times = await interleave(runs, effort)
    subject, reference = times["ours"], times["by hand"]
    if at_once:
        return Comparison(
            name=f"throughput, durable, {AT_ONCE} at once",
            subject=subject,
            reference=reference,
            target=Target(1.8, "at least"),
            per_second=True,
        )
    return Comparison(
        name="durable (aim 0.75)", subject=subject, reference=reference, target=Target(0.90)
    )


async def benchmark(quick: bool) -> Report:  # noqa: FBT001  called by `main`
    """Measure all three."""
    if quick:
        memory = disk = Effort(rounds=2, runs=4, warm_up=1)
        crowd = Effort(rounds=2, runs=1, warm_up=0)
    else:
        memory = Effort(rounds=7, runs=150, warm_up=30)
        disk = Effort(rounds=7, runs=40, warm_up=10)
        crowd = Effort(rounds=5, runs=4)
    rows = [
        await in_memory(memory),
        await durable(disk),
        await durable(crowd, at_once=True),
    ]
    return Report("five no-op agents: SimpleCoordinator / StateGraph by hand", rows)


if __name__ == "__main__":
    main(benchmark, __doc__)
