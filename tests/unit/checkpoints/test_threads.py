from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint

from checkpoints.database import Database, connect, open_database
from checkpoints.memory_threads import MemoryThreads
from checkpoints.sqlite_saver import LEASE_TOKEN
from checkpoints.threads import RUNNING, Lease, ThreadStore
from checkpoints.upgrades import UpgradeRecord
from state.errors import (
    LeaseLostError,
    ThreadBusyError,
    ThreadNotFoundError,
    ThreadPendingError,
)
from state.plan import Plan

MakePlan = Callable[[str], Plan]
LONG = 3600.0
OVER = -1.0
"""Seconds of a lease that has run out already."""


@pytest.fixture(params=["sqlite", "memory"])
def threads(request: pytest.FixtureRequest, file: Path) -> ThreadStore:
    if request.param == "memory":
        return MemoryThreads()
    database: Database = request.getfixturevalue("database")
    return database.threads


async def ended(threads: ThreadStore, thread_id: str, plan: Plan, status: str) -> Lease:
    lease = await threads.start(thread_id, plan, holder="me", seconds=LONG)
    await threads.release(lease, status=status)
    return lease


# -- what every store does --------------------------------------------------------------


async def test_a_started_thread_has_its_plan_and_its_holder(
    threads: ThreadStore, make_plan: MakePlan
) -> None:
    lease = await threads.start("t", make_plan("r"), holder="me", seconds=LONG)
    record = await threads.get("t")
    assert (record.plan, record.status) == (make_plan("r"), RUNNING)
    assert record.lease == lease
    assert (lease.token > 0, lease.holder) == (True, "me")


async def test_a_thread_that_runs_is_busy_for_everyone(
    threads: ThreadStore, make_plan: MakePlan
) -> None:
    await threads.start("t", make_plan("r"), holder="me", seconds=LONG)
    with pytest.raises(ThreadBusyError) as refused:
        await threads.start("t", make_plan("s"), holder="you", seconds=LONG)
    assert refused.value.holder == "me"
    with pytest.raises(ThreadBusyError):
        await threads.resume("t", holder="me", seconds=LONG)
    assert (await threads.get("t")).plan.run_id == "r"


@pytest.mark.parametrize("status", [RUNNING, "interrupted"])
async def test_a_thread_that_has_not_finished_takes_no_new_run(
    threads: ThreadStore, make_plan: MakePlan, status: str
) -> None:
    await ended(threads, "t", make_plan("r"), status)
    with pytest.raises(ThreadPendingError):
        await threads.start("t", make_plan("s"), holder="me", seconds=LONG)
    record, _ = await threads.resume("t", holder="you", seconds=LONG)
    assert (record.status, record.plan.run_id) == (status, "r")


async def test_a_finished_thread_takes_a_new_run(threads: ThreadStore, make_plan: MakePlan) -> None:
    first = await ended(threads, "t", make_plan("r"), "completed")
    created = (await threads.get("t")).created_at
    second = await threads.start("t", make_plan("s"), holder="me", seconds=LONG)
    record = await threads.get("t")
    assert (record.plan.run_id, record.created_at) == ("s", created)
    assert second.token > first.token


async def test_the_token_grows_with_every_claim(threads: ThreadStore, make_plan: MakePlan) -> None:
    lease = await threads.start("t", make_plan("r"), holder="me", seconds=LONG)
    tokens = [lease.token]
    for _ in range(3):
        await threads.release(lease, status="interrupted")
        _, lease = await threads.resume("t", holder="me", seconds=LONG)
        tokens.append(lease.token)
    assert [token - tokens[0] for token in tokens] == [0, 1, 2, 3]


async def test_of_many_who_start_one_thread_one_gets_it(
    threads: ThreadStore, make_plan: MakePlan
) -> None:
    claims = await asyncio.gather(
        *[threads.start("t", make_plan(f"r{n}"), holder=f"{n}", seconds=LONG) for n in range(10)],
        return_exceptions=True,
    )
    won = [claim for claim in claims if isinstance(claim, Lease)]
    lost = [claim for claim in claims if isinstance(claim, ThreadBusyError)]
    assert (len(won), len(lost)) == (1, 9)
    assert (await threads.get("t")).lease == won[0]


async def test_an_unknown_thread_is_named_with_those_there_are(
    threads: ThreadStore, make_plan: MakePlan
) -> None:
    with pytest.raises(ThreadNotFoundError, match="there are no threads"):
        await threads.get("x")
    await ended(threads, "t", make_plan("r"), "completed")
    with pytest.raises(ThreadNotFoundError, match=r"recent threads are \['t'\]"):
        await threads.resume("x", holder="me", seconds=LONG)


async def test_a_release_notes_how_the_thread_stands(
    threads: ThreadStore, make_plan: MakePlan
) -> None:
    await ended(threads, "t", make_plan("r"), "partial")
    record = await threads.get("t")
    assert (record.status, record.lease) == ("partial", None)
    assert record.updated_at >= record.created_at


async def test_renewal_names_the_lost_ones_only(threads: ThreadStore, make_plan: MakePlan) -> None:
    kept = await threads.start("kept", make_plan("r"), holder="me", seconds=LONG)
    released = await ended(threads, "released", make_plan("s"), "completed")
    gone = Lease("gone", 1, "me", kept.expires_at)
    stale = await ended(threads, "stale", make_plan("u"), "interrupted")
    await threads.resume("stale", holder="you", seconds=LONG)
    lost = await threads.renew([kept, released, gone, stale], seconds=LONG)
    assert set(lost.lost) == {"released", "gone", "stale"}
    assert await threads.renew([], seconds=LONG) == (set(), {})


