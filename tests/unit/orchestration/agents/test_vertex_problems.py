"""What is wrong with an endpoint on Vertex AI is said without asking anybody."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestration.agents import google_credentials
from orchestration.agents.endpoint import Endpoint
from orchestration.agents.google_address import place_of
from orchestration.agents.google_credentials import TokenSource
from orchestration.agents.kinds import module_of
from state.errors import AgentAuthError

RESOURCE = "projects/p1/locations/us-central1/endpoints/99"
ENGINE = "projects/p1/locations/us-central1/reasoningEngines/9"


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without credentials, that is none of Google's."""
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", *google_credentials._MACHINE_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")


def problems(
    address: str = f"http://127.0.0.1:1/{RESOURCE}", kind: str = "vertex_chat", **settings: object
) -> list[str]:
    endpoint = Endpoint(kind=kind, address=address, settings=settings)
    return list(module_of(kind).problems(endpoint))


def only(found: list[str]) -> str:
    (problem,) = found
    return problem


def test_a_good_endpoint_has_none() -> None:
    assert problems(temperature=0, top_p=1, top_k=1, max_output_tokens=1, timeout_seconds=0.5) == []
    assert problems(kind="vertex_predict", instance_fields=["a"], parameters={}) == []
    address = f"grpc://127.0.0.1:1/{ENGINE}"
    assert problems(address, "vertex_agent_engine", send_history=False, method="ask") == []
    model = "projects/p1/locations/global/publishers/google/models/gemini-2.5-flash"
    assert problems(f"http://127.0.0.1:1/{model}") == []


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("vertex_chat", {"temperature": 3}),
        ("vertex_chat", {"temperature": True}),
        ("vertex_chat", {"top_k": 0}),
        ("vertex_chat", {"system_prompt": ""}),
        ("vertex_chat", {"timeout_seconds": 0}),
        ("vertex_chat", {"timeout_seconds": "5"}),
        ("vertex_chat", {"transport": "pigeon"}),
        ("vertex_chat", {"credentials_file": 7}),
        ("vertex_chat", {"instance_fields": ["a"]}),
        ("vertex_predict", {"instance_fields": "a"}),
        ("vertex_predict", {"parameters": []}),
        ("vertex_chat", {"trusted_hosts": "example.com"}),
        ("vertex_chat", {"trusted_hosts": [7]}),
        ("vertex_predict", {"tempreature": 1}),
    ],
)
def test_settings_that_cannot_be_are_named(kind: str, settings: dict[str, Any]) -> None:
    assert next(iter(settings)) in only(problems(kind=kind, **settings))


def test_all_problems_are_named_at_once() -> None:
    found = problems("nowhere", tempreature=1, timeout_seconds=-1)
    assert len(found) == 3


def test_a_kind_takes_its_own_resources() -> None:
    assert "vertex_chat" in only(problems(f"http://127.0.0.1:1/{ENGINE}"))
    found = problems(f"http://127.0.0.1:1/{RESOURCE}", "vertex_agent_engine")
    assert "reasoningEngines" in only(found)


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_credentials_go_to_nobody_in_clear_text(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_GCE_CHECK")
    monkeypatch.setenv("GCE_METADATA_HOST", "metadata.google.internal")
    assert "clear text" in only(problems(f"{scheme}://10.0.0.1:80/{RESOURCE}"))


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evilgoogleapis.com",
        "googleapis.com.evil.example",
        "aiplatform.googleapis.com.evil.example:443",
        "vertexai.goog.evil.example",
        "10.0.0.1",
        "localhost.evil.example",
    ],
)
@pytest.mark.parametrize("scheme", ["https", "grpcs"])
def test_a_token_goes_to_no_strangers_host(
    host: str, scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "application_default_credentials.json").write_text("{}")
    address = f"{scheme}://{host}/{RESOURCE}"
    assert "no host of Google's" in only(problems(address))
    assert "no host of Google's" in only(problems(RESOURCE, api_endpoint=f"{scheme}://{host}"))
    assert only(problems(address, trusted_hosts=["other.example", f"sub.{host}"]))
    name = host.partition(":")[0]
    assert problems(address, trusted_hosts=[name.upper()]) == []
    monkeypatch.delenv("NO_GCE_CHECK")
    tokens = TokenSource(place_of(Endpoint(address=address)), {})
    with pytest.raises(AgentAuthError, match="may not get Google's credentials"):
        tokens.refresh()


