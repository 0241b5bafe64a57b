"""Kill a streamed run at its n-th event, or right before or after its n-th commit, for every n.

Run as a program: `stream_crash.py FOLDER STEP PLAN...` prints one JSON line per kill, for every
STEP-th place. The reader dies with the run; another process reads on where it stopped.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final, Literal, TypedDict

from checkpoints import database as database_module
from checkpoints import sqlite_events, sqlite_saver, sqlite_store, sqlite_threads
from orchestration import AlreadyDecidedError, SimpleCoordinator, ThreadNotFoundError, WorkflowEvent
from orchestration.engines import embedded
from tests.faults.commit_crash import in_child, kill_at, let_the_lease_run_out
from tests.faults.streamed_plans import THREAD, agents, go_on, stream

LOADED: Final = (
    database_module,
    sqlite_events,
    sqlite_saver,
    sqlite_store,
    sqlite_threads,
    embedded,
)
"""Modules that are otherwise imported when first used; here they are to be there at the fork."""

Where = Literal["event", "before", "after", "never"]


class Finding(TypedDict):
    """What was told of one run that was killed once."""

    plan: str
    where: Where
    number: int
    seen: int
    """Events that the reader had when it died."""
    events: list[dict[str, Any]]
    """Those, and what it read afterwards."""


def coordinator(folder: Path) -> SimpleCoordinator:
    url = f"sqlite:///{folder / 'runs.db'}?synchronous=NORMAL"  # only the process dies
    return SimpleCoordinator(registry=agents(), database_url=url)


class Notebook:
    """Where the reader notes what it has, so that it knows after its death."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "seen.jsonl"

    def add(self, event: WorkflowEvent) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps(event.as_json()) + "\n")

    def read(self) -> list[dict[str, Any]]:
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        return [json.loads(line) for line in lines]


async def first_run(folder: Path, plan: str, where: Where, number: int) -> None:
    if where in {"before", "after"}:
        kill_at(number, "before" if where == "before" else "after")
    notebook, last, seen = Notebook(folder), None, 0
    async with coordinator(folder) as runs:
        reading: Any = stream(runs, plan)
        while reading is not None:
            async for event in reading:
                notebook.add(event)
                last, seen = event, event.sequence
                if where == "event" and seen == number:
                    os.kill(os.getpid(), signal.SIGKILL)
            reading = go_on(runs, last, seen)


async def second_run(folder: Path, plan: str, where: Where, number: int) -> Finding:
    seen = Notebook(folder).read()
    let_the_lease_run_out(folder)
    events = [*seen]
    last = WorkflowEvent(**seen[-1]) if seen else None
    async with coordinator(folder) as runs:
        reading: Any = go_on(runs, last, len(seen))
        while reading is not None:
            try:
                async for last in reading:
                    events.append(last.as_json())
            except ThreadNotFoundError:  # killed before anything was stored
                reading = stream(runs, plan)
                continue
            except AlreadyDecidedError:  # killed after the answer was stored
                reading = runs.resume_stream(THREAD, after=len(events))
                continue
            reading = go_on(runs, last, len(events))
    return Finding(plan=plan, where=where, number=number, seen=len(seen), events=events)


def kill_everywhere(plan: str, folder: Path, where: Where, step: int) -> None:
    """Kill at the first place, and every `step` places after, until a run ends before it dies."""
    for number in count(1, step):
        place = folder / f"{plan}-{where}-{number}"
        place.mkdir(parents=True)
        code = in_child(partial(first_run, place, plan, where, number), place / "first.json")
        if code == 0:
            return
        if code != -signal.SIGKILL:
            raise SystemExit((place / "first.json").read_text())
        if in_child(partial(second_run, place, plan, where, number), place / "second.json") != 0:
            raise SystemExit((place / "second.json").read_text())
        os.write(1, (place / "second.json").read_bytes() + b"\n")  # whole, as two processes write


def main(folder: Path, step: int, plans: list[str]) -> None:
    """Kill at events in one process, and at commits beside it in another."""
    gc.freeze()  # what is there at the fork need not be collected in each child
    other = os.fork()
    places: tuple[Where, ...] = ("event",) if other else ("before", "after")
    for plan in plans:
        for where in places:
            kill_everywhere(plan, folder, where, step)
    if other and os.waitstatus_to_exitcode(os.waitpid(other, 0)[1]):
        raise SystemExit("the other half failed")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
