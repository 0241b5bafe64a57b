from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint

from checkpoints.approvals import STATUSES, Filter
from checkpoints.database import Database, open_database
from checkpoints.retention import Removed
from checkpoints.sqlite_saver import LEASE_TOKEN
from state.errors import (
    ConfigurationError,
    LeaseLostError,
    RetentionError,
    ThreadBusyError,
    ThreadNotFoundError,
)
from state.plan import Plan
from tests.unit.checkpoints.bench import Shop
from tests.unit.orchestration.waits import run
from tests.unit.orchestration.waits import signal as for_signal

MakePlan = Callable[[str], Plan]
LONG = 60.0
DAY = timedelta(days=1)


@pytest.fixture(params=["sqlite", "memory"])
def shop(request: pytest.FixtureRequest, file: Path) -> Iterator[Shop]:
    shop = Shop(f"sqlite:///{file}" if request.param == "sqlite" else "memory://")
    yield shop
    shop.close()


async def checkpoints(database: Database, thread_id: str) -> dict[str, int]:
    """Count a thread's checkpoints by namespace."""
    counts: dict[str, int] = {}
    config: RunnableConfig = {"configurable": {"thread_id": thread_id}}
    async for found in database.checkpointer.alist(config):
        namespace = found.config["configurable"]["checkpoint_ns"]
        counts[namespace] = counts.get(namespace, 0) + 1
    return counts


# -- prune ------------------------------------------------------------------------------


async def test_a_pruned_thread_that_waits_is_still_answered(shop: Shop) -> None:
    paused = await shop.buy("t", approval=True)
    database = await shop.database()
    before = await checkpoints(database, "t")

    removed = await database.retention.prune(["t"])

    assert await checkpoints(database, "t") == {"": 1}
    assert removed == Removed(before[""] - 1, removed.writes)
    assert removed.writes > 0
    _, seen = await shop.coordinator.inspect("t")
    assert seen.as_json() == paused.as_json()
    done = await shop.coordinator.resume("t", {"payer": "approve"})
    assert (done.status, shop.calls) == ("completed", ["buyer", "payer"])


async def test_parallel_subgraphs_under_way_survive_a_prune(shop: Shop) -> None:
    await shop.chains("t", approval=True)
    _, paused = await shop.coordinator.inspect("t")
    database = await shop.database()
    before = await checkpoints(database, "t")
    assert len(before) == 3, "two chains are subgraphs, with checkpoints of their own"

    await database.retention.prune(["t"])

    assert await checkpoints(database, "t") == dict.fromkeys(before, 1)
    _, seen = await shop.coordinator.inspect("t")
    assert seen.as_json() == paused.as_json()
    done = await shop.coordinator.resume("t", {"a2": "approve"})
    assert done.status == "completed"
    assert sorted(shop.calls) == ["a1", "a2", "b1", "b2", "end"]


async def test_a_pruned_thread_that_finished_is_still_looked_at(shop: Shop) -> None:
    finished = await shop.chains("t")
    database = await shop.database()
    await database.retention.prune(["t"])

    assert await checkpoints(database, "t") == {"": 1}, "nothing leads to the subgraphs any more"
    _, seen = await shop.coordinator.inspect("t")
    again = await shop.coordinator.resume("t")
    assert finished.as_json() == seen.as_json() == again.as_json()
    assert len(shop.calls) == 5


async def test_a_pruned_thread_takes_new_tasks(shop: Shop) -> None:
    await shop.buy("t")
    await (await shop.database()).retention.prune(["t"])
    result = await shop.chains("t")
    assert result.status == "completed"
    assert set(shop.calls) == {"buyer", "payer", "a1", "a2", "b1", "b2", "end"}


@pytest.mark.parametrize("keep", [1, 2, 3, 50])
async def test_the_latest_checkpoints_are_kept(shop: Shop, keep: int) -> None:
    await shop.buy("t")
    database = await shop.database()
    config: RunnableConfig = {"configurable": {"thread_id": "t"}}
    before = [each.checkpoint["id"] async for each in database.checkpointer.alist(config)]

    removed = await database.retention.prune(["t"], keep=keep)

    after = [each.checkpoint["id"] async for each in database.checkpointer.alist(config)]
    assert after == before[:keep]
    assert removed.checkpoints == len(before) - len(after)
    assert await database.retention.prune(["t"], keep=keep) == Removed()


