"""Who may approve a task, until when, and what becomes of it if nobody does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal, TypedDict, cast, get_args

from state.jsonvalue import JsonObject, NotJsonError, described, json_object

DecisionType = Literal["approve", "edit", "reject", "respond"]
DECISION_TYPES: Final[tuple[DecisionType, ...]] = get_args(DecisionType)
AT_DEADLINE: Final = ("reject", "approve")


class PolicyDocument(TypedDict):
    """An `ApprovalPolicy` as it stands in a plan."""

    roles: list[str]
    quorum: int
    separation_of_duties: bool
    allowed: list[str]
    when: str | None
    arguments: JsonObject | None
    deadline_seconds: float | None
    at_deadline: str
    reminder_seconds: float | None
    escalation_seconds: float | None
    escalate_to: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalPolicy:
    """Who may approve a task, when it is needed at all, and what happens without an answer.

    The default is what `requires_approval=True` means: anybody but the requester may
    decide, one answer is enough, and it waits for as long as it takes.
    """

    roles: Sequence[str] = ()
    """Who decides must have one of these; none means anybody."""
    quorum: int = 1
    """How many different people must give the same answer; one `reject` is always enough."""
    separation_of_duties: bool = True
    """The `user` the workflow runs for may not decide."""
    allowed: Sequence[DecisionType] = DECISION_TYPES
    when: str | None = None
    """CEL; approval is needed only where it holds. One that fails counts as true."""
    arguments: Mapping[str, Any] | None = None
    """JSON Schema for edited arguments; by default they keep the names and types they had."""
    deadline: timedelta | None = None
    """Counted from the moment the question is asked, as are the next two."""
    at_deadline: Literal["reject", "approve"] = "reject"
    reminder: timedelta | None = None
    escalation: timedelta | None = None
    """When those in `escalate_to` may decide too, and are told."""
    escalate_to: Sequence[str] = ()

    def document(self) -> PolicyDocument:
        """The policy as JSON; only for one without problems."""
        return {
            "roles": list(self.roles),
            "quorum": self.quorum,
            "separation_of_duties": self.separation_of_duties,
            "allowed": list(self.allowed),
            "when": self.when,
            "arguments": None
            if self.arguments is None
            else json_object(self.arguments, at="arguments"),
            "deadline_seconds": _seconds(self.deadline),
            "at_deadline": self.at_deadline,
            "reminder_seconds": _seconds(self.reminder),
            "escalation_seconds": _seconds(self.escalation),
            "escalate_to": list(self.escalate_to),
        }

    def problems(self) -> Iterator[str]:
        """Say everything that cannot be."""
        for name in ("roles", "escalate_to"):
            value = getattr(self, name)
            if not _are_texts(value):
                yield f"{name} is {described(value)}; give a list of role names"
        if type(self.quorum) is not int or self.quorum < 1:
            yield f"quorum is {described(self.quorum)}; give a whole number from 1 on"
        if type(self.separation_of_duties) is not bool:
            yield f"separation_of_duties is {described(self.separation_of_duties)}; give a bool"
        yield from self._problems_of_answers()
        yield from self._problems_of_times()

    def _problems_of_answers(self) -> Iterator[str]:
        if not _are_texts(self.allowed) or not self.allowed:
            yield f"allowed is {described(self.allowed)}; give some of {list(DECISION_TYPES)}"
        elif unknown := sorted(set(self.allowed) - set(DECISION_TYPES)):
            yield f"allowed has {unknown}; use some of {list(DECISION_TYPES)}"
        elif "reject" not in self.allowed:
            yield "allowed has no 'reject'; who is asked must be able to say no"
        elif self.at_deadline == "approve" and "approve" not in self.allowed:
            yield "at_deadline is 'approve', which is not in allowed"
        if self.at_deadline not in AT_DEADLINE:
            yield f"at_deadline is {described(self.at_deadline)}; use one of {list(AT_DEADLINE)}"
        if self.arguments is not None:
            yield from _schema_problems(self.arguments)

    def _problems_of_times(self) -> Iterator[str]:
        for name in ("deadline", "reminder", "escalation"):
            value = getattr(self, name)
            if value is None:
                continue
            if not isinstance(value, timedelta) or value <= timedelta(0):
                yield f"{name} is {described(value)}; give a positive timedelta, or None"
            elif (
                name != "deadline"
                and isinstance(self.deadline, timedelta)
                and value >= self.deadline
            ):
                yield f"{name} is {value}, which is not before the deadline {self.deadline}"
        if (self.escalation is None) != (not self.escalate_to):
            yield "escalation and escalate_to belong together; give both, or neither"


def policy_of(approval: PolicyDocument | bool | None) -> PolicyDocument | None:  # noqa: FBT001  as it stands in a plan
    """The policy of a planned task; plans of schema 1 only say whether one is needed."""
    if isinstance(approval, bool):
        return DEFAULT_POLICY if approval else None
    return approval


def edit_schema(policy: PolicyDocument, arguments: JsonObject) -> JsonObject:
    """The JSON Schema that edited arguments must satisfy."""
    if policy["arguments"] is not None:
        return policy["arguments"]
    return {
        "type": "object",
        "properties": {name: _type_schema(value) for name, value in arguments.items()},
        "additionalProperties": False,
    }


def _type_schema(value: object) -> JsonObject:
    match value:
        case bool():
            return {"type": "boolean"}
        case int() | float():
            return {"type": "number"}
        case str():
            return {"type": "string"}
        case list():
            return {"type": "array"}
        case dict():
            return {"type": "object"}
    return {}


def _schema_problems(schema: object) -> Iterator[str]:
    from jsonschema import Draft202012Validator, SchemaError  # noqa: PLC0415  only where used

    try:
        document = json_object(schema, at="arguments")
        Draft202012Validator.check_schema(cast("Mapping[str, Any]", document))
    except NotJsonError as error:
        yield f"{error}; give a JSON Schema"
    except SchemaError as error:
        yield f"arguments is no JSON Schema: {error.message}"


def _are_texts(value: object) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and all(isinstance(each, str) and each for each in value)
    )


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()


DEFAULT_POLICY: Final = ApprovalPolicy().document()
