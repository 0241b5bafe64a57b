from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import URL, create_engine, inspect, text
from sqlalchemy.exc import DBAPIError

from checkpoints import migrate
from checkpoints.approval_tables import METADATA
from checkpoints.database import connect, open_database
from checkpoints.migrate import NEWEST, VERSION_TABLE, is_current, migrate_postgres
from orchestration import AgentRegistry, AgentSpec, AgentTask, SimpleCoordinator
from state.errors import DatabaseError, UnknownSignalError
from state.status import WorkflowStatus

PROCESSES = Path(__file__).with_name("forked_processes.py")
FIRST_SCHEMA = """
CREATE TABLE IF NOT EXISTS orchestration_threads (
    thread_id TEXT PRIMARY KEY,
    schema_version INTEGER NOT NULL,
    run_id TEXT NOT NULL,
    plan TEXT NOT NULL,
    signature TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    lease_token INTEGER NOT NULL,
    lease_holder TEXT,
    lease_expires_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS orchestration_threads_by_update
    ON orchestration_threads (updated_at DESC);
"""
"""As the first version made it, which had no migrations."""
OF_TRAFFIC = ("endpoint_states", "switches", "assignments", "dispatches", "calls")
LAST_INDEX = "orchestration_approval_audit_by_thread"
IN_THE_WAY = f"CREATE TABLE {LAST_INDEX} (number INTEGER)"
"""Fails a migration after it has made tables."""


def registry_of(done: list[dict[str, Any]]) -> AgentRegistry:
    async def finance(given: dict[str, Any]) -> dict[str, Any]:
        done.append(given)
        return {"expense_id": 1}

    registry = AgentRegistry()
    registry.register(AgentSpec("finance", handler=finance))
    return registry


def tables_of(file: Path) -> dict[str, str]:
    with closing(sqlite3.connect(file)) as connection:
        return dict(
            connection.execute(
                "SELECT name, sql FROM sqlite_master WHERE name LIKE 'orchestration%'"
            ).fetchall()
        )


def test_newest_is_the_head_of_the_migrations() -> None:
    folder = Path(migrate.__file__).with_name("migrations")
    assert ScriptDirectory(folder).get_heads() == [NEWEST]


def test_a_new_database_is_current_and_opening_it_again_changes_nothing(file: Path) -> None:
    open_database(f"sqlite:///{file}").close()
    with closing(connect(file)) as connection:
        assert is_current(connection)
    before = tables_of(file)
    open_database(f"sqlite:///{file}").close()
    assert tables_of(file) == before


def test_the_migrations_make_the_tables_that_the_ledger_works_with(file: Path) -> None:
    open_database(f"sqlite:///{file}").close()
    engine = create_engine(f"sqlite:///{file}")
    made = inspect(engine)
    for name, table in METADATA.tables.items():
        columns = {each["name"]: each["nullable"] for each in made.get_columns(name)}
        assert columns == {each.name: each.nullable for each in table.columns}
        indexes = {each["name"] for each in made.get_indexes(name)}
        assert indexes == {each.name for each in table.indexes}
    engine.dispose()


# -- a database of the first version ----------------------------------------------------


@pytest.fixture
async def old_file(file: Path) -> Path:
    """A database as the first version left it: a thread paused under a plan of schema 1."""
    tasks = [AgentTask("finance", {"amount": 5}, requires_approval=True)]
    async with SimpleCoordinator(
        registry=registry_of([]), database_url=f"sqlite:///{file}"
    ) as coordinator:
        paused = await coordinator.execute_sequential(tasks, thread_id="old")
    assert paused.status == WorkflowStatus.INTERRUPTED
    with closing(sqlite3.connect(file)) as connection:
        for name, kind in _own(connection):
            if name not in {"orchestration_threads", "orchestration_threads_by_update"}:
                connection.execute(f"DROP {kind} IF EXISTS {name}")
        connection.execute("CREATE TEMP TABLE kept AS SELECT * FROM orchestration_threads")
        connection.execute("DROP TABLE orchestration_threads")
        connection.executescript(FIRST_SCHEMA)
        columns = [row[1] for row in connection.execute("PRAGMA table_info(orchestration_threads)")]
        names = ", ".join(columns)
        connection.execute(f"INSERT INTO orchestration_threads ({names}) SELECT {names} FROM kept")  # noqa: S608  a constant
        (stored,) = connection.execute("SELECT plan FROM orchestration_threads").fetchone()
        plan = json.loads(stored)
        plan["schema"] = 1
        plan["tasks"]["finance"]["approval"] = True
        connection.execute(
            "UPDATE orchestration_threads SET plan = ?, schema_version = 1", [json.dumps(plan)]
        )
        connection.commit()
    return file


