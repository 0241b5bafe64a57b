"""Connections to Vertex AI: HTTP clients and gRPC channels with bounds, and without retries.

Import it only where a client is made: it loads gRPC and httpx.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import grpc  # type: ignore[import-untyped]
import httpx
from google.genai import types
from grpc.aio import ClientCallDetails, Metadata  # type: ignore[import-untyped]

from orchestration.agents.google_errors import LARGEST_REPLY, OversizeError, PackedError

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable

    from google.genai import Client

    from orchestration.agents.google_address import GooglePlace
    from orchestration.agents.google_credentials import TokenSource

_CONNECTIONS: Final = httpx.Limits(max_connections=None, max_keepalive_connections=32)


def tls_context() -> ssl.SSLContext:
    """Return what HTTP clients check certificates with; slow when it is first called."""
    return _tls_context(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@lru_cache(maxsize=4)
def _tls_context(_file: str | None, _folder: str | None) -> ssl.SSLContext:
    """Make one for what the environment says, which httpx reads by itself."""
    return httpx.create_ssl_context()


def http_client(place: GooglePlace) -> httpx.AsyncClient:
    """Make an HTTP client: it follows nobody elsewhere, and reads no more than it should.

    What the environment says of proxies and authorities counts, but not for clear text, which
    is for this machine alone.
    """
    return httpx.AsyncClient(
        verify=tls_context(),
        follow_redirects=False,
        trust_env=not place.is_clear,
        limits=_CONNECTIONS,
        event_hooks={"request": [_wanted_plain], "response": [_bounded]},
    )


def genai_arguments() -> dict[str, ssl.SSLContext]:
    """Arguments for the HTTP clients and web sockets that `google-genai` makes beside ours.

    They are never used; without these each of them reads all certificates anew.
    """
    return {"verify": tls_context(), "ssl": tls_context()}


def genai_options(place: GooglePlace, client: httpx.AsyncClient) -> types.HttpOptions:
    """Options for clients of `google-genai`: our HTTP client, one try."""
    return types.HttpOptions(
        base_url=place.origin,
        httpx_async_client=client,
        client_args=genai_arguments(),
        async_client_args=genai_arguments(),
        retry_options=types.HttpRetryOptions(attempts=1),
    )


def genai_client(place: GooglePlace, tokens: TokenSource, client: httpx.AsyncClient) -> Client:
    """Make a client of `google-genai`."""
    from google.genai import Client  # noqa: PLC0415

    return Client(
        vertexai=True,
        project=place.project,
        location=place.location,
        credentials=tokens.credentials,
        http_options=genai_options(place, client),
    )


def grpc_channel(place: GooglePlace, tokens: TokenSource) -> grpc.aio.Channel:
    """Open a channel whose calls say who calls; in clear text only where the address says so."""
    options = (
        ("grpc.max_receive_message_length", LARGEST_REPLY),
        ("grpc.enable_http_proxy", 0 if place.is_clear else 1),
    )
    interceptors = [_UnaryBearer(tokens), _StreamBearer(tokens)]
    if place.is_clear:
        return grpc.aio.insecure_channel(place.target, options, interceptors=interceptors)
    return grpc.aio.secure_channel(
        place.target, grpc.ssl_channel_credentials(), options, interceptors=interceptors
    )


class _UnaryBearer(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[misc]  # no types
    """Adds the token; gRPC's own way to do so refuses connections without TLS."""

    def __init__(self, tokens: TokenSource) -> None:
        self._tokens = tokens

    async def intercept_unary_unary(
        self,
        continuation: Callable[..., Any],
        client_call_details: Any,  # noqa: ANN401  gRPC's
        request: object,
    ) -> Any:  # noqa: ANN401  gRPC's
        return await continuation(_with_token(client_call_details, self._tokens), request)


class _StreamBearer(grpc.aio.UnaryStreamClientInterceptor):  # type: ignore[misc]  # no types
    """The same for calls that are answered in pieces."""

    def __init__(self, tokens: TokenSource) -> None:
        self._tokens = tokens

    async def intercept_unary_stream(
        self,
        continuation: Callable[..., Any],
        client_call_details: Any,  # noqa: ANN401  gRPC's
        request: object,
    ) -> Any:  # noqa: ANN401  gRPC's
        return await continuation(_with_token(client_call_details, self._tokens), request)


def _with_token(details: Any, tokens: TokenSource) -> ClientCallDetails:  # noqa: ANN401  gRPC's
    metadata = Metadata(*(details.metadata or ()), *tokens.headers())
    return ClientCallDetails(
        method=details.method,
        timeout=details.timeout,
        metadata=metadata,
        credentials=details.credentials,
        wait_for_ready=details.wait_for_ready,
    )


async def _wanted_plain(request: httpx.Request) -> None:
    request.headers["Accept-Encoding"] = "identity"


async def _bounded(response: httpx.Response) -> None:
    """Let a response be read only so far; packed, it could grow to any size from there."""
    coding = response.headers.get("content-encoding", "identity")
    if coding.lower() != "identity":
        raise PackedError(coding)
    response.stream = _Bounded(response.stream)


class _Bounded(httpx.AsyncByteStream):
    """The bytes of a response, counted."""

    def __init__(self, stream: Any) -> None:  # noqa: ANN401  httpx says a sync or an async one
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > LARGEST_REPLY:
                raise OversizeError
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
