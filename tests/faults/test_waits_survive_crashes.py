"""Waits and signals take effect exactly once, whichever commit their process dies at."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DAY = 86400.0
NOON = 1_800_000_000.0
SIGNALS, TIMERS = ("pausing", "early", "late"), ("timing", "firing")


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = str(tmp_path_factory.mktemp("waits"))
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.wait_crash", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.timeout(420)
@pytest.mark.parametrize("case", [*SIGNALS, *TIMERS])
def test_every_commit_was_a_place_of_death(case: str, findings: list[dict[str, Any]]) -> None:
    for when in ("before", "after"):
        deaths = [
            each["commit"] for each in findings if (each["case"], each["when"]) == (case, when)
        ]
        assert deaths == list(range(1, len(deaths) + 1))
        assert len(deaths) >= 5


def test_the_run_ends_and_does_everything_once(findings: list[dict[str, Any]]) -> None:
    for each in findings:
        assert each["status"] == "completed", each
        assert each["effects"] == {"a": 1, "b": 1}, each


def test_a_signal_answers_one_question_and_is_never_lost(findings: list[dict[str, Any]]) -> None:
    for each in findings:
        if each["case"] in SIGNALS:
            payload = {"signal": "paid", "payload": {"amount": 5}, "sent_by": "bank"}
            assert each["outputs"]["pause"] == payload, each
            assert each["requests"] == [["signal", "applied"]], each
            assert (each["signals"], each["unused"]) == (1, 0), each


def test_a_time_that_was_recorded_is_not_counted_anew(findings: list[dict[str, Any]]) -> None:
    for when in ("before", "after"):
        due = [
            each["outputs"]["pause"]["due_at"]
            for each in findings
            if (each["case"], each["when"]) == ("timing", when)
        ]
        assert set(due) == {NOON + 1.5 * DAY, NOON + DAY}, "begun again, then as recorded"
        assert due == sorted(due, reverse=True)
    for each in findings:
        if each["case"] in TIMERS:
            assert each["requests"] == [["timer", "applied"]], each
        if each["case"] == "firing":
            assert each["outputs"]["pause"]["due_at"] == NOON + DAY
