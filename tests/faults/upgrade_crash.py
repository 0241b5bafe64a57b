"""Kill a process that lets a thread go on under a new version, at its n-th commit, for every n.

Run as a program: `upgrade_crash.py FOLDER` prints one JSON line per kill. The first child has
left a thread of version 1 that waits for an approval, and dies somewhere between taking the
thread and its end under version 2; the second finds whatever it left.
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

from checkpoints import group_commit, upgrade_sql
from checkpoints.approvals import STATUSES, Filter
from orchestration import (
    AgentRegistry,
    AgentSpec,
    AgentTask,
    Repeat,
    SimpleCoordinator,
    Workflow,
    WorkflowRegistry,
)
from tests.faults.commit_crash import (
    LOADED,
    THREAD,
    Effects,
    When,
    in_child,
    kill_at,
    let_the_lease_run_out,
)

PRELOADED = (*LOADED, upgrade_sql)
CASES = ("answered", "asked_anew", "in_a_loop", "migrated")


class Finding(TypedDict):
    """What became of one thread whose process was killed once."""

    case: str
    when: When
    commit: int
    upgraded: int
    """How often, when the process died."""
    status: str
    effects: dict[str, int]
    upgrades: int
    requests: list[str]


class Desk:
    """A coordinator that knows one version of the workflow."""

    def __init__(self, folder: Path, tasks: list[Any], version: str) -> None:
        self.effects = Effects(folder)
        registry = AgentRegistry()
        registry.register(AgentSpec("shop", handler=self.effects.shop))
        self.workflow = Workflow("order", version, tasks)
        workflows = WorkflowRegistry()
        workflows.register(self.workflow)
        self.runs = SimpleCoordinator(
            registry=registry,
            database_url=f"sqlite:///{folder / 'runs.db'}?synchronous=NORMAL",
            workflows=workflows,
        )

    async def follow(self, case: str) -> None:
        """Do what an operator and an approver do once the new version is released."""
        if case == "migrated" and not await self.runs.upgrades(THREAD):
            names = {"a": "first", "b": "b"}
            await self.runs.migrate(THREAD, self.workflow, lambda _: names, by="ann")
        if case == "asked_anew":
            await self.runs.resume(THREAD)
        for each in await self.runs.approvals.list_pending():
            await self.runs.approvals.decide(each.request_id, "approve", by="ann")

    async def finding(self, case: str, when: When, commit: int, upgraded: int) -> Finding:
        result = await self.runs.resume(THREAD)
        ledger = await self.runs.ledger()
        asked = await ledger.find(Filter(STATUSES, thread_id=THREAD))
        rows = self.effects.run("SELECT task, count(*) FROM effects GROUP BY task")
        return Finding(
            case=case,
            when=when,
            commit=commit,
            upgraded=upgraded,
            status=str(result.status),
            effects=dict(rows),
            upgrades=len(await self.runs.upgrades(THREAD)),
            requests=sorted(each.status for each in asked),
        )


def tasks_of(case: str, version: str) -> list[Any]:
    def shop(name: str, **wishes: Any) -> AgentTask:  # noqa: ANN401
        return AgentTask("shop", task_id=name, **wishes)

    more = [shop("new")] if version == "2" else []
    first = "first" if (case, version) == ("migrated", "2") else "a"
    question: Any = shop("b", requires_approval=True)
    if case == "in_a_loop":
        question = Repeat([shop("x"), question], until="turn == 1", task_id="loop")
    return [shop(first), question, *more, shop("c")]


async def first_run(folder: Path, case: str, commit: int, when: When) -> None:
    begun = Desk(folder, tasks_of(case, "1"), "1")
    await begun.runs.execute("order", thread_id=THREAD)
    begun.runs.close()
    kill_at(commit, when)
    desk = Desk(folder, tasks_of(case, "2"), "2")
    await desk.follow(case)
    desk.runs.close()


async def second_run(folder: Path, case: str, commit: int, when: When) -> Finding:
    """Sweep, and do again whatever the first may not have done; nothing may happen twice."""
    let_the_lease_run_out(folder)
    desk = Desk(folder, tasks_of(case, "2"), "2")
    async with desk.runs:
        upgraded = len(await desk.runs.upgrades(THREAD))
        if case != "migrated" or upgraded:
            await desk.runs.approvals.sweep()
        if upgraded:  # a run that died in the middle is resumed by somebody
            await desk.runs.resume(THREAD)
        await desk.follow(case)
        if case == "migrated":  # its answer may have been recorded by whom was killed
            await desk.runs.resume(THREAD)
        return await desk.finding(case, when, commit, upgraded)


def kill_everywhere(case: str, folder: Path, when: When) -> None:
    """Kill at the first commit, the second and so on, until a process ends before it dies."""
    group_commit.LARGEST_BATCH = 1  # type: ignore[misc]  # every write is a commit
    for commit in count(1):
        place = folder / case / f"{when}-{commit}"
        place.mkdir(parents=True)
        code = in_child(partial(first_run, place, case, commit, when), place / "first.json")
        if code == 0:
            return
        if code != -signal.SIGKILL:
            raise SystemExit((place / "first.json").read_text())
        if in_child(partial(second_run, place, case, commit, when), place / "second.json") != 0:
            raise SystemExit(f"{case} {when} {commit}: {(place / 'second.json').read_text()}")
        os.write(1, (place / "second.json").read_bytes() + b"\n")


def main(folder: Path) -> None:
    """Do all cases, those killed before a commit beside those killed after it."""
    gc.freeze()  # what is there at the fork need not be collected in each child
    other = os.fork()
    when: When = "before" if other else "after"
    for case in CASES:
        kill_everywhere(case, folder, when)
    if other and os.waitstatus_to_exitcode(os.waitpid(other, 0)[1]):
        raise SystemExit("the other half failed")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
