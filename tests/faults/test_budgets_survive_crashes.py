from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).with_name("budget_crash.py")


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(tmp_path_factory.mktemp("budgets"))],
        cwd=PROGRAM.parents[2],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_commit_of_the_run_was_a_place_of_death(findings: list[dict[str, Any]]) -> None:
    for when in ("before", "after"):
        deaths = [each["commit"] for each in findings if each["when"] == when]
        assert deaths == list(range(1, len(deaths) + 1))
        assert len(deaths) >= 9, "claims, calls that begin and end, outcomes, pause and answer"


def test_the_run_ends_whatever_died(findings: list[dict[str, Any]]) -> None:
    for each in findings:
        assert each["status"] == "completed", each
        assert set(each["called"]) == {"one", "two"}
        assert len(each["called"]) <= 3, "at most the call under way is made again"


def test_no_call_is_missing_from_the_budget(findings: list[dict[str, Any]]) -> None:
    for each in findings:
        assert each["counted"] >= len(each["called"]), each
        assert each["counted"] <= len(each["called"]) + 1, "it may have died before it called"


def test_an_answer_grants_once(findings: list[dict[str, Any]]) -> None:
    for each in findings:
        assert each["granted"] in {1, 2}, each
        assert each["granted"] <= each["answers"] + 1
        more = each["counted"] - 1 - each["granted"]
        assert more <= 1, "the call under way is made again unasked, and counts"
