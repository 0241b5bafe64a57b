"""What calls of A2A agents send, and what becomes of answers that mean no good."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from a2a.types import AgentInterface
from starlette.types import Receive, Scope, Send

from orchestration.agents.a2a import connect
from orchestration.agents.endpoint import Endpoint
from orchestration.testing.agent_stage import Echoes, Fails, Says
from orchestration.testing.fake_a2a_agent import FakeA2AAgent
from orchestration.testing.loopback_server import LoopbackServer
from state.agent_context import AgentContext
from state.errors import AgentAuthError, AgentError, AgentNotStartedError, UnknownReplyError
from state.jsonvalue import JsonObject

ASKED: JsonObject = {
    "messages": [
        {"role": "user", "content": "earlier"},
        {"role": "assistant", "content": "well"},
        {"role": "user", "content": "two seats"},
        {"role": "user", "content": [{"type": "text", "text": "for tonight"}]},
    ],
    "budget": 100,
}


def context(key: str = "run:task", thread: str = "thread") -> AgentContext:
    return AgentContext(thread, "task", "run", key)


async def call(endpoint: Endpoint, *contexts: AgentContext) -> list[JsonObject]:
    connector = connect(endpoint)
    try:
        async with asyncio.timeout(20):
            return [await connector.call(ASKED, each) for each in contexts or [context()]]
    finally:
        await connector.close()


async def test_the_same_task_is_the_same_message_and_the_same_thread_the_same_context() -> None:
    with FakeA2AAgent() as agent:
        contexts = [context(), context()._replace(attempt=2), context("other"), context("x", "t2")]
        await call(agent.endpoint, *contexts)
        messages = [each.message for each in agent.inputs]
    ids = [each.message_id for each in messages if each is not None]
    threads = [each.context_id for each in messages if each is not None]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
    assert threads[0] == threads[1] == threads[2] != threads[3]
    assert "thread" not in threads[0]


async def test_the_text_is_of_the_last_user_messages_and_the_data_is_all() -> None:
    with FakeA2AAgent() as agent:
        await call(agent.endpoint)
        (given,) = agent.inputs
    assert given.get_user_input() == "two seats\n\nfor tonight"
    assert given.message is not None
    assert [part.WhichOneof("content") for part in given.message.parts] == ["text", "data"]


async def test_an_agent_that_takes_no_json_gets_none() -> None:
    with FakeA2AAgent() as agent:
        agent.card.default_input_modes[:] = ["text/plain"]
        await call(agent.endpoint)
        (given,) = agent.inputs
    assert given.message is not None
    assert [part.WhichOneof("content") for part in given.message.parts] == ["text"]


async def test_credentials_go_only_where_the_card_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_TOKEN", "s3cret")
    headers = {"headers": {"Authorization": "Bearer ${DESK_TOKEN}"}}
    with FakeA2AAgent() as agent, FakeA2AAgent() as other:
        place = Endpoint(address=agent.url, kind="a2a", settings=headers)
        await call(place)
        assert {each["authorization"] for each in agent.headers} == {"Bearer s3cret"}
        del agent.card.supported_interfaces[:]
        agent.card.supported_interfaces.append(
            AgentInterface(url=other.url, protocol_binding="JSONRPC", protocol_version="1.0")
        )
        with pytest.raises(AgentNotStartedError, match="is not allowed"):
            await call(place)
        assert other.headers == []


async def test_an_agent_that_repeats_a_secret_does_not_get_it_into_the_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DESK_TOKEN", "s3cret")
    headers = {"headers": {"Authorization": "Bearer ${DESK_TOKEN}"}}
    with FakeA2AAgent() as agent:
        agent.play(Fails("bad header: Bearer s3cret"))
        with pytest.raises(AgentError, match=r"bad header: Bearer \*\*\*"):
            await call(Endpoint(address=agent.url, kind="a2a", settings=headers))


async def test_credentials_that_went_missing_are_said_to_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DESK_TOKEN", raising=False)
    headers = {"headers": {"Authorization": "Bearer ${DESK_TOKEN}"}}
    with FakeA2AAgent() as agent:
        with pytest.raises(AgentAuthError, match="DESK_TOKEN"):
            await call(Endpoint(address=agent.url, kind="a2a", settings=headers))
        assert agent.headers == []


async def test_an_address_may_be_that_of_the_card() -> None:
    with FakeA2AAgent() as agent:
        agent.play(Echoes())
        address = f"{agent.url}/.well-known/agent-card.json"
        (reply,) = await call(Endpoint(address=address, kind="a2a"))
    assert reply == {"content": "two seats\n\nfor tonight"}


async def test_a_reply_without_end_is_not_read_to_its_end() -> None:
    with FakeA2AAgent(streaming=False) as agent:
        agent.play(Says(("x" * 1_000_000,) * 20))
        with pytest.raises(AgentError, match="more than 16777216 bytes"):
            await call(agent.endpoint)


@contextmanager
def answering(result: str, card: FakeA2AAgent) -> Iterator[Endpoint]:
    """An agent whose every answer has the same result."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        body = f'{{"jsonrpc": "2.0", "id": "1", "result": {result}}}'.encode()
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    server = LoopbackServer(application)
    server.start()
    try:
        del card.card.supported_interfaces[:]
        card.card.supported_interfaces.append(
            AgentInterface(url=server.url, protocol_binding="JSONRPC", protocol_version="1.0")
        )
        settings = {"interface_origins": [server.url]}
        yield Endpoint(address=card.url, kind="a2a", settings=settings)
    finally:
        server.stop()


@pytest.mark.parametrize(
    "result",
    [
        "{}",
        "[]",
        "7",
        '{"task": 3}',
        '{"task": {"id": "1", "status": {"state": "TASK_STATE_NO_SUCH"}, "artifacts": 3}}',
        '{"message": {"parts": [{"data": [1]}]}}',
        '{"message": {"parts": ' + "[" * 500 + "]" * 500 + "}}",
    ],
)
async def test_nonsense_is_no_reply(result: str) -> None:
    with (
        FakeA2AAgent(streaming=False) as card,
        answering(result, card) as place,
        pytest.raises(UnknownReplyError),
    ):
        await call(place)


async def test_an_agent_that_wants_other_credentials_is_said_to() -> None:
    state = "TASK_STATE_AUTH_REQUIRED"
    result = f'{{"task": {{"id": "1", "status": {{"state": "{state}"}}}}}}'
    with (
        FakeA2AAgent(streaming=False) as card,
        answering(result, card) as place,
        pytest.raises(AgentAuthError, match="credentials"),
    ):
        await call(place)
