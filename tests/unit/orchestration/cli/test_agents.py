"""`orchestration agents`: who there is, where calls go, and switching that on and off."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from tests.unit.orchestration.cli.conftest import Invoke

FILE = """
agents:
  - id: sales
    capabilities: [crm_update]
    idempotent: true
    versions:
      - version: "1"
        weight: 90
        endpoints:
          - {id: eu, address: "https://eu.example/sales", priority: 1}
          - {id: us, address: "https://us.example/sales"}
      - version: "2"
        weight: 10
        endpoint: https://canary.example/sales
"""

Say = Callable[..., Any]


@pytest.fixture
def file(monkeypatch: pytest.MonkeyPatch) -> Path:
    path = Path("agents.yaml")
    path.write_text(FILE)
    monkeypatch.setenv("ORCHESTRATION_AGENTS_FILE", str(path))
    return path


def words(result: Result) -> str:
    return " ".join(result.stdout.split())


def test_the_built_in_team_serves_whom_nobody_else_does(invoke: Invoke, file: Path) -> None:
    listed = json.loads(invoke("agents", "list", "--json").stdout)
    assert {(agent["agent_id"], agent["version"]): agent["where"] for agent in listed} == {
        ("sales", "1"): "https://eu.example/sales\nhttps://us.example/sales",
        ("sales", "2"): "https://canary.example/sales",
        ("ticketing", "1"): "built-in",
        ("finance", "1"): "built-in",
        ("hr", "1"): "built-in",
    }
    finance = next(agent for agent in listed if agent["agent_id"] == "finance")
    assert "expense_approval" in finance["capabilities"]
    assert "https://canary.example/sales" in words(invoke("agents", "list"))
    assert not Path("threads.db").exists()  # looking makes no database


def test_an_agent_is_shown_with_its_versions_and_endpoints(invoke: Invoke, file: Path) -> None:
    shown = words(invoke("agents", "show", "sales"))
    for part in ("sales@1", "sales@2", "weight 90, priority 0", "once for a key", "eu", "us"):
        assert part in shown
    assert "limits none" in shown
    assert "price unknown" in shown
    file.write_text(
        FILE.replace(
            "  - id: sales\n",
            "  - id: sales\n    max_concurrency: 3\n    max_queue: 20\n    queue_timeout: 5s\n"
            "    cost: {per_call: 0.01, per_million_input: 0.8, per_million_output: 3.2}\n",
        )
    )
    shown = words(invoke("agents", "show", "sales"))
    assert "3 calls at once at an endpoint, 20 calls may wait, for 5.0 s at most" in shown
    assert "0.01 a call, 0.8 a million in, 3.2 a million out" in shown
    assert invoke("agents", "show", "nobody").exit_code == 2


def test_a_route_says_where_and_explains_why(invoke: Invoke, file: Path) -> None:
    found = json.loads(invoke("agents", "route", "sales", "--json").stdout)
    assert found["agent"] == "sales"
    assert {each["version"]: each["share"] for each in found["versions"]} == {"1": 0.9, "2": 0.1}
    explained = words(invoke("agents", "route", "update_crm", "--explain"))
    assert "sales@" in explained
    assert "90%" in explained
    assert invoke("agents", "route", "fly_to_the_moon").exit_code == 2


def test_what_is_switched_off_gets_no_calls_in_any_process_until_it_is_on_again(
    invoke: Invoke, file: Path
) -> None:
    done = invoke("agents", "disable", "sales@1/eu", "--reason", "maintenance", "--by", "ann")
    assert "sales@1/eu is disabled, for every process" in words(done)
    assert invoke("agents", "drain", "sales@2").exit_code == 0
    shown = words(invoke("agents", "show", "sales"))
    assert "sales@1/eu is disabled (by ann, 20" in shown
    assert "UTC): maintenance" in shown
    for _ in range(5):  # each is a registry of its own, as another process has
        found = json.loads(invoke("agents", "route", "sales", "--json").stdout)
        assert (found["version"], found["endpoint"]) == ("1", "us")
    (eu,) = [each for each in found["endpoints"] if each["endpoint"] == "eu"]
    assert (eu["takes_calls"], eu["why_not"]) == (False, "it is disabled")
    invoke("agents", "enable", "sales@1/eu")
    found = json.loads(invoke("agents", "route", "sales", "--json").stdout)
    assert found["endpoint"] == "eu"
    invoke("agents", "disable", "sales")
    refused = invoke("agents", "route", "crm_update")
    assert refused.exit_code == 2
    assert "no enabled agent" in refused.stderr


@pytest.mark.parametrize("place", ["nobody", "sales@9", "sales@1/asia"])
def test_what_is_not_there_cannot_be_switched(invoke: Invoke, file: Path, place: str) -> None:
    done = invoke("agents", "disable", place)
    assert done.exit_code == 2
    assert "known are" in done.stderr


@pytest.mark.parametrize("place", ["", "@1", "sales/eu"])
def test_a_place_that_is_none_is_refused(invoke: Invoke, place: str) -> None:
    assert invoke("agents", "enable", place).exit_code == 2


def test_versions_are_compared_and_costs_summed_up(
    invoke: Invoke, workflow: Callable[..., str]
) -> None:
    tasks = [{"agent_id": "ticketing", "input_data": {"action": "list_events"}}]
    assert invoke("run", workflow({"tasks": tasks})).exit_code == 0
    report = json.loads(invoke("agents", "compare", "ticketing", "--json").stdout)
    assert [each["tasks"] for each in report["versions"]] == [1]
    assert "only one version" in words(invoke("agents", "compare", "ticketing"))
    (total,) = json.loads(invoke("agents", "costs", "--by", "version", "--json").stdout)
    assert (total["key"], total["tasks"], total["calls"]) == ("ticketing@1", 1, 1)
    assert "ticketing@1" in words(invoke("agents", "costs", "--by", "version"))
    assert invoke("agents", "costs", "--by", "planet").exit_code == 2
    assert invoke("agents", "compare", "ticketing", "--since", "soon").exit_code == 2


def test_a_bad_file_is_told_with_every_problem(invoke: Invoke, file: Path) -> None:
    file.write_text(FILE.replace("weight: 90", "weight: -1").replace("https://us", "ftp://us"))
    done = invoke("agents", "list")
    assert done.exit_code == 2
    assert "agents.yaml:8:" in done.stderr
    assert "agents.yaml:11:" in done.stderr


def test_health_says_what_is_well_and_what_is_not(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    well = invoke("agents", "health", "--json")
    assert well.exit_code == 0
    assert json.loads(well.stdout)["versions"].keys() == {"ticketing", "sales", "finance", "hr"}
    monkeypatch.setenv("HR_ENDPOINT", "http://127.0.0.1:9/hr")  # nothing listens there
    for _ in range(2):
        done = invoke("agents", "health", "--json")
        assert done.exit_code == 1
        (probe,) = json.loads(done.stdout)["probes"]
        assert "could not be reached" in probe["error"] or "did not answer" in probe["error"]
    assert "did not answer" in words(invoke("agents", "health"))
    assert invoke("agents", "disable", "hr").exit_code == 0
    off = invoke("agents", "health")
    assert off.exit_code == 0  # nobody expects it to be well
    assert "its agent is disabled" in words(off)


def test_what_is_secret_in_an_address_is_not_shown(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALES_KEY", "s3cret")
    path = Path("secret.yaml")
    path.write_text('agents: [{id: sales, endpoint: "https://eu.example/sales?key=${SALES_KEY}"}]')
    monkeypatch.setenv("ORCHESTRATION_AGENTS_FILE", str(path))
    for command in (["list"], ["show", "sales"], ["route", "sales", "--explain"]):
        for form in ([], ["--json"]):
            said = invoke("agents", *command, *form)
            assert said.exit_code == 0
            assert "eu.example" in said.stdout or command[0] == "route"
            assert "s3cret" not in said.stdout + said.stderr
