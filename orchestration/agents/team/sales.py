"""The sales agent: keeps the CRM, opportunities and proposals."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestration.agents.team.amounts import CURRENCY, dollars, money
from orchestration.agents.team.crm import (
    Account,
    Activity,
    account_called,
    named_account,
    needed_account,
    record_activity,
)
from orchestration.agents.team.deals import create_opportunity, create_proposal, update_opportunity
from orchestration.agents.team.desk import Action, Desk
from orchestration.agents.team.intents import SALES as INTENTS
from orchestration.agents.team.names import matching
from orchestration.agents.team.orders import named_orders, names_an_order, worklist
from orchestration.agents.team.seed import HOUSE_ACCOUNT
from orchestration.agents.team.understanding import says, speech_in
from state.capability import AgentCapability
from state.errors import AgentRefusedError

if TYPE_CHECKING:
    import sqlite3

    from orchestration.agents.team.ask import Ask
    from state.jsonvalue import JsonObject

_MOST_LISTED = 10
_RECORD_ORDERS = re.compile(
    r"(?:update|sync|refresh|log|record|add|enter|put)(?:\s+(?:the|our|crm|with|for|to|in|into|all|any"
    r"|new|latest|open|orders?|purchases?|tickets?|sales?|data|house|account|and|it|them|an?|this"
    r"|that|these))*[\s.!]*",
    re.IGNORECASE,
)
_KIND = re.compile(r"\b(?P<kind>call|meeting|e?mail|visit)\b", re.IGNORECASE)


def update_crm(connection: sqlite3.Connection, ask: Ask) -> JsonObject:
    """Record a note on an account, or else the orders that the CRM does not have yet."""
    account = named_account(connection, ask)
    note = ask.words("note") or speech_in(ask.text)
    if account is None and note is not None:
        raise AgentRefusedError(
            "Which account is the note for? Nothing was recorded; give an `account`, or say for "
            "example 'Update the CRM for Acme: renewal agreed'."
        )
    told = names_an_order(ask) or says(ask.text, _RECORD_ORDERS)
    if account is None and ask.is_only_said and not told:
        raise AgentRefusedError(
            f"{ask.text[:120]!r} does not tell what to record. Nothing was recorded; say for "
            "example 'Update the CRM' for what was ordered, or 'Update the CRM for Acme'."
        )
    if account is not None and (note is not None or named_orders(connection, ask) is None):
        note = note or ask.text or "Account reviewed."
        return _record_note(connection, ask, account=account, note=note)
    return _record_orders(connection, ask, account or _buyer(connection, ask))


def _buyer(connection: sqlite3.Connection, ask: Ask) -> Account:
    """Return the account for whom orders were placed, by the field `customer`.

    Unlike an `account`, it may name somebody who is none: then the company itself bought.
    """
    name = ask.words("customer")
    names = [row["name"] for row in connection.execute("SELECT name FROM accounts")]
    found = matching(name, names) if name else []
    return account_called(connection, found[0] if len(found) == 1 else HOUSE_ACCOUNT)


def account_info(connection: sqlite3.Connection, ask: Ask) -> JsonObject:
    """Tell what is known about an account."""
    account = needed_account(connection, ask)
    opportunities = _listed(connection, account, what="opportunities")
    proposals = _listed(connection, account, what="proposals")
    alive = [deal for deal in opportunities if deal["status"] not in {"won", "lost"}]
    pipeline = sum(int(str(deal["cents"])) for deal in alive)
    return {
        "action": "account_info",
        "account": account.name,
        "industry": account.industry,
        "owner": account.owner,
        "contact": account.contact_name,
        "contact_email": account.contact_email,
        "contact_phone": account.contact_phone,
        "open_opportunities": len(alive),
        "pipeline": dollars(pipeline),
        "currency": CURRENCY,
        "opportunities": [_shown(deal) for deal in opportunities[:_MOST_LISTED]],
        "proposals": [_shown(deal) for deal in proposals[:_MOST_LISTED]],
        "recent_activities": [*_recent_activities(connection, account)],
        "message": (
            f"{account.name} ({account.industry}): {account.owner} looks after it, the contact is "
            f"{account.contact_name}. Open opportunities: {len(alive)}, {money(pipeline)} in all; "
            f"proposals: {len(proposals)}."
        ),
    }


def _record_note(
    connection: sqlite3.Connection, ask: Ask, *, account: Account, note: str
) -> JsonObject:
    match = _KIND.search(ask.text)
    kind = match["kind"].lower() if match else "note"
    activity_id = record_activity(
        connection, ask, account_id=account.account_id, activity=Activity(kind, note)
    )
    return {
        "action": "update_crm",
        "recorded": 1,
        "activity_ids": [activity_id],
        "account": account.name,
        "note": note,
        "message": f"Recorded for {account.name} as activity {activity_id}.",
    }


def _record_orders(connection: sqlite3.Connection, ask: Ask, account: Account) -> JsonObject:
    work = worklist(connection, ask, "crm")
    recorded = [
        record_activity(
            connection,
            ask,
            account_id=account.account_id,
            activity=Activity("order", f"Order {order.number}: {order.summary}.", order),
        )
        for order in work.due
    ]
    numbers = ", ".join(str(order.number) for order in (work.due or work.done)[:10])
    if recorded:
        message = f"Recorded {len(recorded)} order(s) for {account.name}: {numbers}."
    elif work.done:
        message = f"Nothing to record: order {numbers} is in the CRM already."
    else:
        message = "Nothing to record: the CRM has every order."
    return {
        "action": "update_crm",
        "recorded": len(recorded),
        "activity_ids": [*recorded],
        "account": account.name,
        "order_ids": [order.number for order in work.due],
        "message": message,
    }


_DEALS = {
    "opportunities": "SELECT opportunity_id AS id, name, stage AS status, amount_cents AS cents"
    " FROM opportunities WHERE account_id = ? ORDER BY opportunity_id DESC",
    "proposals": "SELECT proposal_id AS id, title AS name, status, amount_cents AS cents"
    " FROM proposals WHERE account_id = ? ORDER BY proposal_id DESC",
}


def _listed(connection: sqlite3.Connection, account: Account, *, what: str) -> list[JsonObject]:
    return [dict(row) for row in connection.execute(_DEALS[what], (account.account_id,))]


def _shown(deal: JsonObject) -> JsonObject:
    return {
        "id": deal["id"],
        "name": deal["name"],
        "status": deal["status"],
        "amount": dollars(int(str(deal["cents"]))),
    }


def _recent_activities(connection: sqlite3.Connection, account: Account) -> list[str]:
    rows = connection.execute(
        "SELECT created_at, note FROM activities WHERE account_id = ?"
        " ORDER BY activity_id DESC LIMIT ?",
        (account.account_id, _MOST_LISTED),
    )
    return [f"{row['created_at'][:10]}: {row['note']}" for row in rows]


SALES = Desk(
    agent_id="sales",
    description="Keeps the CRM: accounts, activities, opportunities and proposals.",
    capabilities=(
        AgentCapability.CRM_UPDATE,
        AgentCapability.OPPORTUNITY_MANAGEMENT,
        AgentCapability.PROPOSAL_GENERATION,
    ),
    actions={
        "update_crm": Action(update_crm, speech=True),
        "create_opportunity": Action(create_opportunity),
        "update_opportunity": Action(update_opportunity),
        "create_proposal": Action(create_proposal),
        "account_info": Action(account_info, effect=False),
    },
    aliases={
        "crm_update": "update_crm",
        "log_activity": "update_crm",
        "opportunity_management": "create_opportunity",
        "generate_proposal": "create_proposal",
        "proposal_generation": "create_proposal",
    },
    intents=INTENTS,
    examples=(
        "Update the CRM for Acme: renewal agreed",
        "Create a proposal for Globex worth $20,000",
        "Mark opportunity 3 as won",
        "What's the status of Acme?",
    ),
)
