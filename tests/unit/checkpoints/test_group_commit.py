from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import pytest

from checkpoints import group_commit
from checkpoints.database import connect
from checkpoints.group_commit import GroupCommitWriter
from state.errors import DatabaseError

SOON = 10.0
"""Seconds that a working writer never needs."""
NEVER = 3600.0


@pytest.fixture
def writer(file: Path) -> Iterator[GroupCommitWriter]:
    opened = GroupCommitWriter(lambda: connect(file))
    opened.submit(lambda c: c.execute("CREATE TABLE notes (text)")).result(SOON)
    opened.commits = 0
    yield opened
    opened.close()


def note(text: str) -> Callable[[sqlite3.Connection], str]:
    def write(connection: sqlite3.Connection) -> str:
        connection.execute("INSERT INTO notes VALUES (?)", (text,))
        return text

    return write


def fail(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO notes VALUES ('never seen')")
    raise ValueError("no")


def notes(file: Path) -> list[str]:
    """Read with another connection: only what was committed is seen."""
    connection = connect(file)
    found = [text for (text,) in connection.execute("SELECT text FROM notes ORDER BY rowid")]
    connection.close()
    return found


@contextmanager
def held_up(writer: GroupCommitWriter) -> Iterator[None]:
    """Keep the writer busy, so that whatever is submitted meanwhile makes one batch."""
    busy, go_on = threading.Event(), threading.Event()

    def block(_: sqlite3.Connection) -> None:
        busy.set()
        assert go_on.wait(SOON)

    blocked = writer.submit(block)
    assert busy.wait(SOON)
    try:
        yield
    finally:
        go_on.set()
        blocked.result(SOON)


def test_a_write_is_in_the_file_when_its_future_is_done(
    writer: GroupCommitWriter, file: Path
) -> None:
    assert writer.submit(note("a")).result(SOON) == "a"
    assert notes(file) == ["a"]


def test_writes_that_queue_up_share_a_commit_and_keep_their_order(
    writer: GroupCommitWriter, file: Path
) -> None:
    texts = [str(number) for number in range(50)]
    with held_up(writer):
        futures = [writer.submit(note(text), lazy=text < "3") for text in texts]
    assert [future.result(SOON) for future in futures] == texts
    assert notes(file) == texts
    assert writer.commits == 2


def test_a_batch_is_bounded(writer: GroupCommitWriter, file: Path) -> None:
    texts = [str(number) for number in range(group_commit.LARGEST_BATCH + 1)]
    with held_up(writer):
        futures = [writer.submit(note(text)) for text in texts]
    assert [future.result(SOON) for future in futures] == texts
    assert notes(file) == texts
    assert writer.commits == 3


def test_a_write_that_fails_is_rolled_back_alone(writer: GroupCommitWriter, file: Path) -> None:
    with held_up(writer):
        before, bad, after = (writer.submit(each) for each in (note("a"), fail, note("b")))
    assert (before.result(SOON), after.result(SOON)) == ("a", "b")
    with pytest.raises(ValueError, match="no"):
        bad.result(SOON)
    assert notes(file) == ["a", "b"]


def test_a_lazy_write_needs_no_other_to_be_written(writer: GroupCommitWriter, file: Path) -> None:
    writer.submit(note("a"), lazy=True).result(SOON)
    assert notes(file) == ["a"]


def test_a_lazy_write_goes_with_the_next_urgent_one(
    writer: GroupCommitWriter, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "LAZY_SECONDS", NEVER)
    lazy = writer.submit(note("a"), lazy=True)
    writer.submit(note("b")).result(SOON)
    assert lazy.result(SOON) == "a"
    assert notes(file) == ["a", "b"]
    assert writer.commits == 1


def test_close_writes_what_is_queued(
    writer: GroupCommitWriter, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "LAZY_SECONDS", NEVER)
    lazy = writer.submit(note("a"), lazy=True)
    writer.close()
    assert lazy.done()
    assert notes(file) == ["a"]


def test_after_close_nothing_is_taken(writer: GroupCommitWriter) -> None:
    writer.close()
    writer.close()
    with pytest.raises(DatabaseError, match="the database is closed; open it again"):
        writer.submit(note("a"))


def test_many_writers_leave_no_thread_behind(file: Path) -> None:
    before = set(threading.enumerate())
    for _ in range(20):
        writer = GroupCommitWriter(lambda: connect(file))
        writer.submit(lambda c: c.execute("SELECT 1").fetchone()).result(SOON)
        writer.close()
    assert set(threading.enumerate()) <= before


def test_a_writer_that_nobody_used_has_no_thread(file: Path) -> None:
    before = set(threading.enumerate())
    writer = GroupCommitWriter(lambda: connect(file))
    assert set(threading.enumerate()) <= before
    writer.close()


def test_whoever_writes_learns_why_there_is_no_connection(file: Path) -> None:
    broken = True

    def sometimes() -> sqlite3.Connection:
        if broken:
            raise sqlite3.OperationalError("unable to open database file")
        return connect(file)

    writer = GroupCommitWriter(sometimes)
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError, match="unable to open"):
            writer.submit(note("a")).result(SOON)
    broken = False
    writer.submit(lambda c: c.execute("CREATE TABLE notes (text)")).result(SOON)
    assert writer.submit(note("a")).result(SOON) == "a"
    writer.close()


