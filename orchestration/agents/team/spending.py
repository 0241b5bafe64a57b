"""How much an expense is, and which ticket orders it pays."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from orchestration.agents.team.amounts import amount_in, cents_of
from orchestration.agents.team.dates import without_dates
from orchestration.agents.team.orders import Order, is_done, named_orders, names_an_order
from state.errors import AgentRefusedError

if TYPE_CHECKING:
    import sqlite3

    from orchestration.agents.team.ask import Ask
    from state.jsonvalue import JsonObject

_TAKEN_BACK = frozenset({"cancelled", "canceled", "refunded"})


class Spending(NamedTuple):
    """How much is to be spent, and the orders that it pays."""

    cents: int
    orders: list[Order]


def given_amount(ask: Ask) -> int | None:
    """Return the amount that the request gives, in cents; None if it gives none.

    Raises:
        AgentRefusedError: It gives several, or one that cannot be read.
    """
    cents = ask.cents("amount")
    return amount_in(ask.text) if cents is None else cents


def spending_of(connection: sqlite3.Connection, ask: Ask, cents: int) -> Spending:
    """Return a given amount with the orders it pays.

    It pays the order that the request names, and the orders upstream if it covers them.

    Raises:
        AgentRefusedError: One of the orders is paid already.
    """
    orders = _alive_orders(connection, ask)
    covered = cents >= sum(order.total_cents or 0 for order in orders)
    paid = orders if covered or names_an_order(ask) else []
    _refuse_paid(connection, paid)
    return Spending(cents, paid)


def spending_upstream(connection: sqlite3.Connection, ask: Ask) -> Spending:
    """Return the price of the orders named or upstream, or else the amounts upstream.

    Raises:
        AgentRefusedError: There is no such amount, an order is paid already, or the
            message has a number of which nobody knows whether it is the amount.
    """
    _refuse_unread_numbers(ask)
    orders = _alive_orders(connection, ask)
    if orders:
        _refuse_paid(connection, orders)
        return Spending(sum(price_of(order) for order in orders), orders)
    outputs = ask.context.upstream.values()
    amounts = [cents for output in outputs if (cents := _open_cents(output)) is not None]
    if not amounts:
        raise AgentRefusedError(
            "How much? The request has no amount and follows no order, so nothing was booked. "
            "Say for example 'Approve $10,000 expense', or give an `amount`."
        )
    return Spending(sum(amounts), [])


def price_of(order: Order) -> int:
    """Return the order's price in cents.

    Raises:
        AgentRefusedError: Its seller did not say.
    """
    if order.total_cents is None:
        raise AgentRefusedError(
            f"Order {order.number} has no total price. Nothing was booked; give an `amount`."
        )
    return order.total_cents


def _alive_orders(connection: sqlite3.Connection, ask: Ask) -> list[Order]:
    return [order for order in named_orders(connection, ask) or [] if not order.cancelled]


def _open_cents(output: JsonObject) -> int | None:
    """Return an output's price or amount, unless it was taken back or is an expense already."""
    if output.get("status") in _TAKEN_BACK or "expense_id" in output:
        return None
    for name in ("total_price", "amount"):
        value = output.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return cents_of(value)
    return None


def _refuse_paid(connection: sqlite3.Connection, orders: list[Order]) -> None:
    for order in orders:
        if is_done(connection, order, "expense"):
            raise AgentRefusedError(
                f"Order {order.number} was expensed before; an order is expensed once. "
                "Nothing was booked."
            )


def _refuse_unread_numbers(ask: Ask) -> None:
    if not names_an_order(ask) and re.search(r"[0-9]", without_dates(ask.text)):
        raise AgentRefusedError(
            f"{ask.text[:120]!r} has a number that may be an amount or not. Nothing was booked; "
            "write amounts like $1,250.50."
        )
