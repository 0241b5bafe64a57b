"""What goes wrong at Google becomes one of this project's errors, from any client of theirs."""

# ruff: noqa: ANN401  any JSON

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from orchestration.agents.connector import Connector
from orchestration.agents.endpoint import Endpoint
from orchestration.agents.kinds import module_of
from orchestration.testing.fake_vertex import Failure, FakeVertex, Reply
from state.agent_context import AgentContext
from state.errors import (
    AgentAuthError,
    AgentError,
    AgentNotStartedError,
    AgentRateLimitedError,
    AgentRefusedError,
    AgentTimeoutError,
    UnknownReplyError,
)
from state.jsonvalue import JsonObject
from tests.integration.vertex_stage import GOOGLES_WARNINGS, RESOURCES

pytestmark = GOOGLES_WARNINGS
CONTEXT = AgentContext("thread-1", "book", "run-1", "run-1:book")
ASKED: JsonObject = {"messages": [{"role": "user", "content": "two seats"}]}
WAYS = [(kind, transport) for kind in RESOURCES for transport in ("rest", "grpc")]
EXPECTED = {
    400: AgentRefusedError,
    401: AgentAuthError,
    403: AgentAuthError,
    404: AgentNotStartedError,
    409: AgentError,
    429: AgentRateLimitedError,
    500: AgentError,
    503: AgentError,
    504: AgentTimeoutError,
}


@pytest.fixture
def vertex() -> Iterator[FakeVertex]:
    with FakeVertex() as vertex:
        yield vertex


def connector(
    vertex: FakeVertex,
    kind: str,
    transport: str = "rest",
    **settings: Any,
) -> Connector:
    address = vertex.address(RESOURCES[kind], transport=transport)
    endpoint = Endpoint(kind=kind, address=address, settings=settings)
    assert list(module_of(kind).problems(endpoint)) == []
    return module_of(kind).connect(endpoint)


async def ask(
    vertex: FakeVertex,
    kind: str,
    transport: str = "rest",
    **settings: Any,
) -> JsonObject:
    agent = connector(vertex, kind, transport, **settings)
    try:
        async with asyncio.timeout(30):
            return await agent.call(ASKED, CONTEXT)
    finally:
        await agent.close()


@pytest.mark.parametrize(("kind", "transport"), WAYS)
async def test_every_status_is_mapped(vertex: FakeVertex, kind: str, transport: str) -> None:
    agent = connector(vertex, kind, transport)
    found: dict[int, type[BaseException]] = {}
    for context in (CONTEXT, CONTEXT._replace(emit=lambda _: None)):
        for status in EXPECTED:
            vertex.script.once(Failure(status=status, message="out of luck"))
            with pytest.raises(AgentError, match="out of luck") as raised:
                await agent.call(ASKED, context)
            found[status] = raised.type
        assert found == EXPECTED
    await agent.close()
    assert len(vertex.script.received) == 2 * len(EXPECTED), "a client tried again by itself"


@pytest.mark.parametrize(("kind", "transport"), WAYS)
async def test_what_the_agents_own_code_raised_may_have_acted(
    vertex: FakeVertex, kind: str, transport: str
) -> None:
    vertex.script.once(Failure(status=400, reason="FAILED_PRECONDITION"))
    with pytest.raises(AgentError) as raised:
        await ask(vertex, kind, transport)
    assert raised.type is AgentError
    assert raised.value.may_have_started


@pytest.mark.parametrize("kind", RESOURCES)
async def test_how_long_to_wait_is_read_from_googles_details(vertex: FakeVertex, kind: str) -> None:
    vertex.script.once(Failure(status=429, retry_after=12.5, in_header=False))
    with pytest.raises(AgentRateLimitedError) as raised:
        await ask(vertex, kind)
    assert raised.value.retry_after == 12.5


@pytest.mark.parametrize("kind", RESOURCES)
async def test_nobody_is_followed_elsewhere(vertex: FakeVertex, kind: str) -> None:
    with FakeVertex() as elsewhere:
        vertex.script.once(
            Failure(status=307, location=elsewhere.address(RESOURCES[kind]) + ":query")
        )
        with pytest.raises(AgentError):
            await ask(vertex, kind)
        assert elsewhere.script.received == elsewhere.script.probed == []