async def test_several_threads_are_pruned_and_others_left_alone(shop: Shop) -> None:
    for thread_id in ("one", "two", "other"):
        await shop.buy(thread_id)
    database = await shop.database()
    before = await checkpoints(database, "other")
    await database.retention.prune(["one", "two", "unknown"])
    counts = [await checkpoints(database, each) for each in ("one", "two", "other", "unknown")]
    assert counts == [{"": 1}, {"": 1}, before, {}]


async def test_every_thread_that_nobody_runs_is_pruned(shop: Shop, make_plan: MakePlan) -> None:
    for thread_id in ("one", "two"):
        await shop.buy(thread_id)
    database = await shop.database()
    await database.threads.start("two", make_plan("r"), holder="somebody", seconds=LONG)
    before = await checkpoints(database, "two")
    await database.retention.prune()
    assert [await checkpoints(database, each) for each in ("one", "two")] == [{"": 1}, before]


@pytest.mark.parametrize("keep", [0, -1])
async def test_keeping_none_is_no_pruning(shop: Shop, keep: int) -> None:
    await shop.buy("t")
    with pytest.raises(ConfigurationError, match=f"keep={keep} cannot be"):
        await (await shop.database()).retention.prune(["t"], keep=keep)


async def test_an_unknown_strategy_is_refused(shop: Shop) -> None:
    await shop.buy("t")
    database = await shop.database()
    with pytest.raises(ConfigurationError, match="'keep_last' is unknown; use 'keep_latest'"):
        await database.checkpointer.aprune(["t"], strategy="keep_last")
    assert (await checkpoints(database, "t"))[""] > 1


# -- delete -----------------------------------------------------------------------------


async def test_nothing_is_left_of_a_deleted_thread(shop: Shop) -> None:
    await shop.chains("t")
    await shop.buy("other")
    database = await shop.database()
    await database.retention.expire("t", after=DAY)
    counted = sum((await checkpoints(database, "t")).values())

    removed = await database.retention.delete("t")

    assert (removed.checkpoints, removed.thread_ids) == (counted, ("t",))
    assert removed.writes > 0
    assert await checkpoints(database, "t") == {}
    with pytest.raises(ThreadNotFoundError):
        await shop.coordinator.resume("t")
    assert [each.thread_id for each in await shop.coordinator.threads()] == ["other"]
    _, other = await shop.coordinator.inspect("other")
    assert other.status == "completed"


async def test_a_thread_that_waits_is_only_deleted_by_force(shop: Shop) -> None:
    await shop.buy("t", approval=True)
    database = await shop.database()
    with pytest.raises(RetentionError, match=r"has not finished.*'interrupted'.*force") as refused:
        await database.retention.delete("t")
    assert refused.value.thread_id == "t"
    _, seen = await shop.coordinator.inspect("t")
    assert seen.status == "interrupted"

    removed = await (await shop.database()).retention.delete("t", force=True)
    assert removed.thread_ids == ("t",)


async def test_what_a_deleted_thread_asked_and_got_is_gone_too(shop: Shop) -> None:
    waits = {"paid": for_signal("paid"), "sent": for_signal("sent")}
    tasks = [shop.task(name) for name in waits]
    for run_id in ("first", "second"):
        await run(shop.coordinator, tasks, waits, thread_id="t", run_id=run_id)
        kept = await shop.coordinator.signal("t", "sent", run_id, signal_id="delivery")
        assert kept.signal.payload == run_id
        database = await shop.database()
        await database.retention.delete("t", force=True)
        assert await database.approvals.signals("t") == []
        assert await database.approvals.find(Filter(STATUSES, thread_id="t")) == []
        assert await database.approvals.history(thread_id="t") != []


async def test_an_unknown_thread_is_not_deleted_copied_or_expired(shop: Shop) -> None:
    await shop.buy("known")
    retention = (await shop.database()).retention
    for refused in (
        retention.delete("t"), retention.copy("t", "u"), retention.expire("t", after=DAY),
    ):  # fmt: skip
        with pytest.raises(ThreadNotFoundError, match=r"recent threads are .'known'."):
            await refused


