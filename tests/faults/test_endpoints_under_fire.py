"""Endpoints that die after accepting, and processes killed in the middle of calls of endpoints."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from orchestration import (
    SimpleCoordinator,
    ThreadBusyError,
    ThreadNotFoundError,
    WorkflowResult,
)
from orchestration.testing.agent_stage import Breaks, Echoes, Fails, Limits, Says
from orchestration.testing.fake_http_agent import FakeHttpAgent
from state.outcome import Outcome
from tests.faults.pool_worker import THREAD, opened, tasks

WORKER = Path(__file__).with_name("pool_worker.py")


@pytest.fixture
def shops() -> Iterator[tuple[FakeHttpAgent, FakeHttpAgent]]:
    """Two endpoints that do not know of each other's purchases."""
    with ExitStack() as stack:
        one = stack.enter_context(FakeHttpAgent(recognises_keys=True))
        yield one, stack.enter_context(FakeHttpAgent(recognises_keys=True))


def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'runs.db'}"


def effects(*shops: FakeHttpAgent) -> int:
    return sum(sum(shop.effects.values()) for shop in shops)


async def resumed(
    database: str, addresses: list[str], *, later: timedelta = timedelta(0)
) -> WorkflowResult:
    """Resume as soon as the dead worker's lease is over, with a clock that is ahead."""
    async with opened(database, addresses, ahead=later) as coordinator, asyncio.timeout(30):
        while True:
            try:
                return await coordinator.resume(THREAD)
            except ThreadBusyError:
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("idempotent", [False, True])
async def test_a_purchase_whose_endpoint_dies_after_accepting_goes_elsewhere_only_if_it_may(
    shops: tuple[FakeHttpAgent, FakeHttpAgent],
    tmp_path: Path,
    idempotent: bool,  # noqa: FBT001
) -> None:
    one, other = shops
    one.play(Breaks(()))
    addresses = [one.address, other.address]
    async with opened(url(tmp_path), addresses, idempotent=idempotent) as coordinator:
        result = await coordinator.execute_sequential(tasks(1), thread_id=THREAD)
    outcome = result["shop"].outcome
    assert outcome is not None
    if idempotent:
        assert result.status == "completed"
        assert [each.get("error") for each in outcome["tries"]] == ["agent_failed", None]
        assert one.received[0].key == other.received[0].key
    else:
        assert result.status == "failed"
        assert "may have acted all the same" in str(outcome["error"]["message"])
        assert other.requests == 0
        assert effects(one, other) == 1


async def test_a_purchase_at_an_endpoint_that_is_not_there_goes_to_the_next(
    shops: tuple[FakeHttpAgent, FakeHttpAgent], tmp_path: Path
) -> None:
    one, other = shops
    one.die()
    async with opened(url(tmp_path), [one.address, other.address]) as coordinator:
        result = await coordinator.execute_sequential(tasks(1), thread_id=THREAD)
    assert result.status == "completed"
    assert (one.requests, other.requests, effects(one, other)) == (0, 1, 1)


async def test_a_retry_goes_to_where_the_purchase_may_have_been_made(
    shops: tuple[FakeHttpAgent, FakeHttpAgent], tmp_path: Path
) -> None:
    one, other = shops
    one.play(Breaks(()))
    wait = timedelta(milliseconds=50)
    async with opened(url(tmp_path), [one.address, other.address]) as coordinator:
        run = asyncio.create_task(
            coordinator.execute_sequential(tasks(4, wait=wait), thread_id=THREAD)
        )
        await one.arrived()
        one.play(Says(("bought",)))
        result = await run
    assert result.status == "completed"
    assert result["shop"].attempts > 1
    assert other.requests == 0
    assert effects(one, other) == 1


async def killed_while_waiting(database: str, addresses: list[str], attempts: int) -> Outcome:
    """Let a process run the purchase, and kill it once it waits for another attempt.

    Returns what another process knows of the task then.
    """
    command = [sys.executable, str(WORKER), database, ",".join(addresses), str(attempts)]
    worker = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    try:
        async with opened(database, addresses) as coordinator, asyncio.timeout(30):
            while await _waiting(coordinator) is None:  # noqa: ASYNC110  another process's work
                await asyncio.sleep(0.02)
            worker.send_signal(signal.SIGKILL)
            await worker.wait()
            known = await _waiting(coordinator)
    finally:
        if worker.returncode is None:
            worker.kill()
            await worker.wait()
    assert worker.returncode == -signal.SIGKILL
    assert known is not None
    return known


async def _waiting(coordinator: SimpleCoordinator) -> Outcome | None:
    try:
        outcome = (await coordinator.get_state(THREAD))["shop"].outcome
    except ThreadNotFoundError:
        return None
    return outcome if outcome is not None and outcome["attempts"] else None


async def test_killed_during_backoff_the_count_of_attempts_is_kept(
    shops: tuple[FakeHttpAgent, FakeHttpAgent], tmp_path: Path
) -> None:
    one, other = shops
    one.play(Fails("out of order"))
    addresses = [one.address, other.address]
    before = await killed_while_waiting(url(tmp_path), addresses, 2)
    assert (before["status"], before["attempts"]) == ("pending", 1)
    assert before["next_due_at"] > before["finished_at"] + 3500
    assert [each["error"] for each in before["tries"]] == ["agent_failed"]
    one.play(Says(("bought",)))
    result = await resumed(url(tmp_path), addresses, later=timedelta(hours=2))
    assert result.status == "completed"
    assert result["shop"].attempts == 2  # and not one again
    assert other.requests == 0
    assert effects(one, other) == 1


async def test_killed_in_the_middle_of_a_call_it_is_made_again_only_there(
    shops: tuple[FakeHttpAgent, FakeHttpAgent], tmp_path: Path
) -> None:
    one, other = shops
    one.play(Echoes(held=True))
    database = url(tmp_path)
    killing = asyncio.create_task(_killed_once_arrived(database, one, other))
    await killing
    one.release()
    # another process prefers the other endpoint
    result = await resumed(database, [other.address, one.address])
    assert result.status == "completed"
    outcome = result["shop"].outcome
    assert outcome is not None
    assert outcome["endpoint"] in one.address
    assert "where the call was sent before" in outcome["routing"]["why"]
    assert other.requests == 0
    assert len({received.key for received in one.received}) == 1


async def _killed_once_arrived(database: str, one: FakeHttpAgent, other: FakeHttpAgent) -> None:
    command = [sys.executable, str(WORKER), database, f"{one.address},{other.address}", "1"]
    worker = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    try:
        await one.arrived()
    finally:
        worker.kill()
        await worker.wait()


async def test_what_an_endpoint_says_of_when_to_come_back_is_kept_to(
    shops: tuple[FakeHttpAgent, FakeHttpAgent], tmp_path: Path
) -> None:
    one, other = shops
    one.play(Limits(120))
    other.die()
    outcome = await killed_while_waiting(url(tmp_path), [one.address, other.address], 3)
    assert outcome["next_due_at"] >= outcome["finished_at"] + 119
