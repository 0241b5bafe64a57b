"""What a workflow file may say about a call of an agent, as pydantic models."""

from __future__ import annotations

from typing import Any, Final

from pydantic import ConfigDict, Field, JsonValue

from orchestration.documents.entry import Entry, exactly_one, given
from orchestration.workflows.entry import Cel, RetryEntry, Timeout

AGENT_KINDS: Final = ("agent_id", "capability")
TWO_MESSAGES: Final[dict[str, Any]] = {
    "required": ["message", "input_data"],
    "properties": {"input_data": {"required": ["messages"]}},
}
_BOTH_AGENTS: Final[dict[str, Any]] = {"allOf": [given(key) for key in AGENT_KINDS]}
IS_FOR_AN_AGENT: Final[dict[str, Any]] = {"anyOf": [given(key) for key in AGENT_KINDS]}


class WorkEntry(Entry):
    """What an agent is called with."""

    agent_id: str | None = None
    """Who does it."""
    capability: str | None = None
    """Instead of `agent_id`: what the agent must be able to do."""
    input_data: dict[str, JsonValue] = Field(default_factory=dict)
    message: str | None = None
    """Short for an input with one user message."""
    timeout_seconds: Timeout = None
    """For each attempt."""
    retry: RetryEntry | None = None


class CompensationEntry(WorkEntry):
    """How to undo a task; by its own agent if none is named."""

    model_config = ConfigDict(
        json_schema_extra={"allOf": [{"not": _BOTH_AGENTS}, {"not": TWO_MESSAGES}]}
    )


class SupervisorEntry(WorkEntry):
    """An agent that says whose turn is next."""

    model_config = ConfigDict(
        json_schema_extra={"allOf": [exactly_one(AGENT_KINDS), {"not": TWO_MESSAGES}]}
    )

    input_from: dict[str, Cel] = Field(default_factory=dict)
    """Fields of the input to CEL expressions, worked out when its turn comes."""
