"""How a task, and a workflow as a whole, can stand."""

from __future__ import annotations

from enum import StrEnum


class TaskStatus(StrEnum):
    """Where one task stands."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    """A person said no."""
    COMPENSATED = "compensated"


class WorkflowStatus(StrEnum):
    """Where a whole workflow stands."""

    COMPLETED = "completed"
    """Everything that was needed succeeded."""
    PARTIAL = "partial"
    """Some tasks succeeded and some did not, in a mode that allows it."""
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """It waits for a person; resume it with their answer."""
    REJECTED = "rejected"
    CANCELLED = "cancelled"


class CoordinationStrategy(StrEnum):
    """Which graph tasks are compiled into."""

    SEQUENTIAL = "sequential"
    """One after another; each gets the outputs of all before it."""
    PARALLEL = "parallel"
    """All at once, but for `depends_on`."""
    CONDITIONAL = "conditional"
    """A router picks the one that runs."""
    CYCLIC = "cyclic"
    """Agents hand over to each other, or a supervisor picks who is next, turn by turn."""


class SkipCause(StrEnum):
    """Why a task did not run."""

    CONDITION = "condition"
    """Its own condition was false: it was not needed."""
    NOT_ROUTED = "not_routed"
    """The router picked another task."""
    UPSTREAM = "upstream"
    """Something it builds on did not succeed."""
    CANCELLED = "cancelled"
    """Somebody cancelled the run before this task began."""
    STOPPED = "stopped"
    """The workflow had its answer (or its failure) before this task began."""
