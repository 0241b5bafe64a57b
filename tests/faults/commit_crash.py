"""Kill a run right before or after its n-th commit, for every n, and resume it each time.

Run as a program: `commit_crash.py FOLDER CASE...`, a case being `PLAN/GROUPING`, prints one
JSON line per kill. It imports everything once and forks, as LangGraph takes long to import.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable, Coroutine
from contextlib import closing
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final, Literal, TypedDict

from checkpoints import database as database_module
from checkpoints import group_commit, sqlite_saver, sqlite_store, sqlite_threads
from checkpoints.serializer import strict_serializer
from orchestration import (
    AgentContext,
    AgentRefusedError,
    AgentRegistry,
    AgentSpec,
    AgentTask,
    RetryPolicy,
    SimpleCoordinator,
    ThreadNotFoundError,
)
from orchestration.engines import embedded

LOADED: Final = (database_module, sqlite_saver, sqlite_store, sqlite_threads, embedded)
"""Modules that are otherwise imported when first used; here they are to be there at the fork."""

When = Literal["before", "after"]
THREAD: Final = "purchase"


class Finding(TypedDict):
    """What became of one run that was killed once."""

    case: str
    when: When
    commit: int
    saved: list[str]
    """Tasks whose outcome was in the database when the process died; `undo a` for a's undoing."""
    calls_before: list[str]
    calls_after: list[str]
    effects: dict[str, int]
    """Task to number of effects."""
    status: str
    """Of the resumed run."""
    statuses: list[str]
    outputs: dict[str, Any]


# -- the work ---------------------------------------------------------------------------


def tasks_of(plan: str) -> tuple[str, list[AgentTask]]:
    """Return a strategy and its tasks."""
    if plan == "sequential":
        return plan, [AgentTask("shop", task_id=name) for name in ("a", "b", "c", "d")]
    if plan == "retried":
        again = RetryPolicy(max_attempts=3, initial_delay=timedelta(0))
        return "sequential", [AgentTask("moody", task_id="a", retry=again), AgentTask("shop")]
    if plan == "undone":
        undoable = [AgentTask("shop", task_id=name, compensate={}) for name in ("a", "b", "c")]
        return "sequential", [*undoable, AgentTask("closed")]
    chain = [AgentTask("shop", task_id="a1"), AgentTask("shop", task_id="a2", depends_on=["a1"])]
    return "parallel", [
        *chain,
        AgentTask("shop", task_id="b"),
        AgentTask("shop", task_id="c"),
        AgentTask("shop", task_id="end", depends_on=["a2", "b", "c"]),
    ]


