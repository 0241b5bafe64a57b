"""The built-in team: agents for tickets, sales, finance and HR, for where none is configured."""

from orchestration.agents.team.team import Team

__all__ = ["Team"]
