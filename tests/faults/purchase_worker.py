"""A process that runs, or resumes, a sequence of six purchases; the test kills it.

Each agent records its effect under the idempotency key in a second database, and answers
a repeated key from there: the contract that agents are held to. Every call is logged, so
that the test can count what was called again.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration import AgentContext, AgentRegistry, AgentSpec, AgentTask, SimpleCoordinator

if TYPE_CHECKING:
    from state.jsonvalue import JsonObject

TASKS = 6
SCHEMA = """
CREATE TABLE IF NOT EXISTS effects (idempotency_key TEXT NOT NULL, task TEXT, seats INTEGER);
CREATE TABLE IF NOT EXISTS calls (idempotency_key TEXT, task TEXT, answered_from_record INTEGER);
"""


class Shop:
    """Sells seats, each order once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._connect() as connection:
            connection.executescript(SCHEMA)

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=30)

    def buy(self, input_data: JsonObject, context: AgentContext) -> JsonObject:
        """Record the effect and the call, each as its own commit, with time between."""
        time.sleep(0.004)
        connection = self._connect()
        try:
            key = context.idempotency_key
            connection.execute("BEGIN IMMEDIATE")
            known = connection.execute(
                "SELECT 1 FROM effects WHERE idempotency_key = ?", (key,)
            ).fetchone()
            connection.execute(
                "INSERT INTO calls VALUES (?, ?, ?)", (key, context.task_id, known is not None)
            )
            if known is None:
                row = (key, context.task_id, input_data["seats"])
                connection.execute("INSERT INTO effects VALUES (?, ?, ?)", row)
            connection.commit()
        finally:
            connection.close()
        time.sleep(0.004)
        return {"seats": input_data["seats"], "repeated": known is not None}


async def main(folder: Path, mode: str, thread_id: str) -> None:
    """Start or resume the thread and print how it ended."""
    shop = Shop(folder / "shop.db")
    registry = AgentRegistry()
    registry.register(AgentSpec("shop", ["ticket_purchase"], handler=shop.buy))
    url = f"sqlite:///{folder / 'threads.db'}"
    async with SimpleCoordinator(
        registry=registry, database_url=url, lease_seconds=0.3
    ) as coordinator:
        if mode == "resume":
            result = await coordinator.resume(thread_id)
        else:
            tasks = [
                AgentTask("shop", {"seats": number}, task_id=f"buy_{number}")
                for number in range(1, TASKS + 1)
            ]
            print("ready", flush=True)
            result = await coordinator.execute_sequential(tasks, thread_id=thread_id)
    print(result.status, flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
