from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).with_name("turn_crash.py")

ONE = ["one", "one after 0", "one after 0"]
TWO = ["two", "two after 3", "two after 3"]


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(tmp_path_factory.mktemp("turns"))],
        cwd=PROGRAM.parents[2],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_commit_of_a_turn_was_a_place_of_death(findings: list[dict[str, Any]]) -> None:
    for when in ("before", "after"):
        deaths = [each["commit"] for each in findings if each["when"] == when]
        assert deaths == list(range(1, len(deaths) + 1))
        assert len(deaths) >= 4, "the claim, two agents and the release"


def test_a_turn_that_began_is_whole_once_it_is_resumed(findings: list[dict[str, Any]]) -> None:
    for each in findings:
        never_began = (each["when"], each["commit"]) == ("before", 1)
        assert each["status"] == "completed"
        assert each["resumed"] == (ONE if never_began else ONE + TWO), each


def test_the_next_turn_builds_on_each_message_once(findings: list[dict[str, Any]]) -> None:
    for each in findings:
        before = len(each["resumed"])
        third = ["three", f"three after {before}", f"three after {before}"]
        assert each["in_the_end"] == each["resumed"] + third
        assert each["sequences"] == list(range(1, before + 4))
