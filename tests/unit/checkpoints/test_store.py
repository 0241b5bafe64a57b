from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from langgraph.store.base import BaseStore, GetOp, PutOp
from langgraph.store.sqlite import SqliteStore

from checkpoints import sqlite_store
from checkpoints.database import Database, connect, open_database
from checkpoints.sqlite_store import ThreadedSqliteStore


@pytest.fixture(params=["sqlite", "memory"])
def store(request: pytest.FixtureRequest, file: Path) -> BaseStore:
    if request.param == "memory":
        return open_database("memory://").store
    database: Database = request.getfixturevalue("database")
    return database.store


def test_what_is_put_is_found(store: BaseStore) -> None:
    store.put(("users", "kim"), "likes", {"seat": "aisle"})
    store.put(("users", "lee"), "likes", {"seat": "window"})
    found = store.get(("users", "kim"), "likes")
    assert found is not None
    assert found.value == {"seat": "aisle"}
    assert {item.namespace for item in store.search(("users",))} == {
        ("users", "kim"),
        ("users", "lee"),
    }
    matching = store.search(("users",), filter={"seat": "window"})
    assert [item.namespace for item in matching] == [("users", "lee")]
    store.delete(("users", "kim"), "likes")
    assert store.get(("users", "kim"), "likes") is None


async def test_the_same_goes_without_blocking_the_loop(store: BaseStore) -> None:
    await asyncio.gather(*[store.aput(("n",), str(number), {"n": number}) for number in range(20)])
    found = await store.aget(("n",), "7")
    assert found is not None
    assert found.value == {"n": 7}
    assert len(await store.asearch(("n",), limit=50)) == 20
    await store.adelete(("n",), "7")
    assert await store.aget(("n",), "7") is None


def test_the_store_serves_one_event_loop_after_another(database: Database) -> None:
    asyncio.run(database.store.aput(("n",), "k", {"v": 1}))
    found = asyncio.run(database.store.aget(("n",), "k"))
    assert found is not None
    assert found.value == {"v": 1}


def test_what_is_stored_outlives_the_process(database: Database, file: Path) -> None:
    database.store.put(("n",), "k", {"v": 1})
    database.close()
    again = open_database(f"sqlite:///{file}")
    found = again.store.get(("n",), "k")
    again.close()
    assert found is not None
    assert found.value == {"v": 1}


class Interrupted(ThreadedSqliteStore):
    """A store where another process writes between this one's reads and its writes."""

    def __init__(self, file: Path) -> None:
        self.other = SqliteStore(connect(file))
        super().__init__(connect(file))
        self.setup()

    def _batch_get_ops(
        self,
        get_ops: Sequence[tuple[int, GetOp]],
        results: list[Any],
        cur: Any,  # noqa: ANN401
    ) -> None:
        super()._batch_get_ops(get_ops, results, cur)
        self.other.conn.execute("PRAGMA busy_timeout = 0")
        if not _must_wait(self.other):
            self.other.put(("n",), "other", {"v": 2})


def _must_wait(other: SqliteStore) -> bool:
    """Whether somebody holds the write lock."""
    try:
        other.conn.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return True
    other.conn.execute("ROLLBACK")
    return False


def test_a_batch_that_reads_and_writes_survives_another_writer(file: Path) -> None:
    store = Interrupted(file)
    try:
        store.batch([GetOp(("n",), "mine"), PutOp(("n",), "mine", {"v": 1})])
        found = store.get(("n",), "mine")
    finally:
        store.conn.close()
        store.other.conn.close()
    assert found is not None


def test_a_set_up_that_was_killed_half_way_can_be_finished(
    database: Database, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.store.put(("n",), "k", {"v": 1})
    connection = connect(file)
    connection.execute("DELETE FROM store_migrations WHERE v >= 2")  # the columns are there
    connection.close()
    monkeypatch.setattr(sqlite_store, "SETUP_SECONDS", 0.1)
    again = open_database(f"sqlite:///{file}")
    begun = time.monotonic()
    try:
        assert again.store.get(("n",), "k") is not None
    finally:
        again.close()
    assert time.monotonic() - begun < 10
