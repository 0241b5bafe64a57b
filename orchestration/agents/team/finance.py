"""The finance agent: approves, logs and takes back expenses against monthly budgets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from orchestration.agents.team.amounts import CURRENCY, dollars, money
from orchestration.agents.team.books import (
    DEFAULT_DEPARTMENT,
    Expense,
    book_expense,
    budget_of,
    check_affordable,
    named_department,
)
from orchestration.agents.team.desk import Action, Desk
from orchestration.agents.team.intents import FINANCE as INTENTS
from orchestration.agents.team.orders import Order, names_an_order, worklist
from orchestration.agents.team.reversals import cancel_expense
from orchestration.agents.team.seed import MONTHLY_BUDGETS
from orchestration.agents.team.spending import (
    Spending,
    given_amount,
    price_of,
    spending_of,
    spending_upstream,
)
from orchestration.agents.team.understanding import says
from state.capability import AgentCapability
from state.errors import AgentRefusedError

if TYPE_CHECKING:
    import sqlite3

    from orchestration.agents.team.ask import Ask
    from state.jsonvalue import JsonObject

_ALL_ORDERS = re.compile(
    r"(?:log|record|file|submit|enter|expense)(?:\s+(?:the|all|any|our|these|those|this|that|it|open"
    r"|outstanding|new|tickets?|orders?|purchases?|expenses?|costs?|for|of|and))*[\s.!]*",
    re.IGNORECASE,
)
_FOR = re.compile(r"\bfor\s+(?P<purpose>[^,.;]+)", re.IGNORECASE)


def approve_expense(connection: sqlite3.Connection, ask: Ask) -> JsonObject:
    """Approve an amount: the one given, or else the price of the orders upstream."""
    cents = given_amount(ask)
    if cents is None:
        spending = spending_upstream(connection, ask)
    else:
        spending = spending_of(connection, ask, cents)
    return _book(connection, ask, spending=spending, status="approved")


def log_expense(connection: sqlite3.Connection, ask: Ask) -> JsonObject:
    """Log an amount, or else each order that nobody expensed yet."""
    cents = given_amount(ask)
    if cents is not None:
        spending = spending_of(connection, ask, cents)
        return {**_book(connection, ask, spending=spending, status="logged"), "logged": 1}
    if _means_orders(ask):
        return _log_orders(connection, ask)
    raise AgentRefusedError(
        f"{ask.text[:120]!r} has no amount, so nothing was logged. Say for example "
        "'Log a $250 expense for travel', or 'Log the expense' for what was ordered."
    )


def check_budget(connection: sqlite3.Connection, ask: Ask) -> JsonObject:
    """Tell what is left of a department's budget, or of all."""
    department = named_department(ask)
    names = [department] if department else sorted(MONTHLY_BUDGETS)
    budgets = [budget_of(connection, ask, name) for name in names]
    facts: list[JsonObject] = [
        {
            "department": budget.department,
            "budget": dollars(budget.amount_cents),
            "spent": dollars(budget.spent_cents),
            "budget_remaining": dollars(budget.remaining_cents),
        }
        for budget in budgets
    ]
    said = "; ".join(
        f"{budget.department}: {money(budget.remaining_cents)} of {money(budget.amount_cents)}"
        for budget in budgets
    )
    return {
        "action": "check_budget",
        "month": budgets[0].month,
        "currency": CURRENCY,
        **(facts[0] if department else {"departments": [*facts]}),
        "message": f"Left for {budgets[0].month}: {said}.",
    }


def _book(
    connection: sqlite3.Connection,
    ask: Ask,
    *,
    spending: Spending,
    status: Literal["approved", "logged"],
) -> JsonObject:
    department = named_department(ask) or DEFAULT_DEPARTMENT
    budget = budget_of(connection, ask, department)
    cents, orders = spending
    check_affordable(budget, cents)
    description = _description(ask, orders)
    expense = Expense(cents, status, description, orders)
    expense_id = book_expense(connection, ask, budget=budget, expense=expense)
    remaining = budget.remaining_cents - cents
    return {
        "action": "approve_expense" if status == "approved" else "log_expense",
        **({"approved": True} if status == "approved" else {}),
        "expense_id": expense_id,
        "amount": dollars(cents),
        "currency": CURRENCY,
        "department": department,
        "description": description,
        "order_ids": [order.number for order in orders],
        "budget_remaining": dollars(remaining),
        "status": status,
        "message": (
            f"Expense {expense_id} of {money(cents)} is {status} for {department}; "
            f"{money(remaining)} of its budget for {budget.month} remains."
        ),
    }


def _log_orders(connection: sqlite3.Connection, ask: Ask) -> JsonObject:
    """Log one expense for each order; what the books do not allow is left and listed."""
    work = worklist(connection, ask, "expense")
    logged: list[JsonObject] = []
    refused: list[JsonObject] = []
    for order in work.due:
        try:
            spending = Spending(price_of(order), [order])
            logged.append(_book(connection, ask, spending=spending, status="logged"))
        except AgentRefusedError as error:
            if work.named and len(work.due) == 1:
                raise
            refused.append({"order_id": order.number, "reason": str(error)})
    return {
        **(logged[0] if len(logged) == 1 else {}),
        "action": "log_expense",
        "logged": len(logged),
        "expense_ids": [item["expense_id"] for item in logged],
        "total_logged": round(sum(float(str(item["amount"])) for item in logged), 2),
        "not_logged": [*refused],
        "message": _log_message(logged, refused, done=work.done),
    }


def _log_message(logged: list[JsonObject], refused: list[JsonObject], *, done: list[Order]) -> str:
    if logged:
        numbers = ", ".join(str(item["expense_id"]) for item in logged[:10])
        said = f"Logged {len(logged)} order(s) as expense {numbers}."
    elif done:
        numbers = ", ".join(str(order.number) for order in done)
        said = f"Nothing to log: order {numbers} was expensed before."
    else:
        said = "Nothing was logged." if refused else "Nothing to log: no order waits for it."
    if refused:
        numbers = ", ".join(str(item["order_id"]) for item in refused[:10])
        said += f" Left for now, with reasons in `not_logged`: order {numbers}."
    return said


def _means_orders(ask: Ask) -> bool:
    return names_an_order(ask) or not ask.is_only_said or says(ask.text, _ALL_ORDERS)


def _description(ask: Ask, orders: list[Order]) -> str:
    given = ask.words("description")
    if given is not None:
        return given
    if orders:
        return "; ".join(f"Order {order.number}: {order.summary}" for order in orders)
    match = _FOR.search(ask.text)
    return match["purpose"].strip() if match else ask.text or "No description given"


FINANCE = Desk(
    agent_id="finance",
    description="Approves, logs and cancels expenses, and watches the monthly budgets.",
    capabilities=(
        AgentCapability.EXPENSE_APPROVAL,
        AgentCapability.EXPENSE_LOGGING,
        AgentCapability.BUDGET_INFORMATION,
    ),
    actions={
        "approve_expense": Action(approve_expense),
        "log_expense": Action(log_expense),
        "cancel_expense": Action(cancel_expense),
        "check_budget": Action(check_budget, effect=False),
    },
    aliases={
        "expense_approval": "approve_expense",
        "expense_logging": "log_expense",
        "reverse_expense": "cancel_expense",
        "budget_status": "check_budget",
        "budget_information": "check_budget",
    },
    intents=INTENTS,
    examples=(
        "Approve $10,000 expense",
        "Log a $250 expense for travel",
        "Log the expense",
        "What's left in the travel budget?",
    ),
)
