"""`validate`, `workflows`, and running or drawing by name."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from orchestration import AgentTask, Workflow, get_workflows
from orchestration.workflows.published_schema import workflow_schema

if TYPE_CHECKING:
    from typer.testing import Result

    Invoke = Callable[..., Result]

EXAMPLES = Path(__file__).parents[4] / "examples"
GOOD = """
description: |
  Tells who is who.
  Every day.
version: 3
parameters:
  properties:
    day: {type: string, default: today}
    copies: {type: integer}
  required: [copies]
tasks:
  - {agent_id: hr, input_data: {action: employee_info, employee: Alice}}
"""
BAD = "tasks:\n  - agent_id: nobody\n  - {agent_id: hr, retry: {max_attempts: 0}}\n"


@pytest.fixture(autouse=True)
def _fresh_workflows(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("ORCHESTRATION_WORKFLOWS", raising=False)
    get_workflows.cache_clear()
    yield
    get_workflows.cache_clear()


def put(name: str, text: str) -> str:
    path = Path(name)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return name


def test_every_problem_of_every_file_is_printed_with_its_place(invoke: Invoke) -> None:
    done = invoke("validate", put("bad.yaml", BAD), put("cut.json", "{"), put("good.yaml", GOOD))
    assert (done.exit_code, done.stderr) == (2, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("bad.yaml:2:15: tasks[0].agent_id: task 'nobody': no enabled agent")
    assert lines[1] == "bad.yaml:3:42: tasks[1].retry.max_attempts: should be at least 1, not 0"
    assert lines[2].startswith("cut.json:1:2: not JSON: ")
    assert lines[3] == "good.yaml: good (good 3, 1 task)"
    assert lines[4] == "1 of 3 files can be run; 3 problems."
    assert not Path("team.db").exists()


def test_problems_are_printed_as_json_too(invoke: Invoke) -> None:
    done = invoke("validate", put("bad.yaml", BAD), put("good.yaml", GOOD), "--json")
    bad, good = json.loads(done.stdout)["files"]
    assert (done.exit_code, bad["valid"], good["valid"]) == (2, False, True)
    assert (good["name"], good["version"], good["problems"]) == ("good", "3", [])
    assert bad["problems"][1] == {
        "file": "bad.yaml",
        "line": 3,
        "column": 42,
        "path": "tasks[1].retry.max_attempts",
        "message": "should be at least 1, not 0",
    }


def test_a_folder_stands_for_its_files(invoke: Invoke) -> None:
    put("flows/a.yaml", GOOD)
    put("flows/b.yml", GOOD)
    put("flows/notes.md", "no workflow")
    done = invoke("validate", "flows")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1] == "2 of 2 files can be run."
    put("empty/notes.md", "no workflow")
    assert invoke("validate", "empty").exit_code == 2
    assert invoke("validate", "gone.yaml").exit_code == 2


def test_a_bad_file_is_not_run_or_drawn_and_its_lines_are_told(invoke: Invoke) -> None:
    put("bad.yaml", BAD)
    for words in (("run", "bad.yaml"), ("graph", "draw", "bad.yaml")):
        failed = invoke(*words)
        assert failed.exit_code == 2
        assert "bad.yaml has 2 problems; nothing was run:\n  bad.yaml:2:15: " in failed.stderr


def test_workflows_are_listed_with_what_is_broken(invoke: Invoke) -> None:
    put("workflows/who.yaml", GOOD)
    put("workflows/cut.yaml", "tasks: [")
    get_workflows().register(Workflow("who", "4", [AgentTask("hr")], description="In code."))
    done = invoke("workflows", "list")
    assert done.exit_code == 0
    rows = [line.split() for line in done.stdout.splitlines() if line.strip().startswith("who")]
    assert [row[:5] for row in rows] == [
        ["who", "4", "sequential", "1", "code"],
        ["who", "3", "sequential", "1", "workflows/who.yaml"],
    ]
    assert "Tells who is who." in done.stdout
    assert "Every day." not in done.stdout
    assert "These cannot be used:\n  workflows/cut.yaml:1:9: not YAML: " in done.stdout
    document = json.loads(invoke("workflows", "list", "--json").stdout)
    assert [each["version"] for each in document["workflows"]] == ["4", "3"]
    assert [each["code"] for each in document["problems"]] == ["invalid_file"]


def test_without_workflows_it_says_where_to_put_them(invoke: Invoke) -> None:
    assert "Put YAML files into workflows/" in invoke("workflows", "list").stdout


def test_a_workflow_is_shown_with_its_parameters_and_how_to_run_it(invoke: Invoke) -> None:
    put("workflows/who.yaml", GOOD)
    shown = invoke("workflows", "show", "who").stdout
    for told in ("3 (of 3)", "asks hr", "copies", '{"type": "integer"}', "run who@3"):
        assert told in shown
    document = json.loads(invoke("workflows", "show", "who@3", "--json").stdout)
    assert (document["tasks"], document["versions"]) == ({"hr": "asks hr"}, ["3"])


def test_an_unknown_name_exits_with_2_and_says_what_there_is(invoke: Invoke) -> None:
    put("workflows/who.yaml", GOOD)
    for words in (("workflows", "show", "what"), ("run", "what"), ("graph", "draw", "what")):
        failed = invoke(*words)
        assert failed.exit_code == 2
        assert "no workflow 'what'; known are ['who@3']" in failed.stderr


def test_the_schema_is_printed(invoke: Invoke) -> None:
    assert json.loads(invoke("workflows", "schema").stdout) == workflow_schema()


def test_a_workflow_runs_and_is_drawn_by_its_name(invoke: Invoke) -> None:
    put("workflows/buy.yaml", "tasks: [{agent_id: ticketing, message: Book 2 tickets}]")
    assert invoke("run", "buy@1", "--json").exit_code == 0
    with closing(sqlite3.connect("team.db")) as connection:
        assert connection.execute("SELECT quantity FROM orders").fetchall() == [(2,)]
    assert "| ticketing |" in invoke("graph", "draw", "buy").stdout


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--param", "copies=2"), 0, ""),
        (("--params", '{"copies": 2, "day": "x"}'), 0, ""),
        (("--params", '{"copies": 1}', "--param", "copies=2", "--param", "day=5"), 0, ""),
        ((), 2, "'copies' is a required property"),
        (("--param", "copies=two"), 2, "'two' is not of type 'integer'"),
        (("--param", "copies"), 2, "not of the form NAME=VALUE"),
        (("--params", "[1]"), 2, "is not a JSON object"),
    ],
)
def test_parameters_are_read_and_checked(
    invoke: Invoke, words: tuple[str, ...], code: int, told: str
) -> None:
    done = invoke("run", put("good.yaml", GOOD), *words)
    assert done.exit_code == code
    assert told in " ".join(done.stderr.replace("│", " ").split())


def test_a_workflow_with_required_parameters_can_be_drawn(invoke: Invoke) -> None:
    assert "| hr |" in invoke("graph", "draw", put("good.yaml", GOOD)).stdout


def test_a_shell_pipeline_can_read_the_results(invoke: Invoke) -> None:
    done: dict[str, Any] = json.loads(
        invoke("run", put("good.yaml", GOOD), "--param", "copies=1", "--json").stdout
    )
    assert done["status"] == "completed"


def test_every_example_that_runs_can_be_drawn(invoke: Invoke) -> None:
    for name in ("purchase.yaml", "router.json"):
        drawn = invoke("graph", "draw", str(EXAMPLES / name), "--format", "mermaid")
        assert "graph TD;" in drawn.stdout