@pytest.mark.parametrize(("kind", "transport"), WAYS)
async def test_too_much_is_no_reply(vertex: FakeVertex, kind: str, transport: str) -> None:
    vertex.script.act = Reply(pieces=("x" * (33 * 2**20),))
    with pytest.raises(UnknownReplyError, match="larger"):
        await ask(vertex, kind, transport)


@pytest.mark.parametrize(("kind", "transport"), WAYS)
async def test_too_many_pieces_are_no_reply_either(
    vertex: FakeVertex, kind: str, transport: str
) -> None:
    vertex.script.act = Reply(pieces=("x" * 2**20,) * 40)
    agent = connector(vertex, kind, transport)
    heard: list[str] = []
    with pytest.raises(UnknownReplyError, match="larger"):
        await agent.call(ASKED, CONTEXT._replace(emit=heard.append))
    assert len(heard) < 40
    await agent.close()


@pytest.mark.parametrize("transport", ["rest", "grpc"])
@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(block_reason="PROHIBITED_CONTENT", block_message="not that"), "not that"),
        (Reply(finish_reason="SAFETY"), "SAFETY"),
        (Reply(pieces=("",), finish_reason="MAX_TOKENS"), "MAX_TOKENS"),
    ],
)
async def test_what_gemini_will_not_say_is_refused(
    vertex: FakeVertex,
    transport: str,
    streams: bool,  # noqa: FBT001  a parameter
    reply: Reply,
    said: str,
) -> None:
    vertex.script.act = reply
    agent = connector(vertex, "vertex_chat", transport)
    context = CONTEXT._replace(emit=lambda _: None) if streams else CONTEXT
    with pytest.raises(AgentRefusedError, match=said):
        await agent.call(ASKED, context)
    await agent.close()


async def test_a_short_answer_is_still_one(vertex: FakeVertex) -> None:
    vertex.script.act = Reply(pieces=("Two se",), finish_reason="MAX_TOKENS")
    assert (await ask(vertex, "vertex_chat"))["content"] == "Two se"


@pytest.mark.parametrize("kind", RESOURCES)
async def test_a_limit_of_its_own_ends_a_call(vertex: FakeVertex, kind: str) -> None:
    vertex.script.act = Reply(held_after=0)
    with pytest.raises(AgentTimeoutError, match=r"within 0\.3 s"):
        await ask(vertex, kind, timeout_seconds=0.3)


async def test_messages_that_cannot_be_sent_are_refused_before_they_are(
    vertex: FakeVertex,
) -> None:
    agent = connector(vertex, "vertex_chat")
    for messages in ("two seats", ["two seats"], [{"role": "juggler", "content": "hop"}]):
        with pytest.raises(AgentRefusedError, match="messages"):
            await agent.call({"messages": messages}, CONTEXT)  # type: ignore[dict-item]
    await agent.close()
    assert vertex.script.received == []


async def test_an_engine_without_a_method_to_ask_is_refused(vertex: FakeVertex) -> None:
    vertex.script.methods = [{"name": name, "api_mode": ""} for name in ("add", "delete")]
    with pytest.raises(AgentRefusedError, match=r"'query'.*\['add', 'delete'\]"):
        await ask(vertex, "vertex_agent_engine")
    with pytest.raises(AgentRefusedError, match="'subtract'"):
        await ask(vertex, "vertex_agent_engine", method="subtract")
    assert (await ask(vertex, "vertex_agent_engine", method="add"))["content"] == "well"
    assert [each.body["classMethod"] for each in vertex.script.received] == ["add"]


@pytest.mark.parametrize("transport", ["rest", "grpc"])
async def test_an_error_that_comes_as_a_piece_is_one(vertex: FakeVertex, transport: str) -> None:
    vertex.script.act = Reply(pieces=("a", "b"), value={"code": 498, "message": "agent broke"})
    agent = connector(vertex, "vertex_agent_engine", transport)
    with pytest.raises(AgentError, match="agent broke") as raised:
        await agent.call(ASKED, CONTEXT._replace(emit=lambda _: None))
    assert raised.type is AgentError
    await agent.close()
