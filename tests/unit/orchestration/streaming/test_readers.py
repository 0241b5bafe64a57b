"""Readers come, fall behind, leave and come back."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
from contextlib import aclosing, closing
from pathlib import Path

import pytest

from checkpoints import event_feeds, memory_events
from orchestration import AgentTask, LeaseLostError, ThreadNotFoundError, WorkflowEvent
from state.errors import BadSequenceError, EventsGoneError
from tests.unit.orchestration.streaming.stage import (
    SOON,
    Stage,
    all_of,
    lines,
    stage_in,
    until_over,
)

TWO = [AgentTask("a"), AgentTask("b")]
WHOLE = [
    "run_started",
    "task_started a",
    "token a a!",
    "task_finished a succeeded",
    "task_started b",
    "token b b!",
    "task_finished b succeeded",
    "run_finished completed",
]
PAUSED = ["run_started", "approval_requested a", "run_finished interrupted"]
ANSWERED = ["task_started a", "token a a!", "task_finished a succeeded", "run_finished completed"]


@pytest.fixture(params=["memory", "sqlite"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    return stage_in(tmp_path) if request.param == "sqlite" else Stage("memory://")


# -- slow ones ------------------------------------------------------------------------------


async def test_a_reader_that_does_not_read_does_not_hold_up_the_run(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_feeds, "BUFFERED_EVENTS", 10)
    words = [f"{number} " for number in range(100)]
    stage.scripts["a"] = [words]
    async with stage.open() as coordinator:
        reading = coordinator.stream([AgentTask("a")], thread_id="t")
        first = await anext(reading)
        await until_over(coordinator)
        rest = await all_of(reading)
    assert [event.sequence for event in (first, *rest)] == list(range(1, len(words) + 5))
    assert [event.data["text"] for event in rest if event.kind == "token"] == words


async def test_in_memory_a_reader_that_is_too_slow_is_told_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_feeds, "BUFFERED_EVENTS", 10)
    monkeypatch.setattr(memory_events, "KEPT_EVENTS", 20)
    stage = Stage("memory://", scripts={"a": [["word "] * 100]})
    async with stage.open() as coordinator:
        reading = coordinator.stream([AgentTask("a")], thread_id="t")
        await anext(reading)
        await until_over(coordinator)
        with pytest.raises(EventsGoneError, match="a database in memory keeps only"):
            await all_of(reading)
        kept = await all_of(coordinator.watch("t", after=90))
    assert [event.sequence for event in kept] == list(range(91, 105))


# -- those who leave, and come back ----------------------------------------------------------


async def test_leaving_a_stream_stops_the_run_and_resuming_goes_on(stage: Stage) -> None:
    async with stage.open() as coordinator:
        async with aclosing(coordinator.stream([AgentTask("gated")], thread_id="t")) as reading:
            async for event in reading:
                if event.kind == "token":
                    break
        assert (await coordinator.thread("t")).lease is None
        stage.gate.set()
        rest = await all_of(coordinator.resume_stream("t", after=event.sequence))
    assert lines(rest) == ["task_finished gated succeeded", "run_finished completed"]
    assert stage.calls == ["gated", "gated"]


async def test_a_finished_run_is_read_again_without_being_run(stage: Stage) -> None:
    async with stage.open() as coordinator:
        told = await all_of(coordinator.stream(TWO, thread_id="t"))
        assert lines(told) == WHOLE
        assert await all_of(coordinator.resume_stream("t")) == told
        assert await all_of(coordinator.resume_stream("t", after=5)) == told[5:]
        assert await all_of(coordinator.resume_stream("t", after=8)) == []
        assert await all_of(coordinator.watch("t", after=2)) == told[2:]
    assert stage.calls == ["a", "b"]


async def test_answers_are_given_with_the_stream_that_follows_them(stage: Stage) -> None:
    asks = [AgentTask("a", requires_approval=True)]
    async with stage.open() as coordinator:
        told = await all_of(coordinator.stream(asks, thread_id="t"))
        assert lines(told) == PAUSED
        assert await all_of(coordinator.resume_stream("t", after=3)) == []
        rest = coordinator.resume_stream("t", {"a": "approve"}, after=3)
        assert lines(await all_of(rest)) == ANSWERED


async def test_what_happens_without_a_reader_is_told_to_the_one_that_comes_back(
    stage: Stage,
) -> None:
    asks = [AgentTask("a", requires_approval=True)]
    async with stage.open() as coordinator:
        told = await all_of(coordinator.stream(asks, thread_id="t"))
        await coordinator.resume("t", {"a": "approve"})
        assert lines(await all_of(coordinator.resume_stream("t", after=told[-1].sequence))) == (
            ANSWERED
        )


async def test_a_run_that_was_not_streamed_has_a_log_from_then_on(stage: Stage) -> None:
    asks = [AgentTask("a"), AgentTask("b", requires_approval=True)]
    async with stage.open() as coordinator:
        await coordinator.execute_sequential(asks, thread_id="t")
        assert await all_of(coordinator.watch("t")) == []
        known = lines(await all_of(coordinator.resume_stream("t")))
        assert known == [
            "run_started",
            "task_started a",
            "task_finished a succeeded",
            "approval_requested b",
            "run_finished interrupted",
        ]
        await coordinator.resume("t", {"b": "approve"})
        rest = await all_of(coordinator.watch("t", after=5))
        assert lines(rest) == [
            "task_started b",
            "token b b!",
            "task_finished b succeeded",
            "run_finished completed",
        ]


@pytest.mark.parametrize("after", [-1, 9, True, "1"])
async def test_a_sequence_that_the_run_has_not_reached_is_refused(
    stage: Stage, after: object
) -> None:
    async with stage.open() as coordinator:
        await all_of(coordinator.stream(TWO, thread_id="t"))
        for read in (coordinator.resume_stream, coordinator.watch):
            with pytest.raises(BadSequenceError, match="a whole number from 0 to 8") as raised:
                await all_of(read("t", after=after))  # type: ignore[arg-type]
            assert raised.value.code == "bad_sequence"


async def test_of_an_unknown_thread_nothing_is_told(stage: Stage) -> None:
    async with stage.open() as coordinator:
        for read in (coordinator.resume_stream, coordinator.watch):
            with pytest.raises(ThreadNotFoundError):
                await all_of(read("gone"))


# -- several ---------------------------------------------------------------------------------


async def test_any_number_of_readers_watch_and_leave_without_stopping_anything(
    tmp_path: Path,
) -> None:
    stage = stage_in(tmp_path)
    async with stage.open() as coordinator, stage.open() as elsewhere:
        first = asyncio.create_task(all_of(coordinator.stream([AgentTask("gated")], thread_id="t")))
        await asyncio.wait_for(stage.begun.wait(), SOON)
        async with aclosing(elsewhere.watch("t")) as leaving:
            assert (await anext(leaving)).kind == "run_started"
        watchers = [
            asyncio.create_task(all_of(each.watch("t"))) for each in (coordinator, elsewhere)
        ]
        follower = asyncio.create_task(all_of(elsewhere.resume_stream("t", after=1)))
        await asyncio.sleep(0)
        stage.gate.set()
        told = await first
        assert [await each for each in watchers] == [told, told]
        assert await follower == told[1:]
    assert stage.calls == ["gated"]


async def test_whoever_follows_takes_over_from_a_process_that_died(tmp_path: Path) -> None:
    stage = stage_in(tmp_path)
    seen: list[WorkflowEvent] = []
    async with (
        stage.open(lease_seconds=0.3) as dying,
        stage.open() as elsewhere,
        aclosing(dying.stream([AgentTask("gated")], thread_id="t")) as reading,
    ):
        while not seen or seen[-1].kind != "token":
            seen.append(await anext(reading))
        for segment in (await dying._engine())._held._segments:
            segment.held.drop()  # its heart stands still, and its agent never answers
        stage.holds_up = 1
        rest = await all_of(elsewhere.resume_stream("t", after=len(seen)))
    assert lines(rest) == ["task_finished gated succeeded", "run_finished completed"]
    assert [event.sequence for event in rest] == [4, 5]
    assert stage.calls == ["gated", "gated"]


async def test_a_process_that_lost_its_thread_tells_nothing_more(tmp_path: Path) -> None:
    stage = stage_in(tmp_path)
    async with stage.open() as coordinator:
        reading = coordinator.stream([AgentTask("gated"), AgentTask("a")], thread_id="t")
        while (await anext(reading)).kind != "token":
            pass
        with closing(sqlite3.connect(tmp_path / "runs.db", isolation_level=None)) as connection:
            connection.execute("UPDATE orchestration_threads SET lease_token = lease_token + 1")
        stage.gate.set()
        with pytest.raises(LeaseLostError):
            await all_of(reading)
        assert lines(await all_of(coordinator.watch("t", follow=False))) == [
            "run_started",
            "task_started gated",
            "token gated gated!",
        ]


async def test_a_reader_that_is_forgotten_is_cleaned_up_and_its_run_stops(stage: Stage) -> None:
    async with stage.open() as coordinator:
        async for event in coordinator.stream([AgentTask("gated")], thread_id="t"):
            if event.kind == "token":
                break
        gc.collect()
        feeds = (await coordinator._engine())._database.events._feeds._feeds  # type: ignore[attr-defined]
        async with asyncio.timeout(SOON):
            while (await coordinator.thread("t")).lease is not None or feeds:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
