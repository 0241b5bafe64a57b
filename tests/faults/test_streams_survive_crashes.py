from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestration import SimpleCoordinator
from tests.faults.streamed_plans import PLANS, agents, by_task, go_on, stream

PROGRAM = Path(__file__).with_name("stream_crash.py")
STEP = 1 if "ORCHESTRATION_FAULT_ROUNDS" in os.environ else 7
"""Each place of death, and in the short form every seventh."""


def whole(plan: str) -> dict[str, list[Any]]:
    """What a run tells that nobody kills."""

    async def told() -> list[dict[str, Any]]:
        events = []
        async with SimpleCoordinator(registry=agents(), database_url="memory://") as coordinator:
            reading: Any = stream(coordinator, plan)
            while reading is not None:
                events += [event async for event in reading]
                reading = go_on(coordinator, events[-1], len(events))
        return [event.as_json() for event in events]

    return by_task(asyncio.run(told()))


def findings_of(plan: str, folder: Path) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(folder), str(STEP), plan],
        cwd=PROGRAM.parents[2],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("plan", PLANS)
def test_wherever_a_run_is_killed_its_stream_goes_on_as_if_it_was_not(
    plan: str, tmp_path: Path
) -> None:
    expected = whole(plan)
    findings = findings_of(plan, tmp_path)
    assert {each["where"] for each in findings} == {"event", "before", "after"}
    for each in findings:
        place = f"{each['where']} {each['number']}, {each['seen']} seen"
        numbers = [event["sequence"] for event in each["events"]]
        assert numbers == list(range(1, len(numbers) + 1)), place
        assert by_task(each["events"]) == expected, place
