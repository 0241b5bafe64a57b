"""Threads of every version that ever wrote any, gone on with by this one.

The dumps are in `tests/fixtures/threads`, each with a JSON file that says what must happen
to it; new ones are found by themselves. See `record.py` there for how they were made.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

import orchestration
from checkpoints.database import open_database
from checkpoints.migrate import NEWEST
from orchestration import (
    AgentTask,
    SimpleCoordinator,
    ThreadFinishedError,
    Workflow,
    WorkflowRegistry,
)
from state.errors import DatabaseError, EncryptionError, NewerPlanError
from state.plan_document import PLAN_SCHEMA
from state.result import WorkflowResult
from tests.fixtures.threads.recorded import Recorded, Standing, all_recorded
from tests.fixtures.threads.world import World

ALL = all_recorded()
SOURCE = "SELECT * FROM {table} ORDER BY 1, 2, 3"
KEPT = ("checkpoints", "writes")
"""Tables that nothing but a run may change."""
ORDER = [AgentTask("tickets"), AgentTask("finance", {"amount": 5}, requires_approval=True)]
RELEASES = {
    "same": [*ORDER, AgentTask("mail")],
    "compatible": [*ORDER, AgentTask("mail"), AgentTask("mail", task_id="new")],
    "incompatible": ORDER,
}
"""Version 2 of the workflow that some threads began with."""


@dataclass
class Old:
    """A recorded thread in a file of its own, and the world as it was."""

    recorded: Recorded
    file: Path
    world: World

    @property
    def url(self) -> str:
        return f"sqlite:///{self.file}?synchronous=NORMAL"

    @property
    def thread(self) -> str:
        return self.recorded.thread

    def open(self) -> SimpleCoordinator:
        later = self.recorded.expects.get("later_seconds", 0)
        workflows = WorkflowRegistry()
        if release := self.recorded.expects.get("release"):
            workflows.register(Workflow("order", "2", RELEASES[release]))
        return SimpleCoordinator(
            registry=self.world.registry(),
            database_url=self.url,
            workflows=workflows,
            clock=lambda: time.time() + later,
        )

    async def go_on(self, coordinator: SimpleCoordinator, thread: str) -> WorkflowResult:
        """Resume it with what the expectation answers."""
        expects = self.recorded.expects
        if expects.get("asks_later"):
            await coordinator.resume(thread)
        return await coordinator.resume(
            thread,
            expects.get("answers"),
            by=expects.get("by"),
            roles=expects.get("roles", ()),
        )

    def called(self) -> list[str]:
        return [task for task, _ in self.world.calls]

    def rows(self) -> dict[str, list[tuple[object, ...]]]:
        with closing(sqlite3.connect(self.file)) as connection:
            return {
                table: connection.execute(SOURCE.format(table=table)).fetchall() for table in KEPT
            }


def named(recorded: Recorded) -> str:
    return recorded.name


def only(condition: Callable[[Recorded], object]) -> pytest.MarkDecorator:
    """The recorded threads for which it holds."""
    return pytest.mark.parametrize(
        "old", [each for each in ALL if condition(each)], ids=named, indirect=True
    )


@pytest.fixture
def old(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Old:
    recorded: Recorded = request.param
    file = tmp_path / "threads.db"
    recorded.load(file)
    if key := recorded.expects.get("encryption_key"):
        monkeypatch.setenv("ORCHESTRATION_ENCRYPTION_KEY", key)
    return Old(recorded, file, World(effects={**recorded.expects["recorded_effects"]}))


def standing(result: WorkflowResult, like: Standing) -> Standing:
    """How a result stands, in the words of an expectation."""
    found: Standing = {
        "status": str(result.status),
        "tasks": {task.task_id: str(task.status) for task in result},
    }
    if "attempts" in like:
        found["attempts"] = {id_: result[id_].attempts for id_ in like["attempts"]}
    return found


def test_every_schema_that_was_ever_persisted_is_recorded() -> None:
    facts = [each.expects["recorded"] for each in ALL]
    assert {each["plan_schema"] for each in facts} == set(range(1, PLAN_SCHEMA + 1))
    older = {f"{number:04}" for number in range(2, int(NEWEST) + 1)}  # 0001 never came alone
    assert {each["migration"] for each in facts} == {None, *older}


@only(lambda _: True)
async def test_it_migrates_and_is_shown_as_it_was(old: Old) -> None:
    before, shows = old.rows(), old.recorded.expects["shows"]
    async with old.open() as coordinator:
        record, result = await coordinator.inspect(old.thread)
        assert standing(result, shows) == shows
        assert old.thread in [each.thread_id for each in await coordinator.threads()]
        assert record.plan.document["schema"] == old.recorded.expects["recorded"]["plan_schema"]
        await coordinator.timeline(old.thread)
    assert old.world.calls == []
    assert old.rows() == before, "looking at a thread changes nothing"
    with closing(sqlite3.connect(old.file)) as connection:
        assert connection.execute("SELECT * FROM orchestration_schema").fetchall() == [(NEWEST,)]
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@only(lambda each: "ends" in each.expects)
async def test_it_goes_on_to_its_end_and_repeats_nothing(old: Old) -> None:
    expects = old.recorded.expects
    async with old.open() as coordinator:
        result = await old.go_on(coordinator, old.thread)
        assert standing(result, expects["ends"]) == expects["ends"]
        assert old.called() == expects["calls"]
        again = await coordinator.resume(old.thread)
        assert standing(again, expects["ends"]) == expects["ends"]
        assert old.called() == expects["calls"], "a finished run calls nobody"
        if "said" in expects:
            messages = await coordinator.history(old.thread)
            assert [each.message["content"] for each in messages] == expects["said"]


@only(lambda each: "begun" in each.expects)
async def test_what_had_begun_is_called_again_under_the_same_key(old: Old) -> None:
    expects = old.recorded.expects
    async with old.open() as coordinator:
        await old.go_on(coordinator, old.thread)
    last = {task: key for task, key in expects["recorded_calls"]}  # noqa: C416  pairs are lists
    assert {task: key for task, key in old.world.calls if task in expects["begun"]} == {
        task: last[task] for task in expects["begun"]
    }
    kept = expects["recorded_effects"].items()
    assert kept <= old.world.effects.items(), "what had taken effect did so once"


@only(lambda each: not each.is_finished and "thread" not in each.expects)
async def test_it_can_be_cancelled_and_then_begins_nothing(old: Old) -> None:
    undone = {task for task, key in old.recorded.expects["recorded_calls"]}
    async with old.open() as coordinator:
        result = await coordinator.cancel(old.thread, by="ann")
        assert result is not None
        assert str(result.status) in {"cancelled", "failed"}
        assert not [task for task in result if str(task.status) == "pending"]
        assert set(old.called()) <= undone, "a task began although the run was cancelled"
        assert all(key.endswith(":compensate") for _, key in old.world.calls)
        with pytest.raises(ThreadFinishedError):
            await coordinator.cancel(old.thread)


@only(lambda each: each.is_finished)
async def test_what_is_over_is_not_cancelled_and_takes_new_tasks(old: Old) -> None:
    async with old.open() as coordinator:
        with pytest.raises(ThreadFinishedError):
            await coordinator.cancel(old.thread)
        task = orchestration.AgentTask("mail")
        result = await coordinator.execute_sequential([task], thread_id=old.thread)
    assert str(result.status) == "completed"
    assert old.called() == ["mail"]


@only(lambda each: "ends" in each.expects and not each.is_fork and "waits" not in each.expects)
async def test_a_fork_does_again_only_what_had_not_succeeded(old: Old) -> None:
    before, old.world.calm = old.rows(), True
    async with old.open() as coordinator:
        await coordinator.fork(old.thread, new_thread_id="copy")
        _, seeded = await coordinator.inspect("copy")
        kept = {task.task_id for task in seeded if task.succeeded}
        result = await coordinator.resume("copy")
        for who in ("bob", "eve"):  # everything that was approved is asked again
            if result.interrupts:
                answers = {each.task_id: "approve" for each in result.interrupts}
                result = await coordinator.resume("copy", answers, by=who, roles=["boss"])
        assert str(result.status) == old.recorded.expects.get("fork_ends", "completed")
        assert not kept & set(old.called())
        _, original = await coordinator.inspect(old.thread)
        shows = old.recorded.expects["shows"]
        assert standing(original, shows) == shows
    keys = {key for _, key in old.recorded.expects["recorded_calls"]}
    assert not keys & {key for _, key in old.world.calls}, "a fork has keys of its own"
    untouched = {
        table: [row for row in rows if row[0] != "copy"] for table, rows in old.rows().items()
    }
    assert untouched == before


@only(lambda each: "refused" in each.expects)
async def test_what_cannot_go_on_is_refused_and_loses_nothing(old: Old) -> None:
    refusal, before = old.recorded.expects.get("refused"), old.rows()
    assert refusal is not None
    async with old.open() as coordinator:
        for _ in range(2):
            with pytest.raises(getattr(orchestration, refusal["error"]), match=refusal["match"]):
                await coordinator.resume(old.thread)
        shows = old.recorded.expects["shows"]
        assert standing((await coordinator.inspect(old.thread))[1], shows) == shows
    assert old.world.calls == []
    assert old.rows() == before


# -- what no version here can read ------------------------------------------------------


@only(lambda each: "encryption_key" in each.expects)
@pytest.mark.parametrize("key", [None, "ff" * 16])
def test_without_its_key_an_encrypted_database_is_refused(
    old: Old, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    before = old.rows()
    if key is None:
        monkeypatch.delenv("ORCHESTRATION_ENCRYPTION_KEY")
    else:
        monkeypatch.setenv("ORCHESTRATION_ENCRYPTION_KEY", key)
    with pytest.raises(EncryptionError):
        open_database(old.url)
    assert old.rows() == before


@only(lambda each: each.name.endswith("-asks"))
def test_a_database_of_a_later_version_is_refused(old: Old) -> None:
    open_database(old.url).close()
    with closing(sqlite3.connect(old.file)) as connection:
        connection.execute("UPDATE orchestration_schema SET version_num = '9999'")
        connection.commit()
    before = old.rows()
    with pytest.raises(DatabaseError, match="9999"):
        open_database(old.url)
    assert old.rows() == before


@only(lambda each: each.name.endswith("-asks"))
async def test_a_plan_of_a_later_version_is_refused(old: Old) -> None:
    with closing(sqlite3.connect(old.file)) as connection:
        connection.execute("UPDATE orchestration_threads SET plan = json_set(plan, '$.schema', 99)")
        connection.commit()
    before = old.rows()
    async with old.open() as coordinator:
        for answers in (None, {"finance": "approve"}):
            with pytest.raises(NewerPlanError, match="schema 99, and this version"):
                await coordinator.resume(old.thread, answers)
        with pytest.raises(NewerPlanError):
            await coordinator.inspect(old.thread)
        with pytest.raises(NewerPlanError):
            await coordinator.fork(old.thread)
        assert (await coordinator.approvals.sweep()).resumed == []
        assert [each.thread_id for each in await coordinator.threads()] == [old.thread]
    assert old.world.calls == []
    assert old.rows() == before
