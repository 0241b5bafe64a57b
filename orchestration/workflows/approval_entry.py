"""What a workflow file may say about who approves a task, as pydantic models."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Final, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    JsonValue,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from orchestration.workflows.entry import Entry
from state.approval import DECISION_TYPES, ApprovalPolicy, DecisionType

LONGEST: Final = timedelta(days=10 * 366)
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_PART: Final = r"(\d+(?:\.\d+)?)\s*([smhdw])"
_TEXT: Final = re.compile(rf"\s*(?:{_PART}\s*)+", re.ASCII)
_Duration = (
    Annotated[float, Field(gt=0, le=LONGEST.total_seconds())]
    | Annotated[str, StringConstraints(pattern=r"^\s*([0-9]+(\.[0-9]+)?\s*[smhdw]\s*)+$")]
)
"""How a duration is written."""


def _duration(value: object) -> object:
    """Read seconds, or a text such as `30m`, `2h`, `3d` or `1d 12h`."""
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


Duration = Annotated[timedelta | None, BeforeValidator(_duration, json_schema_input_type=_Duration)]


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
