"""What an approval costs: a run pauses in one process and is answered and ended in another.

The subject is `execute_sequential` of two no-op agents, the second of which has to be
approved, and `approvals.decide` in another process: plan, lease, ledger, audit trail and all.
The reference is a `StateGraph` with the same two agents and an `interrupt()` between them on
LangGraph's stock `AsyncSqliteSaver` (WAL, `synchronous=FULL`, `durability="sync"`), resumed
with `Command(resume=...)` in another process: no ledger, no lease, no trail, and two answers at
once would pay twice.

The processes stay up; a sample is one pause plus one resume, with the words between them.
"""

from __future__ import annotations

import asyncio
import operator
import tempfile
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypedDict

import aiosqlite
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt

from benchmarks.measure import Comparison, Contender, Effort, Report, Target, interleave, main
from orchestration import AgentRegistry, AgentSpec, AgentTask, SimpleCoordinator

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Serve = Callable[[Path, AsyncExitStack], Awaitable[tuple[Any, Any]]]
"""Opens a contender in a process: how to pause a new thread, and how to answer one."""

AGENTS: Final = ("buy", "pay")


class State(TypedDict):
    """The state of the graph made by hand."""

    outputs: Annotated[dict[str, dict[str, bool]], operator.or_]


async def do_nothing(input_data: dict[str, Any]) -> dict[str, bool]:  # noqa: ARG001  what an agent gets
    """Answer at once."""
    return {"ok": True}


async def serve_ours(folder: Path, stack: AsyncExitStack) -> tuple[Any, Any]:
    """Open a coordinator; threads are known by their request."""
    registry = AgentRegistry()
    for agent_id in AGENTS:
        registry.register(AgentSpec(agent_id, handler=do_nothing))
    url = f"sqlite:///{folder / 'ours.db'}"
    coordinator = await stack.enter_async_context(
        SimpleCoordinator(registry=registry, database_url=url)
    )
    inbox = coordinator.approvals

    async def pause() -> str:
        tasks = [AgentTask("buy", {"n": 1}), AgentTask("pay", {"n": 1}, requires_approval=True)]
        result = await coordinator.execute_sequential(tasks)
        return result.interrupts[0].interrupt_id

    async def answer(request_id: str) -> bool:
        decided = await inbox.decide(request_id, "approve", by="ann")
        return decided.result is not None and decided.result["pay"].succeeded

    return pause, answer


async def serve_by_hand(folder: Path, stack: AsyncExitStack) -> tuple[Any, Any]:
    """Open a graph over the stock saver; threads are known by their id."""
    connection = await stack.enter_async_context(aiosqlite.connect(folder / "by_hand.db"))
    await connection.execute("PRAGMA journal_mode=WAL")
    await connection.execute("PRAGMA synchronous=FULL")
    saver = AsyncSqliteSaver(connection)
    await saver.setup()
    compiled = _graph().compile(checkpointer=saver)

    async def pause() -> str:
        thread_id = uuid.uuid4().hex
        config: Any = {"configurable": {"thread_id": thread_id}}
        await compiled.ainvoke({"outputs": {}}, config, durability="sync")
        return thread_id

    async def answer(thread_id: str) -> bool:
        config: Any = {"configurable": {"thread_id": thread_id}}
        yes: Any = Command(resume={"decisions": [{"type": "approve"}]})
        result = await compiled.ainvoke(yes, config, durability="sync")
        return bool(result["outputs"]["pay"]["ok"])

    return pause, answer


def _graph() -> StateGraph[State]:
    async def buy(state: State) -> State:  # noqa: ARG001  each works on its own input
        return {"outputs": {"buy": await do_nothing({"n": 1})}}

    async def approve(state: State) -> State:  # noqa: ARG001  asks, and does nothing else
        answer = interrupt({"action_requests": [{"name": "pay", "args": {"n": 1}}]})
        return {"outputs": {"approval": {"yes": answer["decisions"][0]["type"] == "approve"}}}

    async def pay(state: State) -> State:  # noqa: ARG001  each works on its own input
        return {"outputs": {"pay": await do_nothing({"n": 1})}}

    graph = StateGraph(State)
    before = START
    for name, node in {"buy": buy, "approve": approve, "pay": pay}.items():
        graph.add_node(name, node)
        graph.add_edge(before, name)
        before = name
    return graph


SERVERS: Final[dict[str, Serve]] = {"ours": serve_ours, "by hand": serve_by_hand}


def work(name: str, folder: Path, pipe: Connection) -> None:
    """Be one of the processes: pause on `None`, answer on a name, end on `False`."""

    async def serve() -> None:
        async with AsyncExitStack() as stack:
            pause, answer = await SERVERS[name](folder, stack)
            pipe.send(name)
            while (wanted := pipe.recv()) is not False:
                pipe.send(await pause() if wanted is None else await answer(wanted))

    asyncio.run(serve())


def contender(name: str, folder: Path, stack: ExitStack) -> Contender:
    """Start two processes; return what pauses in one and answers in the other."""
    pauses, answers = (_process(name, folder, stack) for _ in range(2))

    async def run() -> None:
        pauses.send(None)
        answers.send(pauses.recv())
        if answers.recv() is not True:
            raise AssertionError(name)

    return run


def _process(name: str, folder: Path, stack: ExitStack) -> Connection:
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=work, args=(name, folder, there), daemon=True)
    process.start()
    stack.callback(process.join, 10)
    stack.callback(here.send, False)  # noqa: FBT003  the word for the end
    here.recv()
    return here


async def benchmark(quick: bool) -> Report:  # noqa: FBT001  called by `main`
    """Measure both."""
    effort = Effort(rounds=2, runs=3, warm_up=1) if quick else Effort(rounds=7, runs=40, warm_up=10)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="approval-")))
        runs = {name: contender(name, folder, stack) for name in SERVERS}
        times = await interleave(runs, effort)
    row = Comparison(
        name="pause, and resume in another process",
        subject=times["ours"],
        reference=times["by hand"],
        target=Target(1.30),
    )
    return Report("an approval: SimpleCoordinator / StateGraph by hand", [row])


if __name__ == "__main__":
    main(benchmark, __doc__)
