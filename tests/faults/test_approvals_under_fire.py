"""Approvals take effect exactly once, whoever dies or comes back from the dead."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.faults.approval_worker import LEASE_SECONDS, Effects

WORKER = Path(__file__).with_name("approval_worker.py")
ROOT = WORKER.parents[2]
LONG_FORM = int(os.environ.get("ORCHESTRATION_FAULT_ROUNDS", "0"))
KILLS = min(LONG_FORM, 20) or 3
KILLED = -signal.SIGKILL
PATIENCE_SECONDS = 60


def command(folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "tests.faults.approval_worker", str(folder), *words]


def run(folder: Path, *words: str, expect: int = 0) -> Any:  # noqa: ANN401  a JSON line
    done = subprocess.run(
        command(folder, *words),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == expect, done.stderr
    return json.loads(done.stdout) if done.stdout else None


def finish(folder: Path, thread_id: str) -> None:
    """Sweep until nothing is left to do: the dead process's lease has to end first."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up:
        run(folder, "sweep")
        done = run(folder, "resume", thread_id)
        if done.get("status") == "completed":
            return
        time.sleep(LEASE_SECONDS / 2)
    raise AssertionError("the thread never ended")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kill_at", ["before resume", "before effect", "after effect"])
def test_a_decision_stands_and_its_effect_happens_once_whenever_its_process_dies(
    tmp_path: Path, kill_at: str
) -> None:
    effects = Effects(tmp_path)
    for number in range(KILLS):
        thread_id = f"thread-{number}"
        request = run(tmp_path, "start", thread_id)["request"]
        run(tmp_path, "decide", request, "ann", kill_at, expect=KILLED)
        again = subprocess.run(
            command(tmp_path, "decide", request, "bob"),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert "AlreadyDecidedError" in again.stderr
        assert "was decided by ann at" in again.stderr
        finish(tmp_path, thread_id)
        assert effects.count("effects", thread_id) == 1
        assert len(effects.keys(thread_id)) == 1
        assert effects.count("calls", thread_id) <= 2


@pytest.mark.slow
def test_of_two_processes_one_runs_a_thread_and_the_other_gets_it_when_that_one_is_dead(
    tmp_path: Path,
) -> None:
    effects = Effects(tmp_path)
    holder = subprocess.Popen(command(tmp_path, "hold", "t"), cwd=ROOT)
    try:
        wait_for_file(tmp_path / "held")
        busy = run(tmp_path, "resume", "t")
        assert f":{holder.pid}:" in busy["busy"]
        assert busy["until"] > time.time() - LEASE_SECONDS
    finally:
        holder.kill()
        holder.wait()
    finish_partial(tmp_path, "t")
    assert effects.count("effects", "t") == 1


@pytest.mark.slow
def test_a_process_that_was_stopped_past_its_lease_is_fenced_when_it_comes_back(
    tmp_path: Path,
) -> None:
    effects = Effects(tmp_path)
    sleeper = subprocess.Popen(
        command(tmp_path, "hold", "t"), cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    try:
        wait_for_file(tmp_path / "held")
        sleeper.send_signal(signal.SIGSTOP)
        finish_partial(tmp_path, "t")
        assert effects.count("calls", "t") == 1
        sleeper.send_signal(signal.SIGCONT)
        _, trouble = sleeper.communicate(timeout=PATIENCE_SECONDS)
        assert "LeaseLostError" in trouble
    finally:
        sleeper.kill()
        sleeper.communicate()
    assert effects.count("calls", "t") == 1
    assert run(tmp_path, "resume", "t")["status"] == "partial"


def finish_partial(folder: Path, thread_id: str) -> None:
    """Resume as soon as the lease is over; `hold` times out, so the run ends as partial."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while "busy" in (done := run(folder, "resume", thread_id)):
        assert time.monotonic() < give_up
        time.sleep(LEASE_SECONDS / 4)
    assert done["status"] == "partial"


def wait_for_file(path: Path) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not path.exists():
        assert time.monotonic() < give_up
        time.sleep(0.02)
