"""What the log of events costs: how much later a token comes, and how much longer a run takes.

A token's time is that from `context.emit` in the agent to the reader of `coordinator.stream`,
which gets it once it is in the log; the reference is a bare `asyncio.Queue` between the two. A
streamed run of five no-op agents is compared to the same run without a stream, which has no log.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any, Final

from benchmarks.measure import Comparison, Contender, Effort, Report, Times, interleave, main
from orchestration import AgentContext, AgentRegistry, AgentSpec, AgentTask, SimpleCoordinator

PAUSE_SECONDS: Final = 0.002
"""Before each token, as a model takes its time."""
BURST: Final = 20_000
"""Tokens said as fast as possible."""
TASKS: Final = 5


class Clocked:
    """An agent that notes when it says something."""

    def __init__(self) -> None:
        self.said_at = 0.0

    async def __call__(self, given: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        """Say so many words."""
        for number in range(given["words"]):
            if given["pauses"]:
                await asyncio.sleep(PAUSE_SECONDS)
            elif not number % 50:
                await asyncio.sleep(0)
            self.said_at = time.perf_counter()
            context.emit("word ")
        return {}


async def do_nothing(_given: dict[str, Any]) -> dict[str, bool]:
    """Answer at once."""
    return {"ok": True}


def coordinator(url: str, clocked: Clocked) -> SimpleCoordinator:
    """Open a database with both agents."""
    registry = AgentRegistry()
    registry.register(AgentSpec("clocked", handler=clocked))
    registry.register(AgentSpec("nothing", handler=do_nothing))
    return SimpleCoordinator(registry=registry, database_url=url)


def saying(words: int, *, pauses: bool) -> list[AgentTask]:
    """Tasks that say so many words."""
    return [AgentTask("clocked", {"words": words, "pauses": pauses})]


async def token_delays(url: str, runs: int) -> list[float]:
    """Seconds from `emit` to the reader, of one token for each run."""
    clocked = Clocked()
    delays: list[float] = []
    async with coordinator(url, clocked) as opened:
        for _ in range(runs):
            delays += [
                time.perf_counter() - clocked.said_at
                async for event in opened.stream(saying(1, pauses=True))
                if event.kind == "token"
            ]
    return delays


async def queue_delays(runs: int) -> list[float]:
    """The same through a bare queue."""
    queue: asyncio.Queue[float] = asyncio.Queue()

    async def say() -> None:
        await asyncio.sleep(PAUSE_SECONDS)
        queue.put_nowait(time.perf_counter())

    delays = []
    for _ in range(runs):
        saying = asyncio.create_task(say())
        said_at = await queue.get()
        delays.append(time.perf_counter() - said_at)
        await saying
    return delays


async def events_per_second(url: str) -> float:
    """How many events of one run get to a reader, if an agent says all it can."""
    async with coordinator(url, Clocked()) as opened:
        begun, count = time.perf_counter(), 0
        async with aclosing(opened.stream(saying(BURST, pauses=False))) as told:
            async for _ in told:
                count += 1
        return count / (time.perf_counter() - begun)


async def run_costs(url: str, effort: Effort) -> dict[str, Times]:
    """Runs with and without a stream."""
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(coordinator(url, Clocked()))

        def tasks() -> list[AgentTask]:
            return [AgentTask("nothing", task_id=f"t{number}") for number in range(TASKS)]

        async def streamed() -> None:
            await _drain(opened.stream(tasks()))

        async def plain() -> None:
            await opened.execute_sequential(tasks())

        runs: dict[str, Contender] = {"streamed": streamed, "plain": plain}
        return await interleave(runs, effort)


async def _drain(events: AsyncIterator[object]) -> None:
    async for _ in events:
        pass


async def benchmark(quick: bool) -> Report:  # noqa: FBT001  called by `main`
    """Measure all of it."""
    effort = Effort(rounds=2, runs=5) if quick else Effort(rounds=7, runs=40)
    rows, notes = [], []
    with tempfile.TemporaryDirectory(prefix="streaming-") as folder:
        for name, url in {
            "memory": "memory://",
            "SQLite": f"sqlite:///{Path(folder) / 'runs.db'}",
        }.items():
            direct, logged = [], []
            for _ in range(effort.rounds):
                direct.append(await queue_delays(effort.runs))
                logged.append(await token_delays(url, effort.runs))
            token = Comparison(
                name=f"a token, {name}", subject=Times(logged), reference=Times(direct)
            )
            added = 1000 * (token.subject.median - token.reference.median)
            rate = await events_per_second(url)
            notes.append(f"{name}: a token comes {added:.3f} ms later; {rate:,.0f} events a second")
            times = await run_costs(url, effort)
            run = Comparison(
                name=f"{TASKS} tasks streamed, {name}",
                subject=times["streamed"],
                reference=times["plain"],
            )
            rows += [token, run]
    return Report("the log of events: with it / without", rows, notes)


if __name__ == "__main__":
    main(benchmark, __doc__)
