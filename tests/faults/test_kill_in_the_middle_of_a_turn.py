"""`kill -9` in any turn, item or compensation inside others; another process goes on.

Each agent call of each workflow is a place to die at, before its effect is recorded and after;
beyond those, moments at random. What comes out must be what comes out of a run that nobody kills.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from orchestration import ThreadBusyError, ThreadNotFoundError
from tests.faults.nesting_worker import Death, Effects, opened, start

WORKER = Path(__file__).with_name("nesting_worker.py")
ROUNDS = int(os.environ.get("ORCHESTRATION_FAULT_ROUNDS", "2"))
"""`.ci/run` runs a short form; `make faults` the long one."""
RUN_SECONDS = 0.25
"""About how long an uninterrupted run takes once the worker is ready."""
CALLS = {"agreed": 5, "exhausted": 4, "loop": 4, "items": 6, "undone": 6}
BESIDE = {"items", "undone"}
"""Those with items: the next begins when one has ended, which is just before its checkpoint."""
TIMES = {"duration_seconds"}


def plain(value: Any) -> Any:  # noqa: ANN401
    """A result without what differs from run to run."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items() if key not in TIMES}
    return [plain(each) for each in value] if isinstance(value, list) else value


async def unkilled(folder: Path, name: str) -> tuple[Any, list[str]]:
    effects = Effects(folder)
    async with opened(folder, effects) as coordinator:
        result = await start(coordinator, name, "thread")
    return plain(result.as_json()), sorted(effects.rows("effects"))


@cache
def expected(name: str) -> tuple[Any, list[str]]:
    with TemporaryDirectory() as folder:
        result, effects = asyncio.run(unkilled(Path(folder), name))
    assert len(effects) == CALLS[name]
    return result, effects


async def resumed(folder: Path, effects: Effects) -> Any:  # noqa: ANN401
    """Resume as soon as the dead worker's lease is over; None if it never began."""
    async with opened(folder, effects) as coordinator, asyncio.timeout(30):
        while True:
            try:
                return plain((await coordinator.resume("thread")).as_json())
            except ThreadBusyError:
                await asyncio.sleep(0.05)
            except ThreadNotFoundError:
                return None


def deaths(name: str) -> list[Death | None]:
    """Every place to die at in an order that is always the same, then random moments."""
    places = [Death(call + 1, after) for call in range(CALLS[name]) for after in (False, True)]
    random.Random(name).shuffle(places)
    return [*places, *[None] * ROUNDS][:ROUNDS]


def die(folder: Path, name: str, death: Death | None, number: int) -> None:
    """Let a process run the workflow until it dies."""
    told = [] if death is None else [str(death.call), "after" if death.after else "before"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.nesting_worker", str(folder), name, "thread", *told],
        stdout=subprocess.PIPE,
        cwd=WORKER.parents[2],
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    if death is None:
        time.sleep(random.Random(number).uniform(0, RUN_SECONDS))
        process.kill()
    process.communicate(timeout=60)
    assert process.returncode in {-signal.SIGKILL, 0}
    assert death is None or process.returncode == -signal.SIGKILL


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("name", "number"), [(name, number) for name in CALLS for number in range(ROUNDS)]
)
def test_what_a_killed_process_left_is_finished_as_if_it_had_lived(
    tmp_path: Path, name: str, number: int
) -> None:
    result, keys = expected(name)
    die(tmp_path, name, deaths(name)[number], number)

    effects = Effects(tmp_path)
    called_before = Counter(effects.rows("calls"))
    ended = asyncio.run(resumed(tmp_path, effects))

    if ended is None:  # killed before the thread was stored: nothing has happened
        assert not called_before
        return
    assert ended == result
    assert sorted(effects.rows("effects")) == keys, "each effect once, under the same key"
    calls = Counter(effects.rows("calls"))
    again = {key for key, count in calls.items() if count > 1}
    if deaths(name)[number] is not None or name not in BESIDE:
        assert len(again) <= 1, "only what was under way is called again"
    assert all(called_before[key] for key in again)


def test_a_negotiation_that_agreed_and_one_that_did_not_end_as_they_should() -> None:
    agreed, exhausted = expected("agreed")[0], expected("exhausted")[0]
    assert (agreed["status"], agreed["turns"][-1]["by"]) == ("completed", "until")
    assert (exhausted["status"], exhausted["error"]["code"]) == ("partial", "out_of_turns")
    assert expected("undone")[0]["uncompensated"] == []
