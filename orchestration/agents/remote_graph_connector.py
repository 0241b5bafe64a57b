"""The way to a graph on a LangGraph server."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

import httpx
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import APIStatusError

from checkpoints.per_loop import PerLoop
from orchestration.agents.addresses import told
from orchestration.agents.deadline import seconds_left
from orchestration.agents.headers import Filled, filled
from orchestration.agents.http_errors import IN_PROGRESS, error_body, error_of, retry_after_in
from orchestration.agents.http_sending import LONGEST_CONNECT, Sending, certificates
from orchestration.agents.http_wire import Bounded, refuse_packed
from orchestration.agents.remote_thread import RemoteThread
from state.errors import (
    AgentError,
    AgentNotStartedError,
    AgentTimeoutError,
    UnknownReplyError,
)

if TYPE_CHECKING:
    from orchestration.agents.remote_graph import RemoteGraphSettings
    from state.agent_context import AgentContext
    from state.jsonvalue import JsonObject

_LONGEST_PROBE: Final = 10.0
_IDLE_CONNECTIONS: Final = 20
_LONGEST_REASON: Final = 200
NONSENSE: Final = (AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What the SDK, and whoever reads what it gave, raise where an answer has another form."""
_SENDING: ContextVar[Sending] = ContextVar("sending")
"""Of the call that makes a request; the client's own calls do not pass it on."""


class RemoteGraphConnector:
    """Runs one graph of one server."""

    def __init__(self, address: str, settings: RemoteGraphSettings) -> None:
        self._address = address
        self._settings = settings
        self._where = f"graph {settings.graph!r} at {told(address)}"
        self._clients = PerLoop(self._client, LangGraphClient.aclose)

    async def call(self, input_data: JsonObject, context: AgentContext) -> JsonObject:
        """Run the graph on the thread of the task's key, or find what it did there."""
        given = self._filled()
        limit = seconds_left(context.deadline, longest=self._settings.timeout_seconds)
        sending = Sending()
        token = _SENDING.set(sending)
        thread = RemoteThread(
            client=await self._clients.get(),
            graph=self._settings.graph,
            headers=given.headers,
            context=context,
            where=self._where,
        )
        try:
            async with asyncio.timeout(limit):
                return await thread.reply(input_data)
        except TimeoutError:
            raise self._timed_out(limit, sending) from None
        except APIStatusError as error:
            raise self._turned_away(error, given, began=sending.began) from error
        except httpx.HTTPError as error:
            raise self._broken(error, sending, given) from error
        except AgentError as error:
            raise given.without_secrets(error) from error.__cause__
        except NONSENSE as error:
            raise self._nonsense(error, given) from error
        finally:
            _SENDING.reset(token)

    async def probe(self) -> None:
        """Ask the server whether it is well."""
        given = self._filled()
        client = await self._clients.get()
        try:
            async with asyncio.timeout(_LONGEST_PROBE):
                await client.http.get("/ok", headers=given.headers)
        except TimeoutError:
            raise AgentTimeoutError(
                f"{self._where} did not answer a probe within {_LONGEST_PROBE:g} s"
            ) from None
        except APIStatusError as error:
            raise self._turned_away(error, given, began=False) from error
        except httpx.HTTPError as error:
            why = given.hide_in(str(error))
            raise AgentNotStartedError(f"{self._where} did not answer a probe: {why}") from error
        except NONSENSE as error:
            raise self._nonsense(error, given) from error

    async def close(self) -> None:
        """Close all connections."""
        await self._clients.close()

    def _filled(self) -> Filled:
        key = self._settings.api_key
        return filled({**self._settings.headers, **({"x-api-key": key} if key else {})})

    def _client(self) -> LangGraphClient:
        """Make a client with transport of our own: bounded, and that tells what was sent."""
        return LangGraphClient(
            httpx.AsyncClient(
                base_url=self._address,
                verify=certificates(self._settings.verify),
                timeout=httpx.Timeout(None, connect=LONGEST_CONNECT),
                limits=httpx.Limits(
                    max_connections=None, max_keepalive_connections=_IDLE_CONNECTIONS
                ),
                headers={
                    "User-Agent": "agent-orchestration-layer",
                    "Accept-Encoding": "identity",  # what is unpacked could be of any size
                },
                event_hooks={"request": [_note_sending], "response": [self._bound]},
            )
        )

    async def _bound(self, response: httpx.Response) -> None:
        refuse_packed(response, self._where)
        if isinstance(response.stream, httpx.AsyncByteStream):
            response.stream = Bounded(response.stream, self._where)

    def _nonsense(self, error: Exception, given: Filled) -> UnknownReplyError:
        why = given.hide_in(f"{type(error).__name__}: {error}"[:_LONGEST_REASON])
        return UnknownReplyError(f"{self._where} answered something unknown ({why})")

    def _timed_out(self, limit: float, sending: Sending) -> AgentError:
        if not sending.began:
            return AgentNotStartedError(f"{self._where} could not be reached within {limit:.1f} s")
        return AgentTimeoutError(
            f"{self._where} did not answer within {limit:.1f} s; it may have acted all the same"
        )

    def _turned_away(self, error: APIStatusError, given: Filled, *, began: bool) -> AgentError:
        said = error_body(error.body)
        said = said._replace(
            message=given.hide_in(said.message),
            started=None if began else False,  # what failed only asked for the thread
        )
        if error.status_code == httpx.codes.CONFLICT:  # another call of this key came in between
            said = said._replace(code=IN_PROGRESS)
        return error_of(
            error.status_code,
            said,
            where=self._where,
            retry_after=retry_after_in(error.response.headers),
        )

    def _broken(self, error: httpx.HTTPError, sending: Sending, given: Filled) -> AgentError:
        why = given.hide_in(str(error) or type(error).__name__)
        if not sending.began:
            return AgentNotStartedError(f"{self._where} could not be reached: {why}")
        return AgentError(
            f"the connection with {self._where} broke ({why}); it may have acted all the same"
        )


async def _note_sending(request: httpx.Request) -> None:
    """Watch requests that make the graph run."""
    if request.method == "POST" and request.url.path.endswith("/runs/stream"):
        sending = _SENDING.get(None)
        if sending is not None:
            request.extensions = {**request.extensions, **sending.extensions}
