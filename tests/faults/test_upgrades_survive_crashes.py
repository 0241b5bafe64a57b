"""A thread follows its workflow exactly once, whichever commit its process dies at."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CASES = ("answered", "asked_anew", "in_a_loop", "migrated")


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = str(tmp_path_factory.mktemp("upgrades"))
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.upgrade_crash", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.timeout(420)
@pytest.mark.parametrize("case", CASES)
def test_it_died_before_the_upgrade_and_after_it(case: str, findings: list[dict[str, Any]]) -> None:
    for when in ("before", "after"):
        deaths = [e for e in findings if (e["case"], e["when"]) == (case, when)]
        assert [each["commit"] for each in deaths] == list(range(1, len(deaths) + 1))
        assert [each["upgraded"] for each in deaths] == sorted(each["upgraded"] for each in deaths)
        assert {each["upgraded"] for each in deaths} == {0, 1}, "and right after, before its work"


def test_the_run_ends_and_does_everything_once(findings: list[dict[str, Any]]) -> None:
    for each in findings:
        assert each["status"] == "completed", each
        more = {"x": 1} if each["case"] == "in_a_loop" else {}
        assert each["effects"] == {"a": 1, "b": 1, "new": 1, "c": 1, **more}, each


def test_the_change_is_recorded_once(findings: list[dict[str, Any]]) -> None:
    assert {each["upgrades"] for each in findings} == {1}


def test_one_answer_is_used_and_no_question_is_left(findings: list[dict[str, Any]]) -> None:
    for each in findings:
        assert each["requests"].count("applied") == 1, each
        assert set(each["requests"]) <= {"applied", "lapsed"}, each
