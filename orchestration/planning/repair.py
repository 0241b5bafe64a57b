"""Asking a planner once more: the one place where a proposal is checked, whoever made it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.planning.validation import problems_of
from state.errors import UnknownReplyError
from state.proposal import Proposal

if TYPE_CHECKING:
    from nodes.ports import Agents, Planner
    from state.proposal import PlanningRequest

MOST_PROBLEMS = 20
"""That are sent back or shown at once."""


class ValidatedPlanner:
    """A planner whose proposals can be run: one that cannot is sent back once, then refused."""

    def __init__(self, planner: Planner, registry: Agents) -> None:
        self._planner = planner
        self._registry = registry

    async def propose(self, request: PlanningRequest) -> Proposal:
        """Plan a request; after two proposals that cannot be run, say what was wrong.

        Raises:
            AgentError: The planner could not; an answer that cannot be read is sent back as
                well, and raises nothing.
        """
        proposal, problems = await self._attempt(request)
        if problems:
            again = request._replace(problems=tuple(problems[:MOST_PROBLEMS]))
            proposal, problems = await self._attempt(again)
        return refusal(problems) if problems else proposal

    async def _attempt(self, request: PlanningRequest) -> tuple[Proposal, list[str]]:
        try:
            proposal = await self._planner.propose(request)
        except UnknownReplyError as error:
            return Proposal(), [str(error)]
        return proposal, problems_of(proposal, self._registry)


def refusal(problems: list[str]) -> Proposal:
    """A proposal of nothing, with why in words for the user."""
    shown = "; ".join(problems[:MOST_PROBLEMS])
    sentence = (
        f"No plan could be made that can be run: {shown}. Nothing was done. "
        "Say the request in other words, or in smaller steps."
    )
    return Proposal(not_understood=(sentence,))
