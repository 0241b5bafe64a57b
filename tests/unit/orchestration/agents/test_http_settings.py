"""What may be said about endpoints over HTTP, and what is refused."""

# ruff: noqa: ANN401  anything may be said

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestration.agents import http, remote_graph
from orchestration.agents.endpoint import Endpoint
from orchestration.agents.headers import filled
from orchestration.agents.kinds import problems_of
from state.errors import AgentAuthError, AgentError

ADDRESS = "https://agents.example.com/ticketing"


def problems(address: str | None = ADDRESS, **settings: Any) -> list[str]:
    return list(http.problems(Endpoint(kind="http", address=address, settings=settings)))


def graph_problems(**settings: Any) -> list[str]:
    endpoint = Endpoint(kind="langgraph", address=ADDRESS, settings=settings)
    return list(remote_graph.problems(endpoint))


def test_no_number_is_too_large_to_be_refused() -> None:
    for seconds in (float("inf"), float("nan"), 10**400, 1e300):
        assert "timeout_seconds" in problems(timeout_seconds=seconds)[0]


def test_what_fits_has_no_problems(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TICKETING_TOKEN", "secret")
    authorities = tmp_path / "authorities.pem"
    authorities.write_text("")
    headers = {"Authorization": "Bearer ${TICKETING_TOKEN}", "X-Team": "events"}
    assert problems() == []
    assert problems("http://[::1]:8080/") == []
    assert (
        problems(
            headers=headers, health_path="/health", timeout_seconds=2.5, verify=str(authorities)
        )
        == []
    )
    assert graph_problems(graph="purchase", headers=headers, api_key="${TICKETING_TOKEN}") == []


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (None, "give a URL"),
        ("", "give a URL"),
        ("ftp://host/x", "give a URL"),
        ("https:///path", "give a URL"),
        ("http://host:99999/", "no URL"),
        ("http://host:0/", "give a URL"),
        ("http://[::1/", "no URL"),
        ("http://host/a b", "spaces"),
        ("http://host/\r\nX: y", "spaces"),
        ("http://ann:pass@host/", "user or a password"),
    ],
)
def test_addresses_that_are_none(address: str | None, said: str) -> None:
    found = "; ".join(problems(address))
    assert said in found
    assert "pass@" not in found


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"colour": "red"}, "['colour'] are unknown; there are ['headers'"),
        ({"headers": "Authorization: x"}, "headers are a str"),
        ({"headers": {"Bad Name": "x"}}, "does not allow"),
        ({"headers": {"X-A": "two\nlines"}}, "one line"),
        ({"headers": {"X-A": 7}}, "one line"),
        ({"headers": {"content-LENGTH": "7"}}, "set by the connector"),
        ({"headers": {"X-A": "${NOT_SET_ANYWHERE}"}}, "NOT_SET_ANYWHERE of the environment, which"),
        ({"headers": {"X-A": "${}"}}, "no name of a variable"),
        ({"health_path": "health"}, "begins with '/'"),
        ({"timeout_seconds": 0}, "a number above 0"),
        ({"timeout_seconds": True}, "a number above 0"),
        ({"timeout_seconds": float("inf")}, "a number above 0"),
        ({"verify": "/no/such/file"}, "a file of certificates"),
        ({"verify": None}, "a file of certificates"),
    ],
)
def test_settings_that_cannot_be(settings: Mapping[str, Any], said: str) -> None:
    (found,) = problems(**settings)
    assert said in found


def test_every_problem_is_told() -> None:
    assert len(problems("nowhere", colour="red", verify=7, timeout_seconds="soon")) == 4


def test_a_graph_has_a_name_and_a_key_that_is_there() -> None:
    (found,) = graph_problems()
    assert "graph is None" in found
    (found,) = graph_problems(graph="purchase", api_key="${NOT_SET_ANYWHERE}")
    assert "NOT_SET_ANYWHERE" in found
    (found,) = graph_problems(graph="purchase", api_key=7)
    assert "api_key is a int" in found


