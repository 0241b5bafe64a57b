from __future__ import annotations

from typing import Any

import pytest

from orchestration.agents.a2a import problems
from orchestration.agents.endpoint import Endpoint


def found(
    address: str | None = "https://agents.example.com",
    **settings: Any,  # noqa: ANN401  as in a file
) -> list[str]:
    return list(problems(Endpoint(address=address, kind="a2a", settings=settings)))


def test_a_plain_address_is_well() -> None:
    assert found() == []
    assert found("http://127.0.0.1:8000/agents/hr/.well-known/agent-card.json") == []


@pytest.mark.parametrize(
    "address", ["ftp://x", "agents.example.com", "", "http://", "http://a:b@c/", "http://x:y/"]
)
def test_bad_addresses_are_said_to_be(address: str) -> None:
    (problem,) = found(address)
    assert "address" in problem


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"timeout": 3}, "timeout"),
        ({"timeout_seconds": 0}, "above 0"),
        ({"on_input_required": "ask"}, "'refuse' or 'wait'"),
        ({"public_only": "yes"}, "true or false"),
        ({"private_hosts": "localhost"}, "a list of texts"),
        ({"interface_origins": ["nowhere"]}, "interface_origins"),
        ({"headers": {"Authorization": "Bearer ${NOT_SET_ANYWHERE}"}}, "NOT_SET_ANYWHERE"),
        ({"headers": {"Host": "x"}}, "Host"),
        ({"headers": {"X": "a\nb"}}, "X"),
    ],
)
def test_each_bad_setting_is_named(settings: dict[str, Any], words: str) -> None:
    (problem,) = found(**settings)
    assert words in problem
