"""Four processes with twelve deciders each race on one request: one of them takes effect."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import IO, Any

from orchestration.approvals import history
from tests.faults.decider_process import DECIDERS, pause

PROGRAM = Path(__file__).with_name("decider_process.py")
ROUNDS = int(os.environ.get("ORCHESTRATION_FAULT_ROUNDS", "8"))
"""`.ci/run` runs a short form; `ORCHESTRATION_FAULT_ROUNDS=100` the 100 of the issue."""
PROCESSES = 4


def open_process(folder: Path, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), str(folder), name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def stream(one: IO[str] | None) -> IO[str]:
    assert one is not None
    return one


def race(processes: list[subprocess.Popen[str]], line: str) -> list[list[Any]]:
    """Let everybody answer at once; return what became of each answer."""
    for process in processes:
        stream(process.stdin).write(line + "\n")
        stream(process.stdin).flush()
    return [each for process in processes for each in json.loads(stream(process.stdout).readline())]


async def test_of_48_deciders_one_wins_and_the_others_learn_who(tmp_path: Path) -> None:
    asked = await pause(tmp_path, [f"t{number}" for number in range(ROUNDS)])
    processes = [open_process(tmp_path, name) for name in "abcd"[:PROCESSES]]
    try:
        assert [stream(each.stdout).readline() for each in processes] == ["ready\n"] * PROCESSES
        winners = {
            thread_id: check_round(race(processes, f"{thread_id} {request_id}"))
            for thread_id, request_id in asked.items()
        }
    finally:
        for process in processes:
            stream(process.stdin).close()
            process.wait(30)
            stream(process.stdout).close()
    lines = [json.loads(line) for line in (tmp_path / "paid.txt").read_text().splitlines()]
    assert Counter(each["thread"] for each in lines) == Counter(asked.keys())
    assert {each["thread"]: each["by"] for each in lines} == winners
    url = f"sqlite:///{tmp_path / 'threads.db'}"
    for thread_id, request_id in asked.items():
        trail = await history(request_id, database_url=url)
        assert [each.event for each in trail] == ["requested", "decided", "applied"]
        assert trail[1].actor == winners[thread_id]


def check_round(said: list[list[Any]]) -> str:
    """Check what each decider was told; return who won."""
    assert Counter(each[0] for each in said) == {"won": 1, "lost": PROCESSES * DECIDERS - 1}, said
    ((_, winner, at, status),) = [each for each in said if each[0] == "won"]
    assert status == "completed"
    assert {tuple(each[1:]) for each in said if each[0] == "lost"} == {(winner, at, "edit")}
    return str(winner)
