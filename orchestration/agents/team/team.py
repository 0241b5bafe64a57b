"""Four agents that do real work on one SQLite database."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from orchestration.agents.team.ask import read_ask
from orchestration.agents.team.database import TeamDatabase, perform_once
from orchestration.agents.team.finance import FINANCE
from orchestration.agents.team.hr import HR
from orchestration.agents.team.sales import SALES
from orchestration.agents.team.ticketing import TICKETING
from state.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestration.agents.team.desk import Desk
    from state.agent_context import AgentContext
    from state.capability import AgentCapability
    from state.jsonvalue import JsonObject

_DESKS = (TICKETING, SALES, FINANCE, HR)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Team:
    """The built-in team; its four methods are agent handlers.

    A handler takes `{"messages": […]}` or `{"action": …}` and answers with a JSON object
    that has `action`, `message` and typed facts. It may be called from any thread or
    process; an effect is done once for each idempotency key.
    """

    capabilities: ClassVar[Mapping[str, tuple[AgentCapability, ...]]] = {
        desk.agent_id: desk.capabilities for desk in _DESKS
    }
    """What each agent can do, by agent id."""
    descriptions: ClassVar[Mapping[str, str]] = {desk.agent_id: desk.description for desk in _DESKS}
    """One line about each agent, by agent id."""

    def __init__(self, database: str | Path, *, clock: Callable[[], datetime] = _utc_now) -> None:
        """Remember where the database is; it is made and filled on first use.

        Args:
            database: Path of a SQLite file; it and its folder need not exist.
            clock: Tells the time. "Tonight" is its date.

        Raises:
            DatabaseError: The database would live in memory, where calls do not share it.
        """
        if str(database) in {"", ":memory:"}:
            raise DatabaseError(
                f"the team's database is {str(database)!r}; every call opens it anew, so it has "
                "to be a file. Give a path."
            )
        self._database = TeamDatabase(Path(database))
        self._clock = clock

    def ticketing(self, input_data: JsonObject, context: AgentContext) -> JsonObject:
        """Sell or cancel tickets, tell about events, send SMS.

        Raises:
            AgentRefusedError: It cannot be done, or was not understood; nothing changed.
        """
        return self._serve(TICKETING, input_data, context)

    def sales(self, input_data: JsonObject, context: AgentContext) -> JsonObject:
        """Keep the CRM, opportunities and proposals.

        Raises:
            AgentRefusedError: It cannot be done, or was not understood; nothing changed.
        """
        return self._serve(SALES, input_data, context)

    def finance(self, input_data: JsonObject, context: AgentContext) -> JsonObject:
        """Approve or log expenses, tell about budgets.

        Raises:
            AgentRefusedError: It cannot be done, or was not understood; nothing changed.
        """
        return self._serve(FINANCE, input_data, context)

    def hr(self, input_data: JsonObject, context: AgentContext) -> JsonObject:
        """Take leave requests, onboard people, tell who is who.

        Raises:
            AgentRefusedError: It cannot be done, or was not understood; nothing changed.
        """
        return self._serve(HR, input_data, context)

    def _serve(self, desk: Desk, input_data: JsonObject, context: AgentContext) -> JsonObject:
        ask = read_ask(input_data, context=context, now=self._clock())
        action = desk.action_for(ask)
        with self._database.connection() as connection:
            if not action.effect:
                return action.perform(connection, ask)
            return perform_once(connection, ask, agent_id=desk.agent_id, effect=action.perform)
