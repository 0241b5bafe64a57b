"""`kill -9` in the middle of undoing several tasks; a new process resumes by thread id alone."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from checkpoints.database import open_database
from orchestration import ThreadBusyError

WORKER = Path(__file__).with_name("compensation_worker.py")
ROUNDS = int(os.environ.get("ORCHESTRATION_FAULT_ROUNDS", "6"))
"""`.ci/run` runs a short form; `make faults` the long one."""
DONE = ["buy_1", "pay_1", "buy_2", "pay_2", "buy_3", "pay_3", "hr"]
UNDOING_SECONDS = 0.01
"""About how long one compensation takes, its checkpoint included."""


def start(folder: Path, mode: str, thread_id: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(WORKER), str(folder), mode, thread_id],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def compensated_in_the_checkpoint(folder: Path, thread_id: str) -> set[str]:
    database = open_database(f"sqlite:///{folder / 'threads.db'}")
    try:
        stored = database.checkpointer.get_tuple({"configurable": {"thread_id": thread_id}})
    finally:
        database.close()
    assert stored is not None
    outcomes = dict(stored.checkpoint["channel_values"]["outcomes"])
    for _, channel, value in stored.pending_writes or ():
        if channel == "outcomes":
            outcomes |= value
    return {id_ for id_, outcome in outcomes.items() if outcome["status"] == "compensated"}


def calls_to_undo(folder: Path) -> list[str]:
    """The tasks that agents were asked to undo, by any process, in that order."""
    keys = (folder / "calls.txt").read_text().splitlines()
    return [key.split(":")[1] for key in keys if key.endswith(":compensate")]


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "team.db")) as connection:
        return connection.execute(query).fetchall()


def resume_until_done(folder: Path, thread_id: str) -> dict[str, object]:
    """Resume as soon as the dead worker's lease is over."""
    for _ in range(50):
        process = start(folder, "resume", thread_id)
        output, errors = process.communicate(timeout=60)
        if process.returncode == 0:
            ended: dict[str, object] = json.loads(output.splitlines()[-1])
            return ended
        assert ThreadBusyError.__name__ in errors, errors
    raise AssertionError("the lease never ended")


def assert_all_is_as_if_nothing_had_been_done(folder: Path) -> None:
    assert rows(folder, "SELECT order_id, status FROM orders ORDER BY order_id") == [
        (1, "cancelled"),
        (2, "cancelled"),
        (3, "cancelled"),
    ]
    assert rows(folder, "SELECT * FROM seat_blocks") == []
    refunds = rows(folder, "SELECT order_id, refunds.amount_cents = total_cents FROM refunds"
                           " JOIN orders USING (order_id) ORDER BY order_id")  # fmt: skip
    assert refunds == [(1, 1), (2, 1), (3, 1)]
    assert rows(folder, "SELECT COUNT(*) FROM expenses") == [(3,)]
    reversals = rows(folder, "SELECT expense_id FROM expense_reversals ORDER BY expense_id")
    assert reversals == [(1,), (2,), (3,)]
    assert rows(folder, "SELECT status FROM leave_requests") == [("withdrawn",)]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", range(ROUNDS))
def test_what_a_killed_process_began_to_undo_is_undone_by_another(
    tmp_path: Path, number: int
) -> None:
    chance = random.Random(number)
    thread_id = f"nothing-{number}"
    process = start(tmp_path, "start", thread_id)
    assert process.stdout is not None
    for _ in range(chance.randint(1, len(DONE))):
        assert process.stdout.readline().strip() == "undoing"
    time.sleep(chance.uniform(0, UNDOING_SECONDS))
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)

    before = compensated_in_the_checkpoint(tmp_path, thread_id)
    called_before = Counter(calls_to_undo(tmp_path))
    ended = resume_until_done(tmp_path, thread_id)

    assert ended == {
        "status": "failed",
        "tasks": {**dict.fromkeys(DONE, "compensated"), "refusing": "failed"},
    }
    assert_all_is_as_if_nothing_had_been_done(tmp_path)
    effects = Counter(
        str(key).split(":")[1]
        for (key,) in rows(tmp_path, "SELECT key FROM idempotency WHERE key LIKE '%:compensate'")
    )
    assert effects == dict.fromkeys(DONE, 1), "each compensation takes effect exactly once"
    calls = calls_to_undo(tmp_path)
    assert list(dict.fromkeys(calls)) == DONE[::-1], "they are undone last first"
    again = {id_ for id_, count in Counter(calls).items() if count > called_before[id_] > 0}
    assert not again & before, "a task was undone again though that stood in a checkpoint"
    assert len(again) <= 1, "at most the compensation under way is called again"
