"""Text messages: written to the outbox, from which a gateway sends them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestration.agents.team.names import the_one
from orchestration.agents.team.orders import (
    Order,
    Worklist,
    is_done,
    named_orders,
    names_an_order,
    worklist,
)
from orchestration.agents.team.understanding import says, speech_in, without_speech
from orchestration.agents.team.vocabulary import word_set
from state.errors import AgentRefusedError

if TYPE_CHECKING:
    import sqlite3

    from orchestration.agents.team.ask import Ask
    from state.jsonvalue import JsonObject

_LONGEST_BODY = 640
_PHONE = re.compile(r"\+?[0-9][0-9\s().-]{5,18}[0-9]")
_EXTENSION = re.compile(r"[0-9]{3,6}")
_RECIPIENT = re.compile(
    r"\b(?i:to|(?:text|notify|message|sms)(?!\s+to\b))\s+"
    r"(?P<to>\+?[0-9][0-9\s().-]{5,18}[0-9]|[A-Za-z][\w.'-]*(?:\s+[A-Z][\w.'-]*)?)"
)
_CONFIRM = re.compile(
    r"(?:send|text|notify|message)(?:\s+(?:out|the|an?|all|any|our|their|sms|texts?|messages?"
    r"|confirmations?|notifications?|reminders?|orders?|tickets?|purchases?|buyers?|customers?"
    r"|clients?|everyone|everybody|to|for|by|via|of|about|me|us|it|them|open|outstanding|confirm"
    r"|confirming|new))*[\s.!]*",
    re.IGNORECASE,
)
_NOBODY_IN_PARTICULAR = word_set(
    "a an the them us me it all everyone everybody customers customer buyers buyer message "
    "messages sms confirmation confirmations notification notifications reminder for about of "
    "that with by order orders now please and my our"
)


def send_sms(connection: sqlite3.Connection, ask: Ask) -> JsonObject:
    """Send a message to somebody, or else confirm the orders nobody confirmed yet."""
    recipient = ask.words("to") or _recipient_in(ask.text)
    body = ask.words("body") or speech_in(ask.text)
    if body is not None:
        return _send_message(connection, ask, recipient=recipient, body=body)
    told = names_an_order(ask) or says(ask.text, _CONFIRM)
    if recipient is None and ask.is_only_said and not told:
        raise AgentRefusedError(
            f"{ask.text[:120]!r} does not tell who shall get which message. Nothing was sent; say "
            "for example 'Text Alice: the bus leaves at six', or 'Send SMS confirmations'."
        )
    if recipient is not None and named_orders(connection, ask) is None:
        raise AgentRefusedError(
            f"What shall the message to {recipient!r} say? Nothing was sent; give a `body`, or say "
            "for example 'Text Alice: the bus leaves at six'."
        )
    if recipient is not None:
        return _tell_of_orders(connection, ask, phone=_phone_of(connection, recipient))
    return _confirm_orders(connection, ask)


def _send_message(
    connection: sqlite3.Connection, ask: Ask, *, recipient: str | None, body: str
) -> JsonObject:
    if recipient is None:
        raise AgentRefusedError(
            "Who shall get the message? Nothing was sent; give `to`, a phone number or a name."
        )
    if len(body) > _LONGEST_BODY:
        raise AgentRefusedError(
            f"The message has {len(body)} characters; an SMS holds {_LONGEST_BODY}. "
            "Nothing was sent."
        )
    phone = _phone_of(connection, recipient)
    sms_id = _put_out(connection, ask, phone=phone, body=body, order=None)
    return {
        "action": "send_sms",
        "sent": 1,
        "sms_ids": [sms_id],
        "to": phone,
        "message": f"The message to {recipient} ({phone}) is in the outbox.",
    }


def _confirm_orders(connection: sqlite3.Connection, ask: Ask) -> JsonObject:
    work = worklist(connection, ask, "sms")
    sent = [
        _put_out(connection, ask, phone=order.phone, body=_confirmation(order), order=order)
        for order in work.due
    ]
    return _confirmed(work, sent)


def _tell_of_orders(connection: sqlite3.Connection, ask: Ask, *, phone: str) -> JsonObject:
    """Confirm orders to somebody, also if others were told of them before."""
    alive = [order for order in named_orders(connection, ask) or [] if not order.cancelled]
    done = [order for order in alive if _was_told(connection, order, phone=phone)]
    work = Worklist([order for order in alive if order not in done], done, named=True)
    sent = []
    for order in work.due:
        first = None if is_done(connection, order, "sms") else order
        body = _confirmation(order)
        sent.append(_put_out(connection, ask, phone=phone, body=body, order=first))
    return _confirmed(work, sent)


def _confirmation(order: Order) -> str:
    return f"Your order {order.number} is confirmed: {order.summary}."


def _was_told(connection: sqlite3.Connection, order: Order, *, phone: str) -> bool:
    found = connection.execute(
        "SELECT 1 FROM sms_outbox WHERE recipient = ? AND body = ?", (phone, _confirmation(order))
    )
    return found.fetchone() is not None


def _confirmed(work: Worklist, sent: list[int]) -> JsonObject:
    numbers = [order.number for order in work.due]
    if numbers:
        message = f"Confirmed by SMS: {_listed(work.due)}."
    elif work.done:
        message = f"Nothing to send: {_listed(work.done)} was confirmed by SMS before."
    else:
        message = "Nothing to send: no order waits for a confirmation by SMS."
    return {
        "action": "send_sms",
        "sent": len(sent),
        "sms_ids": [*sent],
        "order_ids": [*numbers],
        "message": message,
    }


def _put_out(
    connection: sqlite3.Connection, ask: Ask, *, phone: str, body: str, order: Order | None
) -> int:
    cursor = connection.execute(
        "INSERT INTO sms_outbox (recipient, body, order_reference, created_at, idempotency_key)"
        " VALUES (?, ?, ?, ?, ?)",
        (phone, body, order.reference if order else None, ask.now.isoformat(), ask.key),
    )
    return int(cursor.lastrowid or 0)


def _recipient_in(text: str) -> str | None:
    for match in _RECIPIENT.finditer(without_speech(text)):
        recipient = match["to"].strip(" .,!?")
        if recipient.split()[0].lower() not in _NOBODY_IN_PARTICULAR:
            return recipient
    return None


def _phone_of(connection: sqlite3.Connection, recipient: str) -> str:
    if _PHONE.fullmatch(recipient) or _EXTENSION.fullmatch(recipient):
        return recipient
    phones = dict(
        connection.execute(
            "SELECT name, phone FROM people"
            " UNION ALL SELECT contact_name, contact_phone FROM accounts"
        ).fetchall()
    )
    return str(phones[the_one(recipient, phones, kind="phone number or person")])


def _listed(orders: list[Order]) -> str:
    numbers = ", ".join(str(order.number) for order in orders[:10])
    more = f" and {len(orders) - 10} more" if len(orders) > 10 else ""  # noqa: PLR2004
    return f"order {numbers}{more}"
