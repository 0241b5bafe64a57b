"""Addresses of agents on Vertex AI."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.agents.endpoint import Endpoint
from orchestration.agents.google_address import AddressError, GooglePlace, place_of

RESOURCE = "projects/p1/locations/us-central1/endpoints/99"


def place(address: str, **settings: object) -> GooglePlace:
    return place_of(Endpoint(address=address, settings=settings))


@pytest.mark.parametrize(
    ("address", "origin", "transport"),
    [
        (RESOURCE, "https://us-central1-aiplatform.googleapis.com", "rest"),
        (f"https://eu.example.com/{RESOURCE}", "https://eu.example.com", "rest"),
        (f"http://127.0.0.1:8911/v1/{RESOURCE}", "http://127.0.0.1:8911", "rest"),
        (f"http://127.0.0.1:8911/v1beta1/{RESOURCE}", "http://127.0.0.1:8911", "rest"),
        (f"http://[::1]:8911/{RESOURCE}", "http://[::1]:8911", "rest"),
        (f"grpc://127.0.0.1:9000/{RESOURCE}", "http://127.0.0.1:9000", "grpc"),
        (f"grpcs://eu.example.com/{RESOURCE}", "https://eu.example.com", "grpc"),
    ],
)
def test_it_is_a_resource_alone_or_at_the_end_of_a_url(
    address: str, origin: str, transport: str
) -> None:
    found = place(address)
    assert (found.resource, found.origin, found.transport) == (RESOURCE, origin, transport)


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("global", "aiplatform.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
        ("europe-west4", "europe-west4-aiplatform.googleapis.com"),
    ],
)
def test_locations_have_their_hosts(location: str, host: str) -> None:
    assert place(f"projects/p/locations/{location}/endpoints/1").host == host


def test_settings_say_host_and_transport() -> None:
    assert place(RESOURCE, transport="grpc").target == ("us-central1-aiplatform.googleapis.com:443")
    assert place(RESOURCE, api_endpoint="psc.example.com").origin == "https://psc.example.com"
    assert place(RESOURCE, api_endpoint="grpc://localhost:9000").target == "localhost:9000"
    over_grpc = place(f"http://127.0.0.1:9000/{RESOURCE}", transport="grpc")
    assert (over_grpc.target, over_grpc.is_clear) == ("127.0.0.1:9000", True)


@pytest.mark.parametrize(
    ("origin", "loopback"),
    [
        ("http://127.0.0.1:1", True),
        ("http://127.8.8.8", True),
        ("grpc://[::1]:1", True),
        ("http://localhost:1", True),
        ("http://10.0.0.1", False),
        ("http://localhost.example.com", False),
        ("http://127.0.0.1.example.com", False),
    ],
)
def test_it_is_known_what_is_this_machine(origin: str, loopback: bool) -> None:  # noqa: FBT001
    assert place(f"{origin}/{RESOURCE}").is_loopback is loopback


@pytest.mark.parametrize(
    "address",
    [
        "",
        "https://example.com/agents/7",
        "projects/p1/endpoints/99",
        "projects/p1/locations/us-central1/endpoints/",
        "projects/p1/locations/us-central1/endpoints/99/more",
        "projects/p1/locations/evil.com%2f/endpoints/99",
        "projects/p1/locations/evil.com/endpoints/99",
        "projects/../locations/us-central1/endpoints/99",
        "projects/p1/locations/us-central1/endpoints/99?x=y",
        f"ftp://example.com/{RESOURCE}",
        f"https://user:secret@example.com/{RESOURCE}",
        f"https://example.com?x=/{RESOURCE}",
        f"https://example.com/other/{RESOURCE}",
        f"https:///{RESOURCE}",
    ],
)
def test_anything_else_is_none(address: str) -> None:
    with pytest.raises(AddressError):
        place(address)


@pytest.mark.parametrize(
    "settings",
    [
        {"transport": "pigeon"},
        {"api_endpoint": 7},
        {"api_endpoint": "https://example.com/v1"},
        {"api_endpoint": "user@example.com"},
        {"api_endpoint": "grpc://localhost:1", "transport": "rest"},
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(AddressError):
        place(RESOURCE, **settings)
