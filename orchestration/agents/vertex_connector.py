"""What all ways to agents on Vertex AI have in common: settings, a token, time, errors."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from checkpoints.per_loop import PerLoop
from orchestration.agents.google_address import AddressError, GooglePlace, place_of
from orchestration.agents.google_credentials import TokenSource, credential_problems
from orchestration.agents.google_errors import agent_error
from state.errors import (
    AgentAuthError,
    AgentNotStartedError,
    AgentTimeoutError,
    UnknownReplyError,
)
from state.jsonvalue import JsonObject, NotJsonError, described, json_object

if TYPE_CHECKING:
    from orchestration.agents.endpoint import Endpoint
    from state.agent_context import AgentContext

Client = TypeVar("Client")
Check = Callable[[Any], bool]

DEFAULT_TIMEOUT: Final = 300.0
"""Seconds that a call may take, if neither its task nor the settings say anything."""
_PROBE_TIMEOUT: Final = 10.0
_TOKEN_THREADS: Final = 8


def is_text(value: object) -> bool:
    """Whether it is text, and not empty."""
    return isinstance(value, str) and bool(value)


def is_number(value: object, *, above: float = float("-inf"), most: float = 1e9) -> bool:
    """Whether it is a number between bounds."""
    return isinstance(value, int | float) and not isinstance(value, bool) and above < value <= most


_COMMON: Final[Mapping[str, tuple[Check, str]]] = {
    "transport": (lambda _: True, ""),  # read, and judged, with the address
    "api_endpoint": (lambda _: True, ""),
    "credentials_file": (lambda _: True, ""),
    "trusted_hosts": (
        lambda value: isinstance(value, list | tuple) and all(map(is_text, value)),
        "a list of names of hosts",
    ),
    "model": (is_text, "the name of a model, e.g. 'gemini-2.5-flash'"),
    "timeout_seconds": (lambda value: is_number(value, above=0), "a number above 0"),
}


def vertex_problems(
    endpoint: Endpoint, *, collections: tuple[str, ...], own: Mapping[str, tuple[Check, str]]
) -> Iterator[str]:
    """Say what is wrong with an endpoint on Vertex AI, without speaking with anybody.

    Args:
        endpoint: Any.
        collections: In which its resource has to be.
        own: The settings that the kind has beside those of all; for each a check, and what is
            allowed, in words.
    """
    if endpoint.handler is not None:
        yield f"kind is {endpoint.kind!r}, which takes an address and no handler"
    allowed = {**_COMMON, **own}
    for name, value in endpoint.settings.items():
        if name not in allowed:
            yield f"there is no setting {name!r}; known are {sorted(allowed)!r}"
        elif not allowed[name][0](value):
            yield f"{name} is {described(value)}; give {allowed[name][1]}"
    try:
        place = place_of(endpoint)
    except AddressError as error:
        yield str(error)
        return
    if place.collection not in collections:
        yield (
            f"kind is {endpoint.kind!r}, and the address names one of {place.collection!r}; "
            f"it takes {list(collections)!r}"
        )
    yield from credential_problems(place, endpoint.settings)


class VertexConnector(ABC, Generic[Client]):
    """The way to one resource of Vertex AI; a kind adds how it is asked."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.place: GooglePlace = place_of(endpoint)
        self.settings = endpoint.settings
        self.tokens = TokenSource(self.place, endpoint.settings)
        self._clients = PerLoop(self.make_client, self.close_client)
        self._is_ready = False

    async def call(self, input_data: JsonObject, context: AgentContext) -> JsonObject:
        """Do one task; for what it raises see the port."""
        async with self._spell(self._seconds(context)) as until:
            client = await self._clients.get()
            reply = await self.ask(client, input_data, context, Left(until))
        try:
            return json_object(reply, at="the reply")
        except NotJsonError as error:
            raise UnknownReplyError(f"{self.place.resource} answered: {error}") from error

    async def probe(self) -> None:
        """Ask how it is, in the way of the kind."""
        async with self._spell(_PROBE_TIMEOUT) as until:
            await self.ask_state(await self._clients.get(), Left(until))

    async def get_ready(self) -> None:
        """Import what the client needs, once.

        Raises:
            AgentError: It cannot be imported.
        """
        if self._is_ready:
            return
        try:
            await asyncio.get_running_loop().run_in_executor(_threads(), self.prepare)
        except Exception as error:
            raise agent_error(error, at=self.place.resource) from error
        self._is_ready = True

    async def close(self) -> None:
        """Close the clients of all loops."""
        await self._clients.close()

    @abstractmethod
    def prepare(self) -> None:
        """Import what the client needs; in a thread, since it takes seconds."""

    @abstractmethod
    def make_client(self) -> Client:
        """Make a client for the running loop; there is a valid token by then."""

    @abstractmethod
    async def close_client(self, client: Client) -> None:
        """Close a client."""

    @abstractmethod
    async def ask(
        self, client: Client, input_data: JsonObject, context: AgentContext, left: Left
    ) -> JsonObject:
        """Do one task with a client; errors of Google's libraries are mapped by the caller."""

    async def ask_state(self, client: Client, left: Left) -> None:
        """Return if the resource answers, without an effect."""
        raise NotImplementedError(
            "a model behind a predict endpoint can only be asked to predict, which costs"
        )

    def _seconds(self, context: AgentContext) -> float:
        """How long a call may take."""
        allowed = self.settings.get("timeout_seconds")
        if context.deadline is None:
            return float(allowed or DEFAULT_TIMEOUT)
        left = context.deadline - time.time()
        if left <= 0:
            raise AgentNotStartedError(
                f"{self.place.resource} was not asked: the deadline was {-left:.1f} s ago"
            )
        return min(float(allowed), left) if allowed else left

    @asynccontextmanager
    async def _spell(self, seconds: float) -> AsyncIterator[float]:
        """Around one call: a token, no more than so many seconds, errors in our words."""
        began = False
        try:
            async with asyncio.timeout(seconds) as limit:
                await self._authorise()
                began = True
                yield asyncio.get_running_loop().time() + seconds
        except TimeoutError as error:
            if not limit.expired():
                raise agent_error(error, at=self.place.resource) from error
            said = f"{self.place.resource} did not answer within {seconds:.1f} s"
            raise (AgentTimeoutError(said) if began else AgentNotStartedError(said)) from error
        except NotImplementedError:
            raise
        except Exception as error:
            mapped = agent_error(error, at=self.place.resource)
            if isinstance(mapped, AgentAuthError):
                self.tokens.distrust()
            if mapped is error:
                raise
            raise mapped from error

    async def _authorise(self) -> None:
        """Have a valid token, so that no client has to ask for one, each in its own way."""
        await self.get_ready()
        if not self.tokens.is_fresh:
            await asyncio.get_running_loop().run_in_executor(_threads(), self.tokens.refresh)


@cache
def _threads() -> ThreadPoolExecutor:
    """Threads of their own: many calls may wait for one token, and nobody else is to wait too."""
    return ThreadPoolExecutor(_TOKEN_THREADS, thread_name_prefix="orchestration-google-token")


class Left:
    """How much time is left for a call."""

    def __init__(self, until: float) -> None:
        self._until = until

    @property
    def seconds(self) -> float:
        """What is left; a little above 0 at least, since 0 is no limit to some clients."""
        return max(0.001, self._until - asyncio.get_running_loop().time())
