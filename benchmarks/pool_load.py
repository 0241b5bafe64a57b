"""A pool of HTTP agents on loopback under load: one is slow, one fails half of its calls, one dies.

Eight agents, each a process of its own: five answer in 20 ms, one in 200 ms, one fails every
second call after its work is done, one dies after a fifth of the time and returns at two
fifths. Calls come at random, at the same rate in three runs one after another: the five well
ones alone, all eight by naive round robin, and all eight by the registry.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import IO, TYPE_CHECKING, Final

from benchmarks.measure import Report, Target, main
from orchestration import (
    AgentContext,
    AgentError,
    AgentRegistry,
    AgentSpec,
    BreakerPolicy,
    Endpoint,
    OutlierPolicy,
    Resilience,
)
from orchestration.agents.kinds import module_of

if TYPE_CHECKING:
    from state.jsonvalue import JsonObject

WELL: Final = ("well-1", "well-2", "well-3", "well-4", "well-5")
SLOW, FAILING, DYING = "slow", "failing", "dying"
AGENTS: Final = (*WELL, SLOW, FAILING, DYING)
LATENCY_SECONDS: Final = 0.02
SLOW_SECONDS: Final = 0.2
PER_SECOND: Final = 60
MOST_EJECTED: Final = 0.5

Call = Callable[[int], Awaitable[str]]
"""Makes one call; returns who answered."""


@dataclass
class Run:
    """What callers saw."""

    seconds: list[float] = field(default_factory=list)
    errors: int = 0
    answered: list[tuple[float, str]] = field(default_factory=list)
    """When, since the beginning, and by whom."""
    most_out: int = 0
    """Endpoints without calls at once, the most there were."""

    @property
    def error_rate(self) -> float:
        """Share of calls whose caller saw an error."""
        return self.errors / len(self.seconds)

    def percentile(self, share: float) -> float:
        """What that share of the calls did not exceed, in seconds; failed ones count too."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def share_of(self, name: str, *, since: float) -> float:
        """How many calls an agent answered after a time, over the mean of the well ones."""
        counts = Counter(who for at, who in self.answered if at >= since)
        return counts[name] / (sum(counts[each] for each in WELL) / len(WELL))


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One row: what was seen, beside what it is compared with."""

    name: str
    subject: float
    reference: float
    shown: str
    """How both are written, e.g. `{:.2%}`."""
    ratio: float
    target: Target

    def as_json(self) -> JsonObject:
        """Return the row as JSON."""
        return {
            "name": self.name,
            "subject": round(self.subject, 5),
            "reference": round(self.reference, 5),
            "ratio": round(self.ratio, 4),
            "target": str(self.target),
            "verdict": self.verdict,
        }

    @property
    def verdict(self) -> str:
        """What the ratio says about the target."""
        return "met" if self.target.is_met(self.ratio) else "missed"

    def cells(self) -> tuple[str, ...]:
        """Return the row of the table."""
        both = (self.shown.format(self.subject), self.shown.format(self.reference))
        return (self.name, *both, f"{self.ratio:.3f}", "", str(self.target), self.verdict)


class Agents:
    """The processes."""

    def __init__(self) -> None:
        self.running: dict[str, subprocess.Popen[str]] = {}
        self.addresses: dict[str, str] = {}

    def start(self) -> None:
        """Start all, and wait until they listen."""
        for seed, name in enumerate(AGENTS):
            latency = SLOW_SECONDS if name == SLOW else LATENCY_SECONDS
            rate = 0.5 if name == FAILING else 0.0
            command = [sys.executable, "-m", "benchmarks.loopback_agent", f"--seed={seed}"]
            self.running[name] = subprocess.Popen(
                [*command, f"--latency-seconds={latency}", f"--failure-rate={rate}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        for name, process in self.running.items():
            self.addresses[name] = _pipe(process.stdout).readline().strip()

    def say(self, name: str, word: str) -> None:
        """Tell an agent to die or to return."""
        stdin = _pipe(self.running[name].stdin)
        stdin.write(f"{word}\n")
        stdin.flush()

    def stop(self) -> None:
        """End all."""
        for process in self.running.values():
            process.communicate(timeout=30)


def _pipe(end: IO[str] | None) -> IO[str]:
    if end is None:
        raise AssertionError("it was started without a pipe")
    return end


@contextmanager
def all_agents() -> Iterator[Agents]:
    """Run the processes while the context lasts."""
    agents = Agents()
    try:
        agents.start()
        yield agents
    finally:
        agents.stop()


def context(number: int) -> AgentContext:
    """A call of its own."""
    return AgentContext("", "task", f"run-{number}", f"run-{number}:task")


def round_robin(agents: Agents) -> Call:
    """Call one after another, whatever becomes of it."""
    connectors = [
        (name, module_of("http").connect(Endpoint(address=agents.addresses[name], kind="http")))
        for name in AGENTS
    ]
    turn = itertools.cycle(connectors)

    async def call(number: int) -> str:
        name, connector = next(turn)
        await connector.call({}, context(number))
        return name

    return call


def routed(registry: AgentRegistry) -> Call:
    """Call as a node does."""

    async def call(number: int) -> str:
        agent = registry.choose(agent_id="pool", capability=None)
        await agent.call({}, context(number))
        return (agent.told or {}).get("endpoint", "")

    return call


def pool_of(agents: Agents, names: tuple[str, ...], *, open_for: float) -> AgentRegistry:
    """A registry with one agent at so many endpoints."""
    registry = AgentRegistry()
    resilience = Resilience(
        breaker=BreakerPolicy(open_for=timedelta(seconds=open_for)),
        outliers=OutlierPolicy(most_ejected=MOST_EJECTED),
    )
    places = [Endpoint(endpoint_id=name, address=agents.addresses[name]) for name in names]
    registry.register(
        AgentSpec(
            "pool",
            endpoints=places,
            idempotent=True,
            balancing="latency",
            resilience=resilience,
        )
    )
    return registry


async def load(
    call: Call,
    seconds: float,
    *,
    agents: Agents | None = None,
    registry: AgentRegistry | None = None,
) -> Run:
    """Make calls at random times, and let one agent die and return meanwhile."""
    run, source = Run(), random.Random(5)
    begun = time.perf_counter()
    due = begun
    plan = [(0.2, "die"), (0.4, "return")] if agents is not None else []
    calls: list[asyncio.Task[None]] = []
    for number in itertools.count():
        due += source.expovariate(PER_SECOND)
        if due > begun + seconds:
            break
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        while plan and agents is not None and time.perf_counter() > begun + plan[0][0] * seconds:
            agents.say(DYING, plan.pop(0)[1])
        if registry is not None:
            run.most_out = max(run.most_out, out_of(registry))
        calls.append(asyncio.create_task(_one(call, number, run, begun)))
    await asyncio.gather(*calls)
    return run


async def _one(call: Call, number: int, run: Run, begun: float) -> None:
    started = time.perf_counter()
    try:
        who = await call(number)
    except AgentError:
        run.errors += 1
    else:
        run.answered.append((started - begun, who))
    run.seconds.append(time.perf_counter() - started)


def out_of(registry: AgentRegistry) -> int:
    """How many endpoints get no calls now."""
    pool = registry.router.groups["pool"].versions["1"].pool
    return len(pool.endpoints) - pool.serving


async def benchmark(quick: bool) -> Report:  # noqa: FBT001  called by `main`
    """Measure all three."""
    seconds, open_for = (5.0, 0.5) if quick else (50.0, 5.0)
    with all_agents() as agents:
        alone = await load(routed(pool_of(agents, WELL, open_for=open_for)), seconds / 2)
        naive = await load(round_robin(agents), seconds, agents=agents)
        registry = pool_of(agents, AGENTS, open_for=open_for)
        ours = await load(routed(registry), seconds, agents=agents, registry=registry)
    p99, alone_p99 = ours.percentile(0.99) * 1000, alone.percentile(0.99) * 1000
    rows = [
        Figure(
            name="errors that callers see / round robin",
            subject=ours.error_rate,
            reference=naive.error_rate,
            shown="{:.2%}",
            ratio=ours.error_rate * 100,
            target=Target(1.0),
        ),
        Figure(
            name="p99, ms / of the well agents alone",
            subject=p99,
            reference=alone_p99,
            shown="{:.1f}",
            ratio=p99 / alone_p99,
            target=Target(2.0),
        ),
        Figure(
            name="calls of the returned agent / of a well one, at the end",
            subject=ours.share_of(DYING, since=0.8 * seconds),
            reference=1.0,
            shown="{:.2f}",
            ratio=ours.share_of(DYING, since=0.8 * seconds),
            target=Target(0.7, "at least"),
        ),
        Figure(
            name="endpoints without calls at once, most / allowed",
            subject=ours.most_out,
            reference=MOST_EJECTED * len(AGENTS),
            shown="{:.0f}",
            ratio=ours.most_out / (MOST_EJECTED * len(AGENTS)),
            target=Target(1.0),
        ),
    ]
    note = (
        f"{len(ours.seconds)} calls each; p50 {ours.percentile(0.5) * 1000:.1f} ms, round robin "
        f"{naive.percentile(0.5) * 1000:.1f} ms; p99 of round robin "
        f"{naive.percentile(0.99) * 1000:.1f} ms; the first row's ratio is in percent of calls"
    )
    return Report(
        "a pool of HTTP agents: one slow, one failing, one dying and returning", rows, [note]
    )


if __name__ == "__main__":
    main(benchmark, __doc__)
