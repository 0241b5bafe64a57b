"""What is told of addresses, and what not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestration.agent_registry import AgentRegistry
from orchestration.agents import google_address
from orchestration.agents.addresses import told
from orchestration.agents.endpoint import Endpoint
from orchestration.agents.spec import AgentSpec
from orchestration.routing.discovery.card_words import endpoint_id_of, name_of
from state.errors import RegistrationError


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://host/path", "https://host/path"),
        ("https://[::1]:8080/", "https://[::1]:8080/"),
        ("https://host/agent?key=s3cret", "https://host/agent"),
        ("https://host/agent#s3cret", "https://host/agent"),
        ("https://ann:s3cret@host/agent", "https://host/agent"),
        ("ftp://s3cret@host", "ftp://host"),
        ("https://ann:s3/cret@host/agent", "https://***"),
        ("https://ann:s3?cret@host/agent", "https://***"),
        ("http://[s3cret", "http://***"),
        ("projects/p/locations/r/publishers/google/models/m@001",) * 2,
        ("", ""),
        ("https://h/" + "x" * 300, "https://h/" + "x" * 190 + "..."),
    ],
)
def test_what_may_be_secret_is_left_out(address: str, shown: str) -> None:
    assert told(address) == shown


def _as_google(address: str) -> str:
    with pytest.raises(google_address.AddressError) as refused:
        google_address.place_of(Endpoint(address=address))
    return str(refused.value)


def _as_any(address: str) -> str:
    with pytest.raises(RegistrationError) as refused:
        AgentRegistry().register(AgentSpec("a", endpoint=address))
    return str(refused.value)


def _as_card(address: str) -> str:
    from orchestration.routing.discovery.agent_cards import AgentCardSource  # noqa: PLC0415
    from state.errors import ConfigurationError  # noqa: PLC0415

    with pytest.raises(ConfigurationError) as refused:
        AgentCardSource([address])
    return str(refused.value)


def _as_card_origin(address: str) -> str:
    from orchestration.a2a.guarded_http import origin_of  # noqa: PLC0415
    from state.errors import ConfigurationError  # noqa: PLC0415

    with pytest.raises(ConfigurationError) as refused:
        origin_of(address)
    return str(refused.value)


@pytest.mark.parametrize("said", [_as_google, _as_any, _as_card, _as_card_origin])
def test_no_refusal_tells_a_password(said: Callable[[str], str]) -> None:
    for address in ("ftp://ann:s3cret@host/x?key=s3cret", "ftp://ann:s3cret@host/projects/p"):
        assert "s3cret" not in said(address)


def test_no_list_of_endpoints_tells_a_query() -> None:
    registry = AgentRegistry()
    registry.register(AgentSpec("desk", endpoint="https://host/agent?key=s3cret", kind="http"))
    assert "https://host/agent" in str(registry.get_agent_stats())
    assert "s3cret" not in str(registry.get_agent_stats())
    assert "s3cret" not in str(registry.explain("desk").as_json())


def test_cards_with_different_queries_have_different_names() -> None:
    names = {name_of(f"https://host/agent?key=s3cret{each}") for each in range(3)}
    ids = {endpoint_id_of(f"https://host/agent?key=s3cret{each}") for each in range(3)}
    assert (len(names), len(ids)) == (3, 3)
    assert "s3cret" not in f"{names} {ids}"
    assert endpoint_id_of("https://host:8080/agent") == "host_8080_agent"
