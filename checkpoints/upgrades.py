"""What became of threads whose workflow was changed while they waited; and results of turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from state.jsonvalue import JsonObject


class UpgradeRecord(NamedTuple):
    """That a run went on under another version of its workflow."""

    run_id: str
    name: str
    old_version: str
    new_version: str
    old_signature: str
    new_signature: str
    differences: Sequence[str]
    """A line for each, as a person reads it."""
    by: str | None
    """Who said so; None where it was compatible, so that nobody had to."""
    at: float = 0.0
    """Seconds since the epoch; set when it is recorded."""


class TurnResult(NamedTuple):
    """What a turn of a conversation came to."""

    turn: int
    """From 1 on."""
    run_id: str
    status: str
    result: JsonObject
    """The whole result as JSON."""
    finished_at: float
    """Seconds since the epoch."""
