"""What the optimizer saves, and what it costs where it saves nothing.

Agents, tools and sources wait and do nothing, so that what is measured is the waiting that is
saved, and whatever we add. Everything runs through whole workflows, but the batches of tool calls
and the compression of a prompt, which are calls of their own.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks.compression import (
    FIRST_SEED,
    HELD_OUT,
    HISTORY_TOKENS,
    LIMIT_SECONDS,
    SETS,
    TARGETS,
    TUNED,
    UNSEEN,
    long_history,
    retention,
)
from benchmarks.measure import Comparison, Effort, Report, Row, Target, Times, interleave, main
from benchmarks.optimizer_parts import batched_backend, batched_calls
from benchmarks.streaming import queue_delays, token_delays
from nodes.compression import compress
from orchestration import AgentRegistry, AgentSpec, AgentTask, Optimizer, SimpleCoordinator

AGENT_SECONDS: Final = 0.5
HIT_SECONDS: Final = {"memory": 0.005, "sqlite": 0.010}
"""What a hit may take, through a whole workflow."""
NODE_SECONDS: Final = 0.3
HIDDEN_SHARE: Final = 0.9
"""How much of a source an earlier node of the same length has to hide."""
ADDED_SECONDS: Final = 0.0005
"""What all layers together may add to a call that none of them saves."""
ASKED: Final = {"messages": [{"role": "user", "content": "When does the game start?"}]}


class Stage:
    """Coordinators over one registry, closed together."""

    def __init__(self, folder: Path, closing: AsyncExitStack) -> None:
        self._folder = folder
        self._closing = closing
        self.agents = AgentRegistry()
        for agent_id, seconds in (("slow", AGENT_SECONDS), ("node", NODE_SECONDS), ("noop", 0)):
            self._hire(agent_id, seconds)

    def _hire(self, agent_id: str, seconds: float) -> None:
        async def work(_: dict[str, Any]) -> dict[str, Any]:
            if seconds:
                await asyncio.sleep(seconds)
            return {"content": "done", "usage": {"input_tokens": 9, "output_tokens": 1}}

        self.agents.register(AgentSpec(agent_id, handler=work, read_only=True))

    async def optimizer(self, place: str, **options: Any) -> Optimizer:  # noqa: ANN401  of `Optimizer`
        """Make one whose cache is in memory or in a file."""
        return await self._closing.enter_async_context(
            Optimizer(cache_url=self.url(place, "cache"), **options)
        )

    async def coordinator(self, place: str, optimizer: Optimizer | None) -> SimpleCoordinator:
        """Make one whose threads are in memory or in a file."""
        return await self._closing.enter_async_context(
            SimpleCoordinator(
                registry=self.agents,
                optimizer=optimizer,
                database_url=self.url(place, "threads"),
            )
        )

    def url(self, place: str, name: str) -> str:
        """Say where something is kept: in memory, or in a file of its own."""
        return "memory://" if place == "memory" else f"sqlite:///{self._folder / name}.db"


async def cached(stage: Stage, effort: Effort) -> list[Row]:
    """A workflow whose agent takes half a second, answered from the cache."""
    rows: list[Row] = []
    for place, most in HIT_SECONDS.items():
        runs = await stage.coordinator(place, await stage.optimizer(place))

        async def ask(runs: SimpleCoordinator = runs) -> str:
            result = await runs.execute_sequential([AgentTask("slow", ASKED)])
            return str(result[0].middleware["cache"]["verdict"])

        if await ask() != "miss" or await ask() != "hit":
            raise AssertionError("the second question is answered from the cache")
        times = (await interleave({"hit": ask}, effort))["hit"]
        agent = Times.constant(AGENT_SECONDS, times)
        name = f"a workflow answered from the cache ({place}) / its agent of 500 ms"
        target = Target(most / AGENT_SECONDS)
        rows.append(Comparison(name=name, subject=times, reference=agent, target=target))
    return rows


async def parallel(stage: Stage, effort: Effort) -> list[Row]:
    """Three agents at once against one after the other."""
    runs = await stage.coordinator("memory", None)

    def tasks() -> list[AgentTask]:
        return [AgentTask("node", {"n": n}, task_id=f"t{n}") for n in range(3)]

    times = await interleave(
        {
            "parallel": lambda: runs.execute_parallel(tasks()),
            "sequential": lambda: runs.execute_sequential(tasks()),
        },
        effort,
    )
    return [
        Comparison(
            name="three agents in parallel / in sequence",
            subject=times["parallel"],
            reference=times["sequential"],
            target=Target(0.4),
        )
    ]


async def prefetched(stage: Stage, effort: Effort) -> tuple[list[Row], str]:
    """A source of 300 ms, wanted by the task after one of 300 ms; and fetched by a task instead."""
    optimizer = await stage.optimizer("memory", cache=False)
    runs = await stage.coordinator("memory", optimizer)

    async def profile(user_id: str) -> dict[str, str]:
        await asyncio.sleep(NODE_SECONDS)
        return {"user": user_id}

    optimizer.register_context("profile", profile, ttl=timedelta(0))  # each run fetches
    node, then = AgentTask("node"), AgentTask("noop")

    async def with_context() -> None:
        wants = AgentTask("noop", context=["profile"])
        result = await runs.execute_sequential([node, wants], user="ann")
        if result[1].middleware["context"]["verdict"] != "joined":
            raise AssertionError(result)

    times = await interleave(
        {
            "prefetched": with_context,
            "needed": lambda: runs.execute_sequential(
                [node, AgentTask("node", task_id="fetch"), then]
            ),
            "node": lambda: runs.execute_sequential([node, then]),
        },
        effort,
    )
    alone = times["node"].median
    left = (times["prefetched"].median - alone) / (times["needed"].median - alone)
    row = Comparison(
        name="a source prefetched during an earlier node / without the source",
        subject=times["prefetched"],
        reference=times["node"],
        target=Target(1 + (1 - HIDDEN_SHARE)),
    )
    contrast = Comparison(
        name="a source fetched after it / without the source",
        subject=times["needed"],
        reference=times["node"],
    )
    return [row, contrast], f"prefetch hides {1 - left:.1%} of a source of 300 ms"


async def missing(stage: Stage, effort: Effort) -> tuple[list[Row], str]:
    """A workflow of one agent whose answers are never found, with every layer and with none."""
    optimizer = await stage.optimizer("memory", compress_to=5000)
    optimizer.register_context("profile", lambda user_id: user_id)
    runs = await stage.coordinator("memory", optimizer)
    bare = await stage.coordinator("memory", None)
    numbers = count()

    def task() -> AgentTask:
        asked = {"messages": [{"role": "user", "content": f"Question {next(numbers)}?"}]}
        return AgentTask("noop", asked, context=["profile"])

    def plain() -> AgentTask:
        asked = {"messages": [{"role": "user", "content": f"Question {next(numbers)}?"}]}
        return AgentTask("noop", asked)

    async def every_layer() -> None:
        result = await runs.execute_sequential([task()], user="ann")
        if result[0].middleware["cache"]["verdict"] != "miss":
            raise AssertionError(result)

    times = await interleave(
        {"layers": every_layer, "bare": lambda: bare.execute_sequential([plain()], user="ann")},
        effort,
    )
    allowed = Times([[each + ADDED_SECONDS for each in turn] for turn in times["bare"].rounds])
    added = (times["layers"].median - times["bare"].median) * 1000
    row = Comparison(
        name="a call with every layer, all missing / without any, and 0.5 ms",
        subject=times["layers"],
        reference=allowed,
        target=Target(1.0),
    )
    return [row], f"layers that all miss add {added:.2f} ms (p50)"


async def compressed(effort: Effort) -> list[Row]:
    """A history of 20,000 tokens, cut to a half."""
    messages = long_history([*TUNED, *HELD_OUT, *UNSEEN])

    async def cut() -> None:
        compress(messages, max_tokens=HISTORY_TOKENS // 2)

    times = (await interleave({"cut": cut}, effort))["cut"]
    name = f"{HISTORY_TOKENS:,} tokens cut to a half / {LIMIT_SECONDS * 1000:.0f} ms"
    limit = Times.constant(LIMIT_SECONDS, times)
    return [Comparison(name=name, subject=times, reference=limit, target=Target(1.0))]


def retained(seeds: range) -> list[str]:
    """Say what of the next call's argument values is left; see `benchmarks/compression.py`."""
    return [
        f"{title}, cut to {row.share:.0%}: {row.ours.retention:.1%} of the values left "
        f"(≥ {TARGETS[row.share]:.0%}; keep the last: {row.last.retention:.1%})"
        for title, scripts in SETS.items()
        for row in retention(scripts, title, seeds)
        if row.name == title
    ]


