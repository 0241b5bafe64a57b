"""What the command line tells its caller by its exit code."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from state.errors import (
    AgentNotFoundError,
    CacheError,
    ConfigurationError,
    DatabaseError,
    ForkError,
    InvalidFileError,
    PlanError,
    RegistrationError,
    RequestNotFoundError,
    ThreadError,
    WorkflowNotFoundError,
)
from state.status import WorkflowStatus

if TYPE_CHECKING:
    from state.errors import OrchestrationError


class ExitCode(IntEnum):
    """How a command ended."""

    COMPLETED = 0
    FAILED = 1
    BAD_INPUT = 2
    PARTIAL = 3
    PAUSED = 4
    THREAD = 5
    UNEXPECTED = 70
    STOPPED = 130


_MEANINGS = {
    ExitCode.COMPLETED: "completed",
    ExitCode.FAILED: "failed, cancelled, or rejected by a person",
    ExitCode.BAD_INPUT: "wrong usage, or a file, plan, setting or database that cannot be used",
    ExitCode.PARTIAL: "some tasks succeeded and some did not",
    ExitCode.PAUSED: "paused, waiting for a person, a time or a signal",
    ExitCode.THREAD: "the thread or request is unknown, busy, decided, or does not take this",
    ExitCode.UNEXPECTED: "an unexpected error",
    ExitCode.STOPPED: "stopped by Ctrl-C; resume the thread to go on",
}
EPILOG = "\n".join(["Exit codes:", *(f"{code:>4d}  {text}" for code, text in _MEANINGS.items())])
"""For `--help`."""

_BY_STATUS = {
    WorkflowStatus.COMPLETED: ExitCode.COMPLETED,
    WorkflowStatus.PARTIAL: ExitCode.PARTIAL,
    WorkflowStatus.FAILED: ExitCode.FAILED,
    WorkflowStatus.INTERRUPTED: ExitCode.PAUSED,
    WorkflowStatus.REJECTED: ExitCode.FAILED,
    WorkflowStatus.CANCELLED: ExitCode.FAILED,
}
_BAD_INPUT = (
    AgentNotFoundError,
    ConfigurationError,
    CacheError,
    DatabaseError,
    ForkError,
    InvalidFileError,
    PlanError,
    RegistrationError,
    WorkflowNotFoundError,
)
_BAD_INPUT_CODES = frozenset({"cannot_write", "unknown_drawing_format"})
"""Of errors that live in heavier modules."""


def code_of_status(status: str) -> ExitCode:
    """Say how a workflow ended."""
    return _BY_STATUS[WorkflowStatus(status)]


def code_of_error(error: OrchestrationError) -> ExitCode:
    """Say whose mistake an error is."""
    if isinstance(error, ThreadError | RequestNotFoundError):
        return ExitCode.THREAD
    if isinstance(error, _BAD_INPUT) or error.code in _BAD_INPUT_CODES:
        return ExitCode.BAD_INPUT
    return ExitCode.FAILED
