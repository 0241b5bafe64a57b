"""A bad agents file is refused with every problem, each with its place."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration import AgentFileError, AgentSpec
from orchestration.agents.configuration.entries import AgentEntry, EndpointEntry
from orchestration.agents.configuration.policy_entries import BreakerEntry
from orchestration.agents.configuration.reading import load_agents
from orchestration.agents.kinds import KINDS
from state.errors import FileProblem
from tests.unit.orchestration.agents.configuration.conftest import Write

BAD = """\
agents:
  - id: ticketing
    wieght: 3
    settings: {credentials_file: key.json}
    versions:
      - version: 1
        weight: -1
        endpoints:
          - {id: eu, address: https://eu.example.com}
          - {id: eu, kind: htp, address: https://us.example.com}
          - {address: "https://"}
      - version: 1
        endpoint: somewhere
        shadow: 0.5
  - id: two words
    max_concurrency: "8"
    endpoint: https://b.example
    endpoints: []
  - {id: hr, capabilities: hiring, endpoint: "https://${HOST}"}
  - 7
agent: 1
"""
WRONG = [
    ("3:5", "agents[0].wieght", "is no key known here (did you mean 'weight'?)"),
    ("4:34", "agents[0].settings.credentials_file", "credentials_file is 'key.json'"),
    ("7:17", "agents[0].versions[0].weight", "should be at least 0, not -1"),
    (
        "10:18",
        "agents[0].versions[0].endpoints[1].id",
        "the endpoint 'eu' is there twice, first in line 9",
    ),
    (
        "10:28",
        "agents[0].versions[0].endpoints[1].kind",
        "use one of http, a2a",
    ),
    ("11:13", "agents[0].versions[0].endpoints[2]", "has no id; give each of several"),
    ("11:23", "agents[0].versions[0].endpoints[2].address", "the address is 'https://'"),
    (
        "12:18",
        "agents[0].versions[1].version",
        "the agent and version 'ticketing@1' is there twice, first in line 6",
    ),
    ("13:19", "agents[0].versions[1].endpoint", "does not say how to speak with it; give kind"),
    ("14:17", "agents[0].versions[1].shadow", "is only for what is read_only"),
    ("15:5", "agents[1]", "give either endpoint or endpoints"),
    ("15:9", "agents[1].id", "use 1 to 64 letters"),
    ("16:22", "agents[1].max_concurrency", "input should be a valid integer, not '8'"),
    ("18:16", "agents[1].endpoints", "list should have at least 1 item"),
    ("19:28", "agents[2].capabilities", "input should be a valid list, not 'hiring'"),
    ("19:46", "agents[2].endpoint", "the environment has no HOST; set it"),
    ("20:5", "agents[3]", "should be a mapping, not 7"),
    ("21:1", "agent", "is no key known here (did you mean 'agents'?)"),
]


def refused(file: str, **environment: str) -> AgentFileError:
    with pytest.raises(AgentFileError) as caught:
        load_agents(file, environment=environment)
    return caught.value


def one(write: Write, agent: str, **environment: str) -> str:
    """The only problem of a file with one agent, as it is shown."""
    error = refused(write("agents.yaml", f"agents: [{{id: a, {agent}}}]"), **environment)
    assert len(error.problems) == 1, str(error)
    return str(error)


def test_every_problem_of_a_file_is_listed_with_line_column_and_path(write: Write) -> None:
    error = refused(write("agents.yaml", BAD))
    found = [(f"{each.line}:{each.column}", each.path, each.message) for each in error.problems]
    assert [each[:2] for each in found] == [each[:2] for each in WRONG]
    for (*_, message), (*_, expected) in zip(found, WRONG, strict=True):
        assert message.startswith(expected)
    assert str(error).startswith("agents.yaml has 18 problems; nothing was changed:\n")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301  our own


def test_all_of_them_are_found_in_json_too(write: Write) -> None:
    content = yaml.safe_load(BAD)
    error = refused(write("agents.json", json.dumps(content, indent=1)))
    assert {each.path for each in error.problems} == {path for _, path, _ in WRONG}


@pytest.mark.parametrize(
    ("agent", "message"),
    [
        ("", "agents[0]: does not say where it is; give endpoint or endpoints, or versions"),
        ("endpoint: https://x.y, kind: local", "register them in Python, not 'local'"),
        ("endpoint: https://x.y, weight: 1, ramp: {since: 0, points: [{after: 0, weight: 1}]}",
         "ramp: is instead of weight"),
        ("endpoint: https://x.y, cost: -1", "cost: should be at least 0, not -1"),
        ("endpoint: https://x.y, cost: free", "cost: use a number, or a mapping with per_call"),
        ("endpoint: https://x.y, cost: {model: gemini-2.5-flash, per_million_input: 1}",
         "cost.per_million_input: is instead of model"),
        ("endpoints: [{address: https://x, cost: {model: gemini-2.5-pro, per_million_output: 1}}]",
         "endpoints[0].cost.per_million_output: is instead of model"),
        ("endpoint: https://x.y, cost: {model: gemini-99}",
         "cost.model: genai-prices knows no model 'gemini-99'"),
        ("endpoint: https://x.y, cost: {provider: google}",
         "cost.provider: is of a model; give that too"),
        ("endpoint: https://x.y, resilience: {breaker: }", "breaker: use a mapping, or false"),
        ("endpoint: https://x.y, resilience: {breaker: {open_for: 10m}}",
         "breaker: longest_open (300 s) is shorter than open_for (600 s)"),
        ("endpoint: https://x.y, resilience: {breaker: {window: 5}}",
         "breaker: least_calls (10) is more than window (5)"),
        ("endpoint: https://x.y, resilience: {outliers: {ejected_for: 1h}}",
         "outliers: longest (300 s) is shorter than ejected_for (3600 s)"),
        ("endpoint: https://x.y, ramp: {since: 2026-12-01, points: [{after: 0, weight: 1}]}",
         "ramp.since: use a moment with its time zone"),
        (("endpoint: https://x.y, "
         "ramp: {since: 0, points: [{after: 1h, weight: 1}, {after: 60m, weight: 2}]}"),
         "ramp: each point has to come after the one before it"),
        ("version: 1, versions: [{version: 2, endpoint: https://x.y}]",
         "version: is said by each of the versions; leave it out here"),
        ("versions: [{endpoint: https://x.y}]", "versions[0].version: is missing"),
        ("endpoint: https://x.y, enabled: maybe", "enabled: input should be a valid boolean"),
        ("endpoint: https://x.y, weight: .inf", "weight: .inf is no JSON number"),
        ("endpoint: https://x.y, settings: {headers: {X-Key: ''}}",
         "settings.headers.X-Key: the header 'X-Key' is empty"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_at_its_place(write: Write, agent: str, message: str) -> None:
    assert message in one(write, agent)


def test_a_kind_whose_library_is_missing_cannot_be_used(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, KINDS["a2a"].module, None)  # as where its import fails
    assert "kind: agents of kind 'a2a' cannot be called here" in one(
        write, "kind: a2a, endpoint: https://x.y"
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.yaml", b"agents: [", "a.yaml:1:10: not YAML"),
        ("a.json", b"{", "a.json:1:2: not JSON"),
        ("a.yaml", b"\xff", "a.yaml: not UTF-8 text"),
        ("a.yaml", b"a: &a [*a]\n", "a.yaml:1:4: a[0]: is an alias for something"),
        ("a.yaml", b"agents: []\nagents: []", "a.yaml:2:1: agents: this key is there twice"),
    ],
)
def test_text_that_is_none_is_refused(name: str, content: bytes, message: str) -> None:
    Path(name).write_bytes(content)
    assert message in str(refused(name))


def test_a_file_that_is_not_there_is_refused() -> None:
    assert str(refused("none.yaml")) == "none.yaml: cannot be read: No such file or directory"


keys = st.sampled_from(
    [
        *(*AgentEntry.keys(), *EndpointEntry.keys(), *BreakerEntry.keys()),
        *("since", "points", "after", "per_call", "model", "breaker", "headers", "<<"),
    ]
)
values = st.recursive(
    st.sampled_from(
        [None, True, 0, -1, 1.5, "", "a", "1h", "http", "https://x.y", "projects/p", "${X}", "${"]
    )
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=6),
    max_leaves=20,
)
agents = st.dictionaries(keys, values, max_size=8)


def outcome(file: str) -> tuple[list[AgentSpec] | None, tuple[FileProblem, ...]]:
    """What a file says, or its problems; any other error is raised."""
    try:
        return load_agents(file, environment={}), ()
    except AgentFileError as error:
        return None, error.problems


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(agents | values, max_size=3) | values)
def test_any_content_gives_agents_or_its_problems(content: Any) -> None:  # noqa: ANN401
    Path("any.json").write_text(json.dumps({"agents": content}), encoding="utf-8")
    specs, problems = outcome("any.json")
    assert (specs is None) == bool(problems)
    assert all(isinstance(each, AgentSpec) for each in specs or ())
    assert all(each.file == "any.json" and each.line is not None for each in problems)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=60) | st.text(st.sampled_from("agents: [{}]-\n &*!<'\"#$id1"), max_size=60))
def test_any_text_gives_agents_or_its_problems(text: str) -> None:
    Path("any.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    specs, problems = outcome("any.yaml")
    assert (specs is None) == bool(problems)