def test_writes_from_many_threads_all_arrive(writer: GroupCommitWriter, file: Path) -> None:
    def several(name: int) -> None:
        for number in range(25):
            writer.submit(note(f"{name}.{number}"), lazy=number % 2 == 0).result(SOON)

    threads = [threading.Thread(target=several, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON)
    found = notes(file)
    assert len(found) == 200
    for name in range(8):
        mine = [text for text in found if text.startswith(f"{name}.")]
        assert mine == [f"{name}.{number}" for number in range(25)]


async def _cancelled(future: Future[str]) -> None:
    """Give up waiting for a write, as a run does that is cancelled at its checkpoint."""
    waiting = asyncio.ensure_future(_wait(future))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})


async def _wait(future: Future[str]) -> str:
    return await asyncio.wrap_future(future)


CANCELLED = (
    "checkpoints/group_commit.py: set_result and set_exception raise InvalidStateError on a "
    "future that its waiter cancelled, and that hits the other writes of the batch"
)


async def test_a_cancelled_wait_does_not_fail_the_other_writes_of_its_commit(
    writer: GroupCommitWriter, file: Path
) -> None:
    with held_up(writer):
        await _cancelled(writer.submit(note("mine")))
        other = writer.submit(note("yours"))
    assert await asyncio.wrap_future(other) == "yours"
    assert "yours" in notes(file)


async def test_a_cancelled_write_that_fails_does_not_undo_the_others(
    writer: GroupCommitWriter, file: Path
) -> None:
    def bad(connection: sqlite3.Connection) -> str:
        fail(connection)
        return ""

    with held_up(writer):
        other = writer.submit(note("yours"))
        await _cancelled(writer.submit(bad))
    assert await asyncio.wrap_future(other) == "yours"
    assert notes(file) == ["yours"]


def test_closing_on_the_writers_own_thread_is_no_error(writer: GroupCommitWriter) -> None:
    writer.submit(lambda _: writer.close()).result(SOON)
    with pytest.raises(DatabaseError):
        writer.submit(note("a"))


def test_a_full_disk_is_reported_as_one(writer: GroupCommitWriter, file: Path) -> None:
    def shrink(connection: sqlite3.Connection) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")

    writer.submit(shrink).result(SOON)
    with pytest.raises(sqlite3.OperationalError, match="full"):
        writer.submit(note("x" * 100_000)).result(SOON)
    assert writer.submit(note("small")).result(SOON) == "small"
    assert notes(file) == ["small"]


# -- writes that need no flush ------------------------------------------------------------


def test_a_write_without_a_flush_does_not_wait_for_company_nor_take_lazy_ones_along(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "LAZY_SECONDS", NEVER)
    writer = GroupCommitWriter(lambda: connect(file))
    writer.submit(lambda c: c.execute("CREATE TABLE notes (text)")).result(SOON)
    lazy = writer.submit(note("lazy"), lazy=True)
    writer.submit(note("hasty"), flush=False).result(SOON)
    assert notes(file) == ["hasty"]
    assert not lazy.done()
    writer.close()
    assert notes(file) == ["hasty", "lazy"]


def test_it_is_committed_no_later_than_what_was_submitted_after_it(
    writer: GroupCommitWriter, file: Path
) -> None:
    with held_up(writer):
        hasty = writer.submit(note("hasty"), flush=False)
        durable = writer.submit(note("durable"))
    durable.result(SOON)
    assert hasty.done()
    assert notes(file) == ["hasty", "durable"]


def test_only_commits_of_nothing_else_are_not_flushed(
    writer: GroupCommitWriter, file: Path
) -> None:
    def level(connection: sqlite3.Connection) -> int:
        (found,) = connection.execute("PRAGMA synchronous").fetchone()
        return int(found)

    normal, full = 1, 2
    assert writer.submit(level, flush=False).result(SOON) == normal
    assert writer.submit(level).result(SOON) == full
    with held_up(writer):
        together = [writer.submit(level, flush=flush) for flush in (False, True)]
    assert [each.result(SOON) for each in together] == [full, full]
    assert writer.submit(level, flush=False).result(SOON) == normal


def test_where_nothing_is_flushed_nothing_is_switched(file: Path) -> None:
    writer = GroupCommitWriter(lambda: connect(file, "NORMAL"))

    def level(connection: sqlite3.Connection) -> int:
        (found,) = connection.execute("PRAGMA synchronous").fetchone()
        return int(found)

    assert writer.submit(level).result(SOON) == 1
    assert writer.submit(level, flush=False).result(SOON) == 1
    assert writer.submit(level).result(SOON) == 1
    writer.close()
