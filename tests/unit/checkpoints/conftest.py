from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from checkpoints.database import Database, open_database
from state.plan import Plan, PlannedTask


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
def database(file: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{file}")
    yield opened
    opened.close()


@pytest.fixture
def make_plan() -> Callable[[str], Plan]:
    task: PlannedTask = {
        "id": "a",
        "agent": "a",
        "capability": None,
        "input": {},
        "needs": [],
        "upstream": [],
        "condition": None,
        "approval": False,
        "timeout_seconds": None,
        "retry": None,
    }

    def plan(run_id: str) -> Plan:
        return Plan(
            {
                "schema": 1,
                "run_id": run_id,
                "strategy": "sequential",
                "order": ["a"],
                "tasks": {"a": task},
                "layout": {"kind": "task", "tasks": ["a"]},
                "waits": {},
                "on_failure": {"kind": "fail_fast", "needed": 0},
                "aggregate": None,
                "router": None,
                "router_input": None,
                "tenant": None,
                "user": None,
            }
        )

    return plan
