"""The command line with agents of the test's own, as a process that can be stopped or killed.

`buy` writes a line into `calls.txt` for each call. `hold` waits for ever unless there is a
file `open`, and `linger` until there is one; `shout` answers with what a terminal would act on,
and `choose` asks which seat.
"""

from __future__ import annotations

import asyncio
import signal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import interrupt

from orchestration import AgentContext, AgentRegistry, AgentSpec, agent_registry
from orchestration.cli import main

if TYPE_CHECKING:
    from state.jsonvalue import JsonObject


def buy(input_data: JsonObject, context: AgentContext) -> JsonObject:
    with Path("calls.txt").open("a") as log:
        log.write(f"{context.task_id}\n")
    return {"message": "bought", "seats": input_data.get("seats", 1)}


async def hold(_: JsonObject) -> JsonObject:
    await asyncio.to_thread(Path("held").touch)
    if not await asyncio.to_thread(Path("open").exists):
        await asyncio.Event().wait()
    return {"message": "held"}


async def linger(_: JsonObject) -> JsonObject:
    while not await asyncio.to_thread(Path("open").exists):  # noqa: ASYNC110  a file has no event
        await asyncio.sleep(0.02)
    return {"message": "at last"}


def shout(_: JsonObject) -> JsonObject:
    return {"message": "\x1b[31mred\x1b[0m \x9b2J\x07 [bold]not markup[/bold]"}


class Seat(TypedDict, total=False):
    question: object
    seat: object


def choose(state: Seat) -> Seat:
    return {"seat": interrupt(state["question"])}


def registry() -> AgentRegistry:
    made = AgentRegistry()
    for name, handler in {"buy": buy, "hold": hold, "linger": linger, "shout": shout}.items():
        made.register(AgentSpec(name, handler=handler))
    graph = StateGraph(Seat)
    graph.add_node("choose", choose)
    graph.add_edge(START, "choose")
    made.register(AgentSpec("choose", handler=graph.compile()))
    return made


if __name__ == "__main__":
    # a shell's background jobs, and what they start, ignore it
    signal.signal(signal.SIGINT, signal.default_int_handler)
    agent_registry.get_registry = cache(registry)
    main()
