"""What a workflow file may say about what a run may use up, as a pydantic model."""

from __future__ import annotations

from typing import Any, Final, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from orchestration.documents.entry import Entry, given
from orchestration.documents.times import Duration
from orchestration.workflows.approval_entry import ApprovalEntry
from state.approval import ApprovalPolicy
from state.budget import Budget

_LIMITS: Final[dict[str, Any]] = {
    "anyOf": [given(key) for key in ("tokens", "cost", "time", "attempts")]
}


class BudgetEntry(Entry):
    """How much may be used up; the fields are those of `Budget`."""

    model_config = ConfigDict(json_schema_extra=_LIMITS)

    tokens: int | None = Field(None, ge=1)
    """Given and made, as agents report them."""
    cost: float | None = Field(None, gt=0)
    """In the currency of the agents' prices."""
    time: Duration = None
    """While an agent is at work: seconds, or a text such as `30m` or `2h`."""
    attempts: int | None = Field(None, ge=1)
    """Calls of agents, also those that fail."""
    per: Literal["run", "thread", "tenant"] = "run"
    on_exceeded: Literal["audit", "pause", "stop"] = "stop"
    """Note it, ask somebody, or let every further call fail."""
    window: Duration = None
    """Of threads and tenants: only what was used in this span before now counts."""
    approval: ApprovalEntry | None = None
    """Who may let a run go on that paused."""

    def budget(self) -> Budget:
        """Say it in the coordinator's terms."""
        return Budget(
            tokens=self.tokens,
            cost=self.cost,
            time=self.time,
            attempts=self.attempts,
            per=self.per,
            on_exceeded=self.on_exceeded,
            window=self.window,
            approval=ApprovalPolicy() if self.approval is None else self.approval.policy(),
        )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if problems := [*self.budget().problems()]:
            raise PydanticCustomError("budget", "{problems}", {"problems": "; ".join(problems)})
        return self
