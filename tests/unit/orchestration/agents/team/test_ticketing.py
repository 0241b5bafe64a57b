from __future__ import annotations

from collections.abc import Callable

import pytest

from state.errors import AgentRefusedError
from state.jsonvalue import JsonObject

Call = Callable[..., JsonObject]
Rows = Callable[..., list[JsonObject]]


def test_purchase_answers_with_an_order_and_writes_it(call: Call, rows: Rows) -> None:
    answer = call("ticketing", "Book 50 tickets", key="k")
    assert answer == {
        "action": "purchase_tickets",
        "order_id": 1,
        "event": "Bayview Comets vs Granite City Rams",
        "event_id": "game-2026-11-23",
        "venue": "Bayview Arena",
        "event_date": "2026-11-23",
        "starts_at": "2026-11-23T19:30:00",
        "unit_price": 85.0,
        "currency": "USD",
        "quantity": 50,
        "total_price": 4250.0,
        "seats": [
            "Section 101, row 1, seats 1-20",
            "Section 101, row 2, seats 1-20",
            "Section 101, row 3, seats 1-10",
        ],
        "status": "confirmed",
        "message": "Order 1 is confirmed: 50 tickets for Bayview Comets vs Granite City Rams on "
        "2026-11-23 at 19:30, $4,250.00 in all.",
    }
    (order,) = rows("SELECT * FROM orders WHERE idempotency_key = 'k'")
    assert (order["quantity"], order["total_cents"], order["status"]) == (50, 425000, "confirmed")


@pytest.mark.parametrize(("quantity", "over"), [(50, False), (100, True)])
def test_hundred_tickets_cost_more_than_5000_and_fifty_less(
    call: Call, quantity: int, *, over: bool
) -> None:
    answer = call("ticketing", f"Book {quantity} tickets")
    assert (float(str(answer["total_price"])) > 5000) is over


@pytest.mark.parametrize(
    ("text", "event_id"),
    [
        ("Book 2 tickets", "game-2026-11-23"),
        ("I need 2 tickets for tonight", "game-2026-11-23"),
        ("buy two tickets for tomorrow", "game-2026-11-24"),
        ("Book 2 tickets for Friday's game", "game-2026-11-27"),
        ("2 tickets to the jazz night", "jazz-2026-11-24"),
        ("2 jazz tickets for 2026-12-03", "jazz-2026-12-03"),
        ("2 tickets to the Velvet Tide", "concert-2026-12-10"),
        ("Book 2 concert tickets", "concert-2026-11-25"),
        ("I want to buy 2 tickets to see the Comets", "game-2026-11-23"),
        ("2 tickets for the game on December 1", "game-2026-12-01"),
        ("2 tickets for 2027-06-01", "game-2027-06-01"),
        ("Book 2 tickets for my sales team", "game-2026-11-23"),
        ("Book 2 tickets for Acme", "game-2026-11-23"),
        ("Book 2 tickets for Alice for tomorrow", "game-2026-11-24"),
    ],
)
def test_purchase_is_for_the_event_meant(call: Call, text: str, event_id: str) -> None:
    answer = call("ticketing", text)
    assert (answer["event_id"], answer["quantity"]) == (event_id, 2)


def test_fields_win_over_the_message(call: Call) -> None:
    answer = call("ticketing", "Book 10 tickets for tonight", quantity=3, date="2026-12-24")
    assert (answer["quantity"], answer["event_id"]) == (3, "game-2026-12-24")
    answer = call("ticketing", "Book tickets", quantity="4", event_id="jazz-2026-11-24")
    assert (answer["quantity"], answer["event_id"]) == (4, "jazz-2026-11-24")
    answer = call("ticketing", "Book tickets", quantity=1, event="jazz night", phone="+1-555-0199")
    assert answer["event_id"] == "jazz-2026-11-24"


def test_structured_purchase_needs_no_message(call: Call) -> None:
    assert call("ticketing", action="book_tickets", quantity=2)["action"] == "purchase_tickets"


