"""The ticketing agent: sells and takes back tickets, and tells what is on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.agents.team.amounts import CURRENCY, dollars, money
from orchestration.agents.team.dates import without_dates
from orchestration.agents.team.desk import Action, Desk
from orchestration.agents.team.events import taken_blocks, wanted_event
from orchestration.agents.team.intents import TICKETING as INTENTS
from orchestration.agents.team.orders import existing_order, order_number_in, upstream_orders
from orchestration.agents.team.programme import (
    check_availability,
    event_facts,
    event_info,
    list_events,
)
from orchestration.agents.team.purchase_terms import refuse_unkept_terms
from orchestration.agents.team.quantities import buyable, tickets_in
from orchestration.agents.team.schedule import Event
from orchestration.agents.team.seating import Block, assigned, free_blocks, labels
from orchestration.agents.team.seed import FRONT_DESK_PHONE
from orchestration.agents.team.sms import send_sms
from state.capability import AgentCapability
from state.errors import AgentRefusedError

if TYPE_CHECKING:
    import sqlite3

    from orchestration.agents.team.ask import Ask
    from state.jsonvalue import JsonObject


def purchase_tickets(connection: sqlite3.Connection, ask: Ask) -> JsonObject:
    """Sell the tickets asked for, side by side where possible."""
    refuse_unkept_terms(ask.text)
    quantity = ask.whole_number("quantity")
    quantity = buyable(tickets_in(without_dates(ask.text)) if quantity is None else quantity)
    event = wanted_event(connection, ask)
    seats = _free_seats(connection, event, quantity)
    order_id = _save_order(connection, ask, event=event, quantity=quantity)
    connection.executemany(
        "INSERT INTO seat_blocks (event_id, first_seat, last_seat, order_id) VALUES (?, ?, ?, ?)",
        [(event.event_id, block.first, block.last, order_id) for block in seats],
    )
    total = quantity * event.price_cents
    return {
        "action": "purchase_tickets",
        "order_id": order_id,
        **event_facts(event),
        "quantity": quantity,
        "total_price": dollars(total),
        "seats": [*labels(seats)],
        "status": "confirmed",
        "message": (
            f"Order {order_id} is confirmed: {_tickets(quantity)} for {event.name} on {event.day} "
            f"at {event.starts_at:%H:%M}, {money(total)} in all."
        ),
    }


def cancel_order(connection: sqlite3.Connection, ask: Ask) -> JsonObject:
    """Take an order back: free its seats and refund its price."""
    order = existing_order(connection, _order_number(connection, ask))
    if order.cancelled:
        raise AgentRefusedError(
            f"Order {order.number} was cancelled before; it is refunded once. Nothing was done."
        )
    refund = order.total_cents or 0
    connection.execute("UPDATE orders SET status = 'cancelled' WHERE order_id = ?", (order.number,))
    connection.execute("DELETE FROM seat_blocks WHERE order_id = ?", (order.number,))
    connection.execute(
        "INSERT INTO refunds (order_id, amount_cents, created_at, idempotency_key)"
        " VALUES (?, ?, ?, ?)",
        (order.number, refund, ask.now.isoformat(), ask.key),
    )
    return {
        "action": "cancel_order",
        "order_id": order.number,
        "status": "cancelled",
        "refund": dollars(refund),
        "currency": CURRENCY,
        "message": (
            f"Order {order.number} ({order.summary}) is cancelled; {money(refund)} is refunded."
        ),
    }


def _free_seats(connection: sqlite3.Connection, event: Event, quantity: int) -> list[Block]:
    free = free_blocks(taken_blocks(connection, event.event_id), capacity=event.capacity)
    seats = assigned(free, quantity)
    if seats is None:
        left = sum(block.size for block in free)
        raise AgentRefusedError(
            f"{event.name} on {event.day} has {left:,} of {event.capacity:,} seats left, not "
            f"{quantity:,}. Nothing was bought; ask for fewer or for another event."
        )
    return seats


def _save_order(connection: sqlite3.Connection, ask: Ask, *, event: Event, quantity: int) -> int:
    cursor = connection.execute(
        "INSERT INTO orders (event_id, quantity, unit_price_cents, total_cents, status, phone,"
        " created_at, idempotency_key) VALUES (?, ?, ?, ?, 'confirmed', ?, ?, ?)",
        (
            event.event_id,
            quantity,
            event.price_cents,
            quantity * event.price_cents,
            ask.words("phone") or FRONT_DESK_PHONE,
            ask.now.isoformat(),
            ask.key,
        ),
    )
    return int(cursor.lastrowid or 0)


def _order_number(connection: sqlite3.Connection, ask: Ask) -> int:
    number = ask.whole_number("order_id")
    number = order_number_in(ask.text) if number is None else number
    if number is not None:
        return number
    upstream = upstream_orders(connection, ask.context.upstream)
    if len(upstream) == 1 and isinstance(upstream[0].number, int):
        return upstream[0].number
    raise AgentRefusedError(
        "Which order? The request names none, so nothing was cancelled. "
        "Say for example 'Cancel order 17', or give an `order_id`."
    )


def _tickets(quantity: int) -> str:
    return "1 ticket" if quantity == 1 else f"{quantity:,} tickets"


TICKETING = Desk(
    agent_id="ticketing",
    description="Sells and cancels tickets, answers questions about events, sends SMS.",
    capabilities=(
        AgentCapability.TICKET_PURCHASE,
        AgentCapability.TICKET_CANCELLATION,
        AgentCapability.EVENT_INFORMATION,
        AgentCapability.NOTIFICATION,
    ),
    actions={
        "purchase_tickets": Action(purchase_tickets),
        "cancel_order": Action(cancel_order),
        "event_info": Action(event_info, effect=False),
        "list_events": Action(list_events, effect=False),
        "check_availability": Action(check_availability, effect=False),
        "send_sms": Action(send_sms, speech=True),
    },
    aliases={
        "book_tickets": "purchase_tickets",
        "buy_tickets": "purchase_tickets",
        "ticket_purchase": "purchase_tickets",
        "cancel_tickets": "cancel_order",
        "refund_tickets": "cancel_order",
        "ticket_cancellation": "cancel_order",
        "event_information": "event_info",
        "notify": "send_sms",
        "send_notification": "send_sms",
        "notification": "send_sms",
    },
    intents=INTENTS,
    examples=(
        "Book 10 tickets for tonight",
        "What time does the game start?",
        "How many seats are left?",
        "Cancel order 17",
    ),
)
