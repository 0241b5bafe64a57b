"""The built-in team as agents: they serve where a company has set no endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestration.agents.spec import AgentSpec
from orchestration.agents.team import Team

if TYPE_CHECKING:
    from collections.abc import Mapping

TEAM_VARIABLE: Final = "ORCHESTRATION_TEAM_DATABASE"
DEFAULT_TEAM_DATABASE: Final = ".orchestration/team.db"
KIND: Final = "built-in"


def built_in_team(environment: Mapping[str, str]) -> list[AgentSpec]:
    """Return ticketing, sales, finance and HR over one SQLite database.

    Args:
        environment: `ORCHESTRATION_TEAM_DATABASE` names the file; by default one in
            `.orchestration/`. It is created and seeded when an agent is first called.
    """
    team = Team(environment.get(TEAM_VARIABLE) or DEFAULT_TEAM_DATABASE)
    handlers = {
        "ticketing": team.ticketing,
        "sales": team.sales,
        "finance": team.finance,
        "hr": team.hr,
    }
    return [
        AgentSpec(
            agent_id,
            team.capabilities[agent_id],
            handler=handler,
            kind=KIND,
            description=team.descriptions[agent_id],
            idempotent=True,
        )
        for agent_id, handler in handlers.items()
    ]
