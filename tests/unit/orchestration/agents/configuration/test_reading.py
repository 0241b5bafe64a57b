"""An agents file becomes the specifications that one would have written in Python."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import timedelta
from typing import Any, get_args

import pytest
import yaml

from orchestration import AgentFileError, AgentSpec
from orchestration.agents.configuration.entries import REMOTE_KINDS, SharedEntry
from orchestration.agents.configuration.policy_entries import (
    BreakerEntry,
    OutlierEntry,
    PriceEntry,
    ProbeEntry,
    ResilienceEntry,
)
from orchestration.agents.configuration.reading import load_agents
from orchestration.agents.endpoint import LOCAL_KINDS, Endpoint
from orchestration.agents.kinds import KINDS
from orchestration.agents.price import Price
from orchestration.agents.team import Team
from orchestration.documents.entry import Entry
from orchestration.routing.policies import (
    BALANCING,
    BreakerPolicy,
    OutlierPolicy,
    ProbePolicy,
    Ramp,
    Resilience,
)
from tests.unit.orchestration.agents.configuration.conftest import Write

FULL = """
agents:
  - id: ticketing
    name: Ticket desk
    description: Sells tickets
    capabilities: [ticket_purchase, Fleet booking]
    kind: http
    settings: {transport: rest, timeout_seconds: 5}
    priority: 3
    cost: {per_call: 0.5, model: gemini-2.5-flash, provider: google}
    read_only: true
    idempotent: true
    max_concurrency: 8
    max_queue: 0
    queue_timeout: 30s
    balancing: least_outstanding
    resilience:
      breaker: {failures: 3, open_for: 1m, longest_open: 1h}
      outliers: false
      probe: {every: 5}
      failovers: 1
    metadata: {team: sales, site: eu}
    versions:
      - version: 1.10
        weight: 90
        endpoints:
          - id: eu
            address: https://eu.example.com/agent
            weight: 2
            priority: 1
            cost: 0.25
            max_concurrency: 4
            metadata: {rack: 7}
          - id: us
            kind: a2a
            address: https://us.example.com
            settings: {timeout_seconds: 9}
            enabled: false
      - version: 2
        ramp:
          since: 2026-12-01T09:00:00+01:00
          points: [{after: 0, weight: 0}, {after: 1h 30m, weight: 50}]
        shadow: 0.25
        endpoint: https://new.example.com
        cost: null
        capabilities: [ticket_purchase]
        settings: {transport: grpc}
        max_queue: null
        metadata: {site: us}
