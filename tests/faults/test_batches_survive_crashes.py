"""No request of a batch runs twice, whichever commit its process dies at, and whoever helps."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import IO, Any

import pytest

from tests.faults.batch_worker import ITEMS, TASKS
from tests.faults.commit_crash import Effects

ROOT = Path(__file__).parents[2]
ALL = {f"{number}_{task}" for number in range(ITEMS) for task in TASKS}


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = str(tmp_path_factory.mktemp("batches"))
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.batch_crash", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.timeout(320)
def test_every_commit_was_a_place_of_death(findings: list[dict[str, Any]]) -> None:
    for when in ("before", "after"):
        deaths = [each["commit"] for each in findings if each["when"] == when]
        assert deaths == list(range(1, len(deaths) + 1))
        assert len(deaths) >= 12
    assert {len(each["over"]) for each in findings} >= {0, 1, 2}


def test_the_batch_ends_and_every_effect_is_there_once(findings: list[dict[str, Any]]) -> None:
    for each in findings:
        assert each["counts"] == {"completed": 3}, each
        assert each["keys"] == ["x", "y", "z"], each
        assert set(each["effects"]) == {f"{key}_{task}" for key in "xyz" for task in "ab"}, each
        assert set(each["effects"].values()) == {1}, each


def test_what_was_over_or_saved_is_not_called_again(findings: list[dict[str, Any]]) -> None:
    for each in findings:
        over = {f"{key}_{task}" for key in each["over"] for task in "ab"}
        assert not over & set(each["calls_after"]), each
        assert not {*each["saved"]} & set(each["calls_after"]), each
        calls = Counter([*each["calls_before"], *each["calls_after"]])
        assert max(calls.values()) <= 2, each


# -- two at once ----------------------------------------------------------------------------


def worker(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.batch_worker", str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def lines(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


def counts(process: subprocess.Popen[str]) -> Any:  # noqa: ANN401  JSON
    *_, last = process.communicate(timeout=100)[0].splitlines()
    assert process.returncode == 0
    return json.loads(last)


def test_two_processes_share_a_batch_and_nothing_is_called_twice(tmp_path: Path) -> None:
    Effects(tmp_path)
    one, other = worker(tmp_path), worker(tmp_path)
    assert [counts(one), counts(other)] == [{"completed": ITEMS}] * 2
    calls = Counter(Effects(tmp_path).calls())
    assert calls == dict.fromkeys(ALL, 1)


@pytest.mark.parametrize("calls_until_death", [1, 7, 15])
def test_one_of_two_processes_is_killed_and_the_other_does_the_rest(
    tmp_path: Path, calls_until_death: int
) -> None:
    Effects(tmp_path)
    dying, other = worker(tmp_path), worker(tmp_path)
    for _ in range(calls_until_death):
        if not lines(dying).readline():
            break  # the other one was faster
    dying.kill()
    dying.communicate()
    assert counts(other) == {"completed": ITEMS}
    effects = Effects(tmp_path)
    done = dict(effects.run("SELECT task, count(*) FROM effects GROUP BY task"))
    assert done == dict.fromkeys(ALL, 1)
    twice = [task for task, calls in Counter(effects.calls()).items() if calls > 1]
    assert len(twice) <= 3, "no more than the dead one had under way"
    before = effects.calls()
    assert counts(worker(tmp_path)) == {"completed": ITEMS}
    assert effects.calls() == before, "what is over is only looked up"
