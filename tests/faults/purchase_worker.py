"""A process that runs, or resumes, six purchases by the built-in team; the test kills it.

The team does the work on its own database, once for each idempotency key. Each call is noted
in a file of its own before the team is asked, so that the test can count them.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration import AgentContext, AgentRegistry, AgentSpec, AgentTask, SimpleCoordinator
from orchestration.agents.team import Team

if TYPE_CHECKING:
    from state.jsonvalue import JsonObject

TASKS = 6


class Notebook:
    """Notes every call, then passes it on."""

    def __init__(self, path: Path, team: Team) -> None:
        self._path = path
        self._team = team

    def ticketing(self, input_data: JsonObject, context: AgentContext) -> JsonObject:
        """Note the call and let the team sell tickets."""
        line = f"{context.task_id} {context.idempotency_key}\n".encode()
        notes = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            os.write(notes, line)
        finally:
            os.close(notes)
        return self._team.ticketing(input_data, context)


async def main(folder: Path, mode: str, thread_id: str) -> None:
    """Start or resume the thread and print how it ended."""
    notebook = Notebook(folder / "calls.txt", Team(folder / "team.db"))
    registry = AgentRegistry()
    registry.register(AgentSpec("ticketing", ["ticket_purchase"], handler=notebook.ticketing))
    url = f"sqlite:///{folder / 'threads.db'}"
    async with SimpleCoordinator(
        registry=registry, database_url=url, lease_seconds=0.3
    ) as coordinator:
        if mode == "resume":
            result = await coordinator.resume(thread_id)
        else:
            tasks = [
                AgentTask(
                    "ticketing",
                    {"messages": [{"role": "user", "content": f"Book {number} tickets"}]},
                    task_id=f"buy_{number}",
                )
                for number in range(1, TASKS + 1)
            ]
            print("ready", flush=True)
            result = await coordinator.execute_sequential(tasks, thread_id=thread_id)
    print(result.status, flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