"""


def load(write: Write, text: str) -> list[AgentSpec]:
    return load_agents(write("agents.yaml", text), environment={})


def test_every_key_reaches_the_specification(write: Write) -> None:
    old, new = load(write, FULL)
    resilience = Resilience(
        breaker=BreakerPolicy(
            failures=3, open_for=timedelta(minutes=1), longest_open=timedelta(hours=1)
        ),
        outliers=None,
        probe=ProbePolicy(every=timedelta(seconds=5)),
        failovers=1,
    )
    alike: dict[str, Any] = {
        "name": "Ticket desk",
        "description": "Sells tickets",
        "priority": 3,
        "read_only": True,
        "idempotent": True,
        "max_concurrency": 8,
        "queue_timeout": timedelta(seconds=30),
        "balancing": "least_outstanding",
        "resilience": resilience,
    }
    eu = Endpoint(
        endpoint_id="eu",
        address="https://eu.example.com/agent",
        kind="http",
        settings={"transport": "rest", "timeout_seconds": 5},
        weight=2,
        priority=1,
        cost=0.25,
        max_concurrency=4,
        metadata={"rack": 7},
    )
    us = Endpoint(
        endpoint_id="us",
        address="https://us.example.com",
        kind="a2a",
        settings={"transport": "rest", "timeout_seconds": 9},
        enabled=False,
    )
    assert old == AgentSpec(
        "ticketing",
        ["ticket_purchase", "fleet_booking"],
        endpoints=[eu, us],
        version="1.10",
        weight=90,
        max_queue=0,
        cost=Price(per_call=0.5, model="gemini-2.5-flash", provider="google"),
        metadata={"team": "sales", "site": "eu"},
        **alike,
    )
    assert new == AgentSpec(
        "ticketing",
        ["ticket_purchase"],
        endpoint="https://new.example.com",
        kind="http",
        settings={"transport": "grpc", "timeout_seconds": 5},
        version="2",
        ramp=Ramp(since=1796112000.0, points=((0.0, 0.0), (5400.0, 50.0))),
        shadow=0.25,
        metadata={"team": "sales", "site": "us"},
        **alike,
    )


def test_what_is_not_said_is_as_in_python(write: Write) -> None:
    (short,) = load(write, "agents: [{id: weather, endpoint: https://w.example.com}]")
    assert short == AgentSpec("weather", endpoint="https://w.example.com")
    (several,) = load(write, "agents: [{id: weather, endpoints: [{address: https://w.example}]}]")
    assert several == AgentSpec("weather", endpoints=[Endpoint(address="https://w.example")])


def test_an_empty_resilience_is_that_of_python(write: Write) -> None:
    (spec,) = load(write, "agents: [{id: a, endpoint: https://w.example.com, resilience: {}}]")
    assert spec.resilience == Resilience()


def test_no_agents_is_an_answer_if_it_is_said(write: Write) -> None:
    assert load(write, "agents: []") == []


@pytest.mark.parametrize("text", ["", "agents:", "# agents: []", "{}", "[]", "agents: {}"])
def test_a_file_that_may_have_been_cut_is_none(write: Write, text: str) -> None:
    with pytest.raises(AgentFileError):
        load(write, text)


def test_yaml_and_json_say_the_same(write: Write) -> None:
    content = yaml.safe_load(FULL.replace("1.10", "'1.10'"))
    since = "2026-12-01T09:00:00+01:00"
    content["agents"][0]["versions"][1]["ramp"]["since"] = since
    file = write("agents.json", json.dumps(content))
    assert load_agents(file, environment={}) == load(write, FULL)


def test_one_that_takes_the_place_of_a_built_in_agent_can_do_the_same(write: Write) -> None:
    hr, quiet = load(
        write,
        "agents:\n- {id: hr, endpoint: https://a.example}\n"
        "- {id: sales, endpoint: https://b.example, capabilities: []}\n",
    )
    assert hr.capabilities == Team.capabilities["hr"]
    assert quiet.capabilities == ()


def test_versions_of_one_agent_may_stand_in_entries_of_their_own(write: Write) -> None:
    specs = load(
        write,
        "agents:\n- {id: a, version: 1, endpoint: https://a.example}\n"
        "- {id: a, version: 2, endpoint: https://b.example}\n",
    )
    assert [(each.agent_id, each.version) for each in specs] == [("a", "1"), ("a", "2")]


@pytest.mark.parametrize(
    ("entry", "policy"),
    [
        (BreakerEntry, BreakerPolicy),
        (OutlierEntry, OutlierPolicy),
        (ProbeEntry, ProbePolicy),
        (ResilienceEntry, Resilience),
        (PriceEntry, Price),
    ],
)
def test_a_mapping_has_the_fields_and_defaults_of_its_policy(
    entry: type[Entry],
    policy: Any,  # noqa: ANN401  several dataclasses
) -> None:
    assert entry.keys() == [each.name for each in fields(policy)]


def test_the_defaults_are_those_of_the_policies() -> None:
    assert ResilienceEntry.model_validate({}).resilience() == Resilience()
    assert PriceEntry.model_validate({}).price() == Price()


def test_every_way_of_balancing_and_every_remote_kind_may_be_said() -> None:
    assert get_args(SharedEntry.model_fields["balancing"].annotation) == BALANCING
    assert {*REMOTE_KINDS} | LOCAL_KINDS == {*KINDS}
