"""Kill a process that waits, or sends a signal, right before or after its n-th commit.

Run as a program: `wait_crash.py FOLDER` prints one JSON line per kill. It does what is told
once, in a child that dies, and then again in another that finds whatever the first left.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypedDict

from checkpoints import group_commit
from checkpoints.approvals import STATUSES, Filter
from orchestration import AgentContext, AgentRegistry, AgentSpec, AgentTask, SimpleCoordinator
from orchestration import ThreadNotFoundError as NotFound
from orchestration.engines import signalling
from tests.faults.commit_crash import (
    LOADED,
    THREAD,
    Effects,
    When,
    in_child,
    kill_at,
    let_the_lease_run_out,
)
from tests.unit.orchestration.waits import DAY, run, timer
from tests.unit.orchestration.waits import signal as for_signal

NOON = 1_800_000_000.0
PRELOADED = (*LOADED, signalling)


class Finding(TypedDict):
    """What became of one wait whose process was killed once."""

    case: str
    when: When
    commit: int
    status: str
    effects: dict[str, int]
    outputs: dict[str, Any]
    requests: list[list[str]]
    """Kind and status of everything the thread asked."""
    signals: int
    unused: int


class Desk:
    """A coordinator whose clock is set by hand, and whose agent may send the signal itself."""

    def __init__(self, folder: Path, *, early: bool) -> None:
        self.now = NOON
        self._effects = Effects(folder)
        self._early = early
        registry = AgentRegistry()
        registry.register(AgentSpec("shop", handler=self._shop))
        url = f"sqlite:///{folder / 'runs.db'}?synchronous=NORMAL"  # only the process dies
        self.runs = SimpleCoordinator(registry=registry, database_url=url, clock=lambda: self.now)

    async def _shop(self, given: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        if self._early and context.task_id == "a":
            await self.pay()
        return await self._effects.shop(given, context)

    async def begin(self, wait: Any) -> None:  # noqa: ANN401  a `WaitDocument`
        tasks = [AgentTask("shop", task_id=name) for name in ("a", "pause", "b")]
        await run(self.runs, tasks, {"pause": wait}, THREAD)

    async def pay(self) -> None:
        await self.runs.signal(THREAD, "paid", {"amount": 5}, by="bank", signal_id="delivery")

    async def finding(self, case: str, when: When, commit: int) -> Finding:
        result = await self.runs.resume(THREAD)
        ledger = await self.runs.ledger()
        asked = await ledger.find(Filter(STATUSES, thread_id=THREAD))
        sent = await ledger.signals(THREAD)
        rows = self._effects.run("SELECT task, count(*) FROM effects GROUP BY task")
        return Finding(
            case=case,
            when=when,
            commit=commit,
            status=str(result.status),
            effects=dict(rows),
            outputs=dict(result.outputs),
            requests=[[each.kind, each.status] for each in asked],
            signals=len(sent),
            unused=sum(each.taken_for is None for each in sent),
        )


# -- the first process, which dies ------------------------------------------------------


async def pausing(desk: Desk, die: Callable[[], None]) -> None:
    """Die while the run comes to its wait for a signal."""
    die()
    await desk.begin(for_signal("paid"))


async def signalling_early(desk: Desk, die: Callable[[], None]) -> None:
    """Die while the run comes to its wait, for a signal that was sent before."""
    die()
    await desk.begin(for_signal("paid"))


async def signalling_late(desk: Desk, die: Callable[[], None]) -> None:
    """Die while the signal is recorded and the run goes on with it."""
    await desk.begin(for_signal("paid"))
    desk.runs.close()
    die()
    await desk.pay()


async def timing(desk: Desk, die: Callable[[], None]) -> None:
    """Die while the run comes to its wait for tomorrow."""
    die()
    await desk.begin(timer(DAY))


async def firing(desk: Desk, die: Callable[[], None]) -> None:
    """Die while a sweep lets the run go on."""
    await desk.begin(timer(DAY))
    desk.runs.close()
    die()
    desk.now += DAY
    await desk.runs.approvals.sweep()


CASES: dict[str, Callable[[Desk, Callable[[], None]], Coroutine[Any, Any, None]]] = {
    "pausing": pausing,
    "early": signalling_early,
    "late": signalling_late,
    "timing": timing,
    "firing": firing,
}
TIMERS = ("timing", "firing")


async def first_run(folder: Path, case: str, commit: int, when: When) -> None:
    desk = Desk(folder, early=case == "early")
    await CASES[case](desk, partial(kill_at, commit, when))
    desk.runs.close()


# -- the second, which goes on ----------------------------------------------------------


async def second_run(folder: Path, case: str, commit: int, when: When) -> Finding:
    """Do again whatever the first may not have done, and sweep; nothing may happen twice."""
    let_the_lease_run_out(folder)
    desk = Desk(folder, early=case == "early")
    desk.now += DAY / 2
    async with desk.runs:
        try:
            await desk.runs.inspect(THREAD)
        except NotFound:  # killed before anything was stored
            await desk.begin(timer(DAY) if case in TIMERS else for_signal("paid"))
        if case in TIMERS:
            await desk.runs.approvals.sweep()
            await desk.runs.resume(THREAD)
            desk.now += DAY + 1
            await desk.runs.approvals.sweep()
        else:
            await desk.pay()
            await desk.runs.approvals.sweep()
        return await desk.finding(case, when, commit)


# -- the parent -------------------------------------------------------------------------


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
