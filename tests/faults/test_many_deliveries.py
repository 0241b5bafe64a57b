"""Three processes deliver one signal four times each at once: it is one signal."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from tests.faults.signal_process import DELIVERIES, coordinator, pause
from tests.faults.test_many_deciders import race, stream

ROOT = Path(__file__).parents[2]
PROCESSES = 3
ROUNDS = 6


def open_process(folder: Path, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.signal_process", str(folder), name],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


async def test_a_signal_delivered_a_dozen_times_at_once_answers_one_wait(tmp_path: Path) -> None:
    threads = [f"t{number}" for number in range(ROUNDS)]
    await pause(tmp_path, threads)
    processes = [open_process(tmp_path, name) for name in "abc"[:PROCESSES]]
    try:
        assert [stream(each.stdout).readline() for each in processes] == ["ready\n"] * PROCESSES
        for thread_id in threads:
            check(race(processes, thread_id))
    finally:
        for process in processes:
            stream(process.stdin).close()
            process.wait(30)
            stream(process.stdout).close()
    async with coordinator(tmp_path) as runs:
        for thread_id in threads:
            result = await runs.resume(thread_id)
            assert [str(each.status) for each in result] == ["succeeded", "succeeded", "pending"]
            (sent,) = await runs.approvals.signals(thread_id)
            assert sent.taken_for is not None
            trail = await runs.approvals.history(thread_id=thread_id)
            assert Counter(each.event for each in trail) == {
                "requested": 2, "signalled": 1, "decided": 1, "applied": 1,
            }  # fmt: skip
    done = (tmp_path / "done.txt").read_text().split()
    assert Counter(done) == Counter(threads)


def check(told: list[list[Any]]) -> None:
    """Everybody is told of the same signal, and one of them lets the run go on."""
    assert len(told) == PROCESSES * DELIVERIES
    assert {each[0] for each in told} == {"taken"}, json.dumps(told)
    assert len({each[1] for each in told}) == 1
    assert [each[2] for each in told if each[2] is not None] == ["interrupted"]