class Effects:
    """The world outside: a database of effects, one for each idempotency key."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "effects.db"
        self.run("CREATE TABLE IF NOT EXISTS effects (key TEXT PRIMARY KEY, task TEXT)")
        self.run("CREATE TABLE IF NOT EXISTS calls (task TEXT, attempt INTEGER)")

    def run(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
            return connection.execute(sql, values).fetchall()

    async def shop(self, _input: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        key, task = context.idempotency_key, context.task_id
        name = f"undo {task}" if key.endswith(":compensate") else task
        self.run("INSERT INTO calls VALUES (?, ?)", name, context.attempt)
        self.run("INSERT OR IGNORE INTO effects VALUES (?, ?)", key, name)
        return {"saw": sorted(context.upstream)}

    async def moody(self, given: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        if context.attempt == 1:
            raise ConnectionError("not now")
        return await self.shop(given, context)

    async def closed(self, _input: dict[str, Any]) -> dict[str, Any]:
        raise AgentRefusedError("the shop is closed")

    def calls(self) -> list[str]:
        return [task for (task,) in self.run("SELECT task FROM calls ORDER BY rowid")]


def coordinator(folder: Path, effects: Effects) -> SimpleCoordinator:
    registry = AgentRegistry()
    registry.register(AgentSpec("shop", ["shopping"], handler=effects.shop))
    registry.register(AgentSpec("moody", ["shopping"], handler=effects.moody))
    registry.register(AgentSpec("closed", handler=effects.closed))
    # Only the process dies, not the machine, so nothing has to reach the disk.
    url = f"sqlite:///{folder / 'runs.db'}?synchronous=NORMAL"
    return SimpleCoordinator(registry=registry, database_url=url)


# -- the first process, which dies ------------------------------------------------------


def kill_at(commit: int, when: When) -> None:
    """Make every connection opened from now on kill this process at that commit."""
    numbers = count(1)

    class Deadly(sqlite3.Connection):
        def commit(self) -> None:
            is_last = next(numbers) == commit
            if is_last and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            super().commit()
            if is_last:
                os.kill(os.getpid(), signal.SIGKILL)

    sqlite3.connect = partial(sqlite3.connect, factory=Deadly)  # type: ignore[assignment]  # overloads


async def first_run(folder: Path, plan: str, commit: int, when: When) -> None:
    kill_at(commit, when)
    strategy, tasks = tasks_of(plan)
    async with coordinator(folder, Effects(folder)) as runs:
        await runs.execute_workflow(tasks, strategy=strategy, thread_id=THREAD)


# -- the second, which goes on ----------------------------------------------------------


def saved_tasks(folder: Path) -> list[str]:
    """Read from the bare rows whose outcome is stored, in a checkpoint or as a pending write."""
    load = strict_serializer().loads_typed
    with closing(sqlite3.connect(folder / "runs.db")) as connection:
        checkpoints = connection.execute("SELECT type, checkpoint FROM checkpoints").fetchall()
        writes = connection.execute(
            "SELECT type, value FROM writes WHERE channel = 'outcomes'"
        ).fetchall()
    found = [load(row)["channel_values"].get("outcomes", {}) for row in checkpoints]
    found += [load(row) for row in writes]
    named = {"succeeded": "", "compensated": "undo "}
    return sorted(
        {
            named[outcome["status"]] + task_id
            for outcomes in found
            if isinstance(outcomes, dict)
            for task_id, outcome in outcomes.items()
            if outcome["status"] in named
        }
    )


def let_the_lease_run_out(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "runs.db", isolation_level=None)) as connection:
        connection.execute("UPDATE orchestration_threads SET lease_expires_at = 0")


async def second_run(folder: Path, plan: str, commit: int, when: When) -> Finding:
    effects = Effects(folder)
    saved, before = saved_tasks(folder), effects.calls()
    let_the_lease_run_out(folder)
    async with coordinator(folder, effects) as runs:
        try:
            result = await runs.resume(THREAD)
        except ThreadNotFoundError:  # killed before anything was stored, so nothing was called
            strategy, tasks = tasks_of(plan)
            result = await runs.execute_workflow(tasks, strategy=strategy, thread_id=THREAD)
    rows = effects.run("SELECT task, count(*) FROM effects GROUP BY task")
    return Finding(
        case=folder.parent.relative_to(folder.parents[2]).as_posix(),
        when=when,
        commit=commit,
        saved=saved,
        calls_before=before,
        calls_after=effects.calls()[len(before) :],
        effects=dict(rows),
        status=str(result.status),
        statuses=[str(task.status) for task in result],
        outputs=dict(result.outputs),
    )


# -- the parent -------------------------------------------------------------------------


def in_child(work: Callable[[], Coroutine[Any, Any, object]], output: Path) -> int:
    """Do `work` in a forked process, its result going to `output`; return how it ended."""
    assert threading.active_count() == 1, "threads do not survive a fork"
    child = os.fork()
    if child == 0:
        try:
            output.write_text(json.dumps(asyncio.run(work())))
        except BaseException as error:  # noqa: BLE001  it would go on as a second parent
            output.write_text(json.dumps({"raised": repr(error)}))
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_everywhere(case: str, folder: Path, when: When) -> None:
    """Kill at the first commit, the second and so on, until a run ends before it dies."""
    plan, grouping = case.split("/")
    if grouping == "alone":
        group_commit.LARGEST_BATCH = 1  # type: ignore[misc]  # every write is a commit
    else:
        group_commit.LAZY_SECONDS = 1.0  # type: ignore[misc]  # however slow the machine is
    for commit in count(1):
        place = folder / case / f"{when}-{commit}"
        place.mkdir(parents=True)
        code = in_child(partial(first_run, place, plan, commit, when), place / "first.json")
        if code == 0:
            return
        if code != -signal.SIGKILL:
            raise SystemExit((place / "first.json").read_text())
        if in_child(partial(second_run, place, plan, commit, when), place / "second.json") != 0:
            raise SystemExit((place / "second.json").read_text())
        os.write(1, (place / "second.json").read_bytes() + b"\n")  # whole, as two processes write


def main(folder: Path, cases: list[str]) -> None:
    """Do all cases, those killed before a commit beside those killed after it."""
    gc.freeze()  # what is there at the fork need not be collected in each child
    other = os.fork()
    when: When = "before" if other else "after"
    for case in cases:
        kill_everywhere(case, folder, when)
    if other and os.waitstatus_to_exitcode(os.waitpid(other, 0)[1]):
        raise SystemExit("the other half failed")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
