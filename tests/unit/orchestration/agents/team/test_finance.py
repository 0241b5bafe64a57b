from __future__ import annotations

from collections.abc import Callable

import pytest

from state.errors import AgentRefusedError
from state.jsonvalue import JsonObject

Call = Callable[..., JsonObject]
Rows = Callable[..., list[JsonObject]]


def test_approval_answers_with_an_expense_and_writes_it(call: Call, rows: Rows) -> None:
    answer = call("finance", "Approve $10,000 expense", key="k")
    assert answer == {
        "action": "approve_expense",
        "approved": True,
        "expense_id": 1,
        "amount": 10000.0,
        "currency": "USD",
        "department": "events",
        "description": "Approve $10,000 expense",
        "order_ids": [],
        "budget_remaining": 1990000.0,
        "status": "approved",
        "message": "Expense 1 of $10,000.00 is approved for events; $1,990,000.00 of its budget "
        "for 2026-11 remains.",
    }
    (row,) = rows("SELECT * FROM expenses WHERE idempotency_key = 'k'")
    assert (row["amount_cents"], row["status"]) == (1000000, "approved")


def test_the_amount_field_wins_over_message_and_upstream(call: Call) -> None:
    order = call("ticketing", "Book 100 tickets")
    answer = call(
        "finance",
        "Approve $9,000 expense",
        amount=10000,
        requires_approval=True,
        upstream={"ticketing": order},
    )
    assert (answer["amount"], answer["order_ids"]) == (10000.0, [1])


@pytest.mark.parametrize("amount", [1250.5, "1250.50", "$1,250.50", "1,250.50"])
def test_amounts_may_be_numbers_or_text(call: Call, amount: float | str) -> None:
    assert call("finance", action="approve_expense", amount=amount)["amount"] == 1250.5


def test_approval_takes_the_price_of_the_orders_upstream(call: Call, rows: Rows) -> None:
    orders = {"a": call("ticketing", "Book 10 tickets"), "b": call("ticketing", "Book 20 tickets")}
    answer = call("finance", "Approve expense", upstream=orders)
    assert (answer["amount"], answer["order_ids"]) == (2550.0, [1, 2])
    assert len(rows("SELECT * FROM expense_orders")) == 2


def test_approval_takes_a_price_or_amount_of_other_agents(call: Call) -> None:
    upstream: dict[str, JsonObject] = {
        "shop": {"total_price": 99.5},
        "sales": {"amount": 100},
        "finance": {"amount": 7, "expense_id": 3},
        "back": {"total_price": 5, "status": "cancelled"},
    }
    assert call("finance", "Approve expense", upstream=upstream)["amount"] == 199.5


def test_an_order_is_expensed_once(call: Call) -> None:
    upstream = {"ticketing": call("ticketing", "Book 10 tickets")}
    call("finance", "Approve expense", upstream=upstream)
    with pytest.raises(AgentRefusedError, match="Order 1 was expensed before"):
        call("finance", "Approve expense", upstream=upstream)
    with pytest.raises(AgentRefusedError, match="Order 1 was expensed before"):
        call("finance", "Approve $850 expense", upstream=upstream)
    again = call("finance", "Log the expense", upstream=upstream)
    assert (again["logged"], "before" in str(again["message"])) == (0, True)
    assert call("finance", action="log_expense")["logged"] == 0


def test_a_small_amount_does_not_pay_the_order_upstream(call: Call) -> None:
    upstream = {"ticketing": call("ticketing", "Book 10 tickets")}
    answer = call("finance", "Log a $25 expense for travel", upstream=upstream)
    assert (answer["order_ids"], answer["department"]) == ([], "travel")
    assert call("finance", action="log_expense")["logged"] == 1


def test_bare_log_writes_each_open_order(call: Call, rows: Rows) -> None:
    assert call("finance", action="log_expense")["logged"] == 0
    call("ticketing", "Book 10 tickets")
    call("ticketing", "Book 20 tickets")
    answer = call("finance", action="log_expense", key="k")
    assert (answer["logged"], answer["total_logged"]) == (2, 2550.0)
    assert len(rows("SELECT * FROM expenses WHERE idempotency_key = 'k'")) == 2


def test_bare_log_leaves_what_the_policy_forbids_and_says_so(call: Call) -> None:
    call("ticketing", "Book 1,000 tickets")
    call("ticketing", "Book 1 ticket")
    answer = call("finance", action="log_expense")
    assert (answer["logged"], answer["amount"]) == (1, 85.0)
    assert "order 1" in str(answer["message"])
    assert "over the limit" in str(answer["not_logged"])
    assert call("finance", action="log_expense")["logged"] == 0


def test_one_named_order_over_the_limit_is_refused(call: Call) -> None:
    upstream = {"ticketing": call("ticketing", "Book 1,000 tickets")}
    with pytest.raises(AgentRefusedError, match="over the limit"):
        call("finance", "Log the expense", upstream=upstream)


def test_spending_stops_at_the_budget(call: Call) -> None:
    call("finance", "Approve $45,000 travel expense")
    with pytest.raises(AgentRefusedError, match=r"\$35,000.00 remains"):
        call("finance", "Approve $45,000 travel expense")
    answer = call("finance", "What's left in the travel budget?")
    assert (answer["budget_remaining"], answer["spent"]) == (35000.0, 45000.0)


def test_a_refund_goes_back_to_the_budget(call: Call) -> None:
    upstream = {"ticketing": call("ticketing", "Book 10 tickets")}
    call("finance", "Approve expense", upstream=upstream)
    call("ticketing", "Cancel order 1")
    answer = call("finance", action="check_budget", department="events")
    assert answer["budget_remaining"] == 2000000.0


def test_all_budgets_are_told_when_none_is_named(call: Call) -> None:
    answer = call("finance", "How much budget is left?")
    departments = answer["departments"]
    assert isinstance(departments, list)
    assert len(departments) == 7


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Approve expense", "How much"),
        ("get approval", "How much"),
        ("Approve 2 expenses", "may be an amount or not"),
        ("Log a travel expense", "no amount"),
        ("Approve $0 expense", "not possible"),
        ("Approve -$500 expense", "below zero"),
        ("Approve $60,000 expense", r"limit of \$50,000.00"),
        ("Approve $100 and $200", "several amounts"),
        ("Approve €500 expense", "another currency"),
        ("Approve a $5 expense from the bogus budget", "no department with a budget 'bogus'"),
        ("Approve $5 expense for order 9", "no order 9"),
        ("Do not approve the $10 expense", "did not understand"),
        ("Approve $10 expense, not $20", "several amounts|says 'not'"),
        ("Log the expense that Bob had in Paris", "no amount"),
        ("Dance", "understands for example"),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(
    call: Call, rows: Rows, text: str, why: str
) -> None:
    with pytest.raises(AgentRefusedError, match=why):
        call("finance", text)
    call("finance", "How much budget is left?")
    assert rows("SELECT * FROM expenses") == []


@pytest.mark.parametrize("amount", [True, "much", 10**20, float("inf"), []])
def test_unusable_amounts_are_refused(call: Call, amount: object) -> None:
    with pytest.raises(AgentRefusedError, match=r"Nothing was (done|booked)"):
        call("finance", action="approve_expense", amount=amount)
