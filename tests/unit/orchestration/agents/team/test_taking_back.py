"""What the team did is taken back by what it answered: the orders, the expenses, the leave."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from orchestration.agents.team import schema
from state.errors import AgentRefusedError
from state.jsonvalue import JsonObject

Call = Callable[..., JsonObject]
Rows = Callable[..., list[JsonObject]]


def budget(call: Call, department: str = "events") -> object:
    return call("finance", action="check_budget", department=department)["budget_remaining"]


def test_an_expense_is_cancelled_by_what_booking_it_answered(call: Call, rows: Rows) -> None:
    booked = call("finance", "Approve $10,000 expense")
    answer = call("finance", action="cancel_expense", upstream={"pay": booked}, key="k")
    assert answer == {
        "action": "cancel_expense",
        "expense_id": 1,
        "expense_ids": [1],
        "amount": 10000.0,
        "currency": "USD",
        "status": "cancelled",
        "message": "Cancelled: expense 1, $10,000.00 back to events for 2026-11.",
    }
    assert budget(call) == 2000000.0
    assert rows("SELECT expense_id, idempotency_key FROM expense_reversals") == [
        {"expense_id": 1, "idempotency_key": "k"}
    ]
    assert len(rows("SELECT * FROM expenses")) == 1, "the books keep what was booked"


def test_an_expense_is_cancelled_once(call: Call) -> None:
    call("finance", "Approve $10 expense")
    first = call("finance", action="reverse_expense", expense_id=1, key="k")
    assert call("finance", action="reverse_expense", expense_id=1, key="k") == first
    with pytest.raises(AgentRefusedError, match="Expense 1 was cancelled before"):
        call("finance", action="cancel_expense", expense_id=1)
    assert budget(call) == 2000000.0


def test_every_expense_of_a_log_is_cancelled(call: Call, rows: Rows) -> None:
    call("ticketing", "Book 10 tickets")
    call("ticketing", "Book 20 tickets")
    logged = call("finance", action="log_expense")
    answer = call("finance", action="cancel_expense", upstream={"log": logged})
    assert (answer["expense_ids"], answer["amount"]) == ([1, 2], 2550.0)
    assert rows("SELECT * FROM expense_orders") == []
    assert call("finance", action="log_expense")["logged"] == 2, "they may be expensed again"


def test_a_log_that_booked_nothing_leaves_nothing_to_cancel(call: Call) -> None:
    logged = call("finance", action="log_expense")
    answer = call("finance", action="cancel_expense", upstream={"log": logged})
    assert (answer["expense_ids"], answer["amount"]) == ([], 0.0)


@pytest.mark.parametrize("first", ["ticketing", "finance"])
def test_a_paid_order_that_is_cancelled_and_its_expense_give_the_budget_back_once(
    call: Call, first: str
) -> None:
    order = call("ticketing", "Book 10 tickets")
    paid = call("finance", "Approve expense", upstream={"buy": order})
    assert budget(call) == 1999150.0
    steps: dict[str, tuple[str, JsonObject]] = {
        "ticketing": ("cancel_order", {"buy": order}),
        "finance": ("cancel_expense", {"pay": paid}),
    }
    for agent in sorted(steps, key=lambda name: name != first):
        action, upstream = steps[agent]
        call(agent, action=action, upstream=upstream)
        assert budget(call) == 2000000.0


def test_leave_is_withdrawn_by_what_asking_for_it_answered(call: Call, rows: Rows) -> None:
    asked = call("hr", "Request 3 days of leave for Bob from 2026-12-21")
    answer = call("hr", action="withdraw_leave", upstream={"leave": asked}, key="k")
    assert (answer["leave_id"], answer["employee"], answer["days"]) == (1, "Bob Lee", 3)
    assert answer["message"] == (
        "Leave 1 is withdrawn: Bob Lee, 3 working days from 2026-12-21 to 2026-12-23."
    )
    assert call("hr", action="withdraw_leave", upstream={"leave": asked}, key="k") == answer
    assert rows("SELECT status FROM leave_requests") == [{"status": "withdrawn"}]
    assert call("hr", action="leave_balance", employee="Bob")["days_remaining"] == 25
    again = call("hr", "Request 3 days of leave for Bob from 2026-12-21")
    assert again["leave_id"] == 2, "the days are free again"
    with pytest.raises(AgentRefusedError, match="Leave 1 was withdrawn before"):
        call("hr", action="cancel_leave", leave_id=1)


@pytest.mark.parametrize(
    ("agent", "fields", "why"),
    [
        ("finance", {"action": "cancel_expense"}, "Which expense"),
        ("finance", {"action": "cancel_expense", "upstream": {"a": {"x": 1}}}, "Which expense"),
        ("finance", {"action": "cancel_expense", "expense_id": 9}, "no expense 9"),
        ("finance", {"action": "cancel_expense", "expense_id": "nine"}, "whole number"),
        ("hr", {"action": "withdraw_leave"}, "Which leave"),
        ("hr", {"action": "withdraw_leave", "leave_id": 9}, "no leave 9"),
        (
            "hr",
            {
                "action": "withdraw_leave",
                "upstream": {"a": {"leave_id": 1}, "b": {"leave_id": 2}},
            },
            "does not follow one request",
        ),
        ("ticketing", {"action": "cancel_order"}, "Which order"),
    ],
)
def test_what_is_not_named_or_not_there_is_not_taken_back(
    call: Call, agent: str, fields: JsonObject, why: str
) -> None:
    with pytest.raises(AgentRefusedError, match=why):
        call(agent, **fields)


def test_a_database_of_the_version_before_is_brought_up_to_date(
    call: Call, database: Path, rows: Rows
) -> None:
    call("finance", "Approve $10 expense")
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("DROP TABLE expense_reversals")
        connection.execute("PRAGMA user_version = 1")
    call("finance", action="cancel_expense", expense_id=1)
    assert rows("PRAGMA user_version") == [{"user_version": schema.VERSION}]
    assert budget(call) == 2000000.0
    assert len(rows("SELECT * FROM people")) == 10, "the people of the first day are there once"
