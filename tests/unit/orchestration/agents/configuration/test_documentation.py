"""`docs/agents-file.md` tells the truth, and all of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from orchestration.agents.configuration.entries import (
    REMOTE_KINDS,
    AgentEntry,
    AgentsEntry,
    EndpointEntry,
    VersionEntry,
)
from orchestration.agents.configuration.environment import specs_from_environment
from orchestration.agents.configuration.policy_entries import (
    BreakerEntry,
    OutlierEntry,
    PointEntry,
    PriceEntry,
    ProbeEntry,
    RampEntry,
    ResilienceEntry,
)
from orchestration.agents.configuration.reading import load_agents
from orchestration.agents.configuration.variables import ENDPOINT, SUFFIXES
from orchestration.documents.entry import Entry
from orchestration.documents.times import duration
from orchestration.routing.policies import BALANCING, Resilience
from tests.unit.orchestration.agents.configuration.conftest import Write

PAGE = (Path(__file__).parents[5] / "docs" / "agents-file.md").read_text(encoding="utf-8")
FILES = re.findall(r"```yaml\n((?:#[^\n]*\n)*# (\S+\.yaml)\n.*?)```", PAGE, re.DOTALL)
ENTRIES: list[type[Entry]] = [
    *(AgentsEntry, AgentEntry, VersionEntry, EndpointEntry, PriceEntry, RampEntry, PointEntry),
    *(ResilienceEntry, BreakerEntry, OutlierEntry, ProbeEntry),
]


def test_every_file_on_the_page_can_be_read(write: Write) -> None:
    read = {
        name: load_agents(write(name, text), environment={"TICKETING_TOKEN": "t"})
        for text, name in FILES
    }
    assert len(read) == PAGE.count("```yaml") == 2
    assert [(each.agent_id, each.version) for each in read["agents.yaml"]] == [
        ("ticketing", "1"),
        ("ticketing", "2"),
        ("weather", "1"),
    ]


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_key_is_explained(entry: type[Entry]) -> None:
    told = {*re.findall(r"`(?:\w+\.)?(\w+)`", PAGE), "agents", "$schema"}
    assert {*entry.keys()} <= told


def test_every_end_of_a_variable_kind_and_way_of_balancing_is_explained() -> None:
    told = {*re.findall(r"`(\w+)`", PAGE)}
    assert {ENDPOINT, *SUFFIXES, *REMOTE_KINDS, *BALANCING} <= told


def test_the_variables_on_the_page_can_be_read() -> None:
    shell = PAGE[PAGE.index("export ORCHESTRATION_AGENTS=") :].split("```")[0]
    said = dict(re.findall(r'export (\w+)="?([^"\n#]*?)"?\s*(?:#.*)?\n', shell))
    weather, legal = specs_from_environment(said)
    assert (weather.agent_id, legal.agent_id) == ("weather", "legal-eu")
    assert [each.max_concurrency for each in legal.places] == [4, 4]


def test_the_defaults_of_resilience_are_those_on_the_page() -> None:
    section = PAGE[PAGE.index("## Resilience") : PAGE.index("## Variables in the file")]
    checked = 0
    for keys, said in re.findall(r"^\| (`[^|]*) \|[^|]*\| ([^|]+) \|$", section, re.MULTILINE):
        names = re.findall(r"`([\w.]+)`", keys)
        for name, default in zip(names, said.split(", "), strict=True):
            value: object = Resilience()
            for part in name.split("."):
                value = getattr(value, part)
            written = yaml.safe_load(default.strip("` "))
            assert value == (written if default.strip()[0] != "`" else duration(written)), name
            checked += 1
    assert checked == sum(len(each.keys()) for each in (BreakerEntry, OutlierEntry, ProbeEntry)) + 1
