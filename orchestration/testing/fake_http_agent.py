"""An HTTP agent on loopback that does what a test tells it: answer, fail, hang, die, return.

Needs the extra `fakes`. As context manager it listens in a thread of its own:

    with FakeHttpAgent(latency_seconds=0.01, failure_rate=0.5, seed=7) as agent:
        registry.register(AgentSpec("ticketing", endpoint=agent.address))
        agent.die()
        agent.come_back()  # at the same address
        assert agent.effects["run-1:book"] <= 1
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from orchestration.agents.endpoint import Endpoint
from orchestration.agents.http import connect
from orchestration.testing.agent_stage import (
    Act,
    Babbles,
    Breaks,
    Distrusts,
    Echoes,
    Fails,
    Limits,
    Received,
    Refuses,
    Says,
    Stage,
)
from orchestration.testing.loopback_server import LoopbackServer, free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Mapping
    from typing import Self

    from starlette.requests import Request

    from orchestration.agents.connector import Connector
    from state.jsonvalue import JsonObject

_PATH: Final = "/agent"
_HEALTH: Final = "/health"
_FAILED: Final = 500


class BrokenOffError(RuntimeError):
    """Raised inside the fake to make the server drop a connection."""


class FakeHttpAgent(Stage):
    """An HTTP agent in a thread.

    Args:
        latency_seconds: How long each call takes; may be changed at any time.
        failure_rate: Share of calls, from 0 to 1, that fail with 500 after they had their
            effect; may be changed at any time.
        recognises_keys: Whether it answers a key that it knows from its record, so that a
            call made twice has one effect.
        seed: Of what is random.
    """

    def __init__(
        self,
        *,
        latency_seconds: float = 0.0,
        failure_rate: float = 0.0,
        recognises_keys: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.latency_seconds = latency_seconds
        self.failure_rate = failure_rate
        self.recognises_keys = recognises_keys
        self.effects: Counter[str] = Counter()
        """How often the work of a key was done."""
        self.requests = 0
        """Tasks that came, also those that failed."""
        self.bodies: list[JsonObject] = []
        """What came, as it was sent."""
        self.headers: list[Mapping[str, str]] = []
        """With what headers; their names in lower case."""
        self._random = random.Random(seed)  # noqa: S311  no secret
        self._server = LoopbackServer(
            Starlette(
                routes=[
                    Route(_PATH, self._serve, methods=["POST"]),
                    Route(_HEALTH, self._well, methods=["GET"]),
                ]
            )
        )

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        self._server.stop()

    @property
    def address(self) -> str:
        """Where it listens; the same after it died and returned."""
        return f"{self._server.url}{_PATH}"

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint to register."""
        return Endpoint(kind="http", address=self.address, settings={"health_path": _HEALTH})

    def die(self) -> None:
        """Drop all connections and listen no more."""
        self._server.die()

    def come_back(self) -> None:
        """Listen again, on the same port."""
        self._server.come_back()

    # -- as a stage ----------------------------------------------------------------------

    def connector(self) -> Connector:
        """Make a new connector to it."""
        return connect(self.endpoint)

    def connector_to_nobody(self) -> Connector:
        """Make one to a port where nothing listens."""
        return connect(Endpoint(kind="http", address=f"http://127.0.0.1:{free_port()}{_PATH}"))

    # -- the agent -----------------------------------------------------------------------

    async def _well(self, _request: Request) -> Response:
        return PlainTextResponse("well")

    async def _serve(self, request: Request) -> Response:
        body = json.loads(await request.body())
        received = _received(body, request)
        self.requests += 1
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        act = self.enter(received)
        if (turned_away := _turned_away(act)) is not None:
            return turned_away
        if received.streamed and isinstance(act, Says | Breaks):
            return StreamingResponse(self._events(act, received), media_type="text/event-stream")
        return await self._unless_left(request, self._answer(act, received))

    async def _answer(self, act: Act, received: Received) -> Response:
        """What a task comes to that is begun."""
        await asyncio.sleep(self.latency_seconds)
        held = (isinstance(act, Echoes) and act.held) or (
            isinstance(act, Says) and act.held_after is not None
        )
        if held:
            await self.gate.wait()
        self._take_effect(received)
        if isinstance(act, Fails):
            return _error(_FAILED, act.message)
        if isinstance(act, Breaks):
            return StreamingResponse(_broken_off(), media_type="application/json")
        if self._random.random() < self.failure_rate:
            return _error(_FAILED, "out of luck")
        return JSONResponse(_reply(act, received.text))

    async def _events(self, act: Says | Breaks, received: Received) -> AsyncIterator[str]:
        """The same in pieces."""
        try:
            await asyncio.sleep(self.latency_seconds)
            for number, piece in enumerate(act.pieces):
                if isinstance(act, Says) and number == act.held_after:
                    await self.gate.wait()
                yield _event("piece", {"text": piece})
            self._take_effect(received)
            if isinstance(act, Breaks):
                raise BrokenOffError
            if self._random.random() < self.failure_rate:
                yield _event("error", {"status": _FAILED, "error": {"message": "out of luck"}})
            else:
                yield _event("reply", _reply(act, received.text))
        except (asyncio.CancelledError, GeneratorExit):
            self.leave_early()
            raise

    async def _unless_left(self, request: Request, answer: Awaitable[Response]) -> Response:
        """Work on an answer for as long as its caller is there."""
        working = asyncio.ensure_future(answer)
        leaving = asyncio.ensure_future(request.receive())
        try:
            await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            self.leave_early()
            return Response(status_code=499)  # nobody reads it
        finally:
            working.cancel()
            leaving.cancel()

    def _take_effect(self, received: Received) -> None:
        key = received.key or ""
        if not (self.recognises_keys and self.effects[key]):
            self.effects[key] += 1


def _received(body: Any, request: Request) -> Received:  # noqa: ANN401  what a client sent
    context = body["context"]
    messages = body["input"].get("messages") or [{}]
    return Received(
        text=str(messages[-1].get("content", "")),
        key=request.headers.get("idempotency-key"),
        remaining_seconds=context["remaining_seconds"],
        upstream=context["upstream"] or None,
        streamed="text/event-stream" in request.headers.get("accept", ""),
    )


def _turned_away(act: Act) -> Response | None:
    """What is answered where nothing begins."""
    match act:
        case Refuses(message):
            return _error(409, message)
        case Limits(retry_after):
            wait = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
            return _error(429, "too many calls", headers=wait)
        case Distrusts():
            return _error(401, "who are you?")
        case Babbles():
            return PlainTextResponse("<html>welcome</html>")
    return None


def _error(status: int, message: str, *, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": {"message": message}}, status_code=status, headers=headers)


def _reply(act: Act, asked: str) -> JsonObject:
    content = act.text if isinstance(act, Says) else asked
    reply: JsonObject = {
        "content": content,
        "messages": [{"role": "assistant", "content": content}],
    }
    if isinstance(act, Says) and act.usage is not None:
        reply["usage"] = {"input_tokens": act.usage[0], "output_tokens": act.usage[1]}
    return reply


def _event(kind: str, data: JsonObject) -> str:
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n"


async def _broken_off() -> AsyncIterator[str]:
    yield '{"content": "Two se'
    raise BrokenOffError
