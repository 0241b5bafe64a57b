"""The people of the company: who a request is about, and what is known of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from orchestration.agents.team.dates import without_dates
from orchestration.agents.team.names import bare_name, the_one
from orchestration.agents.team.vocabulary import word_set
from state.errors import AgentRefusedError

if TYPE_CHECKING:
    import sqlite3

    from orchestration.agents.team.ask import Ask

_NAME = r"(?P<name>[^\W\d_][\w.-]*(?:\s+(?-i:[A-Z])[\w.-]*){0,3})"
_MENTIONS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\b{_NAME}'s?(?!\w)",
        rf"\b(?:does|do|is|has|for|about|of|to|manages|leads|by)\s+{_NAME}",
        rf"\b(?:request|give|grant)\s+{_NAME}",
        r"\b(?P<name>(?-i:[A-Z])[\w.-]*(?:\s+(?-i:[A-Z])[\w.-]*){0,3})\s+(?:still\s+)?(?:has|have|got)\b",
    )
)
_NO_NAMES = word_set(
    "what who when where how that it let here there today tomorrow i me my we us our you your "
    "leave vacation holiday holidays day days time pto the a an in on him her them everyone "
    "this next manager annual paid sick onboarding employee employees someone somebody "
    "show tell give find get check request is does has up out look many much how"
)
_MYSELF = re.compile(r"\b(?:i|me|my|myself)\b", re.IGNORECASE)
_UNSAID = re.compile(r"^(?:what|who|when|where|how)(?:'s|\s+is)\s+", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who works here."""

    person_id: int
    name: str
    title: str
    department: str
    manager_id: int | None
    email: str
    phone: str
    started_on: date
    leave_days: int


def needed_person(connection: sqlite3.Connection, ask: Ask) -> Person:
    """Return the person that the request is about: the one named, else the caller.

    Raises:
        AgentRefusedError: There is no such person, or several, or none is named.
    """
    name = ask.words("employee") or person_name_in(ask.text)
    people = everybody(connection)
    if name is None:
        name = ask.context.user
        if name is None or (ask.text and not _says_me_or_nobody(ask.text)):
            raise AgentRefusedError(
                "Who is it about? The request names nobody, so nothing was done. "
                "Say for example 'for Bob', or give an `employee`."
            )
    by_email = next((person for person in people if person.email == name.lower()), None)
    return by_email or person_called(people, name)


def person_called(people: list[Person], name: str) -> Person:
    """Return the person of that name.

    Raises:
        AgentRefusedError: There is none, or the name may mean several.
    """
    found = the_one(name, [person.name for person in people], kind="person")
    return next(person for person in people if person.name == found)


def everybody(connection: sqlite3.Connection) -> list[Person]:
    """Return all who work here, in the order in which they were entered."""
    return [_person(row) for row in connection.execute("SELECT * FROM people ORDER BY person_id")]


def manager_of(people: list[Person], person: Person) -> Person | None:
    """Return the person's manager; None at the top."""
    return next((other for other in people if other.person_id == person.manager_id), None)


def reserved_days(connection: sqlite3.Connection, person: Person) -> int:
    """Return how many days of leave the person has taken or asked for."""
    row = connection.execute(
        "SELECT COALESCE(SUM(days), 0) AS days FROM leave_requests"
        " WHERE person_id = ? AND status <> 'withdrawn'",
        (person.person_id,),
    ).fetchone()
    return int(row["days"])


def person_name_in(text: str) -> str | None:
    """Return the person's name that a message speaks of; None if it names nobody."""
    said = _UNSAID.sub("", without_dates(text))
    for pattern in _MENTIONS:
        for match in pattern.finditer(said):
            if name := bare_name(match["name"], never=_NO_NAMES):
                return name
    if _UNSAID.match(text) and re.fullmatch(rf"(?i:{_NAME})\s*\??", said):
        return said.strip(" ?")
    return None


def _says_me_or_nobody(text: str) -> bool:
    return bool(_MYSELF.search(text)) or not re.search(r"\b(?:for|of|does)\s+[A-Z]", text)


def _person(row: sqlite3.Row) -> Person:
    return Person(
        person_id=row["person_id"],
        name=row["name"],
        title=row["title"],
        department=row["department"],
        manager_id=row["manager_id"],
        email=row["email"],
        phone=row["phone"],
        started_on=date.fromisoformat(row["started_on"]),
        leave_days=row["leave_days"],
    )
