"""A process in which a dozen people decide about one request at the same moment.

Reads a thread id and a request id from each line of its input, and prints what became of
each decider's answer as one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from orchestration import AgentRegistry, AgentSpec, AgentTask, AlreadyDecidedError
from orchestration import SimpleCoordinator as Coordinator

DECIDERS = 12


def registry_of(folder: Path) -> AgentRegistry:
    def pay(given: dict[str, Any]) -> dict[str, Any]:
        notes = os.open(folder / "paid.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            os.write(notes, (json.dumps(given) + "\n").encode())
        finally:
            os.close(notes)
        return {}

    registry = AgentRegistry()
    registry.register(AgentSpec("finance", handler=pay))
    return registry


async def answer(coordinator: Coordinator, request_id: str, thread_id: str, by: str) -> list[Any]:
    """Approve with arguments that tell who did."""
    arguments = {"thread": thread_id, "by": by}
    edit = {"type": "edit", "edited_action": {"name": "finance", "args": arguments}}
    try:
        decided = await coordinator.approvals.decide(request_id, edit, by=by)
    except AlreadyDecidedError as error:
        return ["lost", error.decided_by, error.decided_at, error.decision]
    except Exception as error:  # noqa: BLE001  whatever reaches a decider is what is tested
        return ["error", repr(error)]
    status = None if decided.result is None else str(decided.result.status)
    return ["won", decided.request.decided_by, decided.request.decided_at, status]


async def main(folder: Path, name: str) -> None:
    url = f"sqlite:///{folder / 'threads.db'}"
    async with Coordinator(registry=registry_of(folder), database_url=url) as coordinator:
        await coordinator.approvals.list_pending()
        print("ready", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            thread_id, request_id = line.split()
            answers = [
                answer(coordinator, request_id, thread_id, f"{name}{number}")
                for number in range(DECIDERS)
            ]
            print(json.dumps(await asyncio.gather(*answers)), flush=True)


async def pause(folder: Path, thread_ids: list[str]) -> dict[str, str]:
    """Make threads that wait; return the request of each."""
    url = f"sqlite:///{folder / 'threads.db'}"
    async with Coordinator(registry=registry_of(folder), database_url=url) as coordinator:
        for thread_id in thread_ids:
            arguments = {"thread": thread_id, "by": ""}
            task = AgentTask("finance", arguments, requires_approval=True)
            await coordinator.execute_sequential([task], thread_id=thread_id)
        waiting = await coordinator.approvals.list_pending(limit=len(thread_ids))
        return {each.thread_id: each.request_id for each in waiting}


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
