from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest

from checkpoints import event_feeds, memory_events
from checkpoints.database import Database, connect, open_database
from checkpoints.events import LoggedEvent, RunKey
from checkpoints.history import HistoryPolicy
from checkpoints.threads import Lease
from state.errors import EventsGoneError, LeaseLostError
from state.plan import Plan

KEY = b"0123456789abcdef"


@pytest.fixture(params=["memory://", "sqlite"])
async def runs(request: pytest.FixtureRequest, file: Path) -> AsyncIterator[Database]:
    url = f"sqlite:///{file}" if request.param == "sqlite" else request.param
    opened = open_database(url, history=HistoryPolicy(keep_runs=0))
    yield opened
    await asyncio.to_thread(opened.close)


def said(number: int, text: str = "") -> LoggedEvent:
    return LoggedEvent(number, "token", "a", {"text": text or f"word {number}"})


async def begun(runs: Database, plan: Plan, thread_id: str = "t") -> Lease:
    return (await runs.history.begin(thread_id, plan, holder="me", seconds=30)).lease


async def log(runs: Database, lease: Lease, run_id: str, *numbers: int) -> None:
    appender = runs.events.appender(lease, run_id, refused=lambda _: None)
    for number in numbers:
        appender.add(said(number))
    await appender.settle()


async def numbers(runs: Database, run_id: str = "r1", *, after: int = 0) -> list[int]:
    return [each.sequence for each in await runs.events.read(RunKey("t", run_id), after=after)]


Plans = Callable[[str], Plan]


async def test_what_was_added_is_read_in_order_from_any_event_on(
    runs: Database, make_plan: Plans
) -> None:
    await log(runs, await begun(runs, make_plan("r1")), "r1", 1, 2, 3)
    key = RunKey("t", "r1")
    assert await runs.events.read(key, after=1) == [said(2), said(3)]
    assert await runs.events.read(key, after=0, limit=2) == [said(1), said(2)]
    assert await runs.events.last(key) == said(3)
    assert await runs.events.last(RunKey("t", "other")) is None


async def test_a_thread_knows_that_its_run_has_a_log(runs: Database, make_plan: Plans) -> None:
    lease = await begun(runs, make_plan("r1"))
    assert not (await runs.threads.get("t")).streamed
    await log(runs, lease, "r1", 1)
    assert (await runs.threads.get("t")).streamed


async def test_only_the_holder_of_the_lease_adds_events(runs: Database, make_plan: Plans) -> None:
    lease = await begun(runs, make_plan("r1"))
    await log(runs, lease, "r1", 1)
    refused: list[BaseException] = []
    stale = runs.events.appender(
        lease._replace(token=lease.token - 1), "r1", refused=refused.append
    )

    async def add() -> None:
        stale.add(said(2))  # refused at once in memory
        await stale.settle()

    with pytest.raises(LeaseLostError):
        await add()
    if runs.durable:
        assert [type(error) for error in refused] == [LeaseLostError]
    assert await numbers(runs) == [1]


async def test_a_reader_gets_what_is_added_and_is_woken(runs: Database, make_plan: Plans) -> None:
    lease = await begun(runs, make_plan("r1"))
    key = RunKey("t", "r1")
    with runs.events.follow(key, newest=0) as feed:
        assert feed.take(0) == []
        appender = runs.events.appender(lease, "r1", refused=lambda _: None)
        appender.add(said(1))
        await feed.wait(30)
        assert feed.take(0) == [said(1)]
        assert feed.take(1) == []


async def test_a_reader_that_falls_behind_is_sent_to_the_log(
    runs: Database, make_plan: Plans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_feeds, "BUFFERED_EVENTS", 2)
    lease, key = await begun(runs, make_plan("r1")), RunKey("t", "r1")
    with runs.events.follow(key, newest=0) as feed:
        await log(runs, lease, "r1", 1, 2, 3, 4)
        assert feed.take(0) is None
        assert await numbers(runs) == [1, 2, 3, 4]
        assert feed.take(2) == [said(3), said(4)]


