"""Variables of the environment say which agents there are."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration import AgentFileError, AgentSpec
from orchestration.agents.configuration.environment import (
    agents_file,
    id_of,
    named_in,
    specs_from_environment,
)
from orchestration.agents.configuration.variables import BUILT_IN_IDS, ENDPOINT, SUFFIXES
from orchestration.agents.endpoint import Endpoint
from orchestration.agents.price import Price
from orchestration.agents.spec import AGENT_ID
from orchestration.agents.team import Team
from orchestration.routing.policies import Resilience
from state.errors import ConfigurationError
from tests.unit.orchestration.agents.configuration.conftest import Write

URL = "https://t.example.com/agent"


def refused(**environment: str) -> list[str]:
    """The problems of an environment, as they are shown."""
    with pytest.raises(ConfigurationError) as caught:
        specs_from_environment(environment)
    first, *rest = str(caught.value).splitlines()
    return [each.strip() for each in rest] or [first]


def test_nothing_is_configured_without_variables() -> None:
    assert specs_from_environment({}) == []
    assert specs_from_environment({"TICKETING_ENDPOINT": " ", "HR_WEIGHT": "many"}) == []


def test_the_four_of_the_description_need_only_their_endpoint() -> None:
    environment = {f"{each.upper()}_ENDPOINT": f"https://{each}.example" for each in BUILT_IN_IDS}
    assert specs_from_environment(environment) == [
        AgentSpec(
            each,
            Team.capabilities[each],
            endpoint=f"https://{each}.example",
            description="own endpoint",
        )
        for each in BUILT_IN_IDS
    ]
    assert {*BUILT_IN_IDS} == {*Team.capabilities}


def test_every_variable_reaches_the_specification() -> None:
    Path("key.json").touch()
    said = {
        "_ENDPOINT": "projects/p/locations/r/endpoints/5",
        "_KIND": "vertex_chat",
        "_NAME": "Tickets",
        "_DESCRIPTION": "Sells tickets",
        "_CAPABILITIES": "ticket_purchase, fleet booking,",
        "_VERSION": "1.10",
        "_WEIGHT": "2.5",
        "_PRIORITY": "-3",
        "_COST": '{"per_million_input": 0.5}',
        "_READ_ONLY": "True",
        "_IDEMPOTENT": "no",
        "_ENABLED": "0",
        "_MAX_CONCURRENCY": "4",
        "_MAX_QUEUE": "0",
        "_QUEUE_TIMEOUT_SECONDS": "1.5",
        "_BALANCING": "latency",
        "_RESILIENCE": '{"failovers": 0}',
        "_TRANSPORT": "grpc",
        "_API_ENDPOINT": "http://127.0.0.1:9",
        "_CREDENTIALS_FILE": "key.json",
        "_API_KEY": "${KEY}",
        "_GRAPH": "desk",
        "_MODEL": "gemini-2.5-flash",
        "_TIMEOUT_SECONDS": "30",
        "_HEALTH_PATH": "/up",
        "_HEADERS": '{"X-Key": "${KEY}"}',
        "_SETTINGS": '{"transport": "rest", "temperature": 0}',
    }
    assert {*said} == {ENDPOINT, *SUFFIXES}
    environment = {f"TICKETING{name}": value for name, value in said.items()}
    with pytest.raises(ConfigurationError) as caught:  # as the fake kind has fewer settings
        specs_from_environment(environment)
    told = (
        "TICKETING_API_ENDPOINT: the settings ['api_endpoint', 'graph', 'health_path', 'model', '"
    )
    assert str(caught.value).startswith(told)
    for name in ("_API_ENDPOINT", "_GRAPH", "_MODEL", "_HEALTH_PATH"):
        environment.pop(f"TICKETING{name}")
    environment["TICKETING_SETTINGS"] = '{"transport": "rest"}'
    assert specs_from_environment(environment) == [
        AgentSpec(
            "ticketing",
            ["ticket_purchase", "fleet_booking"],
            endpoint="projects/p/locations/r/endpoints/5",
            kind="vertex_chat",
            name="Tickets",
            description="Sells tickets",
            version="1.10",
            weight=2.5,
            priority=-3,
            cost=Price(per_million_input=0.5),
            read_only=True,
            idempotent=False,
            enabled=False,
            max_concurrency=4,
            max_queue=0,
            queue_timeout=timedelta(seconds=1.5),
            balancing="latency",
            resilience=Resilience(failovers=0),
            settings={
                "transport": "grpc",
                "credentials_file": "key.json",
                "api_key": "${KEY}",
                "timeout_seconds": 30,
                "headers": {"X-Key": "${KEY}"},
            },
        )
    ]


@pytest.mark.parametrize(
    "written",
    [
        "https://a.example/x, https://b.example:8443",
        "https://a.example/x https://b.example:8443",
        "\n  https://a.example/x,\n  https://b.example:8443\n",
    ],
)
def test_several_endpoints_have_ids_that_keep_in_any_order(written: str) -> None:
    (spec,) = specs_from_environment({"HR_ENDPOINT": written, "HR_CAPABILITIES": ","})
    a = Endpoint(endpoint_id="a.example-x", address="https://a.example/x")
    b = Endpoint(endpoint_id="b.example-8443", address="https://b.example:8443")
    assert spec == AgentSpec("hr", endpoints=[a, b], description="own endpoint")


def test_a_comma_may_stand_in_an_address() -> None:
    (spec,) = specs_from_environment({"HR_ENDPOINT": "https://a.example/x?of=1,2"})
    assert spec.endpoint == "https://a.example/x?of=1,2"


def test_ids_tell_no_secrets_and_are_ids() -> None:
    assert id_of("https://user:sesame@a.example/x?key=sesame#sesame") == "a.example-x"
    assert id_of("https://[::1/") == "broken"


@given(st.text() | st.text(st.sampled_from("https://a.b-@?_"), max_size=90))
def test_whatever_an_address_is_its_id_is_one(address: str) -> None:
    assert AGENT_ID.fullmatch(id_of(address))


def test_others_are_read_only_where_they_are_listed() -> None:
    environment = {"WEATHER_ENDPOINT": URL, "LEGAL_EU_ENDPOINT": URL, "AWS_ENDPOINT": URL}
    assert specs_from_environment(environment) == []
    environment["ORCHESTRATION_AGENTS"] = "weather, legal-eu,"
    found = specs_from_environment(environment)
    assert [each.agent_id for each in found] == ["weather", "legal-eu"]


def test_every_problem_is_listed_with_its_variable() -> None:
    assert refused(
        ORCHESTRATION_AGENTS="weather,a-b,a_b,a b",
        A_B_ENDPOINT=URL,
        HR_ENDPOINT=f"{URL}, https://",
        HR_WEIGHT="-1",
        HR_COST='{"per_cal": 1}',
        HR_READ_ONLY="maybe",
        HR_PRIORITY="high",
        HR_SETTINGS='{"colour": "red"}',
        HR_CREDENTIALS_FILE="none.json",
        SALES_ENDPOINT="somewhere",
        SALES_HEADERS="sesame",
        FINANCE_ENDPOINT=URL,
        FINANCE_KIND="htp",
    ) == [
        (
            "ORCHESTRATION_AGENTS names 'weather', but WEATHER_ENDPOINT is not set; set it, or "
            "leave the agent out"
        ),
        "ORCHESTRATION_AGENTS names 'a b'; ids have 1 to 64 letters, digits, '_', '-' or '.'",
        (
            "ORCHESTRATION_AGENTS: ['a-b', 'a_b'] would share A_B_ENDPOINT; rename, or use "
            "ORCHESTRATION_AGENTS_FILE"
        ),
        "SALES_HEADERS: should be a JSON object, e.g. '{\"key\": 1}'",
        (
            "FINANCE_KIND: use one of http, a2a, langgraph, vertex_chat, vertex_predict, "
            "vertex_agent_engine (did you mean 'http'?), not 'htp'"
        ),
        (
            "HR_COST: per_cal: is no key known here (did you mean 'per_call'?); known are "
            "per_call, model, provider, per_million_input, per_million_output"
        ),
        "HR_CREDENTIALS_FILE: credentials_file is 'none.json', which is no file",
        "HR_ENDPOINT: address 2: the address is 'https://'; give a URL",
        "HR_PRIORITY: input should be a valid integer, not 'high'",
        "HR_READ_ONLY: input should be a valid boolean, not 'maybe'",
        (
            "HR_SETTINGS: colour: the settings ['colour'] are unknown; there are "
            "['api_key', 'credentials_file', 'headers', 'timeout_seconds', 'transport']"
        ),
        "HR_WEIGHT: should be at least 0, not -1",
        (
            "SALES_ENDPOINT: does not say how to speak with it; give kind: http, a2a, langgraph, "
            "vertex_chat, vertex_predict, vertex_agent_engine"
        ),
    ]


def test_what_holds_secrets_is_not_repeated() -> None:
    for name in ("HEADERS", "SETTINGS", "RESILIENCE", "COST"):
        (problem,) = refused(HR_ENDPOINT=URL, **{f"HR_{name}": '{"key": "sesame"'})
        assert problem == f"HR_{name}: should be a JSON object, e.g. '{{\"key\": 1}}'"


def test_what_the_file_says_of_an_agent_is_all_that_counts_for_it(write: Write) -> None:
    write("agents.yaml", "agents: [{id: hr, version: 7, endpoint: 'https://${HOST}'}]")
    environment = {
        "ORCHESTRATION_AGENTS_FILE": " agents.yaml ",
        "HOST": "file.example",
        "HR_ENDPOINT": URL,
        "HR_READ_ONLY": "true",
        "SALES_ENDPOINT": URL,
    }
    hr, sales = specs_from_environment(environment)
    assert (hr.endpoint, hr.version, hr.read_only) == ("https://file.example", "7", False)
    assert (sales.agent_id, sales.endpoint) == ("sales", URL)
    assert [each.agent_id for each in named_in(environment).in_variables] == ["sales", "hr"]
    assert agents_file(environment) == "agents.yaml"
    assert agents_file({}) is None


def test_a_bad_file_is_told_alone_or_with_the_variables(write: Write) -> None:
    environment = {"ORCHESTRATION_AGENTS_FILE": write("agents.yaml", "agents: 5")}
    with pytest.raises(AgentFileError, match=r"^agents.yaml:1:9: agents: input should be"):
        specs_from_environment(environment)
    assert refused(**environment, HR_ENDPOINT="x") == [
        (
            "HR_ENDPOINT: does not say how to speak with it; give kind: http, a2a, langgraph, "
            "vertex_chat, vertex_predict, vertex_agent_engine"
        ),
        "agents.yaml:1:9: agents: input should be a valid list, not 5",
    ]


values = st.text(max_size=9) | st.sampled_from(
    [
        "1",
        "-1",
        "nan",
        "1e999",
        "true",
        "{}",
        '{"a": [1]}',
        "[]",
        URL,
        f"{URL} {URL}",
        "http",
        "a,b",
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.sampled_from([f"HR{end}" for end in (ENDPOINT, *SUFFIXES)]), values),
    values,
    st.sampled_from([URL, "x", ""]),
)
def test_any_values_give_agents_or_a_configuration_error(
    said: dict[str, str], names: str, endpoint: str
) -> None:
    environment = {"HR_ENDPOINT": endpoint, **said, "ORCHESTRATION_AGENTS": names}
    specs: list[AgentSpec] = []
    problem = "HR_"
    try:
        specs = specs_from_environment(environment)
    except ConfigurationError as error:
        problem = str(error)
    assert "HR_" in problem or "ORCHESTRATION_AGENTS" in problem
    assert all(isinstance(each, AgentSpec) for each in specs)


def test_an_environment_without_agents_loads_no_pydantic() -> None:
    program = (
        "import json, sys\n"
        "from orchestration.agents.configuration.environment import specs_from_environment\n"
        "specs_from_environment({})\n"
        "print(json.dumps([name for name in ('pydantic', 'yaml') if name in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize("address", ["127.0.0.1:8701/agent", "localhost:8701", "sales.example.com"])
def test_an_address_without_a_scheme_is_told_how_a_url_begins(address: str) -> None:
    (problem,) = refused(SALES_ENDPOINT=address)
    assert problem.endswith("; a URL begins with https:// or http://")