@pytest.mark.parametrize(
    "host",
    [
        "europe-west4-aiplatform.googleapis.com",
        "AIPLATFORM.googleapis.com.",
        "europe-west4-aiplatform-psc.p.googleapis.com:443",
        "99.europe-west4-123.prediction.vertexai.goog",
    ],
)
def test_googles_hosts_need_no_trust(host: str, tmp_path: Path) -> None:
    (tmp_path / "application_default_credentials.json").write_text("{}")
    assert problems(f"https://{host}/{RESOURCE}") == []


def test_trust_makes_no_clear_text_good() -> None:
    address = f"http://10.0.0.1/{RESOURCE}"
    assert "clear text" in problems(address, trusted_hosts=["10.0.0.1"])[0]
    tokens = TokenSource(place_of(Endpoint(address=address)), {"trusted_hosts": ["10.0.0.1"]})
    with pytest.raises(AgentAuthError, match="may not get"):
        tokens.refresh()


def test_missing_credentials_are_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no credentials" in only(problems(RESOURCE))
    (tmp_path / "application_default_credentials.json").write_text("{}")
    assert problems(RESOURCE) == []
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "gone.json"))
    assert "gone.json" in only(problems(RESOURCE))


@pytest.mark.parametrize("variable", google_credentials._MACHINE_VARIABLES)
def test_where_there_may_be_a_metadata_server_nothing_is_missed(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_GCE_CHECK")
    monkeypatch.setenv(variable, "something")
    assert problems(RESOURCE) == []


def test_a_machine_of_googles_is_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_GCE_CHECK")
    product = tmp_path / "product_name"
    monkeypatch.setattr(google_credentials, "_PRODUCT", product)
    assert "no credentials" in only(problems(RESOURCE))
    product.write_text("Google Compute Engine\n")
    assert problems(RESOURCE) == []
    product.write_text("Breadboard\n")
    assert "no credentials" in only(problems(RESOURCE))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "cannot be read"),
        ("no json", "no JSON"),
        ("[]", "None"),
        (json.dumps({"type": "external_account"}), "external_account"),
    ],
)
def test_a_file_of_credentials_is_looked_at(tmp_path: Path, content: str | None, why: str) -> None:
    file = tmp_path / "account.json"
    if content is not None:
        file.write_text(content)
    found = only(problems(RESOURCE, credentials_file=str(file)))
    assert str(file) in found
    assert why in found


def test_a_token_that_nobody_asked_for_is_not_there() -> None:
    tokens = TokenSource(place_of(Endpoint(address=RESOURCE)), {})
    assert not tokens.is_fresh
    with pytest.raises(AgentAuthError):
        _ = tokens.credentials


def test_looking_and_connecting_load_no_library_of_googles() -> None:
    code = f"""
import sys
from orchestration.agents.endpoint import Endpoint
from orchestration.agents.kinds import module_of
for kind, resource in (
    ("vertex_chat", {RESOURCE!r}), ("vertex_predict", {RESOURCE!r}),
    ("vertex_agent_engine", {ENGINE!r}),
):
    endpoint = Endpoint(kind=kind, address="http://127.0.0.1:1/" + resource)
    assert not list(module_of(kind).problems(endpoint))
    module_of(kind).connect(endpoint)
heavy = ("google.auth", "google.genai", "grpc", "httpx", "requests", "langchain_core", "langgraph")
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