async def test_the_loser_of_a_thread_cannot_change_its_status(
    threads: ThreadStore, make_plan: MakePlan
) -> None:
    stale = await ended(threads, "t", make_plan("r"), "interrupted")
    _, mine = await threads.resume("t", holder="you", seconds=LONG)
    with pytest.raises(LeaseLostError):
        await threads.release(stale, status="completed")
    record = await threads.get("t")
    assert (record.status, record.lease) == ("interrupted", mine)


async def test_a_lease_ends_once(threads: ThreadStore, make_plan: MakePlan) -> None:
    lease = await ended(threads, "t", make_plan("r"), "completed")
    with pytest.raises(LeaseLostError):
        await threads.release(lease, status=RUNNING)
    assert (await threads.get("t")).status == "completed"


async def test_recent_threads_come_last_changed_first(
    threads: ThreadStore, make_plan: MakePlan
) -> None:
    await ended(threads, "one", make_plan("r"), "completed")
    await ended(threads, "two", make_plan("s"), "interrupted")
    await threads.start("one", make_plan("u"), holder="me", seconds=LONG)
    assert [each.thread_id for each in await threads.recent()] == ["one", "two"]
    assert [each.thread_id for each in await threads.recent(limit=1)] == ["one"]
    waiting = await threads.recent(status="interrupted")
    assert [each.thread_id for each in waiting] == ["two"]


# -- what leases in a file do beside -----------------------------------------------------


async def test_a_lease_that_ran_out_can_be_taken_over(
    database: Database, make_plan: MakePlan
) -> None:
    dead = await database.threads.start("t", make_plan("r"), holder="dead", seconds=OVER)
    with pytest.raises(ThreadPendingError):
        await database.threads.start("t", make_plan("s"), holder="me", seconds=LONG)
    record, lease = await database.threads.resume("t", holder="me", seconds=LONG)
    assert (record.status, record.lease) == (RUNNING, dead)
    assert (lease.token, lease.holder) == (dead.token + 1, "me")


async def test_a_lease_that_ran_out_and_that_nobody_took_can_be_renewed(
    database: Database, make_plan: MakePlan
) -> None:
    lease = await database.threads.start("t", make_plan("r"), holder="me", seconds=OVER)
    assert await database.threads.renew([lease], seconds=LONG) == (set(), {})
    with pytest.raises(ThreadBusyError):
        await database.threads.resume("t", holder="you", seconds=LONG)


async def test_a_lease_that_was_taken_over_cannot_be_renewed_or_released(
    database: Database, make_plan: MakePlan
) -> None:
    dead = await database.threads.start("t", make_plan("r"), holder="dead", seconds=OVER)
    _, mine = await database.threads.resume("t", holder="me", seconds=LONG)
    assert await database.threads.renew([dead], seconds=LONG) == ({"t"}, {})
    with pytest.raises(LeaseLostError):
        await database.threads.release(dead, status="completed")
    assert (await database.threads.get("t")).lease == mine


async def test_threads_are_seen_by_another_process_at_once(
    database: Database, file: Path, make_plan: MakePlan
) -> None:
    lease = await database.threads.start("t", make_plan("r"), holder="me", seconds=LONG)
    other = open_database(f"sqlite:///{file}")
    assert (await other.threads.get("t")).lease == lease
    with pytest.raises(ThreadBusyError, match="me is running it"):
        await other.threads.resume("t", holder="you", seconds=LONG)
    other.close()


@pytest.mark.parametrize("way", ["put", "put_writes"])
async def test_a_stale_token_saves_nothing(
    database: Database, file: Path, make_plan: MakePlan, way: str
) -> None:
    stale = await database.threads.start("t", make_plan("r"), holder="dead", seconds=OVER)
    _, mine = await database.threads.resume("t", holder="me", seconds=LONG)

    async def save(token: int) -> None:
        config: RunnableConfig = {
            "configurable": {
                "thread_id": "t",
                "checkpoint_ns": "",
                "checkpoint_id": "1",
                LEASE_TOKEN: token,
            }
        }
        if way == "put":
            await database.checkpointer.aput(config, empty_checkpoint(), {}, {})
        else:
            await database.checkpointer.aput_writes(config, [("x", 1)], "task")

    with pytest.raises(LeaseLostError):
        await save(stale.token)
    assert saved(file) == 0
    await save(mine.token)
    assert saved(file) == 1


def saved(file: Path) -> int:
    reader = connect(file)
    sql = "SELECT (SELECT count(*) FROM checkpoints) + (SELECT count(*) FROM writes)"
    (number,) = reader.execute(sql).fetchone()
    reader.close()
    return int(number)


# -- another plan -----------------------------------------------------------------------

CHANGE = UpgradeRecord("r", "order", "1", "2", "old", "new", ["+ task 'c'"], None)


async def test_only_who_holds_a_thread_changes_its_plan(
    threads: ThreadStore, make_plan: MakePlan
) -> None:
    lost = await ended(threads, "t", make_plan("r"), "completed")
    await threads.start("t", make_plan("r"), holder="you", seconds=LONG)
    with pytest.raises(LeaseLostError):
        await threads.upgrade(lost, make_plan("other"), CHANGE, taken=())
    assert (await threads.get("t")).plan == make_plan("r")
    assert await threads.upgrades("t") == []


async def test_a_change_of_plan_is_kept_with_its_record(
    threads: ThreadStore, make_plan: MakePlan
) -> None:
    lease = await threads.start("t", make_plan("r"), holder="me", seconds=LONG)
    assert await threads.upgrade(lease, make_plan("other"), CHANGE, taken=())
    record = await threads.get("t")
    assert (record.plan, record.lease) == (make_plan("other"), lease)
    (kept,) = await threads.upgrades("t")
    assert kept._replace(at=0.0) == CHANGE
