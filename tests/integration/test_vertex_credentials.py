"""Application default credentials, for real: a key, a token from it, a header with the token."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.agents.connector import Connector
from orchestration.agents.endpoint import Endpoint
from orchestration.agents.kinds import module_of
from orchestration.testing.fake_vertex import Failure, FakeVertex, write_certificate
from state.agent_context import AgentContext
from state.errors import AgentAuthError, AgentError, AgentNotStartedError
from state.jsonvalue import JsonObject
from tests.integration.vertex_stage import GOOGLES_WARNINGS, RESOURCES, free_port

pytestmark = GOOGLES_WARNINGS
CONTEXT = AgentContext("thread-1", "book", "run-1", "run-1:book")
ASKED: JsonObject = {"messages": [{"role": "user", "content": "two seats"}]}
WAYS = [(kind, transport) for kind in RESOURCES for transport in ("rest", "grpc")]


@pytest.fixture
def vertex(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeVertex]:
    """One that wants tokens, and default credentials that get them."""
    with FakeVertex() as vertex:
        file = vertex.credentials_file(tmp_path / "account.json")
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        yield vertex


def connector(vertex: FakeVertex, kind: str, transport: str = "rest") -> Connector:
    address = vertex.address(RESOURCES[kind], transport=transport)
    return module_of(kind).connect(Endpoint(kind=kind, address=address))


@pytest.mark.parametrize(("kind", "transport"), WAYS)
async def test_calls_come_with_a_token_that_is_used_again(
    vertex: FakeVertex, kind: str, transport: str
) -> None:
    agent = connector(vertex, kind, transport)
    for context in (CONTEXT, CONTEXT, CONTEXT._replace(emit=lambda _: None)):
        await agent.call(ASKED, context)
    assert [each.token for each in vertex.script.received] == vertex.tokens.given * 3
    await agent.close()


@pytest.mark.parametrize(("kind", "transport"), WAYS)
async def test_a_token_that_is_refused_is_not_used_again(
    vertex: FakeVertex, kind: str, transport: str
) -> None:
    agent = connector(vertex, kind, transport)
    await agent.call(ASKED, CONTEXT)
    vertex.script.tokens = ["another"]
    with pytest.raises(AgentAuthError):
        await agent.call(ASKED, CONTEXT)
    vertex.script.tokens = vertex.tokens.given
    await agent.call(ASKED, CONTEXT)
    assert [each.token for each in vertex.script.received] == ["fake-token-1", "fake-token-2"]
    await agent.close()


@pytest.mark.parametrize(
    ("status", "expected"),
    [(400, AgentAuthError), (401, AgentAuthError), (503, AgentNotStartedError)],
)
async def test_without_a_token_nothing_is_sent(
    vertex: FakeVertex, status: int, expected: type[Exception]
) -> None:
    vertex.tokens.failure = status
    agent = connector(vertex, "vertex_chat")
    with pytest.raises(AgentError) as raised:
        await agent.call(ASKED, CONTEXT)
    assert raised.type is expected
    with pytest.raises(AgentError):
        await agent.probe()
    vertex.tokens.failure = None
    await agent.call(ASKED, CONTEXT)
    assert len(vertex.script.received) == 1
    await agent.close()


async def test_who_gives_out_tokens_may_be_out_of_reach(vertex: FakeVertex, tmp_path: Path) -> None:
    file = tmp_path / "account.json"
    there = f"{vertex.url}/token"
    file.write_text(file.read_text().replace(there, f"http://127.0.0.1:{free_port()}/token"))
    agent = connector(vertex, "vertex_chat")
    with pytest.raises(AgentError) as raised:
        await agent.call(ASKED, CONTEXT)
    assert raised.type is AgentNotStartedError
    await agent.close()


async def test_a_file_of_the_settings_comes_before_the_default(
    vertex: FakeVertex, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nowhere.json"))
    settings = {"credentials_file": str(tmp_path / "account.json")}
    endpoint = Endpoint(
        kind="vertex_chat", address=vertex.address("endpoints/99"), settings=settings
    )
    assert list(module_of("vertex_chat").problems(endpoint)) == []
    agent = module_of("vertex_chat").connect(endpoint)
    await agent.call(ASKED, CONTEXT)
    assert vertex.script.received[0].token == vertex.tokens.given[0]
    await agent.close()


@pytest.mark.parametrize(("kind", "transport"), WAYS)
async def test_a_key_may_be_exchanged_while_calls_go_on(
    vertex: FakeVertex, tmp_path: Path, kind: str, transport: str
) -> None:
    file = tmp_path / "account.json"
    good = file.read_text()
    vertex.tokens.lifetime = 1  # so short that no token is used twice
    agent = connector(vertex, kind, transport)
    await agent.call(ASKED, CONTEXT)
    file.write_text(json.dumps(json.loads(good) | {"token_uri": f"{vertex.url}/nowhere"}))
    vertex.tokens.failure = 401
    with pytest.raises(AgentAuthError):
        await agent.call(ASKED, CONTEXT)
    vertex.tokens.failure = None
    with pytest.raises(AgentAuthError):
        await agent.call(ASKED, CONTEXT)
    file.write_text(good)
    await agent.call(ASKED, CONTEXT)
    assert [each.token for each in vertex.script.received] == vertex.tokens.given
    await agent.close()


async def test_a_file_that_is_gone_is_said_to_be(vertex: FakeVertex, tmp_path: Path) -> None:
    (tmp_path / "account.json").unlink()
    agent = connector(vertex, "vertex_chat")
    with pytest.raises(AgentAuthError, match=r"account\.json"):
        await agent.call(ASKED, CONTEXT)
    await agent.close()
    assert vertex.script.received == []


@pytest.mark.parametrize(("kind", "transport"), WAYS)
def test_a_token_serves_one_loop_after_another(
    vertex: FakeVertex, kind: str, transport: str
) -> None:
    agent = connector(vertex, kind, transport)
    for _ in range(3):
        asyncio.run(agent.call(ASKED, CONTEXT))
    asyncio.run(agent.close())
    assert vertex.tokens.given == ["fake-token-1"]
    assert len(vertex.script.received) == 3


@pytest.mark.parametrize("kind", RESOURCES)
async def test_a_key_for_another_api_of_googles_is_not_sent(
    vertex: FakeVertex, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", "a-secret-key")
    agent = connector(vertex, kind)
    await agent.call(ASKED, CONTEXT)
    (received,) = vertex.script.received
    assert received.token == vertex.tokens.given[0]
    assert "a-secret-key" not in f"{received.headers} {received.body}"
    await agent.close()


async def test_errors_say_nothing_secret(vertex: FakeVertex) -> None:
    agent = connector(vertex, "vertex_predict")
    vertex.script.once(Failure(status=500))
    with pytest.raises(AgentError) as raised:
        await agent.call(ASKED, CONTEXT)
    assert "fake-token" not in repr(raised.value)
    assert "fake-token" not in repr(vertex.script.received[0])
    await agent.close()


@pytest.mark.parametrize(("kind", "transport"), WAYS)
async def test_tokens_go_over_tls_to_who_has_a_certificate(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    trusted: tuple[Path, Path],
    kind: str,
    transport: str,
) -> None:
    with FakeVertex(certificate=trusted) as vertex:
        agent = connector(vertex, kind, transport)
        with FakeVertex() as giver:
            file = giver.credentials_file(tmp_path / "account.json")
            monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
            await agent.call(ASKED, CONTEXT)
        assert [each.token for each in vertex.script.received] == giver.tokens.given
        await agent.close()


@pytest.mark.parametrize(("kind", "transport"), WAYS)
async def test_nobody_else_gets_them(trusted: tuple[Path, Path], kind: str, transport: str) -> None:
    """The certificate is for 127.0.0.1, and not for the name."""
    with FakeVertex(certificate=trusted) as vertex:
        address = vertex.address(RESOURCES[kind], transport=transport)
        address = address.replace("127.0.0.1", "localhost")
        agent = module_of(kind).connect(Endpoint(kind=kind, address=address))
        with pytest.raises(AgentError) as raised:
            await agent.call(ASKED, CONTEXT)
        assert raised.type is AgentNotStartedError
        await agent.close()
        assert vertex.script.received == vertex.script.probed == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def trusted(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A certificate that all of Google's clients trust; gRPC reads it once in a process."""
    for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"):
        monkeypatch.setenv(variable, str(certificate[0]))
    return certificate
