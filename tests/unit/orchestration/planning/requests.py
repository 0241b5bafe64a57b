"""Requests to the built-in team's agents, and answers of models about them."""

from __future__ import annotations

from typing import Any

from orchestration import AgentRegistry, AgentSpec
from orchestration.agents.team import Team
from state.jsonvalue import JsonObject
from state.proposal import AgentCard, PlanningRequest, ProposedTask

CARDS = [
    AgentCard(agent_id, tuple(map(str, capabilities)), Team.descriptions[agent_id])
    for agent_id, capabilities in Team.capabilities.items()
]


def team() -> AgentRegistry:
    registry = AgentRegistry()
    for card in CARDS:
        registry.register(AgentSpec(card.agent_id, card.capabilities, handler=lambda _: {}))
    return registry


def says(text: str, role: str = "user") -> JsonObject:
    return {"role": role, "content": text}


def request(*messages: str | JsonObject, history: tuple[JsonObject, ...] = ()) -> PlanningRequest:
    said = [says(each) if isinstance(each, str) else each for each in messages]
    return PlanningRequest(said, CARDS, history)


def proposed(task_id: str, capability: str, message: str, **more: object) -> ProposedTask:
    """A task whose message is also its quote, unless told otherwise."""
    given: Any = {
        "input_data": {"messages": [says(message)]},
        "quote": message,
        "capability": capability,
        "task_id": task_id,
        **more,
    }
    return ProposedTask(**given)


def answer(*tasks: dict[str, Any], **more: object) -> dict[str, Any]:
    return {"tasks": list(tasks), "not_understood": [], "assumptions": [], **more}


def task(task_id: str, capability: str, message: str, **more: object) -> dict[str, Any]:
    return {
        "task_id": task_id,
        "capability": capability,
        "message": message,
        "quote": message,
        **more,
    }
