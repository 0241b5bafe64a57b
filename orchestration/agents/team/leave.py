"""Leave: working days that people ask for, and how many they have."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

from orchestration.agents.team.dates import dates_in, one_day_in
from orchestration.agents.team.quantities import NUMBER_AT_START, number_in_words
from orchestration.agents.team.staff import (
    Person,
    everybody,
    manager_of,
    needed_person,
    reserved_days,
)
from state.errors import AgentRefusedError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from orchestration.agents.team.ask import Ask
    from state.jsonvalue import JsonObject

_LONGEST_DAYS = 60
_FARTHEST = timedelta(days=730)
_SATURDAY = 5
_DAYS = re.compile(
    rf"{NUMBER_AT_START.pattern}\s+(?:(?:more|working|business|vacation|paid|leave|annual)\s+)*days?\b"
    r"(?!\s+after)",
    re.IGNORECASE,
)
_IN_DAYS = re.compile(r"\bin\s+[0-9]+\s+days\b", re.IGNORECASE)


class Absence(NamedTuple):
    """From a first working day to a last."""

    first: date
    last: date
    days: int


def request_leave(connection: sqlite3.Connection, ask: Ask) -> JsonObject:
    """Ask for leave; its days are set aside until the manager answers."""
    person = needed_person(connection, ask)
    absence = _absence(ask)
    remaining = person.leave_days - reserved_days(connection, person)
    _refuse_impossible(connection, person=person, absence=absence, remaining=remaining)
    cursor = connection.execute(
        "INSERT INTO leave_requests (person_id, first_day, last_day, days, status, created_at,"
        " idempotency_key) VALUES (?, ?, ?, ?, 'requested', ?, ?)",
        (
            person.person_id,
            absence.first.isoformat(),
            absence.last.isoformat(),
            absence.days,
            ask.now.isoformat(),
            ask.key,
        ),
    )
    manager = manager_of(everybody(connection), person)
    return {
        "action": "request_leave",
        "leave_id": int(cursor.lastrowid or 0),
        "employee": person.name,
        "days": absence.days,
        "first_day": absence.first.isoformat(),
        "last_day": absence.last.isoformat(),
        "days_remaining": remaining - absence.days,
        "manager": manager.name if manager else None,
        "status": "requested",
        "message": (
            f"Leave {cursor.lastrowid} is requested: {person.name}, {absence.days} working days "
            f"from {absence.first} to {absence.last}. {remaining - absence.days} days remain."
        ),
    }


def withdraw_leave(connection: sqlite3.Connection, ask: Ask) -> JsonObject:
    """Take a request for leave back: its days are free again."""
    leave_id = _leave_number(ask)
    row = connection.execute(
        "SELECT leave_requests.*, name FROM leave_requests JOIN people USING (person_id)"
        " WHERE leave_id = ?",
        (leave_id,),
    ).fetchone()
    if row is None:
        raise AgentRefusedError(
            f"There is no leave {leave_id}. Nothing was done; check the number."
        )
    if row["status"] == "withdrawn":
        raise AgentRefusedError(f"Leave {leave_id} was withdrawn before. Nothing was done.")
    connection.execute(
        "UPDATE leave_requests SET status = 'withdrawn' WHERE leave_id = ?", (leave_id,)
    )
    return {
        "action": "withdraw_leave",
        "leave_id": leave_id,
        "employee": row["name"],
        "days": row["days"],
        "first_day": row["first_day"],
        "last_day": row["last_day"],
        "status": "withdrawn",
        "message": (
            f"Leave {leave_id} is withdrawn: {row['name']}, {row['days']} working days from "
            f"{row['first_day']} to {row['last_day']}."
        ),
    }


def leave_balance(connection: sqlite3.Connection, ask: Ask) -> JsonObject:
    """Tell how many days of leave somebody has."""
    person = needed_person(connection, ask)
    reserved = reserved_days(connection, person)
    remaining = person.leave_days - reserved
    return {
        "action": "leave_balance",
        "employee": person.name,
        "days_a_year": person.leave_days,
        "days_requested": reserved,
        "days_remaining": remaining,
        "message": f"{person.name} has {remaining} of {person.leave_days} vacation days left.",
    }


def _leave_number(ask: Ask) -> int:
    given = ask.whole_number("leave_id")
    if given is not None:
        return given
    answers = [output.get("leave_id") for output in ask.context.upstream.values()]
    numbers = [number for number in answers if type(number) is int]
    if len(numbers) == 1:
        return numbers[0]
    raise AgentRefusedError(
        "Which leave? The request gives no `leave_id` and does not follow one request for leave, "
        "so nothing was withdrawn."
    )


def _absence(ask: Ask) -> Absence:
    first, last = _bounds(ask)
    wanted = ask.whole_number("days")
    wanted = _days_in(ask.text) if wanted is None else wanted
    if first is None:
        raise AgentRefusedError(
            "From which day? The request has no first day, so nothing was requested. Say for "
            f"example 'from {ask.today}', or give a `start_date`."
        )
    check_start(first, ask)
    if wanted is None and last is None:
        raise AgentRefusedError(
            "How many days? Nothing was requested. Say for example '3 days', or give `days` or an "
            "`end_date`."
        )
    if wanted is not None and not 1 <= wanted <= _LONGEST_DAYS:
        raise AgentRefusedError(
            f"{wanted} days of leave are not possible; 1 to {_LONGEST_DAYS} are. "
            "Nothing was requested."
        )
    days = _working_days(first, count=wanted, last=last)
    if not days or (None not in (wanted, last) and days[-1] != _last_working(last or first)):
        raise AgentRefusedError(
            f"{wanted or 0} working days do not fit from {first} to {last}. Nothing was requested; "
            "give the first day and either the days or the last one."
        )
    return Absence(days[0], days[-1], len(days))


def check_start(day: date, ask: Ask) -> None:
    """Refuse a first day that is over, or too far away to plan.

    Raises:
        AgentRefusedError: The day is out of bounds.
    """
    last = ask.today + _FARTHEST
    if not ask.today <= day <= last:
        raise AgentRefusedError(
            f"{day} cannot be the first day; it has to be from {ask.today} to {last}. "
            "Nothing was done."
        )


def _bounds(ask: Ask) -> tuple[date | None, date | None]:
    first, last = ask.day("start_date"), ask.day("end_date")
    if first is not None:
        return first, last
    found = [item.day for item in dates_in(ask.text, ask.today)]
    if len(found) == 2:  # noqa: PLR2004  from one to the other
        return found[0], last or found[1]
    return one_day_in(ask.text, ask.today), last


def _working_days(first: date, *, count: int | None, last: date | None) -> list[date]:
    """Return the working days from the first, as many as wanted or until the last."""
    if count is None:
        return [day for day in _days_from(first, until=last or first) if day.weekday() < _SATURDAY]
    days = (day for day in _days_from(first) if day.weekday() < _SATURDAY)
    return [next(days) for _ in range(count)]


def _days_from(first: date, *, until: date | None = None) -> Iterator[date]:
    day = first
    limit = until or first + timedelta(days=2 * _LONGEST_DAYS)
    while day <= limit:
        yield day
        day += timedelta(days=1)


def _last_working(day: date) -> date:
    while day.weekday() >= _SATURDAY:
        day -= timedelta(days=1)
    return day


def _days_in(text: str) -> int | None:
    found = set()
    for match in _DAYS.finditer(_IN_DAYS.sub(" ", text)):
        number = match["number"].replace(",", "")
        value = int(number) if number.lstrip("-").isdecimal() else number_in_words(number)
        if value is None:
            raise AgentRefusedError(
                f"{match[0]!r} is no whole number of days. Nothing was requested."
            )
        found.add(value)
    if len(found) > 1:
        raise AgentRefusedError(
            f"{text[:120]!r} speaks of several numbers of days; give one. Nothing was requested."
        )
    return next(iter(found), None)


def _refuse_impossible(
    connection: sqlite3.Connection, *, person: Person, absence: Absence, remaining: int
) -> None:
    if absence.days > remaining:
        raise AgentRefusedError(
            f"{person.name} has {remaining} days of leave left, not {absence.days}. "
            "Nothing was requested; ask for fewer."
        )
    other = connection.execute(
        "SELECT * FROM leave_requests WHERE person_id = ? AND first_day <= ? AND last_day >= ?"
        " AND status <> 'withdrawn'",
        (person.person_id, absence.last.isoformat(), absence.first.isoformat()),
    ).fetchone()
    if other is not None:
        raise AgentRefusedError(
            f"{person.name} is away already from {other['first_day']} to {other['last_day']} "
            f"(leave {other['leave_id']}). Nothing was requested; ask for other days."
        )
