"""The kinds that run in this process, behind the port of all kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.agents.local import call_of
from state.errors import UnknownReplyError
from state.jsonvalue import NotJsonError, json_object

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestration.agents.endpoint import Endpoint
    from state.agent_context import AgentContext
    from state.jsonvalue import JsonObject


def problems(endpoint: Endpoint) -> Iterator[str]:
    """What is wrong with an endpoint, in words."""
    if endpoint.handler is None:
        yield f"kind is {endpoint.kind!r}, which needs a handler; give one, or another kind"
    if endpoint.settings:
        yield f"settings are {sorted(endpoint.settings)!r}, and agents in this process have none"


def connect(endpoint: Endpoint) -> LocalConnector:
    """Make the way to a handler."""
    return LocalConnector(endpoint.handler)


class LocalConnector:
    """Calls a handler."""

    def __init__(self, handler: object) -> None:
        self._call = call_of(handler)

    async def call(self, input_data: JsonObject, context: AgentContext) -> JsonObject:
        """Do one task; what the handler raises is left as it is: any error is an outcome."""
        try:
            return json_object(await self._call(input_data, context), at="the reply")
        except NotJsonError as error:
            raise UnknownReplyError(f"{error}; agents answer with a JSON object") from error

    async def probe(self) -> None:
        """It is here."""

    async def close(self) -> None:
        """Nothing is open."""
