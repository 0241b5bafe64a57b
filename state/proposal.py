"""What a planner makes of a request: tasks for capabilities, and what it did not understand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from state.jsonvalue import JsonObject


class AgentCard(NamedTuple):
    """What a planner may know of an agent."""

    agent_id: str
    capabilities: tuple[str, ...]
    description: str = ""
    read_only: bool = False


class PlanningRequest(NamedTuple):
    """What is to be planned."""

    messages: Sequence[JsonObject]
    """The conversation, the oldest first; what is wanted stands in the last user message."""
    agents: Sequence[AgentCard]
    """Who is there to do it."""
    history: Sequence[JsonObject] = ()
    """Messages of earlier turns on the same thread."""
    problems: Sequence[str] = ()
    """Why the proposal before this one was refused; empty the first time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedTask:
    """One task as a planner proposes it; names either a capability or an agent."""

    task_id: str
    capability: str | None = None
    agent_id: str | None = None
    input_data: JsonObject = field(default_factory=dict)
    depends_on: tuple[str, ...] = ()
    condition: str | None = None
    """CEL over `outputs`; the task is skipped where it is false."""
    requires_approval: bool = False
    compensate: JsonObject | None = None
    """Input data with which its own agent undoes it, if the workflow comes to nothing."""
    quote: str = ""
    """The words of the request that it comes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A planner's answer. Where anything was not understood, nothing of it may run."""

    tasks: tuple[ProposedTask, ...] = ()
    not_understood: tuple[str, ...] = ()
    """Sentences for the user, each with the words in question and what could be said instead."""
    assumptions: tuple[str, ...] = ()
    """What was taken for granted, in sentences for the approver and the summary."""
