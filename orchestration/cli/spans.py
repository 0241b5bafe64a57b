"""Spans of time as options say them: 90m, 12h, 30d, 4w."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

import typer

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SPAN: Final = re.compile(r"(\d{1,6})([smhdw])")


def checked_span(value: str | None) -> str | None:
    """Return an option's value if it is a span of time.

    Raises:
        typer.BadParameter: It is not.
    """
    if value is not None and not _SPAN.fullmatch(value):
        raise typer.BadParameter(f"{value!r} is no time; write for example 90m, 12h, 30d or 4w")
    return value


def span_of(text: str | None) -> timedelta | None:
    """Read a span of time; None where it is none."""
    match = _SPAN.fullmatch(text or "")
    return None if match is None else timedelta(**{_UNITS[match[2]]: int(match[1])})
