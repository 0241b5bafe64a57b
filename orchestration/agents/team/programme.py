"""Answers about the programme: what is on, when, for how much, and what is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.agents.team.amounts import CURRENCY, dollars, money
from orchestration.agents.team.dates import period_in
from orchestration.agents.team.events import asked_event, check_sold_on, keep_upcoming, seats_left
from orchestration.agents.team.names import matching
from orchestration.agents.team.schedule import FARTHEST, Event, events_between, keep_schedule

if TYPE_CHECKING:
    import sqlite3

    from orchestration.agents.team.ask import Ask
    from state.jsonvalue import JsonObject

_MOST_LISTED, _MOST_SAID = 40, 5
_KINDS = ("game", "concert", "jazz")


def event_info(connection: sqlite3.Connection, ask: Ask) -> JsonObject:
    """Tell when and where an event is, and what it costs."""
    event = asked_event(connection, ask)
    left = seats_left(connection, event)
    return {
        "action": "event_info",
        **event_facts(event),
        "seats_left": left,
        "message": (
            f"{event.name} is on {event.day} at {event.starts_at:%H:%M} in {event.venue}. "
            f"Tickets are {money(event.price_cents)} each; {left:,} seats are left."
        ),
    }


def check_availability(connection: sqlite3.Connection, ask: Ask) -> JsonObject:
    """Tell how many seats of an event are left."""
    event = asked_event(connection, ask)
    left = seats_left(connection, event)
    return {
        "action": "check_availability",
        **event_facts(event),
        "capacity": event.capacity,
        "seats_left": left,
        "message": (
            f"{left:,} of {event.capacity:,} seats are left for {event.name} on {event.day}."
        ),
    }


def list_events(connection: sqlite3.Connection, ask: Ask) -> JsonObject:
    """List what is on in the days asked about."""
    keep_upcoming(connection, ask)
    day = ask.day("date")
    first, last = (day, day) if day else period_in(ask.text, ask.today)
    check_sold_on(first, ask)
    last = min(last, ask.today + FARTHEST)
    keep_schedule(connection, first=first, last=last)
    events = _of_kind(events_between(connection, first=first, last=last), ask.text)
    days = f"on {first}" if first == last else f"from {first} to {last}"
    named = "; ".join(
        f"{event.name} ({event.starts_at:%a %d %b %H:%M})" for event in events[:_MOST_SAID]
    )
    more = f" and {len(events) - _MOST_SAID} more" if len(events) > _MOST_SAID else ""
    return {
        "action": "list_events",
        "first_day": first.isoformat(),
        "last_day": last.isoformat(),
        "count": len(events),
        "events": [event_facts(event) for event in events[:_MOST_LISTED]],
        "message": f"{_counted(events)} {days}: {named}{more}."
        if events
        else f"No such event {days}.",
    }


def event_facts(event: Event) -> JsonObject:
    """Return what every answer says about an event."""
    return {
        "event": event.name,
        "event_id": event.event_id,
        "venue": event.venue,
        "event_date": event.day.isoformat(),
        "starts_at": event.starts_at.isoformat(),
        "unit_price": dollars(event.price_cents),
        "currency": CURRENCY,
    }


def _of_kind(events: list[Event], text: str) -> list[Event]:
    wanted = [kind for kind in _KINDS if kind in text.lower()]
    return [
        event
        for event in events
        if not wanted or any(matching(kind, [event.search_name]) for kind in wanted)
    ]


def _counted(events: list[Event]) -> str:
    return "1 event" if len(events) == 1 else f"{len(events)} events"
