"""The published JSON Schema and the reader agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from orchestration import AgentFileError
from orchestration.agents.configuration.published_schema import PUBLISHED, agents_schema
from orchestration.agents.configuration.reading import load_agents
from orchestration.documents.yaml_source import read_yaml
from tests.unit.orchestration.agents.configuration.test_problems import BAD
from tests.unit.orchestration.agents.configuration.test_reading import FULL

ROOT = Path(__file__).parents[5]
VALIDATOR = Draft202012Validator(agents_schema())
URL = "https://a.example"
YES = True


def is_fine(content: object) -> bool:
    return VALIDATOR.is_valid(content)


def test_the_committed_schema_is_up_to_date() -> None:
    published = (ROOT / PUBLISHED).read_text(encoding="utf-8")
    assert json.loads(published) == agents_schema(), (
        f"renew it: orchestration agents schema > {PUBLISHED}"
    )


def test_it_is_a_json_schema_and_describes_its_keys() -> None:
    schema = agents_schema()
    Draft202012Validator.check_schema(schema)
    agent = schema["$defs"]["AgentEntry"]["properties"]
    assert agent["balancing"]["description"] == "How an endpoint is picked."
    assert agent["balancing"]["default"] == "weighted_round_robin"
    assert all("title" not in each for each in agent.values())


def test_every_key_of_the_readers_own_test_follows_it() -> None:
    assert is_fine(read_yaml(FULL, "x.yaml").value)
    assert not is_fine(read_yaml(BAD, "x.yaml").value)


def options(*values: object) -> st.SearchStrategy[object]:
    return st.sampled_from(values)


numbers = options(1, 0, 0.5, -1, "1", YES, None)
durations = options(5, "30s", "1d 12h", 0, -1, "soon", None, YES)
ids = options("a", "a b", "a.b-c", "", None, 5, "x" * 65)
mappings = options({}, {"transport": "rest"}, None, [])
costs = numbers | st.fixed_dictionaries(
    {},
    optional={
        "per_call": numbers,
        "model": options("gemini-2.5-flash", "", None, 5),
        "provider": options("google", " ", None),
        "per_million_input": numbers,
        "colour": options("red"),
    },
)
ramps = options(None, 5) | st.fixed_dictionaries(
    {"since": options(0, 1e9, -1, "2026-12-01T09:00:00+01:00", None, YES, 1e300)},
    optional={
        "points": st.lists(
            st.fixed_dictionaries({"after": durations}, optional={"weight": numbers}), max_size=1
        )
    },
)
switches = options(YES, not YES, None, {})
resiliences = options(None, {}, YES) | st.fixed_dictionaries(
    {},
    optional={
        "breaker": switches
        | st.fixed_dictionaries({}, optional={"failures": numbers, "failure_rate": numbers}),
        "outliers": switches | st.fixed_dictionaries({"latency_factor": options(1, 1.5, "2")}),
        "probe": switches | st.fixed_dictionaries({"every": durations}),
        "failovers": numbers,
    },
)
kinds = options("http", "a2a", "local", "htp", None, 5, [])
endpoints = st.fixed_dictionaries(
    {"address": options(URL, "", None, 5)},
    optional={
        "kind": kinds,
        "settings": mappings,
        "weight": numbers,
        "priority": options(1, -1, 0.5, None),
        "cost": costs,
        "max_concurrency": options(1, 0, None, YES),
        "enabled": options(YES, None, "yes"),
        "metadata": mappings,
        "version": options("1"),
    },
)
one_endpoint = st.lists(
    st.tuples(endpoints, options(..., "a", None, "a b")).map(
        lambda each: {**each[0]} if each[1] is ... else {**each[0], "id": each[1]}
    ),
    max_size=1,
)
two_endpoints = st.tuples(endpoints, endpoints, options("a", "b c", None), options("d")).map(
    lambda each: [{**each[0], "id": each[2]}, {**each[1], "id": each[3]}]
)
shared = {
    "capabilities": options([], ["a b"], [" "], "a", None, [5], ["-"]),
    "description": options("", "text", None),
    "kind": kinds,
    "settings": mappings,
    "priority": options(1, 0.5, None),
    "cost": costs,
    "idempotent": options(YES, "yes", None),
    "max_concurrency": options(1, 0, None),
    "max_queue": options(1, 0, -1, None),
    "queue_timeout": durations,
    "balancing": options("latency", "random", None),
    "resilience": resiliences,
    "enabled": options(YES, 1),
    "metadata": mappings,
}
placed = {
    **shared,
    "weight": numbers,
    "ramp": ramps,
    "shadow": options(0, 2, None),
    "endpoint": options(URL, "", None, 5),
    "endpoints": one_endpoint | two_endpoints | options(None, 5),
    "colour": options("red"),
}
versions = st.fixed_dictionaries({"version": options("1", 1.5, "1 2", None, YES)}, optional=placed)
places: st.SearchStrategy[dict[str, object]] = st.sampled_from(
    [{"endpoint": URL}, {"endpoints": [{"address": URL}]}, {}]
)
agents = st.tuples(
    places,
    st.fixed_dictionaries(
        {"id": ids},
        optional={
            **placed,
            "name": options("A", None, 5),
            "version": options("2", 3, None, ""),
            "versions": st.lists(versions, max_size=1) | options(None, 5),
        },
    ),
).map(lambda both: {**both[0], **both[1]})
contents = st.fixed_dictionaries(
    {"agents": st.lists(agents, max_size=1)},
    optional={"$schema": options("x", 5), "colour": options("red")},
)
mild = st.tuples(places, st.dictionaries(options(*placed), st.just(...), max_size=3)).flatmap(
    lambda both: st.fixed_dictionaries(
        {"id": st.just("a"), **{key: placed[str(key)] for key in both[1]}}
    ).map(lambda agent: {"agents": [{**both[0], **agent}]})
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(contents | mild)
def test_both_accept_and_refuse_the_same(content: dict[str, Any]) -> None:
    refused = ""
    Path("any.json").write_text(json.dumps(content), encoding="utf-8")
    try:
        load_agents("any.json", environment={})
    except AgentFileError as error:
        refused = str(error)
    assert is_fine(content) == (not refused), refused


@pytest.mark.parametrize(
    "agent",
    [
        {"id": "a", "endpoint": "somewhere"},
        {"id": "a", "endpoint": URL, "shadow": 0.5},
        {"id": "a", "endpoint": "https://${NONE}"},
        {"id": "a", "endpoints": [{"id": "x", "address": URL}, {"id": "x", "address": URL}]},
        {"id": "a", "endpoint": URL, "resilience": {"breaker": {"open_for": "1h"}}},
        {"id": "a", "endpoint": URL, "settings": {"colour": "red"}},
        {"id": "a", "endpoint": URL, "cost": {"model": "gemini-99"}},
        {
            "id": "a",
            "endpoint": URL,
            "ramp": {"since": "soon", "points": [{"after": 0, "weight": 1}]},
        },
    ],
)
def test_some_things_only_the_reader_sees(agent: dict[str, Any]) -> None:
    Path("any.json").write_text(json.dumps({"agents": [agent]}), encoding="utf-8")
    assert is_fine({"agents": [agent]})
    with pytest.raises(AgentFileError):
        load_agents("any.json", environment={})
