"""Agents found by their cards: over loopback, and against cards that mean no good."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from a2a.server.request_handlers.response_helpers import agent_card_to_dict
from a2a.types import AgentCard, AgentInterface
from a2a.utils.signing import create_agent_card_signer
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from orchestration.agent_registry import AgentRegistry
from orchestration.agents.kinds import module_of
from orchestration.routing.discovery.agent_cards import AgentCardSource, CardAddress, card_source
from orchestration.simple_coordinator import SimpleCoordinator
from orchestration.testing.agent_stage import Echoes, Gate, Says
from orchestration.testing.fake_a2a_agent import FakeA2AAgent
from orchestration.testing.loopback_server import LoopbackServer
from state.agent_context import AgentContext
from state.errors import AgentNotStartedError, ConfigurationError, DiscoveryError
from state.status import WorkflowStatus
from state.task import AgentTask

HERE = ["127.0.0.1"]


def card(url: str, **changes: Any) -> AgentCard:  # noqa: ANN401  fields of a card
    interface = AgentInterface(url=url, protocol_binding="JSONRPC", protocol_version="1.0")
    fields = {"name": "Ticket Desk", "version": "2", "supported_interfaces": [interface]}
    return AgentCard(**{**fields, **changes})


@contextmanager
def answering(answer: Any) -> Iterator[str]:  # noqa: ANN401  a response, or makes one of a URL
    """A server that answers everything in one way."""

    async def answer_it(request: Request) -> Response:
        made = answer(f"http://127.0.0.1:{request.url.port}")
        response: Response = await made if asyncio.iscoroutine(made) else made
        return response

    async def application(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  ASGI
        response = await answer_it(Request(scope, receive))
        await response(scope, receive, send)

    server = LoopbackServer(application)
    server.start()
    try:
        yield server.url
    finally:
        server.stop()


def served(made: AgentCard) -> Response:
    return JSONResponse(agent_card_to_dict(made))


async def problem_with(url: str, **options: Any) -> str:  # noqa: ANN401  the source's
    source = AgentCardSource([url], **{"private_hosts": HERE, **options})
    with pytest.raises(DiscoveryError) as raised:
        await source.find()
    assert url in str(raised.value)
    return str(raised.value)


# -- what is found -------------------------------------------------------------------------


async def test_a_foreign_agent_is_found_by_its_card_and_works_in_a_workflow() -> None:
    with FakeA2AAgent(name="Ticket Desk", skills=("ticket-purchase",)) as desk:
        desk.play(Says(("Two seats ", "are booked.")))
        (spec,) = await AgentCardSource([desk.url], private_hosts=HERE).find()
        registry = AgentRegistry()
        registry.register(spec)
        async with SimpleCoordinator(registry=registry, database_url="memory://") as coordinator:
            request = {"messages": [{"role": "user", "content": "two seats"}]}
            task = AgentTask(capability="ticket_purchase", input_data=request)
            result = await coordinator.execute_sequential([task])
    assert (spec.agent_id, spec.version, spec.kind) == ("ticket_desk", "7", "a2a")
    assert result.status is WorkflowStatus.COMPLETED
    assert result[0].output["content"] == "Two seats are booked."
    assert (result[0].agent, result[0].version) == ("ticket_desk", "7")
    assert desk.received[0].text == "two seats"


async def test_cards_with_the_same_given_id_are_endpoints_of_one_agent() -> None:
    with FakeA2AAgent() as one, FakeA2AAgent() as two:
        addresses = [CardAddress(url=each.url, agent_id="tickets") for each in (one, two)]
        (spec,) = await AgentCardSource(addresses, private_hosts=HERE).find()
        assert [place.address for place in spec.places] == [one.url, two.url]
        assert len({place.endpoint_id for place in spec.places}) == 2


async def test_an_agent_may_not_take_the_name_of_another() -> None:
    with FakeA2AAgent() as one, FakeA2AAgent() as two:
        source = AgentCardSource([one.url, two.url], private_hosts=HERE)
        with pytest.raises(DiscoveryError, match="give each an `agent_id`"):
            await source.find()


async def test_headers_go_with_the_request_for_the_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_TOKEN", "s3cret")
    with FakeA2AAgent() as desk:
        settings = {"headers": {"Authorization": "Bearer ${DESK_TOKEN}"}}
        address = CardAddress(url=desk.url, settings=settings)
        (spec,) = await AgentCardSource([address], private_hosts=HERE).find()
        assert desk.headers[0]["authorization"] == "Bearer s3cret"
        assert "s3cret" not in repr(spec)


async def test_all_that_is_wrong_is_said_at_once() -> None:
    with (
        answering(lambda _: Response("no", 404)) as gone,
        answering(lambda _: Response("{")) as bad,
        pytest.raises(DiscoveryError) as raised,
    ):
        await AgentCardSource([gone, bad], private_hosts=HERE).find()
    assert f"{gone}: " in str(raised.value)
    assert "404" in str(raised.value)
    assert f"{bad}: " in str(raised.value)


def test_bad_addresses_are_all_refused_when_the_source_is_made() -> None:
    with pytest.raises(ConfigurationError) as raised:
        AgentCardSource(["file:///etc/passwd", "http://user:pw@host/"], require_signature=True)
    said = str(raised.value)
    assert "file" in said
    assert "no keys are given" in said


# -- where requests may go -----------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_an_address_that_is_not_public_is_not_asked(host: str) -> None:
    with FakeA2AAgent() as desk:
        url = desk.url.replace("127.0.0.1", host)
        said = await problem_with(url, private_hosts=[])
        assert "not public" in said
        assert desk.headers == []


async def test_a_call_keeps_to_public_addresses_too() -> None:
    with FakeA2AAgent() as desk:
        (spec,) = await AgentCardSource([desk.url], private_hosts=HERE).find()
        (place,) = spec.places
        settings = {**place.settings, "private_hosts": []}
        connector = module_of("a2a").connect(type(place)(address=desk.url, settings=settings))
        before = len(desk.headers)
        with pytest.raises(AgentNotStartedError, match="not public"):
            await connector.call({}, AgentContext("t", "b", "r", "k"))
        await connector.close()
        assert len(desk.headers) == before


async def test_a_card_that_points_elsewhere_is_refused() -> None:
    metadata = "http://169.254.169.254/latest/"
    with answering(lambda _: served(card(metadata))) as url:
        said = await problem_with(url)
    assert "169.254.169.254" in said
    assert "is not allowed" in said


async def test_one_bad_interface_spoils_the_card() -> None:
    def both(url: str) -> Response:
        made = card(url)
        made.supported_interfaces.append(AgentInterface(url="http://10.0.0.1/"))
        return served(made)

    with answering(both) as url:
        assert "10.0.0.1" in await problem_with(url)


async def test_an_allowed_origin_may_be_pointed_to() -> None:
    with FakeA2AAgent() as desk, answering(lambda _: served(card(desk.url + "/"))) as url:
        source = AgentCardSource([url], allowed_origins=[desk.url], private_hosts=HERE)
        (spec,) = await source.find()
        desk.play(Echoes())
        registry = AgentRegistry()
        registry.register(spec)
        async with SimpleCoordinator(registry=registry, database_url="memory://") as coordinator:
            request = {"messages": [{"role": "user", "content": "hello"}]}
            result = await coordinator.execute_sequential([AgentTask("ticket_desk", request)])
        assert result[0].output["content"] == "hello"


async def test_redirects_are_not_followed() -> None:
    with FakeA2AAgent() as desk, answering(lambda _: RedirectResponse(desk.url)) as url:
        assert "redirects are not followed" in await problem_with(url)
        assert desk.headers == []


async def test_a_huge_card_is_not_read() -> None:
    huge = json.dumps({"name": "x" * 1_000_000})
    with answering(lambda _: Response(huge)) as url:
        assert "more than 262144 bytes" in await problem_with(url)


async def test_a_compressed_card_is_not_unpacked() -> None:
    with answering(lambda _: Response(b"x", headers={"content-encoding": "gzip"})) as url:
        assert "compressed" in await problem_with(url)


async def test_a_slow_card_is_not_waited_for() -> None:
    gate = Gate()

    async def late(url: str) -> Response:
        await gate.wait()
        return served(card(url))

    with answering(late) as url:
        said = await problem_with(url, timeout=timedelta(seconds=0.2))
        gate.open()
    assert "no card within 0.2 s" in said


@pytest.mark.parametrize("body", ["[]", '"card"', "null", '{"skills": 3}', "[" * 100_000])
async def test_what_is_no_card_is_said_to_be_none(body: str) -> None:
    with answering(lambda _: Response(body)) as url:
        assert "agent card is none" in await problem_with(url)


async def test_an_agent_of_an_older_protocol_is_refused() -> None:
    def old(url: str) -> Response:
        interface = AgentInterface(url=url, protocol_binding="JSONRPC", protocol_version="0.3")
        return served(card(url, supported_interfaces=[interface]))

    with answering(old) as url:
        assert "version '0.3'" in await problem_with(url)


async def test_the_environments_hosts_are_allowed_by_name() -> None:
    with FakeA2AAgent() as desk:
        with pytest.raises(DiscoveryError, match="not public"):
            await card_source([desk.url]).find()
        (spec,) = await card_source([desk.url], allowed_hosts=["127.0.0.1"]).find()
        with answering(lambda _: served(card(desk.url + "/"))) as url:
            host = desk.url.removeprefix("http://")
            (pointed,) = await card_source([url], allowed_hosts=[host]).find()
    assert (spec.agent_id, pointed.agent_id) == ("fake", "ticket_desk")


# -- signatures ----------------------------------------------------------------------------

KEY, OTHER_KEY = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())


def public(key: ec.EllipticCurvePrivateKey) -> str:
    encoded = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return encoded.decode()


def signed(made: AgentCard, key: ec.EllipticCurvePrivateKey, *, alg: str = "ES256") -> AgentCard:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    header: Any = {"kid": "desk", "alg": alg, "jku": "http://127.0.0.1:1/keys", "typ": "JOSE"}
    return create_agent_card_signer(private, header)(made)


KEYS = {"desk": public(KEY)}


async def test_a_good_signature_is_accepted() -> None:
    with answering(lambda url: served(signed(card(url), KEY))) as url:
        source = AgentCardSource([url], keys=KEYS, require_signature=True, private_hosts=HERE)
        (spec,) = await source.find()
    assert spec.agent_id == "ticket_desk"


async def test_a_signature_by_another_key_is_refused_though_none_is_required() -> None:
    with answering(lambda url: served(signed(card(url), OTHER_KEY))) as url:
        assert "signature" in await problem_with(url, keys=KEYS)


async def test_a_signature_under_an_unknown_key_id_is_refused() -> None:
    with answering(lambda url: served(signed(card(url), KEY))) as url:
        assert "signature" in await problem_with(url, keys={"other": public(KEY)})


async def test_a_card_that_was_changed_after_it_was_signed_is_refused() -> None:
    def changed(url: str) -> Response:
        made = signed(card(url), KEY)
        made.version = "3"
        return served(made)

    with answering(changed) as url:
        assert "signature" in await problem_with(url, keys=KEYS)


async def test_a_public_key_used_as_a_shared_secret_signs_nothing() -> None:
    def forged(url: str) -> Response:
        header: Any = {"kid": "desk", "alg": "HS256", "jku": None, "typ": "JOSE"}
        return served(create_agent_card_signer(b"x" * 32, header)(card(url)))

    with answering(forged) as url:
        assert "signature" in await problem_with(url, keys=KEYS)


async def test_a_missing_signature_is_refused_only_where_one_is_required() -> None:
    with answering(lambda url: served(card(url))) as url:
        assert "one is required" in await problem_with(url, keys=KEYS, require_signature=True)
        (spec,) = await AgentCardSource([url], keys=KEYS, private_hosts=HERE).find()
    assert spec.agent_id == "ticket_desk"


def test_a_private_key_is_no_key_to_check_with() -> None:
    private = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with pytest.raises(ConfigurationError, match="no public key"):
        AgentCardSource(["https://agents.example.com"], keys={"desk": private})
