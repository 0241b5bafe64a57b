"""A process that runs a batch of twelve items of two tasks; others may run the same at once.

Run as a program: `batch_worker.py FOLDER`. It prints a line for each call of its agent, and at
the end the counts of the batch as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from orchestration import AgentContext, AgentRegistry, AgentSpec, AgentTask, SimpleCoordinator
from orchestration.batch_items import BatchItem
from tests.faults.commit_crash import Effects

ITEMS, TASKS = 12, ("a", "b")


async def main(folder: Path) -> None:
    effects = Effects(folder)

    async def shop(given: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        done = await effects.shop(given, context)
        print(context.task_id, flush=True)
        await asyncio.sleep(0.01)  # so that others come in between
        return done

    registry = AgentRegistry()
    registry.register(AgentSpec("shop", handler=shop))
    url = f"sqlite:///{folder / 'runs.db'}"
    async with SimpleCoordinator(
        registry=registry, database_url=url, lease_seconds=1.0
    ) as coordinator:
        items = [
            BatchItem(
                tasks=[AgentTask("shop", task_id=f"{number}_{task}") for task in TASKS],
                key=str(number),
            )
            for number in range(ITEMS)
        ]
        result = await coordinator.execute_many(items, batch_id="shared", max_concurrency=3)
    print(json.dumps(result.counts), flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