def _own(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """What this project made beside LangGraph's tables, triggers first."""
    return connection.execute(
        "SELECT name, type FROM sqlite_master "
        "WHERE name LIKE 'orchestration%' ORDER BY type = 'table', type"
    ).fetchall()


@pytest.mark.parametrize("answer", ["approve", "reject"])
async def test_a_thread_of_the_first_version_can_be_answered(old_file: Path, answer: str) -> None:
    done: list[dict[str, Any]] = []
    assert set(tables_of(old_file)) == {"orchestration_threads", "orchestration_threads_by_update"}
    async with SimpleCoordinator(
        registry=registry_of(done), database_url=f"sqlite:///{old_file}"
    ) as coordinator:
        result = await coordinator.resume("old", {"finance": answer}, by="Ann")
    expected = {"approve": WorkflowStatus.COMPLETED, "reject": WorkflowStatus.REJECTED}[answer]
    assert (result.status, len(done)) == (expected, answer == "approve")


async def test_a_question_of_the_first_version_reaches_the_inbox(old_file: Path) -> None:
    done: list[dict[str, Any]] = []
    async with SimpleCoordinator(
        registry=registry_of(done), database_url=f"sqlite:///{old_file}"
    ) as coordinator:
        inbox = coordinator.approvals
        assert await inbox.list_pending() == []
        await inbox.sweep()
        (request,) = await inbox.list_pending()
        assert (request.kind, request.task_id) == ("approval", "finance")
        edited = {"name": "finance", "args": {"amount": 4}}
        decision = {"type": "edit", "edited_action": edited}
        decided = await inbox.decide(request.request_id, decision, by="Ann")
    assert decided.result is not None
    assert (decided.result.status, done) == (WorkflowStatus.COMPLETED, [{"amount": 4}])


async def test_a_migrated_database_is_like_a_new_one(old_file: Path, tmp_path: Path) -> None:
    open_database(f"sqlite:///{old_file}").close()
    new_file = tmp_path / "new.db"
    open_database(f"sqlite:///{new_file}").close()
    assert set(tables_of(old_file)) == set(tables_of(new_file))
    with closing(sqlite3.connect(old_file)) as old, closing(sqlite3.connect(new_file)) as new:
        for name, kind in _own(new):
            if kind == "table":
                info = f"PRAGMA table_info({name})"
                assert len(old.execute(info).fetchall()) == len(new.execute(info).fetchall())


async def test_a_database_from_before_there_were_signals_keeps_its_rows(file: Path) -> None:
    done: list[dict[str, Any]] = []
    tasks = [AgentTask("finance", {"amount": 5}, requires_approval=True), AgentTask("finance")]
    url = f"sqlite:///{file}"
    async with SimpleCoordinator(registry=registry_of(done), database_url=url) as coordinator:
        await coordinator.execute_sequential(tasks, thread_id="old")
        before = await coordinator.approvals.list_pending()
    with closing(sqlite3.connect(file)) as connection:
        for table in ("signals", "turns", "upgrades", "spending", "events", *OF_TRAFFIC):
            connection.execute(f"DROP TABLE orchestration_{table}")
        for column in ("definition_name", "definition_version"):
            connection.execute(f"ALTER TABLE orchestration_threads DROP COLUMN {column}")
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '0005'")  # noqa: S608  a constant
        connection.commit()
    async with SimpleCoordinator(registry=registry_of(done), database_url=url) as coordinator:
        assert await coordinator.approvals.list_pending() == before
        assert await coordinator.approvals.signals("old") == []
        with pytest.raises(UnknownSignalError, match="it waits for none"):
            await coordinator.signal("old", "paid")
        result = await coordinator.resume("old", {"finance": "approve"}, by="Ann")
    assert (result.status, len(done)) == (WorkflowStatus.COMPLETED, 2)


@pytest.mark.parametrize("state", ["new", "old"])
def test_several_processes_migrate_one_database_at_once(
    state: str, file: Path, request: pytest.FixtureRequest
) -> None:
    if state == "old":
        with closing(sqlite3.connect(file)) as connection:
            connection.executescript(FIRST_SCHEMA)
    done = subprocess.run(
        [sys.executable, PROCESSES, file, "open", "6"],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("", "")
    with closing(connect(file)) as connection:
        assert is_current(connection)


# -- what cannot be ---------------------------------------------------------------------


def test_a_newer_schema_is_refused_and_left_alone(file: Path) -> None:
    open_database(f"sqlite:///{file}").close()
    with closing(connect(file)) as connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")  # noqa: S608  a constant
    with pytest.raises(DatabaseError, match=rf"schema '9999'.*up to '{NEWEST}'; update"):
        open_database(f"sqlite:///{file}")
    with closing(connect(file)) as connection:
        (version,) = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()  # noqa: S608  a constant
        assert version == "9999"
        connection.execute("BEGIN IMMEDIATE")  # nobody holds it


def test_a_migration_that_fails_leaves_the_database_as_it_was(file: Path) -> None:
    with closing(connect(file)) as connection:
        connection.executescript(FIRST_SCHEMA)
        connection.execute(IN_THE_WAY)
    before = tables_of(file)
    with pytest.raises(DatabaseError, match=f"cannot use .*{LAST_INDEX}"):
        open_database(f"sqlite:///{file}")
    assert tables_of(file) == before
    with closing(connect(file)) as connection:
        connection.execute(f"DROP TABLE {LAST_INDEX}")
    open_database(f"sqlite:///{file}").close()


# -- Postgres ---------------------------------------------------------------------------


@pytest.fixture
def empty_postgres(postgres_database: URL) -> URL:
    engine = create_engine(postgres_database)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return postgres_database


async def test_the_same_migrations_run_on_postgres_from_several_places_at_once(
    empty_postgres: URL,
) -> None:
    engines = [create_engine(empty_postgres) for _ in range(4)]
    await asyncio.gather(*[asyncio.to_thread(migrate_postgres, engine) for engine in engines])
    with engines[0].connect() as connection:
        names = inspect(connection).get_table_names()
        assert {*METADATA.tables, "orchestration_threads", VERSION_TABLE} <= set(names)
        versions = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).all()  # noqa: S608  a constant
        assert [tuple(row) for row in versions] == [(NEWEST,)]
    for engine in engines:
        engine.dispose()


def test_a_newer_schema_is_refused_on_postgres_too(postgres_database: URL) -> None:
    engine = create_engine(postgres_database)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))  # noqa: S608  a constant
    with pytest.raises(DatabaseError, match="schema '9999'"):
        migrate_postgres(engine)
    engine.dispose()


def test_a_migration_that_fails_leaves_postgres_as_it_was(empty_postgres: URL) -> None:
    engine = create_engine(empty_postgres)
    with engine.begin() as connection:
        connection.execute(text(IN_THE_WAY))
    with pytest.raises(DBAPIError, match=LAST_INDEX):
        migrate_postgres(engine)
    with engine.connect() as connection:
        assert inspect(connection).get_table_names() == [LAST_INDEX]
    engine.dispose()
