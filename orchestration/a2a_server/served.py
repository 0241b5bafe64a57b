"""What is served as an A2A agent: one of our agents, or a workflow."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from orchestration.workflows.parameters import known_parameters
from state.capability import AgentCapability
from state.task import AgentTask

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from orchestration.a2a_server.inputs import Given
    from orchestration.simple_coordinator import SimpleCoordinator
    from orchestration.workflow_events import WorkflowEvent
    from state.jsonvalue import JsonObject


@dataclass(frozen=True, slots=True)
class Skill:
    """One thing that it can do."""

    skill_id: str
    description: str
    tags: tuple[str, ...]


class Served(Protocol):
    """An agent or a workflow, as A2A sees it."""

    @property
    def kind(self) -> str:
        """`agents` or `workflows`; part of its path."""
        ...

    @property
    def name(self) -> str:
        """Its id or name; part of its path."""
        ...

    @property
    def version(self) -> str:
        """Which version calls go to now."""
        ...

    @property
    def title(self) -> str:
        """How people call it."""
        ...

    @property
    def description(self) -> str:
        """What it is for."""
        ...

    @property
    def stops_at_once(self) -> bool:
        """Whether a cancelled task's call under way is cancelled too, and not awaited."""
        ...

    def skills(self) -> Sequence[Skill]:
        """What it can do; at least one thing."""
        ...

    def run(self, given: Given, *, thread_id: str, user: str) -> AsyncIterator[WorkflowEvent]:
        """Do a task, on a thread of its own.

        Raises:
            PlanError: It cannot be done as asked.
        """
        ...


class ServedAgent:
    """An agent of the registry: a workflow of one task."""

    kind = "agents"
    stops_at_once = True

    def __init__(self, coordinator: SimpleCoordinator, agent_id: str) -> None:
        self._coordinator = coordinator
        self.name = agent_id
        self._spec = coordinator.registry.get(agent_id)
        self.version = self._spec.version
        self.title = self._spec.name or agent_id
        self.description = self._spec.description or f"The agent {agent_id}."

    def skills(self) -> list[Skill]:
        """One for each capability."""
        found = [
            Skill(each, f"{each}: {self.description}", (each, *each.actions))
            for each in map(AgentCapability, self._spec.capabilities)
        ]
        return found or [Skill(self.name, self.description, (self.name,))]

    def run(self, given: Given, *, thread_id: str, user: str) -> AsyncIterator[WorkflowEvent]:
        """Give the agent the task."""
        seconds = given.timeout_seconds
        timeout = seconds if seconds is not None and math.isfinite(seconds) else None
        task = AgentTask(self.name, given.input_data, timeout=timeout)
        return self._coordinator.stream([task], thread_id=thread_id, user=user)


class ServedWorkflow:
    """A registered workflow."""

    kind = "workflows"
    stops_at_once = False

    def __init__(self, coordinator: SimpleCoordinator, name: str) -> None:
        self._coordinator = coordinator
        self._workflow = coordinator.workflows.get(name)
        self.name = self.title = self._workflow.name
        self.version = self._workflow.version
        self._parameters = known_parameters(self._workflow)
        self.description = self._workflow.description or f"The workflow {name}."

    def skills(self) -> list[Skill]:
        """Running it."""
        takes = ", ".join(map(str, self._parameters))
        told = f" Takes the parameters {takes}, as a data part." if takes else ""
        return [Skill(self.name, self.description + told, ("workflow", self.name))]

    def run(self, given: Given, *, thread_id: str, user: str) -> AsyncIterator[WorkflowEvent]:
        """Run it with the parameters in what was given."""
        return self._coordinator.stream(
            self.name, parameters=self._chosen(given.input_data), thread_id=thread_id, user=user
        )

    def _chosen(self, data: JsonObject) -> JsonObject | None:
        """What of the input are parameters: `parameters`, or else fields of their names."""
        own = data.get("parameters")
        if isinstance(own, dict) and "parameters" not in self._parameters:
            return own
        return {name: value for name, value in data.items() if name in self._parameters} or None


def key_of(served: Served) -> str:
    """Return what the ids of its tasks begin with."""
    digest = hashlib.sha256(f"{served.kind}/{served.name}".encode()).hexdigest()
    return f"a2a.{digest[:12]}."