async def streamed(stage: Stage, effort: Effort) -> tuple[list[Row], list[str]]:
    """A token from the agent to the reader of a stream, against a bare queue."""
    rows: list[Row] = []
    notes = []
    for place in ("memory", "sqlite"):
        direct, logged = [], []
        for _ in range(effort.rounds):
            direct.append(await queue_delays(effort.runs))
            logged.append(await token_delays(stage.url(place, "streams"), effort.runs))
        name = f"a token in a stream ({place}) / in a bare queue"
        row = Comparison(name=name, subject=Times(logged), reference=Times(direct))
        added = (row.subject.median - row.reference.median) * 1000
        notes.append(f"streams ({place}) add {added:.3f} ms to a token (p50)")
        rows.append(row)
    return rows, notes


async def benchmark(quick: bool) -> Report:  # noqa: FBT001  as `main` gives it
    """Measure everything."""
    few = Effort(rounds=1 if quick else 3, runs=1 if quick else 5, warm_up=1)
    many = Effort(rounds=2 if quick else 7, runs=5 if quick else 60, warm_up=2 if quick else 20)
    with TemporaryDirectory() as folder:
        async with AsyncExitStack() as closing:
            stage = Stage(Path(folder), closing)
            rows: list[Row] = await cached(stage, many)
            rows += await batched_calls(few)
            rows += await batched_backend(few)
            rows += await parallel(stage, few)
            context, hidden = await prefetched(stage, few)
            layers, added = await missing(stage, many)
            tokens, delays = await streamed(stage, many)
    rows += [*context, *layers, *tokens, *await compressed(many)]
    left = retained(range(FIRST_SEED, FIRST_SEED + (1 if quick else 10)))
    return Report("optimizer", rows, [hidden, added, *delays, *left])


if __name__ == "__main__":
    main(benchmark, __doc__)