def test_headers_get_what_the_environment_has_now(monkeypatch: pytest.MonkeyPatch) -> None:
    headers = {"Authorization": "Bearer ${TOKEN_OF_TEST}"}
    for token in ("first-token", "second-token"):
        monkeypatch.setenv("TOKEN_OF_TEST", f"{token}\n")
        assert filled(headers).headers == {"Authorization": f"Bearer {token}"}
    monkeypatch.delenv("TOKEN_OF_TEST")
    with pytest.raises(AgentAuthError, match="TOKEN_OF_TEST"):
        filled(headers)


def test_a_value_that_would_break_a_header_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_OF_TEST", "secret\r\nX-Admin: yes")
    with pytest.raises(AgentAuthError) as raised:
        filled({"Authorization": "${TOKEN_OF_TEST}"})
    assert "secret" not in str(raised.value)


def test_secrets_are_taken_out_of_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_OF_TEST", "hush-hush")
    given = filled({"Authorization": "Bearer ${TOKEN_OF_TEST}"})
    error = given.without_secrets(AgentError("you sent Bearer hush-hush"))
    assert (str(error), error.args) == ("you sent Bearer ***", ("you sent Bearer ***",))


def test_checking_loads_no_client() -> None:
    code = (
        "import sys; from orchestration.agents import http, remote_graph; "
        "from orchestration.agents.endpoint import Endpoint; "
        "e = Endpoint(kind='http', address='http://host/'); "
        "list(http.problems(e)); list(remote_graph.problems(e)); "
        "print([m for m in ('httpx', 'langgraph', 'langgraph_sdk') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", ["//evil.example/x", "/\\evil.example", "/a b", "/a\n", ""])
def test_a_health_path_leads_to_no_other_host(path: str) -> None:
    assert "health_path" in problems(health_path=path)[0]


SECRETS: list[dict[str, Any]] = [
    {"headers": {"Authorization": "Bearer s3cret"}},
    {"headers": {"X-Desk": "${DESK_TOKEN}"}},
]


@pytest.mark.parametrize("settings", SECRETS)
@pytest.mark.parametrize("kind", ["http", "langgraph", "a2a"])
def test_credentials_go_to_nobody_in_clear_text(
    kind: str, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESK_TOKEN", "s3cret")
    settings = settings | ({"graph": "desk"} if kind == "langgraph" else {})

    def found(address: str, **more: Any) -> list[str]:
        endpoint = Endpoint(kind=kind, address=address, settings=settings | more)
        return list(problems_of(endpoint))

    (said,) = found("http://desk.example/agent?key=s3cret")
    assert "in clear text" in said
    assert "s3cret" not in said
    assert found("http://desk.example/agent", allow_clear_text=True) == []
    assert "true or false" in found("https://desk.example", allow_clear_text="yes")[0]
    for address in (
        "https://desk.example",
        "http://127.0.0.1:1",
        "http://[::1]",
        "http://localhost",
    ):
        assert found(address) == []
    assert found("http://desk.example", headers={"X-Team": "events"}) == []


def test_a_key_or_another_origin_in_clear_text_is_seen_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_TOKEN", "s3cret")
    settings = {"graph": "desk", "api_key": "${DESK_TOKEN}"}
    graph = Endpoint(kind="langgraph", address="http://desk.example", settings=settings)
    assert "x-api-key" in " ".join(problems_of(graph))
    more = {**SECRETS[0], "interface_origins": ["http://desk.example"]}
    desk = Endpoint(kind="a2a", address="https://desk.example", settings=more)
    assert "in clear text" in " ".join(problems_of(desk))


def test_two_signs_stand_for_one_and_no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_TOKEN", "s3cret$${DESK_TOKEN}")
    headers = {"X-A": "$${DESK_TOKEN}", "X-B": "${DESK_TOKEN}", "X-C": "$$ ${DESK_TOKEN}"}
    assert problems(headers=headers) == []
    assert filled(headers).headers == {
        "X-A": "${DESK_TOKEN}",
        "X-B": "s3cret$${DESK_TOKEN}",
        "X-C": "$$ s3cret$${DESK_TOKEN}",
    }
    assert "no name" in problems(headers={"X-A": "${}"})[0]
