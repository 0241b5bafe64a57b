"""A process that runs one purchase at HTTP endpoints, until it is killed.

`pool_worker.py DATABASE ADDRESSES ATTEMPTS`: addresses are separated by commas, the preferred
first; ATTEMPTS is how often the task may be tried, with an hour between.
"""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import timedelta

from orchestration import (
    AgentRegistry,
    AgentSpec,
    AgentTask,
    Endpoint,
    RetryPolicy,
    SimpleCoordinator,
)

THREAD = "purchase"
LEASE_SECONDS = 0.3


def opened(
    database: str,
    addresses: list[str],
    *,
    idempotent: bool = False,
    ahead: timedelta = timedelta(0),
) -> SimpleCoordinator:
    """A coordinator whose one agent is at these endpoints, named after their ports."""
    ends = [
        Endpoint(
            endpoint_id=address.rpartition(":")[2].partition("/")[0], address=address, priority=-at
        )
        for at, address in enumerate(addresses)
    ]
    registry = AgentRegistry()
    registry.register(AgentSpec("shop", endpoints=ends, idempotent=idempotent))
    return SimpleCoordinator(
        registry=registry,
        database_url=database,
        lease_seconds=LEASE_SECONDS,
        clock=lambda: time.time() + ahead.total_seconds(),
    )


def tasks(attempts: int, *, wait: timedelta = timedelta(hours=1)) -> list[AgentTask]:
    policy = RetryPolicy(max_attempts=attempts, initial_delay=wait, max_delay=wait, jitter=False)
    return [AgentTask("shop", {"buy": 2}, retry=policy if attempts > 1 else None)]


async def main(database: str, addresses: list[str], attempts: int) -> None:
    async with opened(database, addresses) as coordinator:
        async for event in coordinator.stream(tasks(attempts), thread_id=THREAD):
            print(event.kind, flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2].split(","), int(sys.argv[3])))
