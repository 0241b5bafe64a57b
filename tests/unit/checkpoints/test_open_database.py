from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from checkpoints.database import (
    BUSY_SECONDS,
    DEFAULT_URL,
    URL_VARIABLE,
    Database,
    connect,
    database_url,
    open_database,
)
from checkpoints.group_commit import GroupCommitWriter
from checkpoints.sqlite_saver import GroupCommitSqliteSaver
from state.errors import DatabaseError

FULL, NORMAL = 2, 1


def writer_of(database: Database) -> GroupCommitWriter:
    assert isinstance(database.checkpointer, GroupCommitSqliteSaver)
    return database.checkpointer._writer


def pragma(database: Database, name: str) -> object:
    """Read a setting of the very connection that writes."""
    future = writer_of(database).submit(lambda c: c.execute(f"PRAGMA {name}").fetchone()[0])
    return future.result(10)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://user:hush@host/db", "'postgresql' is not supported .Postgres is planned"),
        ("mysql://host/db", "'mysql' is not supported; use 'sqlite:///path/to/file.db'"),
        ("runs.db", "'runs.db' is not supported"),
        ("sqlite:///", "names no file; use 'memory://'"),
        ("sqlite:///:memory:", "names no file; use 'memory://'"),
        ("sqlite:///x.db?synchronous=OFF", "option 'synchronous=OFF' is unknown"),
        ("sqlite:///x.db?mode=ro", "option 'mode=ro' is unknown; use synchronous=FULL"),
        ("sqlite:///x.db?synchronous", "option 'synchronous' is unknown"),
    ],
)
def test_a_bad_url_says_what_to_write_instead(url: str, message: str) -> None:
    with pytest.raises(DatabaseError, match=message) as refused:
        open_database(url)
    assert "hush" not in str(refused.value)


def test_the_url_comes_from_the_caller_then_the_environment_then_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(URL_VARIABLE, raising=False)
    assert database_url() == DEFAULT_URL
    monkeypatch.setenv(URL_VARIABLE, "memory://")
    assert database_url() == "memory://"
    assert database_url("sqlite:///x.db") == "sqlite:///x.db"


def test_the_folder_of_a_new_file_is_made(tmp_path: Path) -> None:
    file = tmp_path / "some" / "where" / "runs.db"
    open_database(f"sqlite:///{file}").close()
    assert file.exists()


def test_a_relative_path_starts_at_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    open_database("sqlite:///near/runs.db").close()
    assert (tmp_path / "near" / "runs.db").exists()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("Dear all, " * 1000)
    with pytest.raises(DatabaseError, match=r"cannot use .*letter\.txt"):
        open_database(f"sqlite:///{file}")
    assert file.read_text().startswith("Dear all")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="cannot use"):
        open_database(f"sqlite:///{tmp_path}")


@pytest.mark.parametrize(
    ("query", "synchronous"),
    [("", FULL), ("?synchronous=FULL", FULL), ("?synchronous=normal", NORMAL)],
)
def test_the_writing_connection_is_as_safe_as_asked_for(
    file: Path, query: str, synchronous: int
) -> None:
    database = open_database(f"sqlite:///{file}{query}")
    assert pragma(database, "synchronous") == synchronous
    assert pragma(database, "journal_mode") == "wal"
    assert pragma(database, "busy_timeout") == BUSY_SECONDS * 1000
    database.close()


def test_memory_is_not_durable_and_a_file_is(database: Database) -> None:
    memory = open_database("memory://")
    assert (memory.durable, database.durable) == (False, True)
    memory.close()


def test_closing_twice_is_no_error(database: Database) -> None:
    database.close()
    database.close()


def test_a_writer_waits_for_another_process_instead_of_failing(
    database: Database, file: Path
) -> None:
    other = connect(file)
    other.execute("BEGIN IMMEDIATE")
    waiting = writer_of(database).submit(lambda c: c.execute("SELECT 1").fetchone())
    with pytest.raises(TimeoutError):
        waiting.result(0.2)
    other.execute("COMMIT")
    assert waiting.result(10) == (1,)
    other.close()


def test_readers_do_not_wait_for_a_writer(database: Database, file: Path) -> None:
    other = connect(file)
    other.execute("BEGIN IMMEDIATE")
    assert database.checkpointer.get_tuple({"configurable": {"thread_id": "t"}}) is None
    other.execute("ROLLBACK")
    other.close()


def test_an_old_file_without_our_table_is_completed(file: Path) -> None:
    before = sqlite3.connect(file)
    before.execute("CREATE TABLE kept (x)")
    before.commit()
    before.close()
    open_database(f"sqlite:///{file}").close()
    after = sqlite3.connect(file)
    names = {name for (name,) in after.execute("SELECT name FROM sqlite_master")}
    after.close()
    assert names >= {"kept", "checkpoints", "writes", "orchestration_threads"}