async def test_memory_keeps_the_last_events_and_says_so(
    make_plan: Plans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_events, "KEPT_EVENTS", 3)
    runs = open_database("memory://")
    await log(runs, await begun(runs, make_plan("r1")), "r1", 1, 2, 3, 4, 5)
    assert await numbers(runs, after=2) == [3, 4, 5]
    with pytest.raises(EventsGoneError, match=r"Read on after 2\b") as raised:
        await numbers(runs, after=1)
    assert (raised.value.code, raised.value.first) == ("events_gone", 3)


# -- how long they stay ---------------------------------------------------------------------


async def test_events_go_when_the_thread_begins_another_run(
    runs: Database, make_plan: Plans
) -> None:
    lease = await begun(runs, make_plan("r1"))
    await log(runs, lease, "r1", 1, 2)
    await runs.history.end(lease, status="completed")
    await log(runs, await begun(runs, make_plan("r2")), "r2", 1)
    assert (await numbers(runs, "r1"), await numbers(runs, "r2")) == ([], [1])


@pytest.mark.parametrize("url", ["memory://", "sqlite:///runs.db"])
async def test_runs_that_are_kept_keep_their_events(
    url: str, make_plan: Plans, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runs = open_database(url, history=HistoryPolicy(keep_runs=1))
    for run_id in ("r1", "r2", "r3"):
        lease = await begun(runs, make_plan(run_id))
        await log(runs, lease, run_id, 1)
        await runs.history.end(lease, status="completed")
    assert [await numbers(runs, each) for each in ("r1", "r2", "r3")] == [[], [1], [1]]
    await asyncio.to_thread(runs.close)


async def test_events_go_with_their_thread_and_are_not_copied(
    runs: Database, make_plan: Plans
) -> None:
    lease = await begun(runs, make_plan("r1"))
    await log(runs, lease, "r1", 1)
    await runs.history.end(lease, status="completed")
    await runs.retention.copy("t", "copy")
    assert not (await runs.threads.get("copy")).streamed
    await runs.retention.delete("t")
    assert await numbers(runs) == []


async def test_pruning_takes_the_events_of_earlier_runs(file: Path, make_plan: Plans) -> None:
    runs = open_database(f"sqlite:///{file}", history=HistoryPolicy(keep_runs="all"))
    for run_id in ("r1", "r2"):
        lease = await begun(runs, make_plan(run_id))
        await log(runs, lease, run_id, 1)
        await runs.history.end(lease, status="completed")
    await runs.retention.prune(["t"], keep=2)
    assert await numbers(runs, "r1") == [1]
    await runs.retention.prune(["t"])
    assert (await numbers(runs, "r1"), await numbers(runs, "r2")) == ([], [1])
    await asyncio.to_thread(runs.close)


async def test_what_is_said_is_sealed_where_plans_are(file: Path, make_plan: Plans) -> None:
    runs = open_database(f"sqlite:///{file}", encryption_key=KEY)
    await log(runs, await begun(runs, make_plan("r1")), "r1", 1)
    assert await runs.events.read(RunKey("t", "r1"), after=0) == [said(1)]
    await asyncio.to_thread(runs.close)
    with closing(sqlite3.connect(file)) as connection:
        ((data,),) = connection.execute("SELECT data FROM orchestration_events").fetchall()
    assert data.startswith("sealed:")
    assert "word" not in data


async def test_an_event_is_committed_no_later_than_what_is_written_after_it(
    file: Path, make_plan: Plans
) -> None:
    runs = open_database(f"sqlite:///{file}")
    lease = await begun(runs, make_plan("r1"))
    appender = runs.events.appender(lease, "r1", refused=lambda _: None)
    appender.add(said(1))
    await runs.threads.renew([lease], seconds=30)
    with closing(connect(file)) as connection:
        rows = connection.execute("SELECT sequence FROM orchestration_events").fetchall()
    assert rows == [(1,)]
    await asyncio.to_thread(runs.close)
