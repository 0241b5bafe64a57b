"""The CRM's accounts: which one a request means, and what is known about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from orchestration.agents.team.names import bare_name, the_one
from orchestration.agents.team.understanding import without_speech
from orchestration.agents.team.vocabulary import word_set
from state.errors import AgentRefusedError

if TYPE_CHECKING:
    import sqlite3

    from orchestration.agents.team.ask import Ask
    from orchestration.agents.team.orders import Order

_END = (
    r"(?=\s+(?:worth|for|of|at|in|on|by|about|called|titled|named|valued|from|starting|as|with|to|over"
    r"|doing|going|account|and|that|which|please|using)\b|\s*[:;,?!]|\.(?:\s|$)|\s+\$|\s*$)"
)
_LINKED = re.compile(
    rf"\b(?:for|with|about|of|at|on|is|does|to)\s+(?P<name>.+?){_END}", re.IGNORECASE
)
_OWNED = re.compile(r"\b(?P<name>[\w&-]+(?:\s+[A-Z][\w&-]*)*)'(?:s\b|(?=\s))")
_BEFORE_ACCOUNT = re.compile(r"\bthe\s+(?P<name>[\w&' -]+?)\s+account\b", re.IGNORECASE)
_NO_NAMES = word_set(
    "crm account accounts customer client it them this that us me what who how let status contact "
    "pipeline order orders purchase purchases ticket tickets proposal opportunity deal date call "
    "meeting our the my a an new latest won lost contacts today week month "
    "show tell give find get update create draft is"
)
_LONGEST_NOTE = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One customer."""

    account_id: int
    name: str
    industry: str
    owner: str
    contact_name: str
    contact_email: str
    contact_phone: str


class Activity(NamedTuple):
    """What happened with an account."""

    kind: str
    note: str
    order: Order | None = None


def named_account(connection: sqlite3.Connection, ask: Ask) -> Account | None:
    """Return the account that the request names; None if it names none.

    Raises:
        AgentRefusedError: It names one that is not known, or that may be several.
    """
    name = ask.words("account") or account_name_in(ask.text)
    return None if name is None else account_called(connection, name)


def needed_account(connection: sqlite3.Connection, ask: Ask) -> Account:
    """Return the account that the request names.

    Raises:
        AgentRefusedError: It names none, one that is not known, or one that may be several.
    """
    account = named_account(connection, ask)
    if account is None:
        raise AgentRefusedError(
            "Which account? The request names none, so nothing was done. Say for example "
            "'for Acme', or give an `account`."
        )
    return account


def account_called(connection: sqlite3.Connection, name: str) -> Account:
    """Return the account of that name.

    Raises:
        AgentRefusedError: There is none, or the name may mean several.
    """
    rows = connection.execute("SELECT * FROM accounts").fetchall()
    found = the_one(name, [row["name"] for row in rows], kind="account")
    return next(Account(**dict(row)) for row in rows if row["name"] == found)


def account_name_in(text: str) -> str | None:
    """Return the company's name that a message speaks of; None if it names none."""
    said = without_speech(text)
    for pattern in (_BEFORE_ACCOUNT, _OWNED, _LINKED):
        for match in pattern.finditer(said):
            name = bare_name(match["name"], never=_NO_NAMES)
            if name is None or name[0].isdigit() or name[0] == "$":
                continue
            if name.split()[-1].lower() not in _NO_NAMES:
                return name
    return None


def record_activity(
    connection: sqlite3.Connection,
    ask: Ask,
    *,
    account_id: int,
    activity: Activity,
) -> int:
    """Write what happened with an account; return the activity's number."""
    cursor = connection.execute(
        "INSERT INTO activities (account_id, kind, note, order_reference, created_at,"
        " idempotency_key) VALUES (?, ?, ?, ?, ?, ?)",
        (
            account_id,
            activity.kind,
            activity.note[:_LONGEST_NOTE],
            activity.order.reference if activity.order else None,
            ask.now.isoformat(),
            ask.key,
        ),
    )
    return int(cursor.lastrowid or 0)
