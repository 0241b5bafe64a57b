"""Requests that the planner was right about, done by the team: it refuses none of their tasks."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestration import AgentRegistry, AgentSpec, EnterpriseOrchestrator
from orchestration.agents.team import Team
from state.jsonvalue import JsonObject
from state.status import WorkflowStatus

TODAY = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
EARLIER = (
    "Book 2 tickets for tonight and 3 tickets for tomorrow, then log the expense",
    "Create an opportunity for Acme worth $1,000 and request 1 day of leave for Bob on 2027-02-01",
)
"""What was done before, for requests about `order 1`, `opportunity 1` and the like."""
REQUESTS = (
    "Check the events budget, and if more than $2,000 is left, buy 20 tickets",
    "Get approval and then buy 30 seats for the concert; log the expense when done",
    "Cancel order 1 and record that in the CRM for Initech",
    "Create a $25,000 proposal for Acme, open an opportunity for it, and text Dan Brown",
    (
        "Reserve 12 seats; should the total exceed 900 dollars have it approved, otherwise just "
        "expense it"
    ),
    (
        "Onboard Jane Doe as Accountant starting 2026-12-01 and request 2 days off for Bob from "
        "2026-12-03; afterwards update the CRM for Globex: contract signed"
    ),
    (
        "How many vacation days does Alice have left? If she has at least 5, request 5 days off "
        "for her from 2026-12-14"
    ),
    "Buy 4 tickets for the jazz club and 10 tickets for the game, then log both expenses",
    "Cancel order 2, then buy 6 tickets for tomorrow's game instead",
    "Check if there are 20 seats left for the game tonight and if so buy 20 tickets",
    "If there are at least 30 seats left for tomorrow's game, buy 30 tickets and update the CRM",
    (
        "At the same time: check the sales budget, look up Erin's manager, and book 2 tickets for "
        "the game"
    ),
    "Check how much leave Bob has, check how much leave Alice has, and book 2 tickets",
    "Book 10 tickets for tonight for Globex and update their CRM record",
    "I'd like to buy 3 tickets for the jazz night, and please let Bob and Alice know",
    "Withdraw leave request 1 and notify Ivan",
    "Log a $250 office expense and a $400 travel expense",
    "Book 50 tickets for the game with manager approval, log it under marketing",
    "Need approval for a $6,000 marketing expense, then log it and tell Frank",
    "What is the price of the concert tickets? Then buy 2.",
    "Update the CRM for Acme and Globex: contract signed",
    "Buy 30 tickets, with approval required above $2,000",
    "Buy 10 tickets for tonight. Update CRM. Get approval.",
    "Request leave for Bob 2026-12-21 to 2026-12-23. Get approval. Notify Ivan.",
)
ROWS = {
    "order_id": "SELECT 1 FROM orders WHERE order_id = ?",
    "expense_id": "SELECT 1 FROM expenses WHERE expense_id = ?",
    "activity_ids": "SELECT 1 FROM activities WHERE activity_id = ?",
    "sms_ids": "SELECT 1 FROM sms_outbox WHERE sms_id = ?",
    "leave_id": "SELECT 1 FROM leave_requests WHERE leave_id = ?",
    "onboarding_id": "SELECT 1 FROM onboarding WHERE onboarding_id = ?",
    "proposal_id": "SELECT 1 FROM proposals WHERE proposal_id = ?",
    "opportunity_id": "SELECT 1 FROM opportunities WHERE opportunity_id = ?",
}
"""How to find what an answer's numbers name."""


@pytest.fixture
def orchestrator(tmp_path: Path) -> EnterpriseOrchestrator:
    team, registry = Team(tmp_path / "team.db", clock=lambda: TODAY), AgentRegistry()
    for name, capabilities in team.capabilities.items():
        registry.register(AgentSpec(name, capabilities, handler=getattr(team, name)))
    return EnterpriseOrchestrator(
        registry=registry, database_url=f"sqlite:///{tmp_path / 'threads.db'}"
    )


async def done(orchestrator: EnterpriseOrchestrator, request: str) -> list[JsonObject]:
    """Run a request to its end, with a yes to every approval, and return what tasks answered."""
    result = await orchestrator.execute([{"role": "user", "content": request}])
    while result.interrupts:
        yes = {each.task_id: "approve" for each in result.interrupts}
        result = await orchestrator.resume(result.thread_id, yes)
    assert result.status == WorkflowStatus.COMPLETED, result.summary
    return [fact["output"] for fact in result.facts if isinstance(fact.get("output"), dict)]


def rows(folder: Path, query: str, *values: object) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "team.db")) as connection:
        return connection.execute(query, values).fetchall()


@pytest.mark.parametrize("request_", REQUESTS, ids=[each[:60] for each in REQUESTS])
async def test_a_good_request_is_completed_and_its_facts_are_in_the_database(
    tmp_path: Path, orchestrator: EnterpriseOrchestrator, request_: str
) -> None:
    for earlier in EARLIER:
        await done(orchestrator, earlier)
    for answer in await done(orchestrator, request_):
        for field in ROWS.keys() & answer.keys():
            found = answer[field]
            for number in found if isinstance(found, list) else [found]:
                assert rows(tmp_path, ROWS[field], number), (field, number)


async def test_what_is_bought_and_approved_is_booked_once_where_the_request_says(
    tmp_path: Path, orchestrator: EnterpriseOrchestrator
) -> None:
    await done(orchestrator, "Book 50 tickets with manager approval and log it under marketing")
    assert rows(tmp_path, "SELECT department, amount_cents FROM expenses") == [
        ("marketing", 425_000)
    ]


async def test_an_approved_expense_that_is_logged_is_booked_once(
    tmp_path: Path, orchestrator: EnterpriseOrchestrator
) -> None:
    await done(orchestrator, "Need approval for a $6,000 marketing expense, then log it")
    assert rows(tmp_path, "SELECT department, amount_cents FROM expenses") == [
        ("marketing", 600_000)
    ]
