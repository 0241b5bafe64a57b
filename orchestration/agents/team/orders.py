"""Ticket orders as the whole team sees them: in the database, or in what others answered."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from orchestration.agents.team.amounts import cents_of
from orchestration.agents.team.seed import FRONT_DESK_PHONE
from state.errors import AgentRefusedError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from orchestration.agents.team.ask import Ask
    from state.jsonvalue import JsonObject, JsonValue

Step = Literal["sms", "crm", "expense"]
"""What is done once with every order."""

_ORDER_NUMBER = re.compile(
    r"(?:\b(?:orders?|booking)\s*(?:number|no\.?|nr\.?|id)?\s*#?\s*|#)(?P<number>[0-9]{1,15})\b"
    r"(?![.,][0-9]|\s+(?:\w+\s+)?(?:tickets?|seats?))",
    re.IGNORECASE,
)
_SELECT = (
    "SELECT orders.*, events.name AS event, events.day AS day"
    " FROM orders JOIN events USING (event_id) "
)
_DONE = {
    "sms": "SELECT 1 FROM sms_outbox WHERE order_reference = ?",
    "crm": "SELECT 1 FROM activities WHERE order_reference = ?",
    "expense": "SELECT 1 FROM expense_orders WHERE order_reference = ?",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order of tickets."""

    reference: str
    """Names it in the team's tables, e.g. `order:17`; other sellers' orders are `external:…`."""
    number: int | str
    """Its seller's number for it."""
    summary: str
    total_cents: int | None
    """None if its seller did not say."""
    phone: str
    cancelled: bool


class Worklist(NamedTuple):
    """The orders that a step is asked for."""

    due: list[Order]
    """Confirmed orders for which it was not done yet."""
    done: list[Order]
    """Orders that were asked for by name, for which it was done before."""
    named: bool
    """Whether certain orders were asked for, and not whatever is due."""


def order_number_in(text: str) -> int | None:
    """Return the one order number in a text; None if it has none.

    Raises:
        AgentRefusedError: It has several.
    """
    numbers = {int(match["number"]) for match in _ORDER_NUMBER.finditer(text)}
    if len(numbers) > 1:
        raise AgentRefusedError(
            f"{text[:120]!r} names several orders; ask for one at a time. Nothing was done."
        )
    return next(iter(numbers), None)


def names_an_order(ask: Ask) -> bool:
    """Tell whether the request names an order by its number."""
    return ask.whole_number("order_id") is not None or order_number_in(ask.text) is not None


def worklist(connection: sqlite3.Connection, ask: Ask, step: Step) -> Worklist:
    """Return the orders meant: the one named, else those upstream, else all.

    Raises:
        AgentRefusedError: The order named does not exist or was cancelled.
    """
    meant = named_orders(connection, ask)
    if meant is None:
        everything = connection.execute(f"{_SELECT} WHERE status = 'confirmed' ORDER BY order_id")
        due = [order for order in map(_order, everything) if not is_done(connection, order, step)]
        return Worklist(due, [], named=False)
    alive = [order for order in meant if not order.cancelled]
    done = [order for order in alive if is_done(connection, order, step)]
    return Worklist([order for order in alive if order not in done], done, named=True)


def named_orders(connection: sqlite3.Connection, ask: Ask) -> list[Order] | None:
    """Return the order that the request names, else those upstream; None if there are none.

    Raises:
        AgentRefusedError: The order named does not exist or was cancelled.
    """
    number = ask.whole_number("order_id")
    number = order_number_in(ask.text) if number is None else number
    if number is None:
        return upstream_orders(connection, ask.context.upstream) or None
    order = existing_order(connection, number)
    if order.cancelled:
        raise AgentRefusedError(f"Order {number} was cancelled. Nothing was done.")
    return [order]


def upstream_orders(
    connection: sqlite3.Connection, upstream: Mapping[str, JsonObject]
) -> list[Order]:
    """Return the orders in what other agents answered, each once."""
    found: dict[str, Order] = {}
    for output in upstream.values():
        order = _upstream_order(connection, output)
        if order is not None:
            found[order.reference] = order
    return list(found.values())


def existing_order(connection: sqlite3.Connection, number: int) -> Order:
    """Return the team's order of that number.

    Raises:
        AgentRefusedError: There is none.
    """
    order = _stored_order(connection, number)
    if order is None:
        raise AgentRefusedError(f"There is no order {number}. Nothing was done; check the number.")
    return order


def is_done(connection: sqlite3.Connection, order: Order, step: Step) -> bool:
    """Tell whether the step was done for the order."""
    return connection.execute(_DONE[step], (order.reference,)).fetchone() is not None


def _stored_order(connection: sqlite3.Connection, number: int) -> Order | None:
    row = connection.execute(f"{_SELECT} WHERE order_id = ?", (number,)).fetchone()
    return None if row is None else _order(row)


def _upstream_order(connection: sqlite3.Connection, output: JsonObject) -> Order | None:
    number = output.get("order_id")
    if not isinstance(number, int | str) or isinstance(number, bool):
        return None
    total = _total(output.get("total_price"))
    if isinstance(number, int):
        ours = _stored_order(connection, number)
        if ours is not None and total in (None, ours.total_cents):
            return ours
    quantity, event = output.get("quantity"), output.get("event")
    return Order(
        reference=f"external:{number}",
        number=number,
        summary=f"{quantity or 'some'} tickets for {event or 'an event'}",
        total_cents=total,
        phone=FRONT_DESK_PHONE,
        cancelled=output.get("status") in {"cancelled", "canceled", "refunded"},
    )


def _total(value: JsonValue) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return cents_of(value)


def _order(row: sqlite3.Row) -> Order:
    noun = "ticket" if row["quantity"] == 1 else "tickets"
    return Order(
        reference=f"order:{row['order_id']}",
        number=int(row["order_id"]),
        summary=f"{row['quantity']} {noun} for {row['event']} on {row['day']}",
        total_cents=int(row["total_cents"]),
        phone=str(row["phone"]),
        cancelled=row["status"] == "cancelled",
    )
