from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).with_name("commit_crash.py")
CASES = [
    "sequential/grouped",
    "sequential/alone",
    "parallel/alone",
    "retried/alone",
    "undone/grouped",
    "undone/alone",
]
TASKS = {
    "sequential": ["a", "b", "c", "d"],
    "parallel": ["a1", "a2", "b", "c", "end"],
    "retried": ["a", "shop"],
    "undone": ["a", "b", "c", "undo c", "undo b", "undo a"],
}
"""What takes effect, once each."""
ENDS: dict[str, tuple[str, list[str]]] = {
    **{plan: ("completed", ["succeeded"] * len(tasks)) for plan, tasks in TASKS.items()},
    "undone": ("failed", [*["compensated"] * 3, "failed"]),
}
UPSTREAM = {
    "sequential": {"a": [], "b": ["a"], "c": ["a", "b"], "d": ["a", "b", "c"]},
    "parallel": {"a1": [], "a2": ["a1"], "b": [], "c": [], "end": ["a2", "b", "c"]},
    "retried": {"a": [], "shop": ["a"]},
    "undone": {},
}

Findings = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    folder = tmp_path_factory.mktemp("crashes")
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(folder), *CASES],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    by_case: Findings = defaultdict(list)
    for line in done.stdout.splitlines():
        finding = json.loads(line)
        by_case[finding["case"]].append(finding)
    return by_case


def plan_of(case: str) -> str:
    return case.partition("/")[0]


@pytest.mark.parametrize("case", CASES)
def test_every_commit_of_a_run_was_a_place_of_death(findings: Findings, case: str) -> None:
    supersteps = {"sequential": 4, "parallel": 6, "retried": 3, "undone": 7}[plan_of(case)]
    for when in ("before", "after"):
        deaths = [each["commit"] for each in findings[case] if each["when"] == when]
        assert deaths == list(range(1, len(deaths) + 1))
        assert len(deaths) >= supersteps + 2, "the claim and the release are commits too"


@pytest.mark.parametrize("case", CASES)
def test_no_effect_happens_twice(findings: Findings, case: str) -> None:
    twice = [each for each in findings[case] if any(n != 1 for n in each["effects"].values())]
    assert twice == []


@pytest.mark.parametrize("case", CASES)
def test_a_task_whose_outcome_was_saved_is_not_called_again(findings: Findings, case: str) -> None:
    again = [each for each in findings[case] if set(each["saved"]) & set(each["calls_after"])]
    assert again == []


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_called_twice_by_one_process(findings: Findings, case: str) -> None:
    repeated = [
        each
        for each in findings[case]
        for calls in (each["calls_before"], each["calls_after"])
        if len(set(calls)) != len(calls)
    ]
    assert repeated == []


@pytest.mark.parametrize("case", CASES)
def test_one_resume_finishes_every_task_wherever_the_process_died(
    findings: Findings, case: str
) -> None:
    tasks = TASKS[plan_of(case)]
    unfinished = [
        (each["when"], each["commit"], each["status"], each["statuses"])
        for each in findings[case]
        if (each["status"], each["statuses"]) != ENDS[plan_of(case)]
        or set(each["effects"]) != set(tasks)
    ]
    assert unfinished == []


@pytest.mark.parametrize("case", CASES)
def test_each_task_got_the_outputs_it_builds_on_across_the_crash(
    findings: Findings, case: str
) -> None:
    expected = UPSTREAM[plan_of(case)]
    wrong = [
        (each["when"], each["commit"], task, output["saw"])
        for each in findings[case]
        for task, output in each["outputs"].items()
        if output["saw"] != expected[task]
    ]
    assert wrong == []


@pytest.mark.parametrize("case", [case for case in CASES if plan_of(case) == "undone"])
def test_tasks_are_undone_last_first_across_the_crash(findings: Findings, case: str) -> None:
    undone = TASKS["undone"][3:]
    for each in findings[case]:
        calls = [*each["calls_before"], *each["calls_after"]]
        assert [name for name in dict.fromkeys(calls) if name.startswith("undo")] == undone
