"""Requests to one A2A agent, from one event loop."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import httpx
from a2a.client import ClientConfig, ClientFactory
from a2a.types import (
    AgentCard,
    CancelTaskRequest,
    GetTaskRequest,
    SendMessageRequest,
    StreamResponse,
    SubscribeToTaskRequest,
)

from orchestration.a2a.cards import BINDINGS, card_url, fetch_card, usable
from orchestration.a2a.client_errors import FAULTS, translated
from orchestration.a2a.guarded_http import GuardedTransport, HeadersFromSettings, origin_of
from orchestration.a2a.remote_task import RemoteTask
from orchestration.agents.headers import filled
from state.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from a2a.client import Client

    from orchestration.a2a.settings import A2ASettings

_CARD_SECONDS: Final = 300.0
"""How long a card is taken to say what is so."""
_CONNECT_SECONDS: Final = 10.0
_CANCEL_SECONDS: Final = 5.0
_SOONEST, _LATEST, _SLOWER = 0.05, 2.0, 1.5
"""Seconds between questions after a task, and how they grow."""


class Ways(NamedTuple):
    """What a card opens."""

    card: AgentCard
    in_pieces: Client
    whole: Client
    """Does not stream, even if the agent could."""


class Connection:
    """The way to one agent from one event loop.

    Args:
        address: Of the agent, or of its card.
        settings: How it is spoken with.
    """

    def __init__(self, address: str, settings: A2ASettings) -> None:
        self._url = card_url(address)
        self._here = str(origin_of(address))
        self._origins = frozenset(origin_of(url) for url in (address, *settings.interface_origins))
        transport = GuardedTransport(
            public_only=settings.public_only, private_hosts=settings.private_hosts
        )
        timeout = httpx.Timeout(settings.timeout_seconds, connect=_CONNECT_SECONDS)
        self._headers = settings.headers
        self._http = httpx.AsyncClient(
            transport=transport,
            timeout=timeout,
            headers={"accept-encoding": "identity"},
            auth=HeadersFromSettings(settings.headers),
        )
        self._lock = asyncio.Lock()
        self._known: Ways | None = None
        self._known_since = 0.0

    async def fetch(self) -> AgentCard:
        """Fetch the agent's card.

        Raises:
            AgentError: There is none.
        """
        return await fetch_card(self._http, self._url)

    async def card(self) -> AgentCard:
        """Return the agent's card, with the interfaces that may be spoken with; not a stale one.

        Raises:
            AgentError: There is none, or no such interface.
        """
        return (await self._ways()).card

    async def send(self, request: SendMessageRequest, task: RemoteTask, *, stream: bool) -> None:
        """Give the agent a task; as a stream, return when that ends, else at once.

        Raises:
            AgentError: It did not take it, or the connection broke.
        """
        ways = await self._ways()
        client = ways.in_pieces if stream else ways.whole
        try:
            await self._hear(client.send_message(request), task)
        except FAULTS as error:
            if not task.task_id:
                self._known = None  # the card may say by now that it is elsewhere
            raise self._translated(error, begun=bool(task.task_id)) from error

    async def follow(self, task: RemoteTask, *, stops_to_ask: bool) -> None:
        """Wait until a task is over, or asks for something if `stops_to_ask`.

        Raises:
            AgentError: The agent cannot be asked any more.
        """
        pause = 0.0 if await self._heard_the_end(task) else _SOONEST
        while not (task.is_over or (task.asks and stops_to_ask)):
            await asyncio.sleep(pause)
            pause = max(_SOONEST, min(pause * _SLOWER, _LATEST))
            ways = await self._ways()
            try:
                question = GetTaskRequest(id=task.task_id, history_length=0)
                task.take_task(await ways.whole.get_task(question))
            except FAULTS as error:
                raise self._translated(error, begun=True) from error

    async def _heard_the_end(self, task: RemoteTask) -> bool:
        """Listen to a task that goes on, only to hear when it is over, or asks.

        What a listener is told first may hold what it is told once more after that, so what
        was made is not taken from here.
        """
        ways = await self._ways()
        if task.is_over or task.asks or not ways.card.capabilities.streaming:
            return False
        heard = RemoteTask()
        # what breaks here is told by the questions that follow
        with suppress(*FAULTS, AgentError):
            await self._hear(
                ways.in_pieces.subscribe(SubscribeToTaskRequest(id=task.task_id)), heard
            )
        return heard.is_over or heard.asks

    async def cancel(self, task: RemoteTask) -> None:
        """Call a task off, if the agent can; what it says to that is of no use any more."""
        if not task.task_id or task.is_over or self._known is None:
            return
        with suppress(*FAULTS, AgentError, TimeoutError):
            async with asyncio.timeout(_CANCEL_SECONDS):
                await self._known.whole.cancel_task(CancelTaskRequest(id=task.task_id))

    async def close(self) -> None:
        """Close connections."""
        await self._http.aclose()

    def _translated(self, error: Exception, *, begun: bool) -> AgentError:
        given = filled(self._headers)
        return translated(error, agent=self._here, begun=begun, given=given)

    async def _ways(self) -> Ways:
        """Read the card, unless that was done lately."""
        async with self._lock:
            stale = time.monotonic() - self._known_since > _CARD_SECONDS
            if self._known is None or stale:
                card = usable(await self.fetch(), self._origins)
                self._known = Ways(card, self._made(card), self._made(card, streaming=False))
                self._known_since = time.monotonic()
            return self._known

    def _made(self, card: AgentCard, *, streaming: bool = True) -> Client:
        config = ClientConfig(
            streaming=streaming,
            httpx_client=self._http,
            supported_protocol_bindings=[*BINDINGS],
        )
        return ClientFactory(config).create(card)

    async def _hear(self, updates: object, task: RemoteTask) -> None:
        async with aclosing(cast("AsyncGenerator[StreamResponse, None]", updates)) as stream:
            async for update in stream:
                task.take(update)
                if task.is_over or task.asks:
                    return
