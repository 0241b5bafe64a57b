"""What a workflow file may say about who approves a task, as pydantic models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    JsonValue,
    model_validator,
)
from pydantic_core import PydanticCustomError

from orchestration.documents.entry import Entry
from orchestration.documents.times import Duration
from state.approval import DECISION_TYPES, ApprovalPolicy, DecisionType


class ApprovalEntry(Entry):
    """Who must approve a task, until when; the fields are those of `ApprovalPolicy`."""

    roles: list[str] = Field(default_factory=list)
    """Who decides must have one of these; none means anybody."""
    quorum: int = Field(1, json_schema_extra={"minimum": 1})
    """How many different people must give the same answer; one `reject` is always enough."""
    separation_of_duties: bool = True
    """The user the workflow runs for may not decide."""
    allowed: list[DecisionType] = Field(default_factory=lambda: [*DECISION_TYPES])
    """What may be answered; `reject` must be among it."""
    when: str | None = None
    """CEL; approval is needed only where it holds."""
    arguments: dict[str, JsonValue] | None = None
    """JSON Schema for edited arguments."""
    deadline: Duration = None
    """Seconds, or a text such as `30m`, `2h`, `3d` or `1d 12h`, as are the next two."""
    at_deadline: Literal["reject", "approve"] = "reject"
    """What happens without an answer."""
    reminder: Duration = None
    escalation: Duration = None
    """When those in `escalate_to` may decide too."""
    escalate_to: list[str] = Field(default_factory=list)

    def wanted(self) -> ApprovalPolicy | bool:
        """What a task's `requires_approval` is to be."""
        return self.policy() if self.model_fields_set else True

    def policy(self) -> ApprovalPolicy:
        """Say it in the coordinator's terms."""
        return ApprovalPolicy(
            roles=self.roles,
            quorum=self.quorum,
            separation_of_duties=self.separation_of_duties,
            allowed=self.allowed,
            when=self.when,
            arguments=self.arguments,
            deadline=self.deadline,
            at_deadline=self.at_deadline,
            reminder=self.reminder,
            escalation=self.escalation,
            escalate_to=self.escalate_to,
        )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """Refuse fields that are right alone and wrong together."""
        if problems := [*self.policy().problems()]:
            raise PydanticCustomError("approval", "{problems}", {"problems": "; ".join(problems)})
        return self


def _approval(value: object) -> object:
    """Take `true` for a policy with nothing said, and `false` for none."""
    match value:
        case True:
            return {}
        case False:
            return None
        case Mapping() | ApprovalEntry():
            return value
    raise PydanticCustomError(
        "requires_approval", "use true, false, or a mapping with roles, quorum, deadline and so on"
    )


RequiresApproval = Annotated[
    ApprovalEntry | None,
    BeforeValidator(_approval, json_schema_input_type=bool | ApprovalEntry),
]
