"""Every definition under `examples/` and `notebooks/` runs, for real, on the built-in team."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from orchestration import SimpleCoordinator, WorkflowResult, WorkflowStatus
from orchestration.agent_registry import AgentRegistry, registry_from_environment
from orchestration.documents.reading import SUFFIXES
from orchestration.workflows.checking import check_file

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("examples", "notebooks")
DEFINITIONS = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / folder).glob("*")
    if path.suffix in {*SUFFIXES, ".py"}
)


class Expected(NamedTuple):
    """What a definition comes to."""

    status: WorkflowStatus
    query: str
    """On the team's database."""
    rows: list[tuple[Any, ...]]
    answers: tuple[tuple[str, str], ...] = ()
    """Who decides what, one after another; all as managers."""
    signal: tuple[str, Any] | None = None
    """What is sent to it, and with what."""


COMPLETED = WorkflowStatus.COMPLETED
EXPECTED = {
    "notifications.yaml": Expected(
        COMPLETED,
        "SELECT (SELECT COUNT(*) FROM orders), (SELECT COUNT(*) FROM sms_outbox),"
        " (SELECT COUNT(*) FROM activities), (SELECT COUNT(*) FROM expenses)",
        [(1, 1, 1, 1)],
    ),
    "onboarding.yaml": Expected(
        COMPLETED,
        "SELECT name FROM people JOIN onboarding USING (person_id) ORDER BY name",
        [("Jane Doe",), ("Mia Lindqvist",), ("Omar Haddad",)],
    ),
    "order.yaml": Expected(
        COMPLETED,
        "SELECT quantity, total_cents = amount_cents FROM orders, expenses",
        [(3, 1)],
    ),
    "payment_received.yaml": Expected(
        COMPLETED,
        "SELECT status, (SELECT COUNT(*) FROM activities) FROM orders",
        [("confirmed", 1)],
        signal=("payment.received", {"amount": 510}),
    ),
    "purchase.yaml": Expected(
        COMPLETED,
        "SELECT quantity, expenses.status, total_cents = amount_cents FROM orders, expenses",
        [(10, "approved", 1)],
    ),
    "purchase_and_tell.yaml": Expected(
        COMPLETED,
        "SELECT quantity, note FROM orders, activities",
        [(10, "tickets are bought")],
    ),
    "purchase_taken_back.yaml": Expected(
        WorkflowStatus.REJECTED,
        "SELECT orders.status, expense_id FROM orders, expense_reversals",
        [("cancelled", 1)],
        answers=(("ivan", "reject"),),
    ),
    "purchase_with_approval.yaml": Expected(
        COMPLETED,
        "SELECT quantity, expenses.status, amount_cents FROM orders, expenses",
        [(100, "approved", 850_000)],
        answers=(("ivan", "approve"), ("frank", "approve")),
    ),
    "reminder.yaml": Expected(
        COMPLETED, "SELECT quantity, order_reference FROM orders, sms_outbox", [(2, "order:1")]
    ),
    "router.json": Expected(COMPLETED, "SELECT COUNT(*) FROM orders", [(0,)]),
    "season_tickets.yaml": Expected(
        COMPLETED,
        "SELECT COUNT(*), SUM(quantity), (SELECT COUNT(*) FROM expenses) FROM orders",
        [(3, 6, 3)],
    ),
    "supervised_purchase.yaml": Expected(
        COMPLETED,
        "SELECT COUNT(*), SUM(quantity), (SELECT COUNT(*) FROM expenses) FROM orders",
        [(3, 12, 3)],
    ),
}
PRINTED = {
    "negotiation.py": "completed 900.0",
    "own_agents.py": "'traveller' is a required property\ncompleted 360.0",
}


def named(*suffixes: str) -> list[str]:
    return [path.name for path in DEFINITIONS if path.suffix in suffixes]


@pytest.fixture
def team(tmp_path: Path) -> AgentRegistry:
    return registry_from_environment({"ORCHESTRATION_TEAM_DATABASE": str(tmp_path / "team.db")})


@pytest.fixture
async def coordinator(team: AgentRegistry, tmp_path: Path) -> AsyncIterator[SimpleCoordinator]:
    url = f"sqlite:///{tmp_path / 'threads.db'}"
    async with SimpleCoordinator(registry=team, database_url=url) as opened:
        yield opened


def file_called(name: str) -> Path:
    (path,) = (each for each in DEFINITIONS if each.name == name)
    return path


async def answered(coordinator: SimpleCoordinator, thread_id: str, who: str, decision: str) -> None:
    (request,) = await coordinator.approvals.list_pending()
    assert request.thread_id == thread_id
    await coordinator.approvals.decide(
        request.request_id, decision, by=who, roles=["manager", "finance-lead"]
    )


def test_every_definition_is_expected_to_come_to_something() -> None:
    assert sorted(EXPECTED) == sorted(named(*SUFFIXES))
    assert sorted(PRINTED) == sorted(named(".py"))


@pytest.mark.parametrize("name", named(*SUFFIXES))
async def test_each_definition_runs_to_its_end(
    coordinator: SimpleCoordinator, team: AgentRegistry, tmp_path: Path, name: str
) -> None:
    expected = EXPECTED[name]
    workflow = check_file(str(file_called(name)), agents=team)
    result = await coordinator.execute(workflow, thread_id=name, user="alice")
    waits = bool(expected.answers) or expected.signal is not None
    assert (result.status == WorkflowStatus.INTERRUPTED) == waits
    if expected.signal is not None:
        await coordinator.signal(name, *expected.signal)
    for who, decision in expected.answers:
        await answered(coordinator, name, who, decision)
    final: WorkflowResult = await coordinator.resume(name)
    assert final.status == expected.status, [task.as_json() for task in final]
    with closing(sqlite3.connect(tmp_path / "team.db")) as connection:
        assert connection.execute(expected.query).fetchall() == expected.rows


@pytest.mark.parametrize("name", named(".py"))
def test_each_program_runs(tmp_path: Path, name: str) -> None:
    environment = {**os.environ, "ORCHESTRATION_TEAM_DATABASE": str(tmp_path / "team.db")}
    done = subprocess.run(
        [sys.executable, str(file_called(name))],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip().endswith(PRINTED[name])
