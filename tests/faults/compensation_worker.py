"""A process that runs, or resumes, purchases which come to nothing; the test kills it.

Three times tickets are bought and an expense is booked, leave is requested, and then an agent
refuses: so seven tasks of three agents are undone. The built-in team does the work on its own
database. Each call is noted in a file of its own before the team is asked.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration import (
    AgentContext,
    AgentRefusedError,
    AgentRegistry,
    AgentSpec,
    AgentTask,
    SimpleCoordinator,
)
from orchestration.agents.team import Team

if TYPE_CHECKING:
    from collections.abc import Callable

    from state.jsonvalue import JsonObject

    Handler = Callable[[JsonObject, AgentContext], JsonObject]


def noted(path: Path, handler: Handler) -> Handler:
    """Note every call, then pass it on; say when a task is being undone."""

    def call(input_data: JsonObject, context: AgentContext) -> JsonObject:
        notes = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            os.write(notes, f"{context.idempotency_key}\n".encode())
        finally:
            os.close(notes)
        if context.idempotency_key.endswith(":compensate"):
            print("undoing", flush=True)
        return handler(input_data, context)

    return call


def refuse(_input: JsonObject) -> JsonObject:
    """End the workflow."""
    raise AgentRefusedError("not today")


def tasks() -> list[AgentTask]:
    """What is done, and how it is undone without knowing a number."""
    made = []
    for number in (1, 2, 3):
        made.append(
            AgentTask(
                "ticketing",
                {"action": "purchase_tickets", "quantity": number},
                task_id=f"buy_{number}",
                compensate={"action": "cancel_order"},
            )
        )
        made.append(
            AgentTask(
                "finance",
                {"action": "approve_expense", "amount": number},
                task_id=f"pay_{number}",
                compensate={"action": "cancel_expense"},
            )
        )
    message = {"role": "user", "content": "Request 1 day of leave for Bob starting tomorrow"}
    made.append(AgentTask("hr", {"messages": [message]}, compensate={"action": "withdraw_leave"}))
    return [*made, AgentTask("refusing")]


async def main(folder: Path, mode: str, thread_id: str) -> None:
    """Start or resume the thread and print how it ended."""
    team, notes = Team(folder / "team.db"), folder / "calls.txt"
    registry = AgentRegistry()
    for name, handler in {
        "ticketing": team.ticketing,
        "finance": team.finance,
        "hr": team.hr,
    }.items():
        registry.register(AgentSpec(name, handler=noted(notes, handler)))
    registry.register(AgentSpec("refusing", handler=refuse))
    url = f"sqlite:///{folder / 'threads.db'}"
    async with SimpleCoordinator(
        registry=registry, database_url=url, lease_seconds=0.3
    ) as coordinator:
        if mode == "resume":
            result = await coordinator.resume(thread_id)
        else:
            result = await coordinator.execute_sequential(tasks(), thread_id=thread_id)
    ended = {task.task_id: str(task.status) for task in result}
    print(json.dumps({"status": result.status, "tasks": ended}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
