"""A long conversation: 500 turns of 3 messages of 200 characters on one thread.

The subject is `SimpleCoordinator.execute_sequential(..., thread_id=...)` with default settings
on SQLite. The reference is a `StateGraph` by hand whose state is a plain `add_messages`
history, on LangGraph's stock `AsyncSqliteSaver` (WAL, `synchronous=FULL`,
`durability="sync"`). In both, one user message comes in, and two agents that do nothing look at
the history, one after another, and answer with a message each. They run interleaved, in blocks
of five turns, each on a file of its own.

"Turn 10" is the median of ten turns around it, "turn 500" that of the last twenty. The text is
the bare characters of all messages. While the database is open, its write-ahead log lies
beside it, of about 4 MB, however long the thread.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages

from benchmarks.measure import Comparison, Contender, Report, SizeComparison, Target, Times, main
from benchmarks.overhead import stock_saver
from orchestration import AgentContext, AgentRegistry, AgentSpec, AgentTask, SimpleCoordinator

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver

TURNS: Final = 500
CHARACTERS: Final = 200
BLOCK: Final = 5
"""Turns in a row, so that not each of ours waits for the megabyte that the other just wrote."""
THREAD: Final = "a-thread-with-an-id-like-any-else"
AGENTS: Final = ("sales", "finance")
SEEN: Final = 20
"""How many messages of the history an agent looks at."""

Message = dict[str, str]


class State(TypedDict):
    """The state of the graph made by hand."""

    messages: Annotated[list[Any], add_messages]


def message(role: str) -> Message:
    """One message."""
    return {"role": role, "content": role[0] * CHARACTERS}


async def answer(_input: dict[str, Any], context: AgentContext) -> dict[str, list[Message]]:
    """Look at every message of the history, and answer with one."""
    seen = list(context.history)
    if any(len(str(each["content"])) != CHARACTERS for each in seen):
        raise AssertionError(seen)
    return {"messages": [message("assistant")]}


def ours(coordinator: SimpleCoordinator) -> Contender:
    """One turn as a user of the project runs it."""

    async def turn() -> None:
        given = {"messages": [message("user")]}
        tasks = [AgentTask(agent_id, given) for agent_id in AGENTS]
        result = await coordinator.execute_sequential(tasks, thread_id=THREAD)
        if not all(task.succeeded for task in result):
            raise AssertionError(result)

    return turn


def by_hand(saver: BaseCheckpointSaver[str]) -> Contender:
    """The same turn as LangGraph's tutorials write it."""

    async def chat(state: State) -> State:
        seen = state["messages"][-SEEN:]
        if any(len(each.content) != CHARACTERS for each in seen):
            raise AssertionError(seen)
        return {"messages": [message("assistant")]}

    graph = StateGraph(State)
    for before, agent_id in zip([START, *AGENTS], AGENTS, strict=False):
        graph.add_node(agent_id, chat)
        graph.add_edge(before, agent_id)
    compiled = graph.compile(checkpointer=saver)

    async def turn() -> None:
        await compiled.ainvoke(
            {"messages": [message("user")]},
            {"configurable": {"thread_id": THREAD}},
            durability="sync",
        )

    return turn


def open_coordinator(file: Path) -> SimpleCoordinator:
    """A coordinator with default settings."""
    registry = AgentRegistry()
    for agent_id in AGENTS:
        registry.register(AgentSpec(agent_id, handler=answer))
    return SimpleCoordinator(registry=registry, database_url=f"sqlite:///{file}")


def size(file: Path) -> int:
    """The bytes of a database, with its write-ahead log if there is one."""
    log = file.with_name(f"{file.name}-wal")
    return file.stat().st_size + (log.stat().st_size if log.exists() else 0)


async def converse(folder: Path, turns: int) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Take turns in both ways; return the seconds of each, and the sizes in the end."""
    files = {"ours": folder / "ours.db", "by hand": folder / "by_hand.db"}
    seconds: dict[str, list[float]] = {name: [] for name in files}
    async with AsyncExitStack() as stack:
        coordinator = await stack.enter_async_context(open_coordinator(files["ours"]))
        saver = await stock_saver(files["by hand"], stack)
        order = list({"ours": ours(coordinator), "by hand": by_hand(saver)}.items())
        for done in range(0, turns, BLOCK):
            for name, turn in order:
                for _ in range(min(BLOCK, turns - done)):
                    begun = time.perf_counter()
                    await turn()
                    seconds[name].append(time.perf_counter() - begun)
            order.reverse()
        sizes = {f"{name}, open": size(file) for name, file in files.items()}
    sizes |= {name: size(file) for name, file in files.items()}
    return seconds, sizes


def time_rows(seconds: dict[str, list[float]], turns: int) -> list[Comparison]:
    """Compare the end with the beginning, and ours with the other."""
    some, late = (10, 20) if turns >= TURNS else (turns // 4, turns // 4)
    early = 15 if turns >= TURNS else 2 * some
    first, end = f"turn {early - some // 2}", f"turn {turns}"

    def around(name: str, last: int) -> Times:
        count = late if last == turns else some
        return Times([seconds[name][last - count : last]])

    return [
        Comparison(
            name=f"{end} / {first}, ours",
            subject=around("ours", turns),
            reference=around("ours", early),
            target=Target(1.5),
        ),
        Comparison(
            name=f"{end} / {first}, add_messages (contrast)",
            subject=around("by hand", turns),
            reference=around("by hand", early),
        ),
        Comparison(
            name=f"{end}, ours / add_messages",
            subject=around("ours", turns),
            reference=around("by hand", turns),
            target=Target(0.1),
        ),
    ]


def size_rows(sizes: dict[str, int], turns: int) -> Sequence[SizeComparison]:
    """Compare what is on disk with the text."""
    text = turns * 3 * CHARACTERS
    names = {
        "database / text, ours": ("ours", Target(3)),
        "the same while open, with its log": ("ours, open", None),
        "database / text, add_messages (contrast)": ("by hand", None),
    }
    return [
        SizeComparison(name=name, subject=sizes[key], reference=text, target=target)
        for name, (key, target) in names.items()
    ]


async def benchmark(quick: bool) -> Report:  # noqa: FBT001  called by `main`
    """Have one long conversation in both ways."""
    turns, warm_up = (24, 1) if quick else (TURNS, 50)
    with tempfile.TemporaryDirectory(prefix="long-thread-") as folder:
        for name, count in (("warm_up", warm_up), ("measured", turns)):
            place = Path(folder) / name
            place.mkdir()
            seconds, sizes = await converse(place, count)
    return Report(
        f"{turns} turns of 3 messages on one thread: SimpleCoordinator / StateGraph by hand",
        [*time_rows(seconds, turns), *size_rows(sizes, turns)],
    )


if __name__ == "__main__":
    main(benchmark, __doc__)
