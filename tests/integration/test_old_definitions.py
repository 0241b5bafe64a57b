"""Threads of every released definition under `examples/` go on under the definition as it is.

Each recording is of a process that died, or of a run that waits, at the version in its name; see
`tests/fixtures/definitions/record.py` for how to record another.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from orchestration import SimpleCoordinator, UpgradeError, WorkflowRegistry, WorkflowResult
from state.task import Task
from tests.fixtures.definitions.record import HERE, THREAD, Team, definitions, workflow_of

HOW = (
    "give a changed definition a new version, and record a thread of that: see "
    "tests/fixtures/definitions/record.py"
)
DAY = 86400.0


class Recorded(NamedTuple):
    """A thread of one version of one definition."""

    file: str
    version: str
    calls: list[list[str]]
    refused: str | None = None
    """Words of the refusal, where the definition has changed too much since."""

    @property
    def name(self) -> str:
        return f"{self.file}@{self.version}"


def all_recorded() -> list[Recorded]:
    return [Recorded(**json.loads(each.read_text())) for each in sorted(HERE.glob("*.json"))]


class Site:
    """The database as it was left, and the definition as it is now."""

    def __init__(self, recorded: Recorded, folder: Path) -> None:
        self.database = folder / "threads.db"
        with closing(sqlite3.connect(self.database)) as connection:
            connection.executescript((HERE / f"{recorded.name}.sql").read_text())
        self.team = Team(calls=[*recorded.calls])
        registry = self.team.registry()
        workflows = WorkflowRegistry()
        (file,) = (each for each in definitions() if each.name == recorded.file)
        self.workflow = workflows.register(workflow_of(file, registry))
        self.later = 0.0
        self.runs = SimpleCoordinator(
            registry=registry,
            database_url=f"sqlite:///{self.database}?synchronous=NORMAL",
            workflows=workflows,
            clock=lambda: time.time() + self.later,
        )

    def last_task(self) -> Task:
        return self.workflow.tasks[-1]

    def change(self, tasks: Sequence[Task]) -> None:
        """Let the definition have other tasks, and the version that it had."""
        self.runs.workflows.register(replace(self.workflow, tasks=tasks), replace=True)

    async def go_on(self) -> WorkflowResult:
        """Resume the thread, with a yes and a signal to all that it asks for."""
        result = await self.runs.resume(THREAD)
        for who in ("ivan", "frank"):
            for each in await self.runs.approvals.list_pending():
                roles = ["manager", "finance-lead"]
                await self.runs.approvals.decide(each.request_id, "approve", by=who, roles=roles)
        for each in await self.runs.approvals.list_pending(waits=True):
            if each.kind == "signal":
                await self.runs.signal(THREAD, each.action, {"amount": 5}, by="bank")
        return await self.runs.resume(THREAD) if result.interrupts else result


def test_every_definition_is_recorded_at_its_version() -> None:
    registry = Team().registry()
    wanted = {f"{each.name}@{workflow_of(each, registry).version}" for each in definitions()}
    missing = wanted - {each.name for each in all_recorded()}
    assert not missing, f"{sorted(missing)} have no recording; {HOW}"


@pytest.mark.parametrize("recorded", all_recorded(), ids=lambda each: each.name)
async def test_it_goes_on_under_the_definition_as_it_is(recorded: Recorded, tmp_path: Path) -> None:
    site = Site(recorded, tmp_path)
    async with site.runs:
        if recorded.refused is not None:
            with pytest.raises(UpgradeError, match=recorded.refused):
                await site.go_on()
            return
        try:
            result = await site.go_on()
        except UpgradeError as error:
            pytest.fail(f"{error}\n\n{HOW}")
        for upgrade in await site.runs.upgrades(THREAD):
            lines = "\n".join(upgrade.differences)
            same = upgrade.old_version == upgrade.new_version
            assert not same, (
                f"{recorded.file} changed and is still {recorded.version}:\n{lines}\n{HOW}"
            )
    assert str(result.status) == "completed", [each.as_json() for each in result]
    begun, again = recorded.calls, [key for _, key in site.team.calls[len(recorded.calls) :]]
    assert len({*again}) == len(again), "nothing is done twice"
    finished = {key for _, key in begun[:-1]}
    assert not finished & {*again}, "what was finished is not done again"


async def test_a_change_without_a_version_would_be_found(tmp_path: Path) -> None:
    site = Site(waiting(), tmp_path)
    last = replace(site.last_task(), task_id="last")
    site.change([*site.workflow.tasks, last])
    async with site.runs:
        await site.go_on()
        (upgrade,) = await site.runs.upgrades(THREAD)
    assert upgrade.old_version == upgrade.new_version


async def test_a_change_that_no_thread_can_follow_would_be_found(tmp_path: Path) -> None:
    site = Site(waiting(), tmp_path)
    site.change([*site.workflow.tasks[:-1], replace(site.last_task(), task_id="last")])
    async with site.runs:
        with pytest.raises(UpgradeError, match="give every change a new one"):
            await site.go_on()


def waiting() -> Recorded:
    (recorded,) = (each for each in all_recorded() if each.file == "payment_received.yaml")
    return recorded
