"""A fake Vertex AI that speaks REST, as far as this project uses it."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from orchestration.testing.fake_vertex_forms import (
    gemini_json,
    output_json,
    piece_json,
    prediction_json,
)
from orchestration.testing.fake_vertex_script import (
    REASONS,
    Failure,
    Nonsense,
    Received,
    Reply,
    Script,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from orchestration.testing.fake_tokens import FakeTokens
    from state.jsonvalue import JsonObject, JsonValue

_PATH: Final = re.compile(
    r"/(?:v1|v1beta1)/(?P<resource>projects/[^:?]+)(?::(?P<method>[A-Za-z]+))?"
)


class BrokenOffError(ConnectionError):
    """Raised where the fake breaks a connection off, as it was told to."""


class RestFake:
    """An application for Starlette that answers like Vertex AI."""

    def __init__(self, script: Script, tokens: FakeTokens) -> None:
        self._script = script
        self._tokens = tokens

    def application(self) -> Starlette:
        """Return what a server is to serve."""
        return Starlette(
            routes=[
                Route("/token", self._token, methods=["POST"]),
                Route("/{path:path}", self._answer, methods=["GET", "POST"]),
            ]
        )

    async def _token(self, request: Request) -> Response:
        status, answer = self._tokens.answer((await request.body()).decode())
        return JSONResponse(answer, status)

    async def _answer(self, request: Request) -> Response:
        found = _PATH.fullmatch(request.url.path)
        if found is None:
            return _failed(Failure(status=404, message=f"there is no {request.url.path}"))
        text = await request.body()
        received = Received(
            transport="rest",
            method=found["method"] or "get",
            resource=found["resource"],
            body=json.loads(text) if text else {},
            headers={name.lower(): value for name, value in request.headers.items()},
            remaining_seconds=_seconds(request.headers.get("x-server-timeout")),
        )
        if received.method in {"get", "countTokens"}:
            return self._describe(received)
        act = self._script.enter(received)
        if isinstance(act, Failure):
            return _failed(act)
        if isinstance(act, Nonsense):
            return Response("<html>this is no answer</html>", media_type="text/html")
        return await self._replied(request, received, act)

    async def _replied(self, request: Request, received: Received, reply: Reply) -> Response:
        if received.method in {"streamGenerateContent", "streamQuery"}:
            return StreamingResponse(self._pieces(received, reply))
        if reply.held_after is not None and not await self._held(request):
            return Response(status_code=499)
        if reply.broken_after is not None:
            return StreamingResponse(_nothing(), headers={"content-length": "1000"})
        return JSONResponse(_whole(received.method, reply))

    def _describe(self, received: Received) -> Response:
        if (failure := self._script.probe(received)) is not None:
            return _failed(failure)
        if received.method == "countTokens":
            return JSONResponse({"totalTokens": 1})
        spec: JsonObject = {"classMethods": list[Any](self._script.methods)}
        return JSONResponse({"name": received.resource, "displayName": "fake", "spec": spec})

    async def _held(self, request: Request) -> bool:
        """Wait until it is released; False if the caller went before."""
        released = asyncio.ensure_future(asyncio.wrap_future(self._script.released))
        gone = asyncio.ensure_future(_gone(request))
        done, waiting = await asyncio.wait({released, gone}, return_when=asyncio.FIRST_COMPLETED)
        for each in waiting - {released}:  # that one belongs to all
            each.cancel()
        if released not in done:
            self._script.leave_early()
        return released in done

    async def _pieces(self, received: Received, reply: Reply) -> AsyncIterator[bytes]:
        """An answer in pieces; Gemini's as events, an agent's as lines."""
        is_gemini = received.method == "streamGenerateContent"
        pieces = reply.pieces or ("",)
        try:
            for number, text in enumerate(pieces):
                if number == reply.held_after:
                    await asyncio.shield(asyncio.wrap_future(self._script.released))
                if number == reply.broken_after:
                    raise BrokenOffError
                is_last = number == len(pieces) - 1
                if is_gemini:
                    said = gemini_json(reply, text=text, is_last=is_last)
                    yield f"data: {json.dumps(said)}\r\n\r\n".encode()
                else:
                    said_so = piece_json(reply, text, is_last=is_last)
                    yield f"{json.dumps(said_so)}\n".encode()
            if reply.broken_after is not None and reply.broken_after >= len(pieces):
                raise BrokenOffError
        except asyncio.CancelledError:
            self._script.leave_early()
            raise


def _whole(method: str, reply: Reply) -> JsonObject:
    if method == "generateContent":
        return gemini_json(reply, text=reply.text, is_last=True)
    if method == "predict":
        return prediction_json(reply)
    output: JsonValue = output_json(reply)
    return {"output": output}


def _failed(failure: Failure) -> Response:
    """An error as Google says it."""
    error: JsonObject = {
        "code": failure.status,
        "message": failure.message,
        "status": failure.reason or REASONS.get(failure.status, "UNKNOWN"),
    }
    headers: dict[str, str] = {} if failure.location is None else {"Location": failure.location}
    if failure.retry_after is not None and failure.in_header:
        headers["Retry-After"] = f"{failure.retry_after:g}"
    elif failure.retry_after is not None:
        kind = "type.googleapis.com/google.rpc.RetryInfo"
        error["details"] = [{"@type": kind, "retryDelay": f"{failure.retry_after:g}s"}]
    return JSONResponse({"error": error}, failure.status, headers)


async def _gone(request: Request) -> None:
    """Return when the caller has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        continue


async def _nothing() -> AsyncIterator[bytes]:
    """Less than was announced."""
    yield b"{"
    raise BrokenOffError


def _seconds(text: str | None) -> float | None:
    return None if text is None else float(text)
