"""What an agent may read beside its input."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from state.jsonvalue import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentContext:
    """One call of one agent for one task."""

    thread_id: str
    task_id: str
    run_id: str
    attempt: int = 1
    """1 for the first call; higher for retries."""
    idempotency_key: str
    """The same for every attempt at this task of this run, also after a crash and elsewhere.

    An agent with side effects records it with the effect and answers a repeated key
    from the record.
    """
    deadline: float | None = None
    """When the caller stops waiting, seconds since the epoch; None if it never does."""
    upstream: Mapping[str, JsonObject] = field(default_factory=dict)
    """Outputs of the tasks this one builds on, by task id."""
    tenant: str | None = None
    user: str | None = None
    tags: tuple[str, ...] = ()
