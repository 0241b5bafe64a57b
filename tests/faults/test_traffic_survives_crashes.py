"""A run is killed at each of its commits: no call is forgotten, and none is paid for twice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).with_name("traffic_crash.py")
TASKS = ["a", "b", "c", "d"]


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(tmp_path_factory.mktemp("traffic"))],
        cwd=PROGRAM.parents[2],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_commit_was_a_place_of_death(findings: list[dict[str, Any]]) -> None:
    for when in ("before", "after"):
        deaths = [each["commit"] for each in findings if each["when"] == when]
        assert deaths == list(range(1, len(deaths) + 1))
        assert len(deaths) >= 2 * len(TASKS) + 2, "claim, a note and an outcome each, release"


def test_a_call_that_took_effect_is_found_by_whoever_makes_it_again(
    findings: list[dict[str, Any]],
) -> None:
    again = [
        (each["called_again"][task], each)
        for each in findings
        for task in each["effects_before"]
        if task in each["called_again"]
    ]
    assert len(again) >= len(TASKS), "each was killed between its effect and its outcome"
    assert all(knew for knew, _ in again), again


def test_nothing_is_found_of_what_was_never_sent(findings: list[dict[str, Any]]) -> None:
    for each in findings:
        reached = len(each["effects_before"]) + 1  # one may have been noted, and nothing done
        later = {task: each["called_again"].get(task) for task in TASKS[reached:]}
        assert set(later.values()) <= {False}, each


def test_each_task_is_in_the_accounts_once(findings: list[dict[str, Any]]) -> None:
    for each in findings:
        assert each["status"] == "completed"
        assert each["accounts"] == [["shop", len(TASKS), len(TASKS), float(len(TASKS))]], each


def test_where_calls_went_is_forgotten_when_all_is_done(findings: list[dict[str, Any]]) -> None:
    assert {each["dispatches_left"] for each in findings} == {0}
