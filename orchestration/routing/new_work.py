"""The agents as a new run sees them: those that are being drained take no new work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodes.ports import NO_TERMS, Terms
from state.errors import Problem

if TYPE_CHECKING:
    from nodes.ports import Agent
    from orchestration.agent_registry import AgentRegistry


class NewWork:
    """The `Agents` of plans that are made for new runs."""

    def __init__(self, registry: AgentRegistry) -> None:
        self._registry = registry

    def choose(
        self,
        *,
        agent_id: str | None,
        capability: str | None,
        thread_id: str = "",
        terms: Terms = NO_TERMS,
    ) -> Agent:
        """Pick who does a task, as the registry does."""
        return self._registry.choose(
            agent_id=agent_id, capability=capability, thread_id=thread_id, terms=terms
        )

    @property
    def need_store(self) -> bool:
        """As the registry says."""
        return self._registry.need_store

    def problem_with(self, *, agent_id: str | None, capability: str | None) -> Problem | None:
        """Say why a task could not run, or is not to begin."""
        problem = self._registry.problem_with(agent_id=agent_id, capability=capability)
        if problem is not None or not self._registry.router.ever_drained:
            return problem
        chosen = self._registry.choose(agent_id=agent_id, capability=capability).agent_id
        if not self._registry.router.is_draining(chosen):
            return None
        return Problem(
            "agent_draining",
            f"agent {chosen!r} is being drained: runs that began go on with it, and it takes no "
            f"new work. Wait, use another agent, or `orchestration agents enable {chosen}`",
        )
