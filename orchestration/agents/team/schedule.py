"""The schedule of events: a home game every day, and concerts on some.

Events follow from the date alone, so that every process writes the same rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from orchestration.agents.team.database import transaction

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

HORIZON: Final = timedelta(days=30)
"""How far ahead the schedule is always kept."""
FARTHEST: Final = timedelta(days=365)
"""How far ahead tickets are sold."""

_OPPONENTS = (
    "Northfield Owls",
    "Granite City Rams",
    "Lakeshore Herons",
    "Summit Foxes",
    "Red Valley Bulls",
    "Eastport Sharks",
    "Prairie Wolves",
)
_BANDS = ("Velvet Tide", "Neon Meadow", "The Paper Lanterns", "Silver Arcade")
_CONCERT_EVERY_DAYS, _JAZZ_EVERY_DAYS = 5, 3
_KIND_WORDS = {
    "game": frozenset({"game", "match", "basketball", "home"}),
    "concert": frozenset({"concert", "gig", "music"}),
    "jazz": frozenset({"jazz", "club", "music", "gig"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event that tickets are sold for."""

    event_id: str
    kind: str
    name: str
    venue: str
    starts_at: datetime
    """At the venue, so without a zone."""
    price_cents: int
    capacity: int

    @property
    def day(self) -> date:
        """The day it is on."""
        return self.starts_at.date()

    @property
    def search_name(self) -> str:
        """Its name and the other words people use for it."""
        return f"{self.name} {' '.join(sorted(_KIND_WORDS.get(self.kind, ())))}"


def planned(day: date) -> Iterator[Event]:
    """Yield the events of a day."""
    number = day.toordinal()
    yield Event(
        event_id=f"game-{day}",
        kind="game",
        name=f"Bayview Comets vs {_OPPONENTS[number % len(_OPPONENTS)]}",
        venue="Bayview Arena",
        starts_at=datetime.combine(day, time(19, 30)),
        price_cents=85_00,
        capacity=18_000,
    )
    if number % _CONCERT_EVERY_DAYS == 0:
        band = _BANDS[number // _CONCERT_EVERY_DAYS % len(_BANDS)]
        yield Event(
            event_id=f"concert-{day}",
            kind="concert",
            name=f"{band} in Concert",
            venue="Harbor Hall",
            starts_at=datetime.combine(day, time(20, 0)),
            price_cents=120_00,
            capacity=2_400,
        )
    if number % _JAZZ_EVERY_DAYS == 0:
        yield Event(
            event_id=f"jazz-{day}",
            kind="jazz",
            name="Jazz Night at The Cellar",
            venue="The Cellar",
            starts_at=datetime.combine(day, time(21, 0)),
            price_cents=45_00,
            capacity=12,
        )


def keep_schedule(connection: sqlite3.Connection, *, first: date, last: date) -> None:
    """Make sure that the events of these days are in the database."""
    days = {first + timedelta(days=number) for number in range((last - first).days + 1)}
    stored = connection.execute(
        "SELECT day FROM events WHERE kind = 'game' AND day BETWEEN ? AND ?",
        (first.isoformat(), last.isoformat()),
    )
    missing = days - {date.fromisoformat(row["day"]) for row in stored}
    if not missing:
        return
    with transaction(connection):
        connection.executemany(
            "INSERT OR IGNORE INTO events"
            " (event_id, kind, name, venue, day, starts_at, price_cents, capacity)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [_row(event) for day in sorted(missing) for event in planned(day)],
        )


def events_between(connection: sqlite3.Connection, *, first: date, last: date) -> list[Event]:
    """Return the stored events of these days, in the order in which they start."""
    rows = connection.execute(
        "SELECT * FROM events WHERE day BETWEEN ? AND ? ORDER BY starts_at, event_id",
        (first.isoformat(), last.isoformat()),
    )
    return [_event(row) for row in rows]


def stored_event(connection: sqlite3.Connection, event_id: str) -> Event | None:
    """Return the event with that id; None if there is none."""
    row = connection.execute("SELECT * FROM events WHERE event_id = ?", (event_id,)).fetchone()
    return None if row is None else _event(row)


def _row(event: Event) -> tuple[str | int, ...]:
    return (
        event.event_id,
        event.kind,
        event.name,
        event.venue,
        event.day.isoformat(),
        event.starts_at.isoformat(),
        event.price_cents,
        event.capacity,
    )


def _event(row: sqlite3.Row) -> Event:
    return Event(
        event_id=row["event_id"],
        kind=row["kind"],
        name=row["name"],
        venue=row["venue"],
        starts_at=datetime.fromisoformat(row["starts_at"]),
        price_cents=row["price_cents"],
        capacity=row["capacity"],
    )
