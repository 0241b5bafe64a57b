"""Which event a request is about, and how many of its seats are free."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestration.agents.team.dates import dates_in, one_day_in, without_dates
from orchestration.agents.team.names import matching
from orchestration.agents.team.quantities import NUMBER_AT_START, number_in_words
from orchestration.agents.team.schedule import (
    FARTHEST,
    HORIZON,
    Event,
    events_between,
    keep_schedule,
    stored_event,
)
from orchestration.agents.team.seating import Block, free_blocks
from orchestration.agents.team.vocabulary import word_set
from state.errors import AgentRefusedError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from datetime import date

    from orchestration.agents.team.ask import Ask

_PHRASE_END = (
    r"(?=\s+(?:on|at|for|to|in|by|with|and|or|please|start\w*|begin\w*|cost\w*|sold|take|being|held"
    r"|happen\w*|next)\b|\s*[,.;:?!]|\s*$)"
)
_WANTED = re.compile(
    r"\b(?P<link>to|for)\s+(?!\s|(?:buy|book|get|have|order|purchase|reserve|for|to)\b)"
    rf"(?P<phrase>.+?){_PHRASE_END}",
    re.IGNORECASE,
)
_BEFORE_NOUN = re.compile(
    rf"(?:{NUMBER_AT_START.pattern}|\b(?:book|buy|purchase|reserve|order))\s+"
    r"(?P<phrase>(?:[a-z'-]+\s+){1,4}?)(?:tickets?|seats?|passes)\b",
    re.IGNORECASE,
)
_ASKED = re.compile(
    rf"\b(?P<link>to|for|does|do|is|are|of|at|about)\s+(?P<phrase>(?:the|an?)\s+.+?){_PHRASE_END}",
    re.IGNORECASE,
)
_ANY_EVENT = word_set(
    "next upcoming event events show shows ticket tickets seat seats price prices cost start time "
    "it this that night evening one see watch attend please"
)
_RECIPIENTS = word_set(
    "me us them him her our my we team teams sales finance hr people everyone everybody client "
    "clients customer customers staff family friends friend wife husband kids colleagues office "
    "boss department group guests company company's whole employees outing persons adults event's "
    "of work business"
)
_PLAIN = word_set(
    "more extra additional good best great better some me us my our adult adults cheap cheapest "
    "available single other of x another few many several lot lots together regular standard "
    "normal and free nice any half"
)
_MOST_NAMED = 5
_ARTICLES = frozenset({"the", "a", "an"})


def wanted_event(connection: sqlite3.Connection, ask: Ask) -> Event:
    """Return the event a purchase is for: the one it names, or else the next.

    Raises:
        AgentRefusedError: There is no such event, or none on that day.
    """
    return _event(connection, ask, _BEFORE_NOUN, _WANTED)


def asked_event(connection: sqlite3.Connection, ask: Ask) -> Event:
    """Return the event a question is about: the one it names, or else the next.

    Raises:
        AgentRefusedError: There is no such event, or none on that day.
    """
    return _event(connection, ask, _ASKED)


def keep_upcoming(connection: sqlite3.Connection, ask: Ask) -> None:
    """Keep the schedule complete from today to its horizon."""
    keep_schedule(connection, first=ask.today, last=ask.today + HORIZON)


def check_sold_on(day: date, ask: Ask) -> None:
    """Refuse a day that is over, or farther away than tickets are sold.

    Raises:
        AgentRefusedError: The day is out of bounds.
    """
    last = ask.today + FARTHEST
    if not ask.today <= day <= last:
        raise AgentRefusedError(
            f"There are no tickets for {day}; they are sold for {ask.today} to {last}. "
            "Nothing was done."
        )


def taken_blocks(connection: sqlite3.Connection, event_id: str) -> list[Block]:
    """Return the seats of an event that belong to an order."""
    rows = connection.execute(
        "SELECT first_seat, last_seat FROM seat_blocks WHERE event_id = ? ORDER BY first_seat",
        (event_id,),
    )
    return [Block(row["first_seat"], row["last_seat"]) for row in rows]


def seats_left(connection: sqlite3.Connection, event: Event) -> int:
    """Return how many seats of an event are free."""
    free = free_blocks(taken_blocks(connection, event.event_id), capacity=event.capacity)
    return sum(block.size for block in free)


def _event(connection: sqlite3.Connection, ask: Ask, *patterns: re.Pattern[str]) -> Event:
    keep_upcoming(connection, ask)
    event_id = ask.words("event_id")
    if event_id is not None:
        return _identified(connection, ask, event_id)
    day = ask.day("date") or one_day_in(ask.text, ask.today)
    if day is not None:
        check_sold_on(day, ask)
        keep_schedule(connection, first=day, last=day)
    first, last = (day, day) if day else (ask.today, ask.today + HORIZON)
    offered = events_between(connection, first=first, last=last)
    name = ask.words("event")
    if name is not None:
        return _named(name, offered)
    text = without_dates(ask.text)
    for match in (match for pattern in patterns for match in pattern.finditer(text)):
        phrase = _significant(match["phrase"])
        link = match.groupdict().get("link", "")
        if phrase and not _is_no_event(connection, link, phrase, offered):
            return _named(phrase, offered)
    return offered[0]


def _identified(connection: sqlite3.Connection, ask: Ask, event_id: str) -> Event:
    for found in dates_in(event_id, ask.today):
        check_sold_on(found.day, ask)
        keep_schedule(connection, first=found.day, last=found.day)
    event = stored_event(connection, event_id)
    if event is None:
        upcoming = events_between(connection, first=ask.today, last=ask.today + HORIZON)
        known = ", ".join(event.event_id for event in upcoming[:5])
        raise AgentRefusedError(
            f"There is no event {event_id!r}; the next are {known}. Nothing was done."
        )
    check_sold_on(event.day, ask)
    return event


def _significant(phrase: str) -> str:
    """Return the phrase without numbers, articles and words that fit any event."""
    words = (word.strip('"?!.,') for word in phrase.split())
    unsaid = _ARTICLES | _ANY_EVENT
    return " ".join(word for word in words if word.lower() not in unsaid and not _is_number(word))


def _is_number(word: str) -> bool:
    return not word or word.replace(",", "").isdecimal() or number_in_words(word) is not None


def _is_no_event(
    connection: sqlite3.Connection, link: str, phrase: str, offered: Sequence[Event]
) -> bool:
    """Tell whether the phrase says who the tickets are for, or how good, and not for what."""
    words = [word.strip("'\"").lower() for word in phrase.split()]
    if not link:
        return all(word in _PLAIN for word in words)
    if link.lower() != "for" or matching(phrase, [event.search_name for event in offered]):
        return False
    if all(word in _RECIPIENTS for word in words):
        return True
    rows = connection.execute("SELECT name FROM accounts UNION ALL SELECT name FROM people")
    return bool(matching(phrase, [row["name"] for row in rows]))


def _named(name: str, offered: Sequence[Event]) -> Event:
    matches = set(matching(name, [event.search_name for event in offered]))
    matches |= set(matching(name, [event.name for event in offered]))
    for event in offered:
        if event.search_name in matches or event.name in matches:
            return event
    first, last = offered[0].day, offered[-1].day
    days = f"on {first}" if first == last else f"from {first} to {last}"
    names = ", ".join(list(dict.fromkeys(event.name for event in offered))[:_MOST_NAMED])
    raise AgentRefusedError(
        f"There is no event {name!r} {days}; there are for example {names}. Nothing was done."
    )
