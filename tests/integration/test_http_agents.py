"""HTTP agents that answer oddly, over loopback."""

# ruff: noqa: ANN401  anything may be set

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import (
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from orchestration.agents import http
from orchestration.agents.endpoint import Endpoint
from orchestration.agents.http_wire import LARGEST_REPLY
from orchestration.testing.agent_stage import PATIENCE, Echoes, Says
from orchestration.testing.fake_http_agent import FakeHttpAgent
from orchestration.testing.loopback_server import LoopbackServer
from state.agent_context import AgentContext
from state.errors import (
    AgentAuthError,
    AgentError,
    AgentNotStartedError,
    AgentRefusedError,
    AgentTimeoutError,
    UnknownReplyError,
)
from state.jsonvalue import JsonObject

Answer = Callable[[Request], Awaitable[Response]]
ASKED: JsonObject = {"messages": [{"role": "user", "content": "two seats"}], "quantity": 2}
CONTEXT = AgentContext(
    thread_id="thread",
    task_id="book",
    run_id="run",
    idempotency_key="run:bücher/1 100%",
    attempt=2,
    upstream={"search": {"found": 3}},
    tenant="acme",
    user="ann",
    tags=("vip",),
    history=({"role": "user", "content": "hello"},),
)


class OddServer:
    """Answers as a test says."""

    def __init__(self) -> None:
        self.answer: Answer | None = None
        self.requests: list[Request] = []
        self.server = LoopbackServer(
            Starlette(routes=[Route("/{path:path}", self._serve, methods=["GET", "POST"])])
        )

    async def _serve(self, request: Request) -> Response:
        self.requests.append(request)
        await request.body()
        assert self.answer is not None
        return await self.answer(request)

    async def ask(self, answer: Response | Answer, **settings: Any) -> JsonObject:
        return await self.ask_as(CONTEXT, answer, **settings)

    async def ask_as(
        self, context: AgentContext, answer: Response | Answer, **settings: Any
    ) -> JsonObject:
        async def same(_request: Request) -> Response:
            assert isinstance(answer, Response)
            return answer

        self.answer = same if isinstance(answer, Response) else answer
        connector = self.connector(**settings)
        try:
            async with asyncio.timeout(PATIENCE):
                reply: JsonObject = await connector.call(ASKED, context)
                return reply
        finally:
            await connector.close()

    def connector(self, **settings: Any) -> Any:
        address = f"{self.server.url}/agent?key=in-the-query"
        return http.connect(Endpoint(kind="http", address=address, settings=settings))


@pytest.fixture
def odd() -> Iterator[OddServer]:
    made = OddServer()
    made.server.start()
    try:
        yield made
    finally:
        made.server.stop()


def events(*said: tuple[str, str]) -> Response:
    async def stream() -> AsyncIterator[str]:
        for kind, data in said:
            yield f"event: {kind}\ndata: {data}\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream")


async def test_the_body_and_the_headers_say_all_there_is_to_say() -> None:
    with FakeHttpAgent() as agent:
        connector = agent.connector()
        await connector.call(ASKED, CONTEXT)
        await connector.close()
    (body,), (headers,) = agent.bodies, agent.headers
    assert body["input"] == ASKED
    told: Any = body["context"]
    assert 0 < told.pop("remaining_seconds") <= 300
    assert told == {
        "task_id": "book",
        "thread_id": "thread",
        "run_id": "run",
        "attempt": 2,
        "idempotency_key": "run:bücher/1 100%",
        "upstream": {"search": {"found": 3}},
        "history": [{"role": "user", "content": "hello"}],
        "tenant": "acme",
        "user": "ann",
        "tags": ["vip"],
    }
    assert headers["idempotency-key"] == "run:b%C3%BCcher/1%20100%25"
    assert headers["content-type"] == "application/json"
    assert headers["accept"] == "application/json"
    assert 0 < float(headers["x-deadline-seconds"]) <= 300


