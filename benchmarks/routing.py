"""What it costs to decide where a call goes, among 1, 100 and 10,000 endpoints.

A decision is everything between a node's wish for an agent and the call of an endpoint: the
agent, its version for the thread, the endpoint, with the calls under way counted before and
after. Among the endpoints some are always out: one in ten has an open breaker. Each sample is
a thousand decisions, so 50 ms are 50 µs a decision.
"""

from __future__ import annotations

import random
from collections import deque
from typing import Any, Final

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
from orchestration import AgentRegistry, AgentSpec, Endpoint
from orchestration.routing.picking import endpoint_for
from orchestration.routing.policies import BALANCING
from orchestration.routing.pool import Pick

SIZES: Final = (1, 100, 10_000)
DECISIONS: Final = 1000
UNDER_WAY: Final = 20
LIMIT_SECONDS: Final = 50e-6


async def answer(_input: dict[str, Any]) -> dict[str, Any]:
    """Stand there; nobody calls it here."""
    return {}


def decider(size: int, balancing: str) -> Contender:
    """Decide a thousand times among so many endpoints, with twenty calls under way."""
    registry = AgentRegistry(random=random.Random(1).random)
    places = [
        Endpoint(endpoint_id=str(number), handler=answer, weight=1 + number % 3)
        for number in range(size)
    ]
    registry.register(AgentSpec("agent", endpoints=places, balancing=balancing))
    router = registry.router
    version = router.groups["agent"].versions["1"]
    now = router.clock()
    for endpoint in list(version.pool.endpoints.values())[9::10]:
        endpoint.breaker = endpoint.breaker._replace(is_open=True, due=now + 3600)
        version.pool.refresh(endpoint, now)

    async def run() -> None:
        under_way: deque[Pick] = deque()
        for _ in range(DECISIONS):
            registry.choose(agent_id="agent", capability=None, thread_id="thread")
            chosen = await router.version_for("agent", "thread", None)
            pick = await endpoint_for(router, chosen.version, (), None)
            version.pool.skipped_now()
            under_way.append(pick)
            if len(under_way) > UNDER_WAY:
                router.ended(version, under_way.popleft(), seconds=0.02)
        while under_way:
            router.ended(version, under_way.popleft(), seconds=0.02)

    return run


async def benchmark(quick: bool) -> Report:  # noqa: FBT001  called by `main`
    """Measure each way of balancing."""
    effort = Effort(rounds=2, runs=2, warm_up=1) if quick else Effort(rounds=7, runs=10)
    rows = []
    for balancing in BALANCING:
        contenders = {str(size): decider(size, balancing) for size in SIZES}
        times = await interleave(contenders, effort)
        limit = Times.constant(LIMIT_SECONDS * DECISIONS, times["100"])
        rows += [
            Comparison(
                name=f"{balancing}: among 100 / 50 µs",
                subject=times["100"],
                reference=limit,
                target=Target(1.0),
            ),
            Comparison(
                name=f"{balancing}: among 100 / among 1", subject=times["100"], reference=times["1"]
            ),
            Comparison(
                name=f"{balancing}: among 10,000 / among 100",
                subject=times["10000"],
                reference=times["100"],
                target=Target(10.0),
            ),
        ]
    return Report("routing: what a decision costs", rows)


if __name__ == "__main__":
    main(benchmark, __doc__)