async def test_langgraphs_own_ways_to_delete_leave_no_row_to_run_again(shop: Shop) -> None:
    for thread_id in ("one", "two"):
        await shop.buy(thread_id)
    database = await shop.database()
    await database.checkpointer.adelete_thread("one")
    await database.checkpointer.aprune(["two"], strategy="delete")
    assert await shop.coordinator.threads() == []
    for thread_id in ("one", "two"):
        with pytest.raises(ThreadNotFoundError):
            await shop.coordinator.resume(thread_id)
    assert len(shop.calls) == 4


async def test_the_id_of_a_deleted_thread_can_be_used_again(shop: Shop) -> None:
    await shop.buy("t")
    await (await shop.database()).retention.delete("t")
    result = await shop.buy("t")
    assert (result.status, len(shop.calls)) == ("completed", 4)


async def test_a_process_from_before_the_deletion_cannot_write(
    database: Database, make_plan: MakePlan
) -> None:
    stale = await database.threads.start("t", make_plan("old"), holder="old", seconds=0.0)
    await database.retention.delete("t", force=True)
    mine = await database.threads.start("t", make_plan("new"), holder="me", seconds=LONG)

    assert mine.token > stale.token
    config: RunnableConfig = {
        "configurable": {"thread_id": "t", "checkpoint_ns": "", LEASE_TOKEN: stale.token}
    }
    with pytest.raises(LeaseLostError):
        await database.checkpointer.aput(config, empty_checkpoint(), {}, {})
    assert await database.threads.renew([stale], seconds=LONG) == ({"t"}, {})


# -- busy threads -----------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["sqlite", "memory"])
async def test_a_thread_that_somebody_runs_is_left_alone(
    scheme: str, file: Path, make_plan: MakePlan
) -> None:
    database = open_database("memory://" if scheme == "memory" else f"sqlite:///{file}")
    lease = await database.threads.start("t", make_plan("r"), holder="somebody", seconds=LONG)
    retention, saver = database.retention, database.checkpointer
    for refused in (
        retention.prune(["t"]),
        retention.copy("t", "u"),
        retention.delete("t"),
        retention.delete("t", force=True),
        saver.adelete_thread("t"),
        saver.aprune(["t"], strategy="delete"),
    ):
        with pytest.raises(ThreadBusyError) as busy:
            await refused
        assert busy.value.holder == "somebody"
    assert await retention.sweep(older_than=DAY, now=time.time() + 1e9) == Removed()
    assert (await database.threads.get("t")).lease == lease
    database.close()


async def test_a_thread_whose_process_died_is_deleted_by_force(
    database: Database, make_plan: MakePlan
) -> None:
    await database.threads.start("t", make_plan("r"), holder="dead", seconds=0.0)
    with pytest.raises(RetentionError, match="'running'"):
        await database.retention.delete("t")
    assert (await database.retention.delete("t", force=True)).thread_ids == ("t",)


# -- copy -------------------------------------------------------------------------------


async def test_a_copy_is_a_finished_thread_of_its_own(shop: Shop) -> None:
    finished = await shop.chains("t")
    database = await shop.database()
    copied = await database.retention.copy("t", "u")

    original = await checkpoints(database, "t")
    assert await checkpoints(database, "u") == original
    assert (copied.checkpoints, copied.writes > 0) == (sum(original.values()), True)
    again = await shop.coordinator.resume("u")
    assert {**again.as_json(), "thread_id": "t"} == finished.as_json()
    assert len(shop.calls) == 5

    await shop.buy("u")
    database = await shop.database()
    await database.retention.delete("u")
    assert await checkpoints(database, "t") == original
    _, seen = await shop.coordinator.inspect("t")
    assert seen.as_json() == finished.as_json()


async def test_a_copy_of_unfinished_work_is_refused(shop: Shop) -> None:
    await shop.buy("t", approval=True)
    database = await shop.database()
    with pytest.raises(RetentionError, match="a second time, under the same idempotency keys"):
        await database.retention.copy("t", "u")
    assert await checkpoints(database, "u") == {}


