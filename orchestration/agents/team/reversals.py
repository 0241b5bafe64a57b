"""Taking expenses back: the books as if they had not been booked, and who did so when."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from orchestration.agents.team.amounts import CURRENCY, dollars, money
from state.errors import AgentRefusedError

if TYPE_CHECKING:
    import sqlite3

    from orchestration.agents.team.ask import Ask
    from state.jsonvalue import JsonObject, JsonValue


class Booked(NamedTuple):
    """An expense that stands in the books."""

    expense_id: int
    cents: int
    department: str
    month: str


def cancel_expense(connection: sqlite3.Connection, ask: Ask) -> JsonObject:
    """Take expenses back: the one given, or else those that upstream tasks booked.

    The amount returns to the department's budget of that month, and the orders that it paid
    can be expensed again.
    """
    taken_back = [_take_back(connection, ask, number) for number in _numbers(ask)]
    total = sum(expense.cents for expense in taken_back)
    numbers = [expense.expense_id for expense in taken_back]
    return {
        "action": "cancel_expense",
        **({"expense_id": numbers[0]} if len(numbers) == 1 else {}),
        "expense_ids": [*numbers],
        "amount": dollars(total),
        "currency": CURRENCY,
        "status": "cancelled",
        "message": _message(taken_back),
    }


def _take_back(connection: sqlite3.Connection, ask: Ask, number: int) -> Booked:
    row = connection.execute(
        "SELECT expenses.*, expense_reversals.created_at AS reversed_at FROM expenses"
        " LEFT JOIN expense_reversals USING (expense_id) WHERE expense_id = ?",
        (number,),
    ).fetchone()
    if row is None:
        raise AgentRefusedError(
            f"There is no expense {number}. Nothing was done; check the number."
        )
    if row["reversed_at"] is not None:
        raise AgentRefusedError(
            f"Expense {number} was cancelled before; its amount returns once. Nothing was done."
        )
    connection.execute("DELETE FROM expense_orders WHERE expense_id = ?", (number,))
    connection.execute(
        "INSERT INTO expense_reversals (expense_id, created_at, idempotency_key) VALUES (?, ?, ?)",
        (number, ask.now.isoformat(), ask.key),
    )
    return Booked(number, int(row["amount_cents"]), str(row["department"]), str(row["month"]))


def _numbers(ask: Ask) -> list[int]:
    """Return the numbers of the expenses meant.

    Raises:
        AgentRefusedError: The request gives none and follows no expense.
    """
    given = ask.whole_number("expense_id")
    if given is not None:
        return [given]
    booked = [found for output in ask.context.upstream.values() for found in _booked_by(output)]
    if not booked:
        raise AgentRefusedError(
            "Which expense? The request gives no `expense_id` and follows no expense, so nothing "
            "was cancelled."
        )
    return list(dict.fromkeys(number for number in booked if number is not None))


def _booked_by(output: JsonObject) -> list[int | None]:
    """The expenses of an upstream answer; only None for one that looked and booked nothing."""
    listed: JsonValue = output.get("expense_ids", output.get("expense_id"))
    if isinstance(listed, list):
        return [number for number in listed if type(number) is int] or [None]
    return [listed] if type(listed) is int else []


def _message(expenses: list[Booked]) -> str:
    if not expenses:
        return "Nothing to cancel: no expense was booked."
    said = "; ".join(
        f"expense {expense.expense_id}, {money(expense.cents)} back to {expense.department} for "
        f"{expense.month}"
        for expense in expenses[:10]
    )
    return f"Cancelled: {said}."
