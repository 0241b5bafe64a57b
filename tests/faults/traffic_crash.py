"""Kill a run right before or after its n-th commit, for every n; see what is known of its calls.

Run as a program: `traffic_crash.py FOLDER` prints one JSON line per kill. The agent notes where
each call goes before it has its effect, as those with endpoints do.
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
from typing import Any, Final, TypedDict

from checkpoints import group_commit, traffic_stores
from nodes.ports import Dispatch
from orchestration import (
    AgentContext,
    AgentSpec,
    AgentTask,
    SimpleCoordinator,
    SubWorkflow,
    ThreadNotFoundError,
    Workflow,
)
from tests.faults.commit_crash import THREAD, When, in_child, kill_at, let_the_lease_run_out
from tests.unit.orchestration.metered import MeteredRegistry

LOADED: Final = (traffic_stores,)
HERE: Final = Dispatch("shop", "1", "default")  # as a handler's only place is called
TASKS: Final = 4


class Finding(TypedDict):
    """What was known of one run that was killed once."""

    when: When
    commit: int
    effects_before: list[str]
    """Tasks that had taken effect when the process died."""
    called_again: dict[str, bool]
    """Tasks that the next process called, and whether it knew that they were sent."""
    status: str
    accounts: list[list[object]]
    """Totals by agent: key, tasks, calls, cost."""
    dispatches_left: int


class Shop:
    """The agent, and the world outside that keeps its effects."""

    def __init__(self, folder: Path) -> None:
        self._effects = folder / "effects.txt"
        self.registry = MeteredRegistry()
        self.registry.register(AgentSpec("shop", handler=self))
        self.called: dict[str, bool] = {}

    async def __call__(self, _given: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        journal, key = self.registry.terms[-1].journal, context.idempotency_key
        assert journal is not None
        self.called[context.task_id] = await journal.sent(key) is not None
        await journal.note(key, HERE)
        with self._effects.open("a") as effects:
            effects.write(f"{context.task_id}\n")
        return {}

    def effects(self) -> list[str]:
        return self._effects.read_text().splitlines() if self._effects.exists() else []


def coordinator(folder: Path, shop: Shop) -> SimpleCoordinator:
    url = f"sqlite:///{folder / 'runs.db'}?synchronous=NORMAL"  # only the process dies
    return SimpleCoordinator(registry=shop.registry, database_url=url)


async def run(runs: SimpleCoordinator) -> str:
    inner = Workflow("in", tasks=[AgentTask("shop", task_id=id_) for id_ in ("b", "c")])
    first, last = (AgentTask("shop", task_id=id_) for id_ in ("a", "d"))
    tasks = [first, SubWorkflow(inner, task_id="in"), last]
    return str((await runs.execute_sequential(tasks, thread_id=THREAD)).status)


async def first_run(folder: Path, commit: int, when: When) -> None:
    kill_at(commit, when)
    async with coordinator(folder, Shop(folder)) as runs:
        await run(runs)


async def second_run(folder: Path, commit: int, when: When) -> Finding:
    shop = Shop(folder)
    before = shop.effects()
    let_the_lease_run_out(folder)
    async with coordinator(folder, shop) as runs:
        try:
            status = str((await runs.resume(THREAD)).status)
        except ThreadNotFoundError:  # killed before anything was stored, so nothing was called
            status = await run(runs)
        totals = await runs.costs()
    with closing(sqlite3.connect(folder / "runs.db")) as connection:
        (left,) = connection.execute("SELECT COUNT(*) FROM orchestration_dispatches").fetchone()
    return Finding(
        when=when,
        commit=commit,
        effects_before=before,
        called_again=shop.called,
        status=status,
        accounts=[[each.key, each.tasks, each.calls, each.cost] for each in totals],
        dispatches_left=left,
    )


def kill_everywhere(folder: Path, when: When) -> None:
    """Kill at the first commit, the second and so on, until a run ends before it dies."""
    for commit in count(1):
        place = folder / f"{when}-{commit}"
        place.mkdir()
        code = in_child(partial(first_run, place, commit, when), place / "first.json")
        if code == 0:
            return
        if code != -signal.SIGKILL:
            raise SystemExit((place / "first.json").read_text())
        if in_child(partial(second_run, place, commit, when), place / "second.json") != 0:
            raise SystemExit((place / "second.json").read_text())
        os.write(1, (place / "second.json").read_bytes() + b"\n")


def main(folder: Path) -> None:
    """Kill before each commit, then after each."""
    gc.freeze()
    group_commit.LARGEST_BATCH = 1  # type: ignore[misc]  # every write is a commit
    for when in ("before", "after"):
        kill_everywhere(folder, when)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
