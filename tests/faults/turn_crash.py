"""Kill a turn of a conversation right before or after its n-th commit, for every n.

Run as a program: `turn_crash.py FOLDER` prints one JSON line per kill. Each child has a whole
turn first, and dies in its second; another resumes the thread, and has a third.
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

from orchestration import AgentContext, AgentRegistry, AgentSpec, AgentTask, SimpleCoordinator
from tests.faults.commit_crash import THREAD, When, in_child, kill_at, let_the_lease_run_out


class Finding(TypedDict):
    """What became of one conversation whose second turn was killed."""

    when: When
    commit: int
    status: str
    """Of what the thread was doing, when resumed."""
    resumed: list[object]
    """Everything said, once it was resumed."""
    in_the_end: list[object]
    """Everything said, after the third turn."""
    sequences: list[int]


async def chat(given: dict[str, Any], context: AgentContext) -> dict[str, Any]:
    """Say how much was said before."""
    return {"content": f"{given['messages'][0]['content']} after {len(context.history)}"}


def coordinator(folder: Path) -> SimpleCoordinator:
    registry = AgentRegistry()
    for name in ("sales", "finance"):
        registry.register(AgentSpec(name, handler=chat))
    url = f"sqlite:///{folder / 'runs.db'}?synchronous=NORMAL"  # only the process dies
    return SimpleCoordinator(registry=registry, database_url=url)


async def turn(runs: SimpleCoordinator, text: str) -> None:
    asked = {"messages": [{"role": "user", "content": text}]}
    tasks = [AgentTask("sales", asked), AgentTask("finance", asked)]
    await runs.execute_sequential(tasks, thread_id=THREAD)


async def said(runs: SimpleCoordinator) -> list[object]:
    return [each.message["content"] for each in await runs.history(THREAD)]


async def first_run(folder: Path, commit: int, when: When) -> None:
    async with coordinator(folder) as runs:
        await turn(runs, "one")
    kill_at(commit, when)
    async with coordinator(folder) as runs:
        await turn(runs, "two")


async def second_run(folder: Path, commit: int, when: When) -> Finding:
    let_the_lease_run_out(folder)
    async with coordinator(folder) as runs:
        status = str((await runs.resume(THREAD)).status)
        resumed = await said(runs)
        await runs.resume(THREAD)
        await turn(runs, "three")
        return Finding(
            when=when,
            commit=commit,
            status=status,
            resumed=resumed,
            in_the_end=await said(runs),
            sequences=[each.sequence for each in await runs.history(THREAD)],
        )


def kill_everywhere(folder: Path, when: When) -> None:
    """Kill at the first commit, the second and so on, until a turn ends before it dies."""
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
