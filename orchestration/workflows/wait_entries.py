"""What a workflow file may say about waiting, as pydantic models."""

from __future__ import annotations

from typing import Any, Final

from pydantic import ConfigDict, Field

from orchestration.documents.entry import Entry, exactly_one
from orchestration.documents.times import Moment
from orchestration.workflows.entry import Timeout
from orchestration.workflows.patterns import SIGNAL

SPANS: Final = ("seconds", "minutes", "hours", "days", "until")
_YEAR: Final = 365


def _span(most: float) -> Any:  # noqa: ANN401  what `Field` returns
    return Field(None, gt=0, le=most, allow_inf_nan=False)


class WaitEntry(Entry):
    """A pause for a time, or until a moment."""

    model_config = ConfigDict(json_schema_extra=exactly_one(SPANS))

    seconds: float | None = _span(_YEAR * 86400)
    minutes: float | None = _span(_YEAR * 1440)
    hours: float | None = _span(_YEAR * 24)
    days: float | None = _span(_YEAR)
    until: Moment = None
    """A moment with its time zone, e.g. `2026-12-01T09:00:00+01:00`."""


class WaitForSignalEntry(Entry):
    """A pause until somebody sends a named signal; its payload becomes the output."""

    signal: str = Field(pattern=SIGNAL)
    timeout_seconds: Timeout = None
    """After this the task has timed out."""
