"""Workflows in turns, in items and inside others; a process runs one and dies where it is told.

    nesting_worker.py FOLDER NAME THREAD [CALL before|after]

Agents keep each effect under its idempotency key, with what they were given and what they
answered, and answer a repeated key from that record. They note every call, too. Nothing they
say depends on anything but their input, so that a run that was killed can be compared with one
that was not.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from orchestration import (
    AgentContext,
    AgentRefusedError,
    AgentRegistry,
    AgentSpec,
    AgentTask,
    ForEach,
    Repeat,
    SimpleCoordinator,
    SubWorkflow,
    Workflow,
)

LEASE_SECONDS = 0.3
SETTLING_SECONDS = 0.5
"""Until what finished beside the call to die at is surely in a checkpoint."""
Input = dict[str, Any]


class Death(NamedTuple):
    """When a process kills itself."""

    call: int
    """Counted from 1, in this process."""
    after: bool
    """Whether the effect of that call is recorded before."""


class Effects:
    """What happened outside, in a database of its own."""

    def __init__(self, folder: Path, death: Death | None = None) -> None:
        self._file = folder / "effects.db"
        self._death = death
        self._calls = 0
        with closing(self._open()) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS calls (key TEXT)")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS effects (key TEXT PRIMARY KEY, given TEXT, said TEXT)"
            )

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._file, timeout=30, isolation_level=None)

    async def happen(self, key: str, given: Input, said: Input) -> Input:
        """Record an effect, once; return what was answered then."""
        self._calls += 1
        number = self._calls
        text = json.dumps(given, sort_keys=True)
        with closing(self._open()) as connection:
            connection.execute("INSERT INTO calls VALUES (?)", (key,))
            await self._die(number, after=False)
            connection.execute(
                "INSERT OR IGNORE INTO effects VALUES (?, ?, ?)", (key, text, json.dumps(said))
            )
            await self._die(number, after=True)
            (before, answer) = connection.execute(
                "SELECT given, said FROM effects WHERE key = ?", (key,)
            ).fetchone()
        if before != text:
            raise AssertionError(f"{key} was given {before}, and now {text}")
        replied: Input = json.loads(answer)
        return replied

    async def _die(self, number: int, *, after: bool) -> None:
        if self._death is not None and self._death == (number, after):
            await asyncio.sleep(SETTLING_SECONDS)
            os.kill(os.getpid(), signal.SIGKILL)

    def rows(self, table: str) -> list[str]:
        """The keys of calls or effects, without the run's id."""
        with closing(self._open()) as connection:
            found = connection.execute(f"SELECT key FROM {table}").fetchall()  # noqa: S608
        return [key[32:] for (key,) in found]


def registry(effects: Effects) -> AgentRegistry:
    """Agents that talk, work, or refuse."""

    async def talk(given: Input, context: AgentContext) -> Input:
        """Say a number that is one more than the one before."""
        number = int(given.get("handoff", {}).get("message") or 0) + 1
        other = "seller" if context.task_id == "buyer" else "buyer"
        said = {"handoff_to": other, "message": str(number), "number": number}
        return await effects.happen(context.idempotency_key, given, said)

    async def count(given: Input, context: AgentContext) -> Input:
        """Count how often this task was done in the turns before."""
        before: Any = context.upstream.get(context.task_id, {}).get("count", 0)
        seen = {**given, "count": before}
        return await effects.happen(context.idempotency_key, seen, {"count": before + 1})

    async def refuse(_given: Input) -> Input:
        raise AgentRefusedError("not today")

    agents = AgentRegistry()
    for agent_id, handler in {"talk": talk, "count": count, "refuse": refuse}.items():
        agents.register(AgentSpec(agent_id, handler=handler))
    return agents


def talkers() -> list[AgentTask]:
    """Two who negotiate."""
    return [AgentTask("talk", task_id="buyer"), AgentTask("talk", task_id="seller")]


def workflow(name: str) -> Workflow:
    """One of the workflows that are killed."""
    step = AgentTask("count", {"x": 1}, task_id="step", input_from={"turn": "turn"})
    item = AgentTask("count", task_id="one", input_from={"item": "item", "index": "index"})
    loop = Repeat([step], until="outputs.step.count == 4", task_id="loop")
    undoable = AgentTask("count", task_id="buy", compensate={"undo": True})
    made = {
        "agreed": Workflow(
            name, tasks=talkers(), strategy="cyclic", until="outcomes.buyer.output.number == 5"
        ),
        "exhausted": Workflow(name, tasks=talkers(), strategy="cyclic", max_turns=4),
        "loop": Workflow(name, tasks=[SubWorkflow(Workflow("inner", tasks=[loop]))]),
        "items": Workflow(
            name,
            tasks=[
                ForEach(["a", "b", "c", "d", "e"], item, max_concurrency=2, task_id="all"),
                AgentTask("count", task_id="last"),
            ],
        ),
        "undone": Workflow(
            name,
            tasks=[
                SubWorkflow(Workflow("trip", tasks=[undoable])),
                ForEach([1, 2], undoable, max_concurrency=1, task_id="all"),
                AgentTask("refuse"),
            ],
        ),
    }
    return made[name]


async def start(coordinator: SimpleCoordinator, name: str, thread_id: str) -> Any:  # noqa: ANN401
    """Run one of the workflows."""
    wanted = workflow(name)
    cyclic: Any = (
        {"until": wanted.until, "max_turns": wanted.max_turns}
        if wanted.strategy == "cyclic"
        else {}
    )
    return await coordinator.execute_workflow(
        wanted.tasks, strategy=wanted.strategy, thread_id=thread_id, **cyclic
    )


def opened(folder: Path, effects: Effects) -> SimpleCoordinator:
    """A coordinator as every process has it."""
    return SimpleCoordinator(
        registry=registry(effects),
        database_url=f"sqlite:///{folder / 'threads.db'}",
        lease_seconds=LEASE_SECONDS,
    )


async def main(folder: Path, name: str, thread_id: str, death: Death | None) -> None:
    """Run a workflow until it ends, or this process does."""
    async with opened(folder, Effects(folder, death)) as coordinator:
        print("ready", flush=True)
        await start(coordinator, name, thread_id)


if __name__ == "__main__":
    chosen = Death(int(sys.argv[4]), sys.argv[5] == "after") if sys.argv[4:] else None
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], chosen))