def test_content_may_be_a_list_of_parts_and_the_last_user_message_counts(
    call: Call, rows: Rows
) -> None:
    messages = [
        {"role": "user", "content": "Book 90 tickets"},
        {"role": "assistant", "content": "Book 80 tickets"},
        {"role": "user", "content": [{"type": "text", "text": "Book"}, {"text": "7 tickets"}]},
        {"role": "assistant", "content": "Sure"},
    ]
    call("ticketing", messages=messages)
    assert rows("SELECT quantity FROM orders") == [{"quantity": 7}]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Book tickets", "How many tickets"),
        ("Book a few tickets", "How many tickets"),
        ("Book 0 tickets", "0 tickets is not possible"),
        ("Book -5 tickets", "-5 tickets is not possible"),
        ("Book 2.5 tickets", "sold whole"),
        ("Book 1,001 tickets", "1 to 1,000"),
        ("Book 13 tickets to the jazz night", "12 of 12 seats left, not 13"),
        ("Book 2 tickets to the Lakers game", "no event 'Lakers game'"),
        ("Book 2 Hamilton tickets", "no event 'Hamilton'"),
        ("Book 2 tickets for Hamilton", "no event 'Hamilton'"),
        ("3 tickets to the Velvet Tide on 2026-12-01", "no event 'Velvet Tide' on 2026-12-01"),
        ("Book 2 tickets for 2020-01-01", "no tickets for 2020-01-01"),
        ("Book 2 tickets for 2030-01-01", "no tickets for 2030-01-01"),
        ("Book 2 tickets for next week", "not an exact date"),
        ("Book 2 VIP tickets", "one kind"),
        ("Book 2 tickets under $50 each", "limit"),
        ("Don't book 2 tickets", "did not understand"),
        ("Send SMS about the weather in Rome", "does not tell who shall get"),
        ("Text Alice", "What shall the message"),
        ("Make coffee", "It understands for example 'Book 10 tickets"),
        ("Cancel order 99", "no order 99"),
        ("Cancel my order", "Which order"),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(
    call: Call, rows: Rows, text: str, why: str
) -> None:
    with pytest.raises(AgentRefusedError, match=why):
        call("ticketing", text)
    call("ticketing", "How many seats are left?")  # makes the file if nothing did
    assert rows("SELECT * FROM orders") == rows("SELECT * FROM idempotency") == []


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "fly"},
        {"action": "purchase_tickets", "quantity": "many"},
        {"action": "purchase_tickets", "quantity": True},
        {"action": "purchase_tickets", "quantity": 2.5},
        {"action": "purchase_tickets", "quantity": 2, "date": "soon"},
        {"action": "purchase_tickets", "quantity": 2, "event_id": "game-2026-13-01"},
        {"action": "purchase_tickets", "quantity": 2, "event_id": "opera"},
        {"action": "cancel_order", "order_id": 10**30},
        {"action": "send_sms", "to": "+15551234567"},
        {"action": "send_sms", "body": "hi"},
        {"action": "send_sms", "to": "Zorro", "body": "hi"},
        {"messages": "Book 10 tickets"},
        {"messages": [{"role": "user", "content": 5}]},
        {"messages": [{"role": "user", "content": "x" * 5000}]},
        {"messages": []},
        {},
    ],
)
def test_unusable_input_is_refused(call: Call, fields: JsonObject) -> None:
    with pytest.raises(AgentRefusedError, match=r"[Nn]othing was|it has purchase_tickets"):
        call("ticketing", **fields)


def test_an_action_is_refused_when_the_message_forbids_it(call: Call) -> None:
    with pytest.raises(AgentRefusedError, match="nothing was done"):
        call("ticketing", "Do not book 10 tickets", action="purchase_tickets")


def test_cancelling_frees_the_seats_and_refunds_once(call: Call, rows: Rows) -> None:
    sold = call("ticketing", "12 tickets to the jazz night")
    with pytest.raises(AgentRefusedError, match="0 of 12 seats left"):
        call("ticketing", "a ticket to the jazz night")
    answer = call("ticketing", f"Cancel order {sold['order_id']}", key="cancel")
    assert (answer["refund"], answer["status"]) == (540.0, "cancelled")
    assert call("ticketing", "How many seats are left for the jazz night?")["seats_left"] == 12
    assert call("ticketing", "12 tickets to the jazz night")["seats"] == sold["seats"]
    with pytest.raises(AgentRefusedError, match="cancelled before"):
        call("ticketing", f"Cancel order {sold['order_id']}")
    assert len(rows("SELECT * FROM refunds")) == 1
    assert rows("SELECT idempotency_key FROM refunds") == [{"idempotency_key": "cancel"}]


def test_bare_cancellation_takes_back_the_order_upstream(call: Call) -> None:
    order = call("ticketing", "Book 2 tickets")
    answer = call("ticketing", action="cancel_order", upstream={"ticketing": order})
    assert answer["order_id"] == order["order_id"]


