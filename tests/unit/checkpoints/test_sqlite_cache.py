"""The cache in a file: other files, damage, encryption, and processes that died."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from checkpoints.cache_store import Bounds, Kept, ResponseStore
from checkpoints.database import open_database
from checkpoints.response_caches import open_cache
from checkpoints.sqlite_cache_sql import APPLICATION_ID
from state.errors import CacheError, CacheUnreachableError
from tests.unit.checkpoints.cache_stage import KEY, LABELS, Clock, open_store

SECRET = "the price is 4711"  # noqa: S105  what must not stand in the file
OTHER = (("agent", "weather", "1", "globex"), "berlin")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "cache.db"


@pytest.fixture
def connection(file: Path) -> Iterator[sqlite3.Connection]:
    """Another's connection to the file, once a test has made it."""
    file.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(file, isolation_level=None)) as opened:
        yield opened


def opened(file: Path, *, key: bytes | None = None) -> ResponseStore:
    return open_cache(f"sqlite:///{file}", encryption_key=key)


def contents(file: Path) -> bytes:
    return b"".join(each.read_bytes() for each in sorted(file.parent.iterdir()))


def modes_in(folder: Path) -> set[int]:
    return {each.stat().st_mode & 0o777 for each in folder.iterdir()}


async def test_answers_outlive_the_process_that_stored_them(file: Path) -> None:
    first = opened(file)
    await first.aset({KEY: ({"x": 1}, 60)})
    await first.aclose()
    second = opened(file)
    assert await second.aget([KEY]) == {KEY: {"x": 1}}
    await second.aclose()


async def test_two_stores_of_one_file_see_each_others_answers_claims_and_invalidations(
    file: Path,
) -> None:
    first, second = opened(file), opened(file)
    claim = await first.claim(KEY, "a", labels=LABELS, lease_seconds=30)
    assert not (await second.claim(KEY, "b", labels=LABELS, lease_seconds=30)).mine
    await second.ainvalidate(tag="forecast")
    assert not await first.akeep(KEY, Kept("old", 60, LABELS, claim.sequence, "a"))
    await second.aset({KEY: ("new", 60)})
    assert await first.aget([KEY]) == {KEY: "new"}
    await first.aclose()
    await second.aclose()


@pytest.mark.parametrize("url", ["memory://", "sqlite:///{}"])
async def test_the_claim_of_one_who_died_ends_with_its_lease(file: Path, url: str) -> None:
    clock = Clock()
    store = open_store(url.format(file), clock)
    await store.claim(KEY, "dead", labels=LABELS, lease_seconds=10)
    clock.time += 9
    assert not (await store.claim(KEY, "b", labels=LABELS, lease_seconds=10)).mine
    clock.time += 2
    assert (await store.look(KEY)).holder is None
    assert (await store.claim(KEY, "b", labels=LABELS, lease_seconds=10)).mine
    assert not await store.renew(KEY, "dead", lease_seconds=10)
    await store.aclose()


async def test_a_renewed_lease_goes_on(file: Path) -> None:
    clock = Clock()
    store = open_store(f"sqlite:///{file}", clock)
    await store.claim(KEY, "a", labels=LABELS, lease_seconds=10)
    clock.time += 9
    assert await store.renew(KEY, "a", lease_seconds=10)
    clock.time += 9
    assert not (await store.claim(KEY, "b", labels=LABELS, lease_seconds=10)).mine
    await store.aclose()


# -- what cannot be read is a miss ------------------------------------------------------------


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"nonsense",
        b"msgpack:\xc1\xff",
        b"msgpack:\x01",
        b"pickle:x",
        b"\xff:x",
        b"json:" + b"[" * 100_000,
        b"msgpack:" + b"\x91" * 100_000,
        "a text",
        7,
        10**15,
        1.5,
    ],
)
async def test_a_damaged_row_is_a_miss(
    file: Path, record: object, connection: sqlite3.Connection
) -> None:
    store = opened(file)
    await store.aset({KEY: ("x", 60)})
    connection.execute("UPDATE entries SET record = ?", (record,))
    assert await store.aget([KEY]) == {}
    assert (await store.look(KEY)).value is None
    await store.aset({KEY: ("again", 60)})
    assert await store.aget([KEY]) == {KEY: "again"}
    await store.aclose()


async def test_a_row_larger_than_all_that_may_be_held_is_not_even_read(
    file: Path,
) -> None:
    store = open_store(f"sqlite:///{file}", Clock(), Bounds(bytes=10_000))
    await store.aset({KEY: ("x" * 5_000, 60)})
    assert (await store.look(KEY)).value == "x" * 5_000
    other = open_store(f"sqlite:///{file}", Clock(), Bounds(bytes=4_000))
    assert (await other.look(KEY)).value is None
    assert await other.aget([KEY]) == {}
    await store.aclose()
    await other.aclose()


async def test_a_row_that_was_moved_to_another_key_is_a_miss(
    file: Path, connection: sqlite3.Connection
) -> None:
    store = opened(file)
    await store.aset({KEY: ("of acme", 60), OTHER: ("of globex", 60)})
    connection.execute(
        "UPDATE entries SET record = (SELECT record FROM entries WHERE id = ?) WHERE id = ?",
        (store.entry_id(OTHER), store.entry_id(KEY)),
    )
    assert await store.aget([KEY, OTHER]) == {OTHER: "of globex"}
    await store.aclose()


