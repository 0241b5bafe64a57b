"""Ask the same in many workflows at once: `asking_worker.py CACHE_URL LOG COUNT`.

The agent writes a line to the log for each call that it gets. The worker says when it is ready,
begins when it is told to, cancels its first workflow, and prints what became of each.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from orchestration import AgentRegistry, AgentSpec, AgentTask, Optimizer, SimpleCoordinator

ASKED = {"messages": [{"role": "user", "content": "When does the game start?"}]}
CALL_SECONDS = 0.5


async def work(cache_url: str, log: Path, number: int) -> None:
    async def facts(_: dict[str, Any]) -> dict[str, Any]:
        with log.open("a") as file:
            file.write("call\n")
        await asyncio.sleep(CALL_SECONDS)
        return {"content": "At seven."}

    registry = AgentRegistry()
    registry.register(AgentSpec("facts", handler=facts, read_only=True))
    async with Optimizer(cache_url=cache_url) as optimizer:
        runs = SimpleCoordinator(registry=registry, optimizer=optimizer, database_url="memory://")
        await runs.know_agents()
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        tasks = [
            asyncio.create_task(runs.execute_sequential([AgentTask("facts", ASKED)]))
            for _ in range(number)
        ]
        await asyncio.sleep(CALL_SECONDS / 5)  # in the middle of the call
        tasks[0].cancel()
        results = await asyncio.gather(*tasks[1:])
        await asyncio.wait([tasks[0]])
        print(
            json.dumps(
                {
                    "first_cancelled": tasks[0].cancelled(),
                    "answers": [each[0].output.get("content") for each in results],
                    "verdicts": [each[0].middleware["cache"]["verdict"] for each in results],
                }
            )
        )


if __name__ == "__main__":
    url, log_file, count = sys.argv[1:]
    asyncio.run(work(url, Path(log_file), int(count)))
