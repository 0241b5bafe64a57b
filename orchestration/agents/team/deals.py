"""Deals: opportunities that are followed from stage to stage, and proposals made to customers."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from orchestration.agents.team.amounts import CURRENCY, amount_in, dollars, money
from orchestration.agents.team.crm import Activity, needed_account, record_activity
from state.errors import AgentRefusedError

if TYPE_CHECKING:
    import sqlite3

    from orchestration.agents.team.ask import Ask
    from state.jsonvalue import JsonObject

_STAGES = ("prospecting", "qualification", "proposal", "negotiation", "won", "lost")
_VALID_FOR = timedelta(days=30)
_CALLED = re.compile(
    r"\b(?:called|titled|named)\s+[\"']?(?P<name>.+?)[\"']?(?=\s+(?:worth|for|valued)\b|[.,;]|$)",
    re.IGNORECASE,
)
_OPPORTUNITY_NUMBER = re.compile(
    r"\b(?:opportunity|deal)\s*(?:number|no\.?)?\s*#?\s*(?P<number>[0-9]{1,15})\b(?![.,][0-9])",
    re.IGNORECASE,
)
_STAGE = re.compile(
    rf"\b(?:to|as|is|stage|at|in)\s+(?:the\s+)?(?P<stage>{'|'.join(_STAGES)})\b"
    r"|^(?P<verb>win|lose)\b",
    re.IGNORECASE,
)
_STAGE_OF_VERB = {"win": "won", "lose": "lost"}


def create_opportunity(connection: sqlite3.Connection, ask: Ask) -> JsonObject:
    """Open an opportunity with an account."""
    account = needed_account(connection, ask)
    cents = _needed_cents(ask)
    name = ask.words("name") or _called(ask.text) or f"{account.name}, {ask.today:%B %Y}"
    stage = _stage(ask) or _STAGES[0]
    cursor = connection.execute(
        "INSERT INTO opportunities (account_id, name, amount_cents, stage, created_at,"
        " idempotency_key) VALUES (?, ?, ?, ?, ?, ?)",
        (account.account_id, name, cents, stage, ask.now.isoformat(), ask.key),
    )
    return {
        "action": "create_opportunity",
        "opportunity_id": int(cursor.lastrowid or 0),
        "account": account.name,
        "name": name,
        "amount": dollars(cents),
        "currency": CURRENCY,
        "stage": stage,
        "message": (
            f"Opportunity {cursor.lastrowid} with {account.name} is open: {name}, {money(cents)}."
        ),
    }


def update_opportunity(connection: sqlite3.Connection, ask: Ask) -> JsonObject:
    """Move an opportunity to another stage, or change what it is worth."""
    number = _opportunity_number(ask)
    row = connection.execute(
        "SELECT * FROM opportunities WHERE opportunity_id = ?", (number,)
    ).fetchone()
    if row is None:
        raise AgentRefusedError(f"There is no opportunity {number}. Nothing was changed.")
    stage, cents = _stage(ask), _given_cents(ask)
    if stage is None and cents is None:
        raise AgentRefusedError(
            f"What shall change? Nothing was. Give a stage ({', '.join(_STAGES)}) or an amount, "
            f"for example 'Move opportunity {number} to negotiation'."
        )
    stage, cents = stage or str(row["stage"]), cents or int(row["amount_cents"])
    connection.execute(
        "UPDATE opportunities SET stage = ?, amount_cents = ? WHERE opportunity_id = ?",
        (stage, cents, number),
    )
    note = f"Opportunity {number} went from {row['stage']} to {stage}, {money(cents)}."
    record_activity(
        connection, ask, account_id=int(row["account_id"]), activity=Activity("opportunity", note)
    )
    return {
        "action": "update_opportunity",
        "opportunity_id": number,
        "name": str(row["name"]),
        "stage": stage,
        "previous_stage": str(row["stage"]),
        "amount": dollars(cents),
        "currency": CURRENCY,
        "message": note,
    }


def create_proposal(connection: sqlite3.Connection, ask: Ask) -> JsonObject:
    """Write a proposal for an account."""
    account = needed_account(connection, ask)
    cents = _needed_cents(ask)
    title = ask.words("title") or _called(ask.text) or f"Proposal for {account.name}"
    valid_until = ask.today + _VALID_FOR
    body = (
        f"{title}\n\nTo: {account.contact_name}, {account.name}\nFrom: {account.owner}\n"
        f"Date: {ask.today}\n\nWe offer what is described in this proposal for {money(cents)}. "
        f"The offer stands until {valid_until}.\n"
    )
    cursor = connection.execute(
        "INSERT INTO proposals (account_id, title, body, amount_cents, status, valid_until,"
        " created_at, idempotency_key) VALUES (?, ?, ?, ?, 'draft', ?, ?, ?)",
        (
            account.account_id,
            title,
            body,
            cents,
            valid_until.isoformat(),
            ask.now.isoformat(),
            ask.key,
        ),
    )
    return {
        "action": "create_proposal",
        "proposal_id": int(cursor.lastrowid or 0),
        "account": account.name,
        "contact": account.contact_name,
        "title": title,
        "body": body,
        "amount": dollars(cents),
        "currency": CURRENCY,
        "status": "draft",
        "valid_until": valid_until.isoformat(),
        "message": f"Proposal {cursor.lastrowid} for {account.name}, {money(cents)}, is drafted.",
    }


def _needed_cents(ask: Ask) -> int:
    cents = _given_cents(ask)
    if cents is None:
        raise AgentRefusedError(
            "What is it worth? The request has no amount, so nothing was created. Say for example "
            "'worth $20,000', or give an `amount`."
        )
    return cents


def _given_cents(ask: Ask) -> int | None:
    cents = ask.cents("amount")
    cents = amount_in(ask.text) if cents is None else cents
    if cents is not None and cents <= 0:
        raise AgentRefusedError(
            f"A deal of {money(cents)} is not possible; amounts start at $0.01. Nothing was done."
        )
    return cents


def _called(text: str) -> str | None:
    match = _CALLED.search(text)
    return match["name"].strip() if match else None


def _opportunity_number(ask: Ask) -> int:
    number = ask.whole_number("opportunity_id")
    if number is not None:
        return number
    numbers = {int(match["number"]) for match in _OPPORTUNITY_NUMBER.finditer(ask.text)}
    if len(numbers) != 1:
        raise AgentRefusedError(
            "Which opportunity? The request has to name one by its number, for example "
            "'Mark opportunity 3 as won'. Nothing was changed."
        )
    return numbers.pop()


def _stage(ask: Ask) -> str | None:
    given = ask.words("stage")
    if given is not None:
        if given.lower() not in _STAGES:
            raise AgentRefusedError(
                f"There is no stage {given!r}; stages are {', '.join(_STAGES)}. Nothing was done."
            )
        return given.lower()
    match = _STAGE.search(ask.text)
    if match is None:
        return None
    return match["stage"].lower() if match["stage"] else _STAGE_OF_VERB[match["verb"].lower()]
