"""How long something takes, and when it is, as people write it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

LONGEST: Final = timedelta(days=10 * 366)
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_PART: Final = r"(\d+(?:\.\d+)?)\s*([smhdw])"
_TEXT: Final = re.compile(rf"\s*(?:{_PART}\s*)+", re.ASCII)
Written = (
    Annotated[float, Field(gt=0, le=LONGEST.total_seconds())]
    | Annotated[str, StringConstraints(pattern=r"^\s*([0-9]+(\.[0-9]+)?\s*[smhdw]\s*)+$")]
)
"""How a duration is written."""


def duration(value: object) -> timedelta:
    """Read seconds, or a text such as `30m`, `2h`, `3d` or `1d 12h`.

    Raises:
        PydanticCustomError: It is neither, or not positive, or too long.
    """
    seconds: float | None = None
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = value
    elif isinstance(value, str) and _TEXT.fullmatch(value):
        seconds = sum(float(count) * _UNITS[unit] for count, unit in re.findall(_PART, value))
    if seconds is not None and 0 < seconds <= LONGEST.total_seconds():
        return timedelta(seconds=seconds)
    raise PydanticCustomError(
        "duration", "use seconds, or a text such as '30m', '2h', '3d' or '1d 12h', up to 10 years"
    )


Duration = Annotated[timedelta | None, BeforeValidator(duration, json_schema_input_type=Written)]
"""Of a key that may be left out; null is no duration."""


def moment(value: object) -> datetime:
    """Read a moment with its time zone, e.g. `2026-12-01T09:00:00+01:00`.

    Raises:
        PydanticCustomError: It is none.
    """
    if isinstance(value, str):
        try:
            read = datetime.fromisoformat(value)
        except ValueError:
            read = None
        if read is not None and read.tzinfo is not None:
            return read
    raise PydanticCustomError(
        "moment", "use a moment with its time zone, e.g. '2026-12-01T09:00:00+01:00'"
    )


MOMENT_SCHEMA: Final = {"type": "string", "format": "date-time"}
Moment = Annotated[datetime | None, BeforeValidator(moment), WithJsonSchema(MOMENT_SCHEMA)]
"""Of a key that may be left out; null is no moment."""