@pytest.mark.parametrize(
    "answer",
    [
        PlainTextResponse("[1, 2]", media_type="application/json"),
        PlainTextResponse('"text"', media_type="application/json"),
        PlainTextResponse("", media_type="application/json"),
        PlainTextResponse('{"x": NaN}', media_type="application/json"),
        PlainTextResponse('{"x": ' + "9" * 5000 + "}", media_type="application/json"),
        PlainTextResponse("[" * 100_000, media_type="application/json"),
        Response(b'{"x": "\xff"}', media_type="application/json"),
        Response(status_code=204),
        RedirectResponse("http://127.0.0.1:1/elsewhere", status_code=307),
        Response(
            gzip.compress(b"{}", mtime=0),
            headers={"content-encoding": "gzip"},
            media_type="application/json",
        ),
        events(("piece", '{"text": 7}')),
        events(("piece", "no json")),
        events(("reply", "[]")),
    ],
    ids=lambda answer: f"{answer.status_code} {getattr(answer, 'body', b'events')[:12]!r}",
)
async def test_what_is_no_reply(odd: OddServer, answer: Response) -> None:
    with pytest.raises(UnknownReplyError):
        await odd.ask_as(CONTEXT._replace(emit=lambda _text: None), answer)
    assert len(odd.requests) == 1


@pytest.mark.parametrize("media_type", ["application/json", "text/event-stream"])
@pytest.mark.parametrize("status", [200, 500])
async def test_an_endless_answer_ends(odd: OddServer, media_type: str, status: int) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 4 * LARGEST_REPLY:
            sent += 65536
            yield b" " * 65536
            await asyncio.sleep(0)  # so that the server notices that its caller left

    answer = StreamingResponse(endless(), status_code=status, media_type=media_type)
    expected = UnknownReplyError if status == 200 else AgentError
    with pytest.raises(expected) as raised:
        await odd.ask(answer)
    assert raised.type is expected
    assert sent < 4 * LARGEST_REPLY


async def test_the_text_of_a_reply_may_be_left_to_its_pieces(odd: OddServer) -> None:
    heard: list[str] = []
    answer = events(
        ("", "{}"),
        ("news", "of a kind that comes later"),
        ("piece", '{"text": "Two "}'),
        ("piece", '{"text": "seats."}'),
        ("reply", '{"order": 7}'),
        ("piece", '{"text": "too late"}'),
    )
    reply = await odd.ask_as(CONTEXT._replace(emit=heard.append), answer)
    assert (reply, heard) == ({"content": "Two seats.", "order": 7}, ["Two ", "seats."])


async def test_who_wants_pieces_gets_a_plain_answer_too(odd: OddServer) -> None:
    heard: list[str] = []
    reply = await odd.ask_as(CONTEXT._replace(emit=heard.append), JSONResponse({"content": "x"}))
    assert (reply, heard) == ({"content": "x"}, [])
    assert odd.requests[0].headers["accept"] == "text/event-stream, application/json"


async def test_a_refusal_may_come_in_a_stream(odd: OddServer) -> None:
    refusal = json.dumps({"status": 422, "error": {"message": "only 3 seats"}})
    with pytest.raises(AgentRefusedError, match="only 3 seats"):
        await odd.ask(events(("piece", '{"text": "Hm"}'), ("error", refusal)))


