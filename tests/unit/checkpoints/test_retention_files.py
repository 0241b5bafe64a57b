"""Retention of SQLite files: bounded transactions, and space given back."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint

from checkpoints import retention_sql
from checkpoints.database import Database, connect, open_database
from checkpoints.group_commit import GroupCommitWriter
from checkpoints.retention import Vacuumed
from checkpoints.retention_sql import BATCH
from checkpoints.sqlite_saver import GroupCommitSqliteSaver
from checkpoints.sqlite_vacuum import vacuum
from state.errors import DatabaseError
from tests.unit.checkpoints.bench import Shop


def writer_of(database: Database) -> GroupCommitWriter:
    assert isinstance(database.checkpointer, GroupCommitSqliteSaver)
    return database.checkpointer._writer


async def fill(database: Database, thread_id: str, *, count: int, size: int = 10) -> None:
    """Save a chain of checkpoints."""
    config: RunnableConfig = {"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}}
    for number in range(count):
        checkpoint = empty_checkpoint()
        checkpoint["channel_values"] = {"text": f"{number} " + "x" * size}
        config = await database.checkpointer.aput(config, checkpoint, {}, {})
        config["configurable"]["checkpoint_id"] = checkpoint["id"]


def number_of(file: Path, sql: str) -> int:
    with closing(sqlite3.connect(file)) as connection:
        return int(connection.execute(sql).fetchone()[0])


def size_of(file: Path) -> int:
    return file.stat().st_size


@pytest.fixture
def quick(file: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{file}?synchronous=NORMAL")
    yield opened
    opened.close()


async def test_much_is_deleted_a_bounded_part_at_a_time(quick: Database, file: Path) -> None:
    await fill(quick, "t", count=2 * BATCH + 10)
    commits = writer_of(quick).commits
    removed = await quick.retention.prune(["t"])
    assert removed.checkpoints == 2 * BATCH + 9
    assert writer_of(quick).commits == commits + 3
    quick.close()


async def test_a_process_that_dies_between_two_parts_leaves_the_thread_whole(file: Path) -> None:
    shop = Shop(f"sqlite:///{file}?synchronous=NORMAL")
    await shop.buy("t", approval=True)
    database = await shop.database()
    saver = database.checkpointer
    latest = await saver.aget_tuple({"configurable": {"thread_id": "t"}})
    first = partial(
        retention_sql.prune_some,
        thread_id="t",
        keep=1,
        serde=saver.serde,
        guard=partial(retention_sql.check_deletable, thread_id="t", force=True),
    )
    removed = writer_of(database).submit(first).result(10)  # and nothing after it

    assert removed.checkpoints > 0
    again = await saver.aget_tuple({"configurable": {"thread_id": "t"}})
    assert latest is not None
    assert again is not None
    assert again.checkpoint == latest.checkpoint
    done = await shop.coordinator.resume("t", {"payer": "approve"})
    assert (done.status, shop.calls) == ("completed", ["buyer", "payer"])
    shop.close()


async def test_two_processes_prune_and_delete_the_same_threads(file: Path) -> None:
    first, second = (open_database(f"sqlite:///{file}?synchronous=NORMAL") for _ in range(2))
    for thread_id in "abcd":
        await fill(first, thread_id, count=30)
    removed = await asyncio.gather(
        *(each.retention.prune([*"abcd"]) for each in (first, second, first, second))
    )
    assert sum(each.checkpoints for each in removed) == 4 * 29
    deleted = await asyncio.gather(
        *(each.retention.delete(id_) for id_, each in zip("abcd", [first, second] * 2, strict=True))
    )
    assert [each.checkpoints for each in deleted] == [1] * 4
    assert number_of(file, "SELECT count(*) FROM checkpoints") == 0
    first.close()
    second.close()


async def test_vacuuming_makes_the_file_smaller_while_others_use_it(file: Path) -> None:
    database, other = (open_database(f"sqlite:///{file}?synchronous=NORMAL") for _ in range(2))
    await fill(database, "gone", count=100, size=20_000)
    await fill(database, "kept", count=3, size=20_000)
    await database.retention.delete("gone")
    stop = threading.Event()
    config: RunnableConfig = {"configurable": {"thread_id": "kept"}}

    def use() -> int:
        """Read, and write through another process's connections, until told to stop."""
        rounds = 0
        while not stop.is_set() or not rounds:
            assert other.checkpointer.get_tuple(config) is not None
            asyncio.run(fill(other, f"new {rounds}", count=1))
            rounds += 1
        return rounds

    using = asyncio.create_task(asyncio.to_thread(use))
    done = [await database.retention.vacuum(), await database.retention.vacuum(full=True)]
    stop.set()

    assert await using >= 1
    assert [each.kind for each in done] == ["incremental", "full"]
    assert done[0].bytes_before > 2_000_000
    database.close()
    other.close()
    assert size_of(file) < 1_000_000
    assert number_of(file, "PRAGMA freelist_count") < 50
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_sizes_before_and_after_are_told(quick: Database, file: Path) -> None:
    await fill(quick, "t", count=100, size=20_000)
    await quick.retention.delete("t")
    vacuumed = await asyncio.wait_for(quick.retention.vacuum(), 5)
    assert vacuumed.bytes_before > 2_000_000
    assert vacuumed.bytes_after == size_of(file) < 200_000
    quick.close()


async def test_a_file_from_before_is_rewritten_once_and_then_a_few_pages_at_a_time(
    file: Path,
) -> None:
    with closing(sqlite3.connect(file)) as old:
        old.execute("CREATE TABLE kept (x)")
        old.commit()
    database = open_database(f"sqlite:///{file}?synchronous=NORMAL")
    kinds = []
    for _ in range(2):
        await fill(database, "t", count=5, size=20_000)
        await database.retention.delete("t")
        kinds.append((await database.retention.vacuum()).kind)
    database.close()
    assert kinds == ["full", "incremental"]


async def test_there_is_nothing_to_vacuum_in_memory() -> None:
    memory = open_database("memory://")
    assert await memory.retention.vacuum(full=True) == Vacuumed("none", 0, 0)


async def test_a_file_that_is_too_busy_is_left_as_it_is(file: Path) -> None:
    database = open_database(f"sqlite:///{file}")
    await fill(database, "t", count=1)

    def impatient() -> sqlite3.Connection:
        connection = connect(file)
        connection.execute("PRAGMA busy_timeout=1")
        return connection

    with closing(connect(file)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError, match="could not be vacuumed, nothing is lost"):
            vacuum(impatient, full=True)
        other.execute("ROLLBACK")
    assert number_of(file, "SELECT count(*) FROM checkpoints") == 1
    database.close()
