"""The way to an agent that takes JSON over HTTP."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin

import httpx

from checkpoints.per_loop import PerLoop
from orchestration.agents.addresses import told
from orchestration.agents.deadline import seconds_left
from orchestration.agents.headers import Filled, filled
from orchestration.agents.http import HttpSettings
from orchestration.agents.http_sending import LONGEST_CONNECT, Sending, certificates
from orchestration.agents.http_wire import read_reply, request_body, request_headers
from state.errors import AgentError, AgentNotStartedError, AgentTimeoutError

if TYPE_CHECKING:
    from state.agent_context import AgentContext
    from state.jsonvalue import JsonObject

_LONGEST_PROBE: Final = 10.0
_IDLE_CONNECTIONS: Final = 20


class HttpConnector:
    """Posts tasks to one address; has one client, and so one pool of connections, a loop."""

    def __init__(self, address: str, settings: HttpSettings) -> None:
        self._address = address
        self._settings = settings
        self._where = told(address)
        self._clients = PerLoop(self._client, httpx.AsyncClient.aclose)

    async def call(self, input_data: JsonObject, context: AgentContext) -> JsonObject:
        """Post one task, and read the reply."""
        given = filled(self._settings.headers)
        limit = seconds_left(context.deadline, longest=self._settings.timeout_seconds)
        client = await self._clients.get()
        sending = Sending()
        request = client.build_request(
            "POST",
            self._address,
            content=request_body(input_data, context, seconds=limit),
            headers={**given.headers, **request_headers(context, seconds=limit)},
            extensions=sending.extensions,
        )
        try:
            async with asyncio.timeout(limit):
                response = await client.send(request, stream=True)
                try:
                    return await read_reply(response, context, where=self._where)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise self._timed_out(limit, sending) from None
        except httpx.HTTPError as error:
            raise self._broken(error, sending, given) from error
        except AgentError as error:
            raise given.without_secrets(error) from error.__cause__

    async def probe(self) -> None:
        """Ask the health path, or else the address, whether anybody is there."""
        path = self._settings.health_path
        method, address = ("OPTIONS", self._address)
        if path is not None:
            method, address = "GET", urljoin(self._address, path)
        given = filled(self._settings.headers)
        client = await self._clients.get()
        request = client.build_request(method, address, headers=given.headers)
        try:
            async with asyncio.timeout(_LONGEST_PROBE):
                response = await client.send(request, stream=True)
                await response.aclose()
        except TimeoutError:
            raise AgentTimeoutError(
                f"{self._where} did not answer a probe within {_LONGEST_PROBE:g} s"
            ) from None
        except httpx.HTTPError as error:
            why = given.hide_in(str(error) or type(error).__name__)
            raise AgentNotStartedError(f"{self._where} did not answer a probe: {why}") from error
        status = response.status_code
        well = response.is_success if path else status < HTTPStatus.INTERNAL_SERVER_ERROR
        if not well:
            raise AgentError(f"{self._where} answered a probe with {status}")

    async def close(self) -> None:
        """Close all connections."""
        await self._clients.close()

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            verify=certificates(self._settings.verify),
            timeout=httpx.Timeout(None, connect=LONGEST_CONNECT),
            limits=httpx.Limits(  # how many calls there may be is said elsewhere
                max_connections=None, max_keepalive_connections=_IDLE_CONNECTIONS
            ),
            follow_redirects=False,
            headers={"User-Agent": "agent-orchestration-layer"},
        )

    def _timed_out(self, limit: float, sending: Sending) -> AgentError:
        if not sending.began:
            return AgentNotStartedError(f"{self._where} could not be reached within {limit:.1f} s")
        return AgentTimeoutError(
            f"{self._where} did not answer within {limit:.1f} s; it may have acted all the same"
        )

    def _broken(self, error: httpx.HTTPError, sending: Sending, given: Filled) -> AgentError:
        why = given.hide_in(str(error) or type(error).__name__)
        if not sending.began:
            return AgentNotStartedError(f"{self._where} could not be reached: {why}")
        return AgentError(
            f"the connection with {self._where} broke ({why}); it may have acted all the same"
        )