def test_an_order_without_room_side_by_side_gets_the_seats_there_are(call: Call) -> None:
    first = call("ticketing", "4 tickets to the jazz night")
    call("ticketing", "4 tickets to the jazz night")
    call("ticketing", f"Cancel order {first['order_id']}")
    assert call("ticketing", "6 tickets to the jazz night")["seats"] == [
        "Section 101, row 1, seats 1-4",
        "Section 101, row 1, seats 9-10",
    ]


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("What time does the game start?", {"starts_at": "2026-11-23T19:30:00"}),
        ("How much are tickets tonight?", {"unit_price": 85.0, "action": "event_info"}),
        ("When is the concert?", {"event_id": "concert-2026-11-25", "unit_price": 120.0}),
        ("How many seats are left?", {"seats_left": 18000, "action": "check_availability"}),
        ("Are there seats left for the jazz night?", {"seats_left": 12, "capacity": 12}),
        ("What events are on this week?", {"count": 10, "last_day": "2026-11-29"}),
        ("What's on tomorrow?", {"count": 2, "first_day": "2026-11-24"}),
        ("What concerts are on next week?", {"count": 2}),
    ],
)
def test_questions_are_answered_from_the_schedule(
    call: Call, rows: Rows, text: str, facts: JsonObject
) -> None:
    answer = call("ticketing", text)
    assert {name: answer[name] for name in facts} == facts
    assert answer["message"]
    assert rows("SELECT * FROM idempotency") == []


def test_sms_confirms_each_order_once(call: Call, rows: Rows) -> None:
    call("ticketing", "Book 2 tickets")
    call("ticketing", "Book 3 tickets", phone="+1-555-0199")
    assert call("ticketing", action="send_sms", key="k")["order_ids"] == [1, 2]
    assert call("ticketing", action="send_sms")["sent"] == 0
    sent = rows("SELECT recipient, order_reference FROM sms_outbox WHERE idempotency_key = 'k'")
    assert sent == [
        {"recipient": "+1-555-0100", "order_reference": "order:1"},
        {"recipient": "+1-555-0199", "order_reference": "order:2"},
    ]


def test_each_person_named_is_told_of_an_order_once(call: Call, rows: Rows) -> None:
    upstream = {"purchase": call("ticketing", "Book 2 tickets")}
    sent = [
        call("ticketing", f"Send an SMS to {name}", upstream=upstream)["sent"]
        for name in ("Bob", "Alice", "Bob")
    ]
    assert sent == [1, 1, 0]
    assert rows("SELECT recipient, order_reference FROM sms_outbox") == [
        {"recipient": "+1-555-0107", "order_reference": "order:1"},
        {"recipient": "+1-555-0106", "order_reference": None},
    ]
    assert call("ticketing", action="send_sms")["sent"] == 0


def test_a_customer_after_a_date_is_no_event(call: Call) -> None:
    assert call("ticketing", "Book 10 tickets for tonight for Globex")["quantity"] == 10


def test_sms_with_nothing_outstanding_sends_nothing_and_says_so(call: Call) -> None:
    answer = call("ticketing", action="send_sms")
    assert answer["sent"] == 0
    assert "Nothing to send" in str(answer["message"])


def test_sms_confirms_only_the_orders_upstream(call: Call) -> None:
    call("ticketing", "Book 2 tickets")
    order = call("ticketing", "Book 3 tickets")
    answer = call("ticketing", action="send_sms", upstream={"ticketing": order, "x": {"a": 1}})
    assert answer["order_ids"] == [2]
    again = call("ticketing", "Send SMS confirmation for order 2")
    assert (again["sent"], "before" in str(again["message"])) == (0, True)


@pytest.mark.parametrize(
    ("text", "recipient", "body"),
    [
        ("Text Alice: don't be late", "+1-555-0106", "don't be late"),
        ("Send an SMS to +15551234567 saying hi", "+15551234567", "hi"),
        ("Send a text message to Hank Scott: hello", "+1-555-0202", "hello"),
    ],
)
def test_sms_goes_to_whom_the_message_names(
    call: Call, rows: Rows, text: str, recipient: str, body: str
) -> None:
    assert call("ticketing", text)["sent"] == 1
    assert rows("SELECT recipient, body FROM sms_outbox") == [
        {"recipient": recipient, "body": body}
    ]


@pytest.mark.parametrize(
    "text", ["Send SMS", "Send the SMS confirmations to all customers.", "Notify the customers"]
)
def test_sms_confirms_all_orders_when_told_so(call: Call, text: str) -> None:
    call("ticketing", "Book 2 tickets")
    assert call("ticketing", text)["sent"] == 1


def test_a_cancelled_order_is_not_confirmed(call: Call) -> None:
    call("ticketing", "Book 2 tickets")
    call("ticketing", "Cancel order 1")
    assert call("ticketing", action="send_sms")["sent"] == 0
    with pytest.raises(AgentRefusedError, match="Order 1 was cancelled"):
        call("ticketing", action="send_sms", order_id=1)


def test_sms_goes_to_an_extension(call: Call, rows: Rows) -> None:
    call("ticketing", action="send_sms", to="0100", body="Hello")
    assert rows("SELECT recipient, body FROM sms_outbox") == [
        {"recipient": "0100", "body": "Hello"}
    ]
