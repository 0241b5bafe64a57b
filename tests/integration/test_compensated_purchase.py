"""A rejected approval takes the purchase back, in the team's own database."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from orchestration import AgentRegistry, AgentSpec, AgentTask, SimpleCoordinator
from orchestration.agents.team import Team
from state.status import WorkflowStatus


def purchase() -> list[AgentTask]:
    return [
        AgentTask(
            "ticketing",
            {"action": "purchase_tickets", "quantity": 4},
            compensate={"action": "cancel_order"},
        ),
        AgentTask(
            "finance", {"action": "approve_expense"}, compensate={"action": "cancel_expense"}
        ),
        AgentTask(
            "hr",
            {"messages": [{"role": "user", "content": "Request 1 day of leave for Bob tomorrow"}]},
            compensate=AgentTask("hr", {"action": "withdraw_leave"}, timeout=30),
            depends_on=["finance"],
        ),
        AgentTask("sales", {"action": "update_crm"}, requires_approval=True, depends_on=["hr"]),
    ]


def made_in(folder: Path) -> SimpleCoordinator:
    team, registry = Team(folder / "team.db"), AgentRegistry()
    for name in ("ticketing", "finance", "hr", "sales"):
        registry.register(AgentSpec(name, handler=getattr(team, name)))
    return SimpleCoordinator(registry=registry, database_url=f"sqlite:///{folder / 'threads.db'}")


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "team.db")) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("strategy", ["sequential", "parallel"])
async def test_rejecting_takes_everything_back_last_first(tmp_path: Path, strategy: str) -> None:
    tasks = purchase()
    tasks[1].depends_on = ["ticketing"]
    async with made_in(tmp_path) as coordinator:
        paused = await coordinator.execute_workflow(tasks, strategy=strategy, thread_id="t")
        assert paused.status == WorkflowStatus.INTERRUPTED
        assert rows(tmp_path, "SELECT status FROM orders") == [("confirmed",)]
    async with made_in(tmp_path) as elsewhere:
        result = await elsewhere.resume("t", {"sales": "reject"})
        assert (await elsewhere.resume("t")).status == WorkflowStatus.REJECTED
    assert result.status == WorkflowStatus.REJECTED
    statuses = [str(task.status) for task in result]
    assert statuses == ["compensated", "compensated", "compensated", "rejected"]
    assert (result.outputs, result.uncompensated) == ({}, ())
    assert rows(tmp_path, "SELECT status FROM orders") == [("cancelled",)]
    assert rows(tmp_path, "SELECT COUNT(*) FROM refunds") == [(1,)]
    assert rows(tmp_path, "SELECT expense_id FROM expense_reversals") == [(1,)]
    assert rows(tmp_path, "SELECT status FROM leave_requests") == [("withdrawn",)]
    keys = rows(tmp_path, "SELECT key FROM idempotency ORDER BY rowid")
    undone = [key.split(":")[1] for (key,) in keys if key.endswith(":compensate")]
    assert undone == ["hr", "finance", "ticketing"]


async def test_approving_takes_nothing_back(tmp_path: Path) -> None:
    async with made_in(tmp_path) as coordinator:
        await coordinator.execute_sequential(purchase(), thread_id="t")
        result = await coordinator.resume("t", {"sales": "approve"})
    assert result.status == WorkflowStatus.COMPLETED
    assert rows(tmp_path, "SELECT COUNT(*) FROM refunds") == [(0,)]
    assert rows(tmp_path, "SELECT COUNT(*) FROM expense_reversals") == [(0,)]
