"""Kill a run with a budget right before or after its n-th commit, for every n.

Run as a program: `budget_crash.py FOLDER` prints one JSON line per kill. Each child dies in a run
of two agents that pauses for more budget before the second, or in answering it; another resumes
the thread, and answers once where it waits.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypedDict

from orchestration import (
    AgentContext,
    AgentRegistry,
    AgentSpec,
    AgentTask,
    Budget,
    SimpleCoordinator,
    ThreadNotFoundError,
)
from tests.faults.commit_crash import THREAD, When, in_child, kill_at, let_the_lease_run_out

AGENTS = ("one", "two")
LIMIT = 1


class Finding(TypedDict):
    """What became of one run that was killed."""

    when: When
    commit: int
    status: str
    answers: int
    """How often somebody had to answer after the crash."""
    called: list[str]
    """The agents, as often as they were called, in both processes."""
    counted: float
    """Calls that the budget knows of."""
    granted: float


def coordinator(folder: Path) -> SimpleCoordinator:
    registry = AgentRegistry()
    log = folder / "called"

    def work(_: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        with log.open("a") as file:
            file.write(f"{context.task_id}\n")
        return {"usage": {"input_tokens": 1, "output_tokens": 1}}

    for name in AGENTS:
        registry.register(AgentSpec(name, handler=work))
    url = f"sqlite:///{folder / 'runs.db'}?synchronous=NORMAL"  # only the process dies
    return SimpleCoordinator(registry=registry, database_url=url)


async def whole_run(runs: SimpleCoordinator) -> None:
    budget = Budget(attempts=LIMIT, on_exceeded="pause")
    tasks = [AgentTask(name) for name in AGENTS]
    await runs.execute_sequential(tasks, thread_id=THREAD, budget=budget)
    await runs.resume(THREAD, {"two": "approve"})


async def first_run(folder: Path, commit: int, when: When) -> None:
    async with coordinator(folder):
        kill_at(commit, when)
    async with coordinator(folder) as runs:
        await whole_run(runs)


async def second_run(folder: Path, commit: int, when: When) -> Finding:
    let_the_lease_run_out(folder)
    answers = 0
    async with coordinator(folder) as runs:
        try:
            result = await runs.resume(THREAD)
        except ThreadNotFoundError:
            await whole_run(runs)
            result = await runs.resume(THREAD)
        while result.status == "interrupted":
            answers += 1
            result = await runs.resume(THREAD, {result.interrupts[0].task_id: "approve"})
        from checkpoints.database import open_database  # noqa: PLC0415
        from checkpoints.spending import Scope  # noqa: PLC0415

        database = open_database(f"sqlite:///{folder / 'runs.db'}")
        (balance,) = await database.spending.balances(
            [Scope("run", (await runs.thread(THREAD)).plan.run_id)]
        )
        database.close()
        return Finding(
            when=when,
            commit=commit,
            status=str(result.status),
            answers=answers,
            called=(folder / "called").read_text().split(),
            counted=balance.spent.attempts,
            granted=balance.granted.attempts,
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
    for when in ("before", "after"):
        kill_everywhere(folder, when)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
