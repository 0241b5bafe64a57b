"""Kill a process in the middle of a batch, right before or after its n-th commit.

Run as a program: `batch_crash.py FOLDER` prints one JSON line per kill. The batch is begun once
in a child that dies, and gone on with by another that is told the same.
"""

from __future__ import annotations

import gc
import os
import signal
import sqlite3
import sys
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypedDict

from checkpoints import group_commit
from orchestration import AgentContext, AgentRegistry, AgentSpec, AgentTask, SimpleCoordinator
from orchestration import batches as batches_module
from orchestration.batch_items import BatchItem, BatchResult
from tests.faults.commit_crash import (
    LOADED,
    Effects,
    When,
    in_child,
    kill_at,
    let_the_lease_run_out,
    saved_tasks,
)

PRELOADED = (*LOADED, batches_module)
ITEMS, TASKS, BATCH = ("x", "y", "z"), ("a", "b"), "crash"


class Finding(TypedDict):
    """What became of a batch whose process was killed once."""

    when: When
    commit: int
    over: list[str]
    """Items whose thread was over when the process died."""
    saved: list[str]
    """Tasks whose outcome was in the database then."""
    calls_before: list[str]
    calls_after: list[str]
    effects: dict[str, int]
    counts: dict[str, int]
    keys: list[str]


class Shop:
    """Its one agent names the item in what it does."""

    def __init__(self, folder: Path) -> None:
        self.effects = Effects(folder)
        registry = AgentRegistry()
        registry.register(AgentSpec("shop", handler=self._shop))
        # only the process dies, not the machine, so nothing has to reach the disk
        url = f"sqlite:///{folder / 'runs.db'}?synchronous=NORMAL"
        self.runs = SimpleCoordinator(registry=registry, database_url=url)

    async def _shop(self, given: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        return await self.effects.shop(given, context)

    async def run(self) -> BatchResult:
        items = [
            BatchItem(
                tasks=[AgentTask("shop", {"item": key}, task_id=f"{key}_{task}") for task in TASKS],
                key=key,
            )
            for key in ITEMS
        ]
        return await self.runs.execute_many(items, batch_id=BATCH, max_concurrency=2)


async def first_run(folder: Path, commit: int, when: When) -> None:
    kill_at(commit, when)
    shop = Shop(folder)
    async with shop.runs:
        await shop.run()


async def second_run(folder: Path, commit: int, when: When) -> Finding:
    shop = Shop(folder)
    saved, before, over = saved_tasks(folder), shop.effects.calls(), over_in(folder)
    let_the_lease_run_out(folder)
    async with shop.runs:
        result = await shop.run()
    rows = shop.effects.run("SELECT task, count(*) FROM effects GROUP BY task")
    return Finding(
        when=when,
        commit=commit,
        over=over,
        saved=saved,
        calls_before=before,
        calls_after=shop.effects.calls()[len(before) :],
        effects=dict(rows),
        counts=result.counts,
        keys=[each.key for each in result],
    )


def over_in(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "runs.db")) as connection:
        rows = connection.execute(
            "SELECT thread_id FROM orchestration_threads WHERE status = 'completed'"
        ).fetchall()
    return sorted(thread_id.partition(":")[2] for (thread_id,) in rows)


def kill_everywhere(folder: Path, when: When) -> None:
    """Kill at the first commit, the second and so on, until a process ends before it dies."""
    group_commit.LARGEST_BATCH = 1  # type: ignore[misc]  # every write is a commit
    for commit in count(1):
        place = folder / f"{when}-{commit}"
        place.mkdir(parents=True)
        code = in_child(partial(first_run, place, commit, when), place / "first.json")
        if code == 0:
            return
        if code != -signal.SIGKILL:
            raise SystemExit((place / "first.json").read_text())
        if in_child(partial(second_run, place, commit, when), place / "second.json") != 0:
            raise SystemExit(f"{when} {commit}: {(place / 'second.json').read_text()}")
        os.write(1, (place / "second.json").read_bytes() + b"\n")


def main(folder: Path) -> None:
    """Kill before commits beside killing after them."""
    gc.freeze()  # what is there at the fork need not be collected in each child
    other = os.fork()
    kill_everywhere(folder, "before" if other else "after")
    if other and os.waitstatus_to_exitcode(os.waitpid(other, 0)[1]):
        raise SystemExit("the other half failed")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