async def test_no_secret_comes_back_in_an_error(
    odd: OddServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN_OF_TEST", "hush-hush")

    async def tell(request: Request) -> Response:
        said = request.headers["authorization"]
        return JSONResponse({"error": {"message": f"you sent {said}"}}, status_code=409)

    with pytest.raises(AgentRefusedError) as raised:
        await odd.ask(tell, headers={"Authorization": "Bearer ${TOKEN_OF_TEST}"})
    assert "you sent Bearer ***" in str(raised.value)
    assert "in-the-query" not in str(raised.value)
    monkeypatch.delenv("TOKEN_OF_TEST")
    with pytest.raises(AgentAuthError, match="TOKEN_OF_TEST"):
        await odd.ask(tell, headers={"Authorization": "Bearer ${TOKEN_OF_TEST}"})
    assert len(odd.requests) == 1


async def test_a_probe_asks_the_health_path_or_else_the_address(odd: OddServer) -> None:
    async def well(request: Request) -> Response:
        return Response(status_code=200 if request.url.path == "/health" else 404)

    odd.answer = well
    for path, is_well in (("/health", True), ("/elsewhere", False)):
        connector = odd.connector(health_path=path)
        if is_well:
            await connector.probe()
        else:
            with pytest.raises(AgentError, match="404"):
                await connector.probe()
        await connector.close()
    assert [(each.method, each.url.path) for each in odd.requests] == [
        ("GET", "/health"),
        ("GET", "/elsewhere"),
    ]
    connector = odd.connector()
    await connector.probe()  # the server knows no OPTIONS, but it answers
    await connector.close()
    assert len(odd.requests) == 2


async def test_a_call_without_a_deadline_ends_too() -> None:
    with FakeHttpAgent() as agent:
        agent.play(Says(("well",), held_after=0))
        connector = http.connect(
            Endpoint(kind="http", address=agent.address, settings={"timeout_seconds": 0.2})
        )
        with pytest.raises(AgentTimeoutError, match=r"within 0\.2 s"):
            await connector.call(ASKED, CONTEXT)
        await connector.close()
        await agent.given_up()


async def test_an_agent_that_dies_at_work_may_have_acted() -> None:
    with FakeHttpAgent() as agent:
        agent.play(Echoes(held=True))
        connector = agent.connector()
        call = asyncio.create_task(connector.call(ASKED, CONTEXT))
        await agent.arrived()
        await asyncio.to_thread(agent.die)
        with pytest.raises(AgentError) as raised:
            await call
        assert raised.type is AgentError
        with pytest.raises(AgentNotStartedError) as refused:
            await connector.call(ASKED, CONTEXT)
        assert refused.type is AgentNotStartedError
        await asyncio.to_thread(agent.come_back)
        agent.play(Echoes())
        assert (await connector.call(ASKED, CONTEXT))["content"] == "two seats"
        await connector.close()
    assert agent.requests == 2
    assert agent.effects == {"run:b%C3%BCcher/1%20100%25": 1}


@pytest.mark.parametrize(
    "address", ["https://127.0.0.1:{port}/", "http://no-such-host.invalid:{port}/"]
)
async def test_where_no_connection_stands_nothing_began(address: str) -> None:
    with FakeHttpAgent() as agent:  # it speaks no TLS
        port = agent.address.split(":")[2].split("/")[0]
        connector = http.connect(Endpoint(kind="http", address=address.format(port=port)))
        with pytest.raises(AgentNotStartedError):
            await connector.call(ASKED, CONTEXT)
        await connector.close()
    assert agent.requests == 0


async def test_a_port_that_accepts_and_says_nothing_is_no_agent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # nobody accepts; the backlog does
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        connector = http.connect(
            Endpoint(kind="http", address=address, settings={"timeout_seconds": 0.2})
        )
        with pytest.raises(AgentTimeoutError):
            await connector.call(ASKED, CONTEXT)
        await connector.close()


async def test_a_fake_agent_fails_as_often_as_it_is_told_and_knows_keys() -> None:
    with FakeHttpAgent(failure_rate=0.5, seed=7, recognises_keys=True) as agent:
        connector = agent.connector()
        failures = 0
        for number in range(200):
            context = CONTEXT._replace(idempotency_key=f"run:{number % 100}")
            try:
                await connector.call(ASKED, context)
            except AgentError:
                failures += 1
        await connector.close()
    assert 70 < failures < 130
    assert agent.requests == 200
    assert set(agent.effects.values()) == {1}
    assert len(agent.effects) == 100


async def test_hundreds_of_calls_have_a_connection_each() -> None:
    with FakeHttpAgent() as agent:
        agent.play(Echoes(held=True))
        connector = agent.connector()
        async with asyncio.timeout(2 * PATIENCE):
            calls = [asyncio.create_task(connector.call(ASKED, CONTEXT)) for _ in range(300)]
            await agent.arrived(count=300)
            agent.release()
            await asyncio.gather(*calls)
        await connector.close()
