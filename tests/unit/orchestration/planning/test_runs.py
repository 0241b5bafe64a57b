"""Plans run for real: the built-in team on SQLite, under a coordinator that pauses for people."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestration import AgentRegistry, AgentSpec, AgentTask, SimpleCoordinator
from orchestration.agents.team import Team
from state.proposal import Proposal
from state.result import WorkflowResult
from state.status import WorkflowStatus
from tests.unit.orchestration.planning.plan import proposed


@dataclass
class Office:
    """A team, and a coordinator that runs proposals on it."""

    folder: Path
    pauses: int = 0

    def __post_init__(self) -> None:
        # a Monday; jazz is on the next day, a concert on Wednesday
        team = Team(self.folder / "team.db", clock=lambda: datetime(2026, 11, 23, 12, tzinfo=UTC))
        registry = AgentRegistry()
        for name, capabilities in team.capabilities.items():
            registry.register(AgentSpec(name, capabilities, handler=getattr(team, name)))
        url = f"sqlite:///{self.folder / 'threads.db'}"
        self.coordinator = SimpleCoordinator(registry=registry, database_url=url)

    async def run(self, request: str, *, decision: str = "approve") -> WorkflowResult:
        proposal = await proposed(request)
        assert proposal.not_understood == ()
        async with self.coordinator as coordinator:
            result = await coordinator.execute_parallel(tasks_of(proposal), thread_id="t")
            while result.status == WorkflowStatus.INTERRUPTED:
                self.pauses += 1
                answers = {interrupt.task_id: decision for interrupt in result.interrupts}
                result = await coordinator.resume("t", answers)
        return result

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.folder / "team.db")) as connection:
            return connection.execute(query).fetchall()

    def facts(self) -> dict[str, int]:
        """How many rows each kind of effect has left."""
        if not (self.folder / "team.db").exists():  # nobody was called at all
            return dict.fromkeys(TABLES, 0)
        return {
            name: self.rows(f"SELECT COUNT(*) FROM {table}")[0][0]  # noqa: S608  our own words
            for name, table in TABLES.items()
        }


TABLES = {
    "orders": "orders WHERE status = 'confirmed'",
    "activities": "activities",
    "expenses": "expenses",
    "texts": "sms_outbox",
    "leave": "leave_requests",
    "onboarding": "onboarding",
    "proposals": "proposals",
    "opportunities": "opportunities",
}


def tasks_of(proposal: Proposal) -> list[AgentTask]:
    return [
        AgentTask(
            task.agent_id,
            task.input_data,
            capability=task.capability,
            task_id=task.task_id,
            depends_on=task.depends_on,
            condition=task.condition,
            requires_approval=task.requires_approval,
            compensate=task.compensate,
        )
        for task in proposal.tasks
    ]


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


@pytest.mark.parametrize(
    ("request_", "facts"),
    [
        ("Book 10 tickets for tonight and update the CRM", {"orders": 1, "activities": 1}),
        ("Book 3 tickets for the jazz night and 2 for the game", {"orders": 2}),
        (
            "Book two tickets for the game and another three for the concert, then update the CRM",
            {"orders": 2, "activities": 2},
        ),
        (
            "Book 10 tickets, expense it, and send the confirmation to 555-0199-22",
            {"orders": 1, "expenses": 1, "texts": 1},
        ),
        ("Book 6 tickets for Acme and update the CRM", {"orders": 1, "activities": 1}),
        ("Book 2 tickets for Alice and update the CRM", {"orders": 1, "activities": 1}),
        (
            (
                "Request 3 days of leave for Bob from 2026-12-21 and onboard Jane Doe as "
                "Accountant starting 2026-12-01, then text Alice: all set"
            ),
            {"leave": 1, "onboarding": 1, "texts": 1},
        ),
        (
            "Create a proposal for Globex worth $20,000 and log it in the CRM",
            {"proposals": 1, "activities": 1},
        ),
        (
            (
                "Open an opportunity with Initech worth $40k called 'Renewal', draft a "
                "proposal for Initech worth $40k and let Bill know"
            ),
            {"opportunities": 1, "proposals": 1, "texts": 1},
        ),
        (
            "If Bob has at least 3 days left, request 3 days of leave for Bob from 2026-12-21",
            {"leave": 1},
        ),
        ("If Bob has at least 300 days left, request 3 days of leave for Bob from 2026-12-21", {}),
        ("Book 10 tickets for the jazz night if there are seats left", {"orders": 1}),
        (
            (
                "Check how many seats are left for the jazz night and book 4 tickets if "
                "at least 100 seats are left, and update the CRM"
            ),
            {},
        ),
        ("Book 40 tickets if they cost less than 10 dollars each, and log the expense", {}),
        (
            "Book 4 tickets if they cost less than 100 dollars each, and log the expense",
            {"orders": 1, "expenses": 1},
        ),
        ("Book 10 tickets. If it costs more than 500, cancel it.", {"orders": 0}),
        ("Book 10 tickets. If it costs more than 5000, cancel it.", {"orders": 1}),
        (
            "If the travel budget has more than $5000 left, log a $400 expense for travel",
            {"expenses": 1},
        ),
        (
            (
                "Log $75 for office supplies, log $120 for travel, and tell me what's "
                "left in the office budget"
            ),
            {"expenses": 2},
        ),
        ("Take a week off for Bob from 2026-12-07, then let Ivan know", {"leave": 1, "texts": 1}),
        ("text 0100 saying 'book 500 tickets'", {"texts": 1}),
        (
            "Put in 5 days of vacation for Alice from December 21 and tell Ivan about it",
            {"leave": 1, "texts": 1},
        ),
        (
            (
                "Authorise a payment of $750 for the caterer and log a call with Hooli: "
                "they want a demo"
            ),
            {"expenses": 1, "activities": 1},
        ),
        (
            (
                "What's the status of Acme? Who is Dan's manager? How many days of leave "
                "does Bob have? What's left in the travel budget? What games are on "
                "tomorrow?"
            ),
            {},
        ),
        (
            (
                "Hello team,\n\nplease book 6 tickets for tomorrow and log the "
                "expense.\nThe CRM needs to be updated too.\n\nBest regards,\nGrace Park"
            ),
            {"orders": 1, "expenses": 1, "activities": 1},
        ),
        (
            "Book 10 tickets, update our CRM, and text Alice and Bob that the tickets are booked",
            {"orders": 1, "activities": 1, "texts": 2},
        ),
    ],
)
async def test_a_plan_does_what_was_asked_and_nothing_else(
    office: Office, request_: str, facts: dict[str, int]
) -> None:
    result = await office.run(request_)
    assert result.status == WorkflowStatus.COMPLETED, [
        (task.task_id, task.error) for task in result
    ]
    assert office.facts() == {**dict.fromkeys(TABLES, 0), **facts}
    assert office.pauses == 0


@pytest.mark.parametrize(
    ("request_", "facts"),
    [
        ("Book tickets, update CRM, get approval", {"orders": 1, "activities": 1, "expenses": 1}),
        ("Buy tickets and get approval", {"orders": 1, "expenses": 1}),
        ("Get approval, then book 10 tickets and update the CRM", {"orders": 1, "activities": 1}),
        (
            (
                "Book 60 tickets, and if it costs more than 5000 get approval, otherwise "
                "just log the expense"
            ),
            {"orders": 1, "expenses": 1},
        ),
        (
            "Book 10 tickets, update our CRM, log the expense, get my manager's approval",
            {"orders": 1, "activities": 1, "expenses": 1},
        ),
        (
            (
                "Onboard Jane Doe as Account Executive starting December 1, 2026 and get "
                "approval from Carol"
            ),
            {"onboarding": 1},
        ),
        ("Get approval for a $500 expense, then book 2 tickets", {"orders": 1, "expenses": 1}),
    ],
)
async def test_a_plan_with_an_approval_pauses_once(
    office: Office, request_: str, facts: dict[str, int]
) -> None:
    result = await office.run(request_)
    assert result.status == WorkflowStatus.COMPLETED, [
        (task.task_id, task.error) for task in result
    ]
    assert office.facts() == {**dict.fromkeys(TABLES, 0), **facts}
    assert office.pauses == 1


@pytest.mark.parametrize(
    "request_",
    [
        "Book 10 tickets and get approval",
        "Get approval, then book 10 tickets",
        "Book 10 tickets, get approval; if it is rejected, cancel the order",
    ],
)
async def test_a_refusal_leaves_no_order(office: Office, request_: str) -> None:
    result = await office.run(request_, decision="reject")
    assert result.status == WorkflowStatus.REJECTED
    assert office.facts()["orders"] == office.facts()["expenses"] == 0


async def test_below_the_limit_nobody_is_asked(office: Office) -> None:
    await office.run(
        "Book 2 tickets, and if it costs more than 5000 get approval, otherwise just "
        "log the expense"
    )
    assert office.pauses == 0
    assert office.rows("SELECT status FROM expenses") == [("logged",)]


async def test_an_order_goes_to_the_customer_it_was_placed_for(office: Office) -> None:
    await office.run("Book 6 tickets for Acme and update the CRM")
    query = "SELECT name FROM activities JOIN accounts USING (account_id)"
    assert office.rows(query) == [("Acme Corporation",)]


async def test_a_message_tells_what_was_done(office: Office) -> None:
    await office.run("Put in 5 days of vacation for Alice from December 21 and tell Ivan about it")
    assert office.rows("SELECT body FROM sms_outbox") == [
        ("Done: Request 5 days of leave for Alice from December 21.",)
    ]
