"""`agents check` and `agents schema`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestration.agents.configuration.published_schema import agents_schema
from tests.unit.orchestration.picky_kind import use_picky_kinds

if TYPE_CHECKING:
    from typer.testing import Result

    Invoke = Callable[..., Result]

GOOD = """
agents:
  - id: hr
    endpoint: https://hr.example.com
  - id: sales
    versions:
      - {version: 1, endpoint: https://one.example.com}
      - version: 2
        endpoints:
          - {id: eu, address: https://eu.example.com}
          - {id: us, address: https://us.example.com}
"""
BAD = "agents:\n  - {id: hr, endpoint: 'ftp://x', kind: http}\n  - {id: sales, wieght: 1}\n"


@pytest.fixture(autouse=True)
def _kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    use_picky_kinds(monkeypatch)


def test_a_good_file_is_said_to_be_good(invoke: Invoke) -> None:
    Path("agents.yaml").write_text(GOOD)
    done = invoke("agents", "check", "agents.yaml")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == "agents.yaml: good (2 agents, 3 versions, 4 endpoints)\n"


def test_every_problem_is_printed_with_its_place(invoke: Invoke) -> None:
    Path("agents.yaml").write_text(BAD)
    done = invoke("agents", "check", "agents.yaml")
    assert (done.exit_code, done.stderr) == (2, "")
    first, second, third, verdict = done.stdout.splitlines()
    assert first.startswith("agents.yaml:2:24: agents[0].endpoint: the address is 'ftp://x'")
    assert second.startswith("agents.yaml:3:5: agents[1]: does not say where it is; give")
    assert third.startswith("agents.yaml:3:17: agents[1].wieght: is no key known here")
    assert verdict == "3 problems."


def test_programs_get_json(invoke: Invoke) -> None:
    Path("agents.yaml").write_text(GOOD)
    done = json.loads(invoke("agents", "check", "agents.yaml", "--json").stdout)
    assert (done["valid"], done["problems"]) == (True, [])
    assert done["agents"][2] == {"agent_id": "sales", "version": "2", "endpoints": ["eu", "us"]}
    Path("agents.yaml").write_text(BAD)
    done = json.loads(invoke("agents", "check", "agents.yaml", "--json").stdout)
    assert (done["valid"], done["agents"]) == (False, [])
    assert [each["line"] for each in done["problems"]] == [2, 3, 3]


def test_a_file_that_is_not_there_is_bad_input(invoke: Invoke) -> None:
    done = invoke("agents", "check", "none.yaml")
    assert done.exit_code == 2
    assert done.stdout.startswith("none.yaml: cannot be read: No such file or directory\n")


def test_the_file_of_the_environment_is_checked_by_default(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ORCHESTRATION_AGENTS_FILE", raising=False)
    done = invoke("agents", "check")
    assert done.exit_code == 2
    assert "give a file, or set ORCHESTRATION_AGENTS_FILE" in done.stderr
    Path("mine.yaml").write_text(GOOD)
    monkeypatch.setenv("ORCHESTRATION_AGENTS_FILE", "mine.yaml")
    assert invoke("agents", "check").stdout.startswith("mine.yaml: good ")


def test_the_schema_is_printed(invoke: Invoke) -> None:
    assert json.loads(invoke("agents", "schema").stdout) == agents_schema()