async def test_a_claim_that_never_ends_keeps_nobody_waiting(
    file: Path, connection: sqlite3.Connection
) -> None:
    store = opened(file)
    connection.execute("INSERT INTO claims VALUES (?, 'x', 0, 1e18)", (store.entry_id(KEY),))
    assert (await store.look(KEY)).holder is None
    assert (await store.claim(KEY, "a", labels=LABELS, lease_seconds=30)).mine
    await store.aclose()


async def test_a_text_that_no_file_can_hold_stores_nothing(file: Path) -> None:
    store = opened(file)
    half = Kept("x", 60, LABELS._replace(tenant="\ud800"))
    with pytest.raises(CacheUnreachableError, match="cannot hold"):
        await store.akeep(KEY, half)
    await store.aset({KEY: ("after", 60)})
    assert await store.aget([KEY]) == {KEY: "after"}
    await store.aclose()


@pytest.mark.skipif(os.name != "posix", reason="only POSIX has modes")
async def test_a_new_file_is_its_owners_alone_and_one_that_is_there_stays_as_it_is(
    file: Path,
) -> None:
    store = opened(file)
    await store.aset({KEY: (SECRET, 60)})
    assert modes_in(file.parent) == {0o600}
    await store.aclose()
    os.chmod(file, 0o660)  # noqa: PTH101  on a file of a test
    await opened(file).aclose()
    assert modes_in(file.parent) == {0o660}


# -- encryption -------------------------------------------------------------------------------


async def test_with_a_key_no_answer_stands_in_the_file(file: Path) -> None:
    store = opened(file, key=b"k" * 32)
    await store.aset({KEY: (SECRET, 60)})
    await store.claim(OTHER, "a", labels=LABELS, lease_seconds=9)
    await store.end(OTHER, "a", failure={"message": SECRET})
    assert await store.aget([KEY]) == {KEY: SECRET}
    assert (await store.look(OTHER, flight="a")).failure == {"message": SECRET}
    assert SECRET.encode() not in contents(file)
    await store.aclose()
    plain = opened(file)
    await plain.aset({KEY: (SECRET, 60)})
    assert SECRET.encode() in contents(file)  # else the test above proves nothing
    await plain.aclose()


@pytest.mark.parametrize("key", [None, b"other key 123456"])
async def test_what_another_key_sealed_is_a_miss(file: Path, key: bytes | None) -> None:
    first = opened(file, key=b"k" * 32)
    await first.aset({KEY: (SECRET, 60)})
    second = opened(file, key=key)
    assert await second.aget([KEY]) == {}
    await second.aclose()
    await first.aclose()


async def test_ids_of_entries_cannot_be_guessed_from_questions_without_the_key(
    file: Path,
) -> None:
    plain, sealed = opened(file), opened(file, key=b"k" * 32)
    assert plain.entry_id(KEY) != sealed.entry_id(KEY)
    await plain.aclose()
    await sealed.aclose()


async def test_a_plain_row_put_where_answers_are_sealed_is_refused(
    file: Path, connection: sqlite3.Connection
) -> None:
    plain, sealed = opened(file), opened(file, key=b"k" * 32)
    await plain.aset({KEY: ("forged", 60)})
    connection.execute("UPDATE entries SET id = ?", (sealed.entry_id(KEY),))
    assert await sealed.aget([KEY]) == {}
    await plain.aclose()
    await sealed.aclose()


async def test_the_key_is_read_from_the_environment(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATION_ENCRYPTION_KEY", "00" * 32)
    store = opened(file)
    await store.aset({KEY: (SECRET, 60)})
    assert SECRET.encode() not in contents(file)
    await store.aclose()


# -- other files ------------------------------------------------------------------------------


async def test_a_file_of_another_schema_is_emptied(
    file: Path, connection: sqlite3.Connection
) -> None:
    store = opened(file)
    await store.aset({KEY: ("old", 60)})
    await store.aclose()
    connection.execute("ALTER TABLE entries ADD COLUMN something TEXT")
    connection.execute("PRAGMA user_version = 99")
    store = opened(file)
    assert await store.aget([KEY]) == {}
    await store.aset({KEY: ("new", 60)})
    assert await store.aget([KEY]) == {KEY: "new"}
    await store.aclose()


async def test_the_threads_database_is_not_taken_for_a_cache(file: Path) -> None:
    database = open_database(f"sqlite:///{file}")
    database.close()
    before = contents(file)
    with pytest.raises(CacheError, match="no cache; give the cache a file of its own"):
        opened(file)
    assert contents(file) == before


def test_a_file_that_is_no_database_is_left_alone(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("a diary, not a database; " * 50)
    with pytest.raises(CacheError, match="as a cache: file is not"):
        opened(file)
    assert file.read_text().startswith("a diary")


async def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(CacheError, match="cannot use"):
        opened(tmp_path / "folder" / "cache.db")


async def test_a_file_whose_tables_vanish_is_unreachable_and_no_crash(
    file: Path, connection: sqlite3.Connection
) -> None:
    store = opened(file)
    connection.execute("DROP TABLE entries")
    with pytest.raises(CacheUnreachableError, match="cannot be used now"):
        await store.look(KEY)
    with pytest.raises(CacheUnreachableError):
        await store.aset({KEY: ("x", 60)})
    await store.aclose()


async def test_a_closed_cache_says_so(file: Path) -> None:
    store = opened(file)
    await store.aclose()
    await store.aclose()
    with pytest.raises(CacheError, match="closed"):
        await store.aget([KEY])
    with pytest.raises(CacheError, match="closed"):
        await store.aset({KEY: ("x", 60)})


async def test_the_file_is_marked_as_a_cache_and_uses_a_write_ahead_log(
    file: Path, connection: sqlite3.Connection
) -> None:
    store = opened(file)
    assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    await store.aclose()
