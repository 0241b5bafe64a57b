"""A process in which several deliver one signal at the same moment.

Reads a thread id from each line of its input, and prints what became of each delivery as one
line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from orchestration import AgentContext, AgentRegistry, AgentSpec, AgentTask
from orchestration import SimpleCoordinator as Coordinator
from tests.unit.orchestration.waits import run, signal

DELIVERIES = 4


def coordinator(folder: Path) -> Coordinator:
    def note(_: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        notes = os.open(folder / "done.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            os.write(notes, f"{context.thread_id}\n".encode())
        finally:
            os.close(notes)
        return {}

    registry = AgentRegistry()
    registry.register(AgentSpec("note", handler=note))
    return Coordinator(registry=registry, database_url=f"sqlite:///{folder / 'threads.db'}")


async def deliver(runs: Coordinator, thread_id: str, by: str) -> list[Any]:
    try:
        sent = await runs.signal(thread_id, "paid", 5, by=by, signal_id="delivery")
    except Exception as error:  # noqa: BLE001  whatever reaches a sender is what is tested
        return ["error", repr(error)]
    return [sent.state, sent.signal.sent_by, None if sent.result is None else sent.result.status]


async def main(folder: Path, name: str) -> None:
    async with coordinator(folder) as runs:
        await runs.threads()
        print("ready", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            deliveries = [
                deliver(runs, line.strip(), f"{name}{each}") for each in range(DELIVERIES)
            ]
            print(json.dumps(await asyncio.gather(*deliveries)), flush=True)


async def pause(folder: Path, thread_ids: list[str]) -> None:
    """Make threads that wait twice for the same signal."""
    async with coordinator(folder) as runs:
        for thread_id in thread_ids:
            tasks = [AgentTask("note", task_id=each) for each in ("pause", "note", "again")]
            waits = {"pause": signal("paid"), "again": signal("paid")}
            await run(runs, tasks, waits, thread_id, run_id=thread_id)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
