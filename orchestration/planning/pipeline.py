"""From a request to the tasks that may run: planned, checked, ruled."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from orchestration.planning.deterministic import DeterministicPlanner
from orchestration.planning.policy import EnterprisePolicy
from orchestration.planning.repair import ValidatedPlanner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodes.ports import Agents, Planner
    from state.proposal import PlanningRequest
    from state.task import AgentTask


class RuledRequest(NamedTuple):
    """What is to be done about a request."""

    tasks: Sequence[AgentTask]
    """None where anything was not understood or is not allowed."""
    assumptions: Sequence[str]
    not_understood: Sequence[str]
    """Sentences for the user."""


class RequestPlanning:
    """Plans requests with any planner; a policy has the last word."""

    def __init__(
        self, planner: Planner, agents: Agents, policy: EnterprisePolicy | None = None
    ) -> None:
        self._planner = ValidatedPlanner(planner, agents)
        self._by_rules = isinstance(planner, DeterministicPlanner)
        self._policy = policy or EnterprisePolicy()

    async def plan(self, request: PlanningRequest) -> RuledRequest:
        """Plan a request, and say what may run.

        Raises:
            AgentError: The planner could not plan; e.g. its model does not answer.
        """
        proposal = await self._planner.propose(request)
        if proposal.not_understood:
            return RuledRequest((), (), proposal.not_understood)
        ruling = self._policy.rule(
            proposal,
            messages=request.messages,
            agents=request.agents,
            grounded=self._by_rules,
        )
        if ruling.refused:
            return RuledRequest((), (), ruling.refused)
        return RuledRequest(ruling.agent_tasks(), proposal.assumptions, ())
