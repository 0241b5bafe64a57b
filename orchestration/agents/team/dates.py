"""Dates and periods in what people write. `today` is always given, never looked up."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

from orchestration.agents.team.vocabulary import words
from state.errors import AgentRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

_MONTHS = words(
    "january february march april may june july august september october november december"
)
_WEEKDAYS = words("monday tuesday wednesday thursday friday saturday sunday")
_MONTH = rf"(?:{'|'.join(f'{month[:3]}(?:{month[3:]})?' for month in _MONTHS)}|sept)\.?"


def _named(match: re.Match[str], today: date) -> date:
    month = [name[:3] for name in _MONTHS].index(match["month"][:3].lower()) + 1
    if match["year"]:
        return _calendar(match, int(match["year"]), month)
    this_year = _calendar(match, today.year, month)
    return this_year if this_year >= today else _calendar(match, today.year + 1, month)


def _calendar(match: re.Match[str], year: int, month: int) -> date:
    try:
        return date(year, month, int(match["day"]))
    except ValueError:
        message = f"{match[0]!r} is not in the calendar; check the date. Nothing was done."
        raise AgentRefusedError(message) from None


def _weekday(name: str, today: date) -> date:
    return today + timedelta(days=(_WEEKDAYS.index(name.lower()) - today.weekday()) % 7)


_NTH = r"(?:st|nd|rd|th)?"
_PATTERNS: tuple[tuple[str, Callable[[re.Match[str], date], date]], ...] = (
    (
        r"(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})",
        lambda match, _: _calendar(match, int(match["year"]), int(match["month"])),
    ),
    (
        rf"(?P<month>{_MONTH})\s+(?P<day>[0-9]{{1,2}}){_NTH}(?:,?\s+(?P<year>[0-9]{{4}}))?",
        _named,
    ),
    (
        rf"(?P<day>[0-9]{{1,2}}){_NTH}\s+(?:of\s+)?(?P<month>{_MONTH})(?:,?\s+(?P<year>[0-9]{{4}}))?",
        _named,
    ),
    (r"(?:the\s+)?day\s+after\s+tomorrow", lambda _, today: today + timedelta(days=2)),
    (r"tomorrow(?:\s+(?:night|evening))?", lambda _, today: today + timedelta(days=1)),
    (r"today|tonight|this\s+(?:evening|afternoon)", lambda _, today: today),
    (
        r"in\s+(?P<days>[0-9]{1,3})\s+days",
        lambda match, today: today + timedelta(days=int(match["days"])),
    ),
    (
        rf"(?<!next\s)(?<!last\s)(?:this\s+)?(?P<weekday>{'|'.join(_WEEKDAYS)})(?:\s+(?:night|evening))?",
        lambda match, today: _weekday(match["weekday"], today),
    ),
)
_ANY = re.compile(
    "|".join(f"\\b(?:{re.sub(r'[?]P<[a-z]+>', '?:', p)})\\b" for p, _ in _PATTERNS), re.IGNORECASE
)
_EACH = tuple((re.compile(pattern, re.IGNORECASE), read) for pattern, read in _PATTERNS)
_VAGUE = re.compile(
    r"\b(?:(?:this|next|last)\s+(?:week|month|year|\w+day)|(?:this\s+|next\s+)?weekend|yesterday"
    r"|last\s+night|[0-9]{1,2}/[0-9]{1,2}(?:/[0-9]{2,4})?|[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{2,4}"
    r"|the\s+[0-9]{1,2}(?:st|nd|rd|th)|in\s+an?\s+(?:week|month|year)"
    r"|in\s+\w+\s+(?:weeks|months|years)"
    rf"|in\s+(?:{'|'.join(_MONTHS)})|(?:early|mid|late)\s+\w+|christmas|new\s+year'?s?|easter)\b",
    re.IGNORECASE,
)
_WEEK = timedelta(days=6)


class FoundDate(NamedTuple):
    """A date and where in the text it stands."""

    day: date
    start: int
    end: int


class Period(NamedTuple):
    """From a first day to a last, both included."""

    first: date
    last: date


def dates_in(text: str, today: date) -> list[FoundDate]:
    """Return the dates in a text, in its order.

    Raises:
        AgentRefusedError: One of them is not in the calendar.
    """
    return [
        FoundDate(_read(match, today), match.start(), match.end()) for match in _ANY.finditer(text)
    ]


def without_dates(text: str) -> str:
    """Return the text with its dates and times of day taken out."""
    blank = _VAGUE.sub(" ", _ANY.sub(" ", text))
    return re.sub(
        r"(?:\bat\s+)?\b[0-9]{1,2}(?::[0-9]{2}|\s?[ap]\.?m\b)(?:\s?[ap]\.?m\b)?", " ", blank
    )


def one_day_in(text: str, today: date) -> date | None:
    """Return the one date a text names; None if it names none.

    Raises:
        AgentRefusedError: It names several, or one that is not exact.
    """
    days = {found.day for found in dates_in(text, today)}
    if len(days) > 1:
        listed = ", ".join(day.isoformat() for day in sorted(days))
        message = f"The request names several dates ({listed}); give one. Nothing was done."
        raise AgentRefusedError(message)
    if not days and (vague := _VAGUE.search(text)):
        message = f"{vague[0]!r} is not an exact date; write it like {today}. Nothing was done."
        raise AgentRefusedError(message)
    return next(iter(days), None)


def period_in(text: str, today: date) -> Period:
    """Return the days a question is about: those it names, or else the next seven."""
    days = [found.day for found in dates_in(text, today)]
    if days:
        return Period(min(days), max(days))
    lowered = text.lower()
    if month := re.search(rf"\bin\s+({'|'.join(_MONTHS)})\b", lowered):
        return _whole_month(_MONTHS.index(month[1]) + 1, today)
    monday = today - timedelta(days=today.weekday())
    if "weekend" in lowered:
        saturday = monday + timedelta(days=5)
        return Period(max(saturday, today), saturday + timedelta(days=1))
    if "next week" in lowered:
        return Period(monday + timedelta(days=7), monday + timedelta(days=13))
    if "month" in lowered:
        return Period(today, today + timedelta(days=30))
    return Period(today, today + _WEEK)


def _whole_month(month: int, today: date) -> Period:
    year = today.year + (month < today.month)
    following = date(year + month // 12, month % 12 + 1, 1)
    return Period(max(today, date(year, month, 1)), following - timedelta(days=1))


def _read(match: re.Match[str], today: date) -> date:
    for pattern, read in _EACH:
        if single := pattern.fullmatch(match[0]):
            return read(single, today)
    raise AssertionError(match[0])
