"""What a caller asks for: one piece of work for one agent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from state.jsonvalue import JsonObject
from state.status import TaskStatus

if TYPE_CHECKING:
    from state.approval import ApprovalPolicy
    from state.capability import AgentCapability
    from state.outcome import ErrorRecord, Outcome
    from state.retry import RetryPolicy

_STATUSES = {str(each): each for each in TaskStatus}

Condition = str | Callable[[], object] | Callable[[Mapping[str, Any]], object]
"""A CEL expression, or a callable that takes nothing or the outcomes so far."""


@dataclass(slots=True)
class AgentTask:
    """One piece of work for one agent.

    Name the agent (`agent_id`) or what it must be able to do (`capability`). After each
    step, `status`, `output` and `error` of this very object are set, so that a later
    task's condition may read them.
    """

    agent_id: str | None = None
    input_data: Mapping[str, Any] = field(default_factory=dict)
    """A JSON object; usually `{"messages": [...]}` or `{"action": ...}`."""
    capability: AgentCapability | str | None = field(default=None, kw_only=True)
    task_id: str | None = field(default=None, kw_only=True)
    """Defaults to the agent id (`ticketing`, then `ticketing_2`, ...)."""
    depends_on: Sequence[str] = field(default=(), kw_only=True)
    """Task ids that must be done first."""
    condition: Condition | None = field(default=None, kw_only=True)
    """The task is skipped where this is false. A CEL string survives the process."""
    requires_approval: bool | ApprovalPolicy = field(default=False, kw_only=True)
    """Pause for a person first; `input_data["requires_approval"]` counts too."""
    timeout: float | timedelta | None = field(default=None, kw_only=True)
    """For each attempt; a number is seconds."""
    retry: RetryPolicy | None = field(default=None, kw_only=True)
    compensate: AgentTask | Mapping[str, Any] | None = field(default=None, kw_only=True)
    """How to undo the task if it succeeds and the workflow is then rejected, fails or is
    cancelled: a task for any agent, or input data for the agent that did this one (with
    this one's timeout and retry). The agent gets this task's output as `upstream`."""

    status: TaskStatus = field(default=TaskStatus.PENDING, init=False)
    output: JsonObject = field(default_factory=dict, init=False)
    error: ErrorRecord | None = field(default=None, init=False)

    def record(self, outcome: Outcome) -> None:
        """Take over what became of the task."""
        self.status = _STATUSES[outcome["status"]]
        self.output = outcome.get("output", {})
        self.error = outcome.get("error")