async def test_a_copy_replaces_nothing(shop: Shop) -> None:
    for thread_id in ("t", "u"):
        await shop.buy(thread_id)
    database = await shop.database()
    for target in ("t", "u"):
        with pytest.raises(RetentionError, match="exists already"):
            await database.retention.copy("t", target)
        with pytest.raises(RetentionError, match="exists already"):
            await database.checkpointer.acopy_thread("t", target)


# -- time to live -----------------------------------------------------------------------


async def test_only_finished_threads_whose_time_is_over_are_swept(shop: Shop) -> None:
    for thread_id in ("short", "long", "ever"):
        await shop.buy(thread_id)
    await shop.buy("waiting", approval=True)
    database = await shop.database()
    for thread_id, days in (("short", 1), ("waiting", 1), ("long", 10)):
        await database.retention.expire(thread_id, after=days * DAY)
    now = time.time()

    async def sweep(days: float, default: timedelta | None = None) -> tuple[str, ...]:
        later = now + (days * DAY).total_seconds()
        return (await database.retention.sweep(older_than=default, now=later)).thread_ids

    assert await sweep(0.9) == ()
    assert await sweep(2) == ("short",)
    assert await sweep(2) == ()
    assert await sweep(9) == ()
    assert await sweep(9, default=20 * DAY) == ()
    assert await sweep(9, default=5 * DAY) == ("ever",)
    assert await sweep(10_000, default=5 * DAY) == ("long",)
    assert [each.thread_id for each in await shop.coordinator.threads()] == ["waiting"]


async def test_a_time_to_live_can_be_taken_back(shop: Shop) -> None:
    await shop.buy("t")
    retention = (await shop.database()).retention
    await retention.expire("t", after=DAY)
    await retention.expire("t", after=None)
    assert await retention.sweep(now=time.time() + 1e9) == Removed()


async def test_a_thread_that_is_used_again_lives_longer(shop: Shop) -> None:
    await shop.buy("t")
    await (await shop.database()).retention.expire("t", after=DAY)
    first_end = time.time()
    await shop.buy("t")
    retention = (await shop.database()).retention
    assert await retention.sweep(now=first_end + DAY.total_seconds() - 1) == Removed()
    assert (await retention.sweep(now=time.time() + DAY.total_seconds())).thread_ids == ("t",)


@pytest.mark.parametrize("time_to_live", [timedelta(0), -DAY])
async def test_a_time_to_live_is_positive(shop: Shop, time_to_live: timedelta) -> None:
    await shop.buy("t")
    retention = (await shop.database()).retention
    with pytest.raises(ConfigurationError, match="give a positive one"):
        await retention.expire("t", after=time_to_live)
    with pytest.raises(ConfigurationError, match="give a positive one"):
        await retention.sweep(older_than=time_to_live)


# -- at the same time -------------------------------------------------------------------


async def test_deleting_twice_at_once_counts_everything_once(shop: Shop) -> None:
    await shop.chains("t")
    database = await shop.database()
    counted = sum((await checkpoints(database, "t")).values())
    ended: list[Any] = await asyncio.gather(
        *(database.retention.delete("t") for _ in range(4)), return_exceptions=True
    )
    removed = [each for each in ended if isinstance(each, Removed)]
    assert all(isinstance(each, Removed | ThreadNotFoundError) for each in ended)
    assert [each.thread_ids for each in removed if each.thread_ids] == [("t",)]
    assert sum(each.checkpoints for each in removed) <= counted


async def test_threads_run_while_others_are_pruned_swept_and_vacuumed(shop: Shop) -> None:
    await shop.buy("old")
    retention = (await shop.database()).retention
    coordinator = shop._coordinator

    async def run(number: int) -> str:
        tasks = [shop.task("buyer"), shop.task("payer")]
        thread_id = f"thread {number}"
        await coordinator.execute_sequential(tasks, thread_id=thread_id)
        await retention.prune([thread_id])
        return str((await coordinator.inspect(thread_id))[1].status)

    statuses, *_ = await asyncio.gather(
        asyncio.gather(*(run(number) for number in range(20))),
        retention.delete("old"),
        retention.vacuum(),
        retention.sweep(older_than=DAY),
    )
    assert statuses == ["completed"] * 20
