"""Google's clients for Agent Engine, each for one event loop.

Import it only where a client is made: it loads all of Google's libraries.
"""

from __future__ import annotations

import json
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Protocol

import agentplatform  # type: ignore[import-untyped]
import agentplatform._genai.runtimes  # type: ignore[import-untyped]  # else the first call loads it
from google.cloud.aiplatform_v1beta1.services.reasoning_engine_execution_service import (
    ReasoningEngineExecutionServiceAsyncClient,
)
from google.cloud.aiplatform_v1beta1.services.reasoning_engine_execution_service.transports.grpc_asyncio import (  # noqa: E501
    ReasoningEngineExecutionServiceGrpcAsyncIOTransport,
)
from google.cloud.aiplatform_v1beta1.services.reasoning_engine_service import (
    ReasoningEngineServiceAsyncClient,
)
from google.cloud.aiplatform_v1beta1.services.reasoning_engine_service.transports.grpc_asyncio import (  # noqa: E501
    ReasoningEngineServiceGrpcAsyncIOTransport,
)
from google.cloud.aiplatform_v1beta1.types import (
    QueryReasoningEngineResponse,
    ReasoningEngine,
)
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]

from orchestration.agents.google_errors import LARGEST_REPLY, OversizeError
from orchestration.agents.google_transport import (
    genai_options,
    grpc_channel,
    http_client,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from orchestration.agents.google_address import GooglePlace
    from orchestration.agents.google_credentials import TokenSource
    from state.jsonvalue import JsonObject


class EngineClient(Protocol):
    """Speaks with one engine; errors are those of Google's libraries."""

    async def methods(self, seconds: float) -> list[Any]:
        """Return the methods of its agent, as its resource says them."""
        ...

    async def query(self, method: str, given: JsonObject, *, seconds: float) -> Any:  # noqa: ANN401
        """Call a method, and return its output."""
        ...

    def stream(
        self, method: str, given: JsonObject, *, seconds: float
    ) -> AsyncGenerator[Any, None]:
        """Call a method that answers in pieces, and return them."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class RestEngine:
    """Over REST.

    It calls methods of Google's client that are not public: the public ones, made from what the
    resource says, are synchronous for most agents, and take neither a time nor a cancellation.
    """

    def __init__(self, place: GooglePlace, tokens: TokenSource) -> None:
        self._name = place.resource
        self._http = http_client(place)
        self._client = agentplatform.Client(
            project=place.project,
            location=place.location,
            credentials=tokens.credentials,
            http_options=genai_options(place, self._http),
        )

    async def methods(self, seconds: float) -> list[Any]:
        """Return the methods of its agent."""
        found = await self._client.aio.runtimes._get(  # noqa: SLF001  see the class
            name=self._name, config={"http_options": _within(seconds)}
        )
        return list((found.spec and found.spec.class_methods) or ())

    async def query(self, method: str, given: JsonObject, *, seconds: float) -> Any:  # noqa: ANN401
        """Call a method, and return its output."""
        answer = await self._client.aio.runtimes._query(  # noqa: SLF001  see the class
            name=self._name, config=_config(method, given, seconds)
        )
        return answer.output

    async def stream(
        self, method: str, given: JsonObject, *, seconds: float
    ) -> AsyncGenerator[Any, None]:
        """Call a method that answers in pieces, and return them."""
        pieces = self._client.runtimes._async_stream_query(  # noqa: SLF001  see the class
            name=self._name, config=_config(method, given, seconds)
        )
        async with aclosing(pieces):
            async for piece in pieces:
                yield json.loads(piece.body)

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()


class GrpcEngine:
    """Over gRPC."""

    def __init__(self, place: GooglePlace, tokens: TokenSource) -> None:
        self._name = place.resource
        self._channel = channel = grpc_channel(place, tokens)
        self._resources = ReasoningEngineServiceAsyncClient(
            transport=ReasoningEngineServiceGrpcAsyncIOTransport(channel=channel)
        )
        self._service = ReasoningEngineExecutionServiceAsyncClient(
            transport=ReasoningEngineExecutionServiceGrpcAsyncIOTransport(channel=channel)
        )

    async def methods(self, seconds: float) -> list[Any]:
        """Return the methods of its agent."""
        found = await self._resources.get_reasoning_engine(
            name=self._name, retry=None, timeout=seconds
        )
        said = MessageToDict(ReasoningEngine.pb(found))
        return list(said.get("spec", {}).get("classMethods", ()))

    async def query(self, method: str, given: JsonObject, *, seconds: float) -> Any:  # noqa: ANN401
        """Call a method, and return its output."""
        request = {"name": self._name, "class_method": method, "input": given}
        answer = await self._service.query_reasoning_engine(request, retry=None, timeout=seconds)
        return MessageToDict(QueryReasoningEngineResponse.pb(answer)).get("output")

    async def stream(
        self, method: str, given: JsonObject, *, seconds: float
    ) -> AsyncGenerator[Any, None]:
        """Call a method that answers in pieces, and return them."""
        request = {"name": self._name, "class_method": method, "input": given}
        call = await self._service.stream_query_reasoning_engine(
            request, retry=None, timeout=seconds
        )
        size, rest = 0, b""
        async for body in call:
            size += len(body.data)
            if size > LARGEST_REPLY:
                raise OversizeError
            *lines, rest = (rest + body.data).split(b"\n")
            for line in lines:
                if text := _payload(line):
                    yield json.loads(text)
        if text := _payload(rest):
            yield json.loads(text)

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()


def _payload(line: bytes) -> bytes:
    """A line of JSON, out of its frame if it comes as a server-sent event."""
    return line.strip().removeprefix(b"data:").strip()


def _within(seconds: float) -> dict[str, int]:
    return {"timeout": max(1, int(seconds * 1000))}


def _config(method: str, given: JsonObject, seconds: float) -> Any:  # noqa: ANN401  has many forms
    return {
        "class_method": method,
        "input": given,
        "include_all_fields": True,
        "http_options": _within(seconds),
    }
