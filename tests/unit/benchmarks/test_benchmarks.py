"""Every benchmark runs and says its findings in one form; times are never judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def run_quickly(name: str, *options: str) -> str:
    done = subprocess.run(
        [sys.executable, f"benchmarks/{name}.py", "--quick", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def is_measured(figures: dict[str, float]) -> bool:
    return figures["runs"] > 0 and 0 < figures["median_ms"] <= figures["p95_ms"]


@pytest.mark.parametrize(
    ("name", "targets"),
    [
        (
            "overhead",
            {
                "in memory": "≤ 1.10",
                "durable (aim 0.75)": "≤ 0.90",
                "throughput, durable, 50 at once": "≥ 1.80",
            },
        ),
        ("approval", {"pause, and resume in another process": "≤ 1.30"}),
        ("fan_out", {"50 agents of 50 ms": "≤ 1.10"}),
        (
            "makespan",
            {"SimpleCoordinator": "≤ 1.15", "flat StateGraph by hand (contrast)": None},
        ),
        ("import_time", {"import orchestration": "≤ 0.35"}),
        (
            "streaming",
            {
                f"{what}, {where}": None
                for what in ("a token", "5 tasks streamed")
                for where in ("memory", "SQLite")
            },
        ),
    ],
)
def test_benchmark_reports_every_row_with_its_target(
    name: str, targets: dict[str, str | None]
) -> None:
    report = json.loads(run_quickly(name, "--json"))
    rows = {row["name"]: row for row in report["rows"]}
    rows.pop("orchestration --help", None)  # there once the command line is
    assert {row: rows[row]["target"] for row in rows} == targets
    assert report["title"]
    assert report["measured_on"]["langgraph"]
    for row in report["rows"]:
        assert is_measured(row["subject"])
        assert is_measured(row["reference"])
        assert row["ratio"] > 0
        assert row["ratio_least"] <= row["ratio_greatest"]
        assert row["verdict"] in ({"met", "missed"} if row["target"] else {"no target"})


def test_what_a_routing_decision_costs_is_measured_for_each_way_of_balancing() -> None:
    report = json.loads(run_quickly("routing", "--json"))
    assert len(report["rows"]) == 12
    targets = {row["name"].partition(": ")[2]: row["target"] for row in report["rows"]}
    assert targets == {
        "among 100 / 50 µs": "≤ 1.00",
        "among 100 / among 1": None,
        "among 10,000 / among 100": "≤ 10.00",
    }
    assert all(is_measured(row["subject"]) for row in report["rows"])


def test_a_pool_under_load_is_compared_with_naive_round_robin() -> None:
    report = json.loads(run_quickly("pool_load", "--json"))
    targets = {row["name"].partition(" / ")[0]: row["target"] for row in report["rows"]}
    assert targets == {
        "errors that callers see": "≤ 1.00",
        "p99, ms": "≤ 2.00",
        "calls of the returned agent": "≥ 0.70",
        "endpoints without calls at once, most": "≤ 1.00",
    }
    errors = report["rows"][0]
    assert errors["subject"] < errors["reference"]  # naive round robin shows them to callers


def test_a_long_thread_is_compared_in_time_and_in_size() -> None:
    report = json.loads(run_quickly("long_thread", "--json"))
    rows = {row["name"]: row for row in report["rows"]}
    assert {name: row["target"] for name, row in rows.items()} == {
        "turn 24 / turn 9, ours": "≤ 1.50",
        "turn 24 / turn 9, add_messages (contrast)": None,
        "turn 24, ours / add_messages": "≤ 0.10",
        "database / text, ours": "≤ 3.00",
        "the same while open, with its log": None,
        "database / text, add_messages (contrast)": None,
    }
    for row in report["rows"]:
        assert row["ratio"] > 0
        if "subject_bytes" in row:
            assert row["reference_bytes"] == 24 * 600
        else:
            assert is_measured(row["subject"])
            assert is_measured(row["reference"])


def test_benchmark_prints_a_table_for_people() -> None:
    table = run_quickly("makespan")
    assert "SimpleCoordinator" in table
    assert "verdict" in table


def test_what_the_optimizer_saves_and_costs_is_measured_beside_its_targets() -> None:
    report = json.loads(run_quickly("optimizer", "--json"))
    targets = [row["target"] for row in report["rows"]]
    assert targets.count(None) == 4  # for contrast only
    assert len(targets) == 12
    assert all(is_measured(row["subject"]) for row in report["rows"])
    for words in ("prefetch hides", "all miss add", "to a token", "held out, cut to 25%"):
        assert any(words in note for note in report["notes"]), words
