"""The books: what departments may spend in a month, and what they have spent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from orchestration.agents.team.amounts import money
from orchestration.agents.team.database import transaction
from orchestration.agents.team.names import the_one
from orchestration.agents.team.orders import Order
from orchestration.agents.team.seed import MONTHLY_BUDGETS
from orchestration.agents.team.vocabulary import word_set
from state.errors import AgentRefusedError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from orchestration.agents.team.ask import Ask

DEFAULT_DEPARTMENT: Final = "events"
"""Pays what names no department: what this team spends is mostly on events."""
EXPENSE_LIMIT_CENTS: Final = 50_000_00
"""Policy: the largest single expense."""

_SPENT = """
SELECT (SELECT COALESCE(SUM(amount_cents), 0) FROM expenses
         WHERE department = ? AND month = ?
           AND expense_id NOT IN (SELECT expense_id FROM expense_reversals))
     - (SELECT COALESCE(SUM(refunds.amount_cents), 0)
          FROM refunds
          JOIN expense_orders ON order_reference = 'order:' || refunds.order_id
          JOIN expenses USING (expense_id)
         WHERE department = ? AND month = ?) AS spent_cents
"""
_NAMED_BUDGET = re.compile(
    r"\b(?:from|against|in|to|of|on|charge)\s+(?:the\s+|our\s+|my\s+)?(?P<name>[a-z]+)"
    r"(?:'s)?\s+(?:department|team|budget)\b|\b(?:the|our)\s+(?P<owner>[a-z]+)(?:'s)?\s+(?:budget|department)\b",
    re.IGNORECASE,
)
_NO_NAMES = word_set("the our my whole total monthly this expense overall remaining")


class Budget(NamedTuple):
    """One department's month."""

    department: str
    month: str
    amount_cents: int
    spent_cents: int

    @property
    def remaining_cents(self) -> int:
        """What may still be spent; below zero after a budget was cut."""
        return self.amount_cents - self.spent_cents


class Expense(NamedTuple):
    """What is to be written into the books."""

    cents: int
    status: Literal["approved", "logged"]
    description: str
    orders: Sequence[Order]
    """The orders that it pays."""


def named_department(ask: Ask) -> str | None:
    """Return the department that the request names; None if it names none.

    Raises:
        AgentRefusedError: It names one that has no budget.
    """
    name = ask.words("department")
    if name is None:
        match = _NAMED_BUDGET.search(ask.text)
        name = (match["name"] or match["owner"]).lower() if match else None
        name = None if name in _NO_NAMES else name
    if name is not None:
        return the_one(name, MONTHLY_BUDGETS, kind="department with a budget")
    words = re.findall(r"[a-z]+", ask.text.lower())
    mentioned = {word for word in words if word in MONTHLY_BUDGETS}
    if len(mentioned) > 1:
        raise AgentRefusedError(
            f"{ask.text[:120]!r} names several departments ({', '.join(sorted(mentioned))}); "
            "name one. Nothing was done."
        )
    return next(iter(mentioned), None)


def budget_of(connection: sqlite3.Connection, ask: Ask, department: str) -> Budget:
    """Return the department's budget for the clock's month, which is opened if need be."""
    month = f"{ask.today:%Y-%m}"
    query = "SELECT amount_cents FROM budgets WHERE department = ? AND month = ?"
    row = connection.execute(query, (department, month)).fetchone()
    if row is None:
        with transaction(connection):
            connection.executemany(
                "INSERT OR IGNORE INTO budgets (department, month, amount_cents) VALUES (?, ?, ?)",
                [(name, month, cents) for name, cents in MONTHLY_BUDGETS.items()],
            )
        row = connection.execute(query, (department, month)).fetchone()
    spent = connection.execute(_SPENT, (department, month, department, month)).fetchone()
    return Budget(department, month, int(row["amount_cents"]), int(spent["spent_cents"]))


def check_affordable(budget: Budget, cents: int) -> None:
    """Refuse what policy or the budget does not allow.

    Raises:
        AgentRefusedError: The amount is not above zero, over the limit, or over the budget.
    """
    if cents <= 0:
        raise AgentRefusedError(
            f"An expense of {money(cents)} is not possible; amounts start at $0.01. "
            "Nothing was booked."
        )
    if cents > EXPENSE_LIMIT_CENTS:
        raise AgentRefusedError(
            f"{money(cents)} is over the limit of {money(EXPENSE_LIMIT_CENTS)} for a single "
            "expense. Nothing was booked; it needs a contract, which finance signs by hand."
        )
    if cents > budget.remaining_cents:
        raise AgentRefusedError(
            f"{money(cents)} is over the {budget.department} budget for {budget.month}, of which "
            f"{money(budget.remaining_cents)} remains. Nothing was booked."
        )


def book_expense(
    connection: sqlite3.Connection,
    ask: Ask,
    *,
    budget: Budget,
    expense: Expense,
) -> int:
    """Write an expense and the orders that it pays; return its number."""
    cursor = connection.execute(
        "INSERT INTO expenses (department, month, amount_cents, status, description, created_at,"
        " idempotency_key) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            budget.department,
            budget.month,
            expense.cents,
            expense.status,
            expense.description[:200],
            ask.now.isoformat(),
            ask.key,
        ),
    )
    expense_id = int(cursor.lastrowid or 0)
    connection.executemany(
        "INSERT INTO expense_orders (order_reference, expense_id) VALUES (?, ?)",
        [(order.reference, expense_id) for order in expense.orders],
    )
    return expense_id
