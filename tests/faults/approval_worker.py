"""Processes for the tests of approvals: they start, decide, sweep, and die where told.

    approval_worker.py FOLDER start THREAD
    approval_worker.py FOLDER decide REQUEST WHO [KILL_AT]
    approval_worker.py FOLDER sweep [KILL_AT]
    approval_worker.py FOLDER resume THREAD [hold]      (holds the thread until killed)

The agent `pay` notes each call, and each effect under its idempotency key.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

from orchestration import (
    AgentContext,
    AgentRegistry,
    AgentSpec,
    AgentTask,
    SimpleCoordinator,
    ThreadBusyError,
)
from orchestration.engines.embedded import Answered

LEASE_SECONDS = 0.5
PEOPLE_WAIT_SECONDS = 60


def die(*_: object, **__: object) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


class Effects:
    """What happened outside, in a database of its own."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "effects.db"
        with closing(self._open()) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS calls (thread TEXT, key TEXT)")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS effects (key TEXT PRIMARY KEY, thread TEXT)"
            )

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._file, timeout=PEOPLE_WAIT_SECONDS, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        return connection

    def note_call(self, context: AgentContext) -> None:
        with closing(self._open()) as connection:
            connection.execute(
                "INSERT INTO calls VALUES (?, ?)", (context.thread_id, context.idempotency_key)
            )

    def happen(self, context: AgentContext) -> None:
        with closing(self._open()) as connection:
            connection.execute(
                "INSERT OR IGNORE INTO effects VALUES (?, ?)",
                (context.idempotency_key, context.thread_id),
            )

    def count(self, table: str, thread_id: str) -> int:
        with closing(self._open()) as connection:
            (count,) = connection.execute(
                f"SELECT count(*) FROM {table} WHERE thread = ?",  # noqa: S608
                (thread_id,),
            ).fetchone()
        return int(count)

    def keys(self, thread_id: str) -> set[str]:
        with closing(self._open()) as connection:
            rows = connection.execute("SELECT key FROM calls WHERE thread = ?", (thread_id,))
            return {key for (key,) in rows}


class MortalCoordinator(SimpleCoordinator):
    """Dies before it resumes, if told to."""

    kill_at = ""

    async def answer(self, *arguments: Any, **options: Any) -> Answered:  # noqa: ANN401
        """Die where the answer is in the database, and the run has not gone on."""
        if self.kill_at == "before resume":
            engine = await self._engine()
            engine._resume = die  # type: ignore[method-assign]
        return await super().answer(*arguments, **options)


def open_coordinator(folder: Path, kill_at: str = "") -> MortalCoordinator:
    effects = Effects(folder)

    async def pay(_input: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        if kill_at == "before effect":
            die()
        effects.note_call(context)
        effects.happen(context)
        if kill_at == "after effect":
            die()
        return {"paid": True}

    async def hold(_input: dict[str, Any]) -> dict[str, Any]:
        (folder / "held").touch()
        await asyncio.Event().wait()
        return {}

    registry = AgentRegistry()
    registry.register(AgentSpec("pay", handler=pay))
    registry.register(AgentSpec("hold", handler=hold))
    coordinator = MortalCoordinator(
        registry=registry,
        database_url=f"sqlite:///{folder / 'threads.db'}",
        lease_seconds=LEASE_SECONDS,
    )
    coordinator.kill_at = kill_at
    return coordinator


def tell(**facts: object) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


async def start(folder: Path, thread_id: str) -> None:
    async with open_coordinator(folder) as coordinator:
        task = AgentTask("pay", requires_approval=True)
        result = await coordinator.execute_sequential([task], thread_id=thread_id)
        tell(status=result.status, request=result.interrupts[0].interrupt_id)


async def decide(folder: Path, request_id: str, who: str, kill_at: str = "") -> None:
    async with open_coordinator(folder, kill_at) as coordinator:
        decided = await coordinator.approvals.decide(request_id, "approve", by=who)
        tell(status=None if decided.result is None else decided.result.status)


async def sweep(folder: Path, kill_at: str = "") -> None:
    async with open_coordinator(folder, kill_at) as coordinator:
        swept = await coordinator.approvals.sweep()
        tell(resumed=[each.status for each in swept.resumed], left=swept.left)


async def resume(folder: Path, thread_id: str) -> None:
    async with open_coordinator(folder) as coordinator:
        try:
            result = await coordinator.resume(thread_id)
        except ThreadBusyError as busy:
            tell(busy=busy.holder, until=busy.expires_at)
        else:
            tell(status=result.status)


async def hold(folder: Path, thread_id: str) -> None:
    async with open_coordinator(folder) as coordinator:
        tasks = [AgentTask("hold", timeout=2), AgentTask("pay")]
        await coordinator.execute_sequential(tasks, thread_id=thread_id, on_failure="continue")


COMMANDS: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {
    "start": start,
    "decide": decide,
    "sweep": sweep,
    "resume": resume,
    "hold": hold,
}

if __name__ == "__main__":
    asyncio.run(COMMANDS[sys.argv[2]](Path(sys.argv[1]), *sys.argv[3:]))
