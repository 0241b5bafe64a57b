"""What batches of tool calls and prefetched context save, and what recording a request costs.

Tools and sources wait and do nothing, so that what is measured is the waiting that is saved and
whatever we add. A tool call takes 200 ms; a source of context takes 300 ms, and so does the node
before the one that needs it.
"""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any, Final

from benchmarks.measure import Comparison, Effort, Report, Target, Times, interleave, main
from orchestration.optimizer.batchable import batchable
from orchestration.optimizer.batching import batch_tool_calls
from orchestration.optimizer.context import ContextSources
from orchestration.optimizer.metrics import PerformanceMetrics, PerformanceRecorder
from orchestration.optimizer.tool_calls import ToolCall
from orchestration.optimizer.tools import Tools

CALLS: Final = 3
CALL_SECONDS: Final = 0.2
MOST_SECONDS: Final = 0.23
"""What the three calls may take together."""
SOURCE_SECONDS: Final = 0.3
HIDDEN_SHARE: Final = 0.9
"""How much of the source an earlier node of the same length has to hide."""
LOOKUPS, LOOKUP_SECONDS = 50, 0.02
RECORDED: Final = 20_000


async def batched_calls(effort: Effort) -> list[Comparison]:
    """Three calls in a batch, async and in threads, against one after the other."""

    async def call() -> None:
        await asyncio.sleep(CALL_SECONDS)

    def blocking() -> None:
        time.sleep(CALL_SECONDS)

    async def sequence() -> None:
        for _ in range(CALLS):
            await call()

    times = await interleave(
        {
            "batch": lambda: batch_tool_calls([call] * CALLS),
            "threads": lambda: batch_tool_calls([blocking] * CALLS),
            "sequence": sequence,
        },
        effort,
    )
    target = Target(MOST_SECONDS / (CALLS * CALL_SECONDS))
    return [
        Comparison(
            name=f"{CALLS} {what} tool calls in a batch / one after the other",
            subject=times[name],
            reference=times["sequence"],
            target=target,
        )
        for name, what in (("batch", "async"), ("threads", "sync"))
    ]


async def batched_backend(effort: Effort) -> list[Comparison]:
    """Calls of one backend that takes many at once, against a call for each at the same time."""
    slots = asyncio.Semaphore(8)  # what a backend lets in

    async def load_many(calls: list[dict[str, Any]]) -> list[Any]:
        async with slots:
            await asyncio.sleep(LOOKUP_SECONDS)
        return [each["n"] for each in calls]

    async def load_one(n: int) -> object:
        return (await load_many([{"n": n}]))[0]

    tools = Tools()
    tools.register(batchable(load_many, read_only=True), name="many")
    tools.register(load_one, name="one")

    async def run(name: str) -> None:
        results = await batch_tool_calls(
            [ToolCall(name, {"n": n}) for n in range(LOOKUPS)], tools=tools
        )
        if results != list(range(LOOKUPS)):
            raise AssertionError(results)

    times = await interleave({"many": lambda: run("many"), "one": lambda: run("one")}, effort)
    name = f"{LOOKUPS} calls as one backend call / 8 at a time"
    return [Comparison(name=name, subject=times["many"], reference=times["one"])]


async def prefetched_context(effort: Effort) -> list[Comparison]:
    """A node and then what needs a source, with and without prefetch, against the node alone."""

    async def fetch(user_id: str) -> dict[str, str]:
        await asyncio.sleep(SOURCE_SECONDS)
        return {"user": user_id}

    async def node() -> None:
        await asyncio.sleep(SOURCE_SECONDS)

    sources = ContextSources()
    sources.register("profile", fetch, ttl=timedelta(0))  # nothing is kept: each run fetches

    async def prefetched() -> None:
        begun = sources.begin("ann")
        try:
            await node()
            await begun.join()
        finally:
            begun.cancel()

    async def fetched_when_needed() -> None:
        await node()
        await sources.prefetch("ann")

    times = await interleave(
        {"prefetched": prefetched, "needed": fetched_when_needed, "node": node}, effort
    )
    return [
        Comparison(
            name="a source that was prefetched during a node / the node alone",
            subject=times["prefetched"],
            reference=times["node"],
            target=Target(1 + (1 - HIDDEN_SHARE)),
        ),
        Comparison(
            name="a source that is fetched after the node / the node alone",
            subject=times["needed"],
            reference=times["node"],
        ),
    ]


def recording_microseconds() -> float:
    """What it takes to record one request of a known agent."""
    recorder, metrics = PerformanceRecorder(), PerformanceMetrics(12.5, agent_id="sales")
    begun = time.perf_counter()
    for _ in range(RECORDED):
        recorder.record(metrics)
    return (time.perf_counter() - begun) / RECORDED * 1e6


def _saved(rows: list[Comparison]) -> str:
    """Say in words what prefetch hides."""
    prefetched, needed = rows
    alone = prefetched.reference.median
    left = prefetched.subject.median - alone
    hidden = 1 - left / (needed.subject.median - alone)
    return f"prefetch hides {hidden:.1%} of a source of {SOURCE_SECONDS * 1000:.0f} ms"


async def benchmark(quick: bool) -> Report:  # noqa: FBT001  as `main` gives it
    """Measure everything."""
    effort = Effort(rounds=1 if quick else 5, runs=1 if quick else 4, warm_up=1)
    calls, backend = await batched_calls(effort), await batched_backend(effort)
    context = await prefetched_context(effort)
    wanted = Times.constant(CALL_SECONDS, calls[0].subject)
    alone = Comparison(
        name=f"{CALLS} tool calls in a batch / one call",
        subject=calls[0].subject,
        reference=wanted,
        target=Target(MOST_SECONDS / CALL_SECONDS),
    )
    notes = [_saved(context), f"recording a request takes {recording_microseconds():.1f} µs"]
    return Report("batches and prefetch", [*calls, alone, *backend, *context], notes)


if __name__ == "__main__":
    main(benchmark, __doc__)
