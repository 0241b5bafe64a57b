"""Values that stand in several places of a workflow file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from orchestration.documents.entry import Entry
from state.failure_mode import FailureMode, quorum
from state.retry import RetryPolicy

LONGEST_SECONDS: Final = 366 * 24 * 3600
MOST_TURNS: Final = 1000


class QuorumEntry(Entry):
    """Enough that this many tasks succeed."""

    quorum: int = Field(ge=1)


def _failure_mode(value: object) -> object:
    match value:
        case {"quorum": int(needed), **rest} if not rest and not isinstance(needed, bool):
            if needed >= 1:
                return quorum(needed)
        case FailureMode() | "continue" | "fail_fast" | "all_or_nothing" | None:
            return value
    raise PydanticCustomError(
        "on_failure", "use 'continue', 'fail_fast', 'all_or_nothing' or {quorum: n}"
    )


def _router(value: object) -> object:
    is_map = isinstance(value, Mapping) and all(
        isinstance(text, str) for case in value.items() for text in case
    )
    if value is None or isinstance(value, str) or is_map:
        return value
    raise PydanticCustomError(
        "router", "use a CEL expression, or a map of CEL conditions to agents or task ids"
    )


OnFailure = Annotated[
    FailureMode | str | None,
    BeforeValidator(
        _failure_mode,
        json_schema_input_type=Literal["continue", "fail_fast", "all_or_nothing"]
        | QuorumEntry
        | None,
    ),
]
RouterEntry = Annotated[
    str | dict[str, str] | None,
    BeforeValidator(_router, json_schema_input_type=str | dict[str, str] | None),
]
Seconds = Annotated[float, Field(ge=0, le=LONGEST_SECONDS, allow_inf_nan=False)]
Timeout = Annotated[float | None, Field(gt=0, le=LONGEST_SECONDS)]
Turns = Annotated[int, Field(ge=1, le=MOST_TURNS)]
Cel = Annotated[str, Field(min_length=1)]


class RetryEntry(Entry):
    """When a failed task is tried again."""

    max_attempts: int = Field(3, ge=1)
    """Attempts in all, the first included."""
    initial_seconds: Seconds = 0.5
    backoff: float = Field(2.0, ge=1, allow_inf_nan=False)
    """Each wait is this many times the one before."""
    max_seconds: Seconds = 120.0
    """The longest wait."""
    jitter: bool = True
    """Wait between half and all of that."""

    def policy(self) -> RetryPolicy:
        """Say it in the coordinator's terms."""
        return RetryPolicy(
            max_attempts=self.max_attempts,
            initial_delay=timedelta(seconds=self.initial_seconds),
            backoff=self.backoff,
            max_delay=timedelta(seconds=self.max_seconds),
            jitter=self.jitter,
        )
