"""A workflow changes while a thread waits: what the command line says, and how to go on."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from orchestration.cli.exit_codes import ExitCode
from orchestration.workflows.registry import get_workflows
from tests.unit.orchestration.cli.test_approval_commands import flat

if TYPE_CHECKING:
    from typer.testing import Result

    Invoke = Callable[..., Result]

DATABASE = "sqlite:///the other.db"
NOTE: dict[str, Any] = {
    "agent_id": "finance",
    "input_data": {"action": "check_budget", "department": "events"},
}
FIRST = [
    {"task_id": "a", **NOTE},
    {"task_id": "b", **NOTE, "requires_approval": True},
    {"task_id": "c", **NOTE},
]
NAMES = """
def names(begun):
    return {"a": "first", "b": "b"}

def wrong(begun):
    return {}
"""


@pytest.fixture
def release(tmp_path: Path) -> Callable[..., None]:
    """Let the folder hold another version of the workflow."""

    def write(version: str, tasks: list[dict[str, Any]]) -> None:
        folder = tmp_path / "workflows"
        folder.mkdir(exist_ok=True)
        content = {"name": "order", "version": version, "tasks": tasks}
        (folder / "order.json").write_text(json.dumps(content))
        get_workflows.cache_clear()

    (tmp_path / "moves.py").write_text(NAMES)
    return write


@pytest.fixture
def paused(invoke: Invoke, release: Callable[..., None]) -> Callable[..., Result]:
    """Leave a thread of version 1 that asks, in the other database; then call commands."""
    release("1", FIRST)
    begun = invoke("run", "order", "--thread-id", "t", "--database", DATABASE, "--json")
    assert begun.exit_code == ExitCode.PAUSED, begun.output

    def call(*words: str) -> Result:
        get_workflows.cache_clear()
        return invoke("threads", *words, "--database", DATABASE)

    return call


def test_a_compatible_change_is_followed_and_shown(
    paused: Callable[..., Result], release: Callable[..., None]
) -> None:
    release("2", [*FIRST, {"task_id": "d", **NOTE}])
    done = paused("resume", "t", "--approve", "b", "--json")
    assert [each["task_id"] for each in json.loads(done.stdout)["tasks"]] == ["a", "b", "c", "d"]
    shown = json.loads(paused("show", "t", "--json").stdout)
    assert shown["workflow"] == {"name": "order", "version": "2"}
    (upgrade,) = shown["upgrades"]
    assert upgrade["differences"] == ["+ task 'd': added after what has begun"]
    assert (upgrade["old_version"], upgrade["new_version"], upgrade["by"]) == ("1", "2", None)
    text = flat(paused("show", "t").stdout)
    assert "Workflow order 2" in text
    assert "order 1 → 2" in text
    assert "+ task 'd': added after what has begun" in text


def test_threads_are_listed_by_workflow(paused: Callable[..., Result]) -> None:
    found = json.loads(paused("list", "--workflow", "order", "--json").stdout)
    assert [(each["thread_id"], each["workflow"]["name"]) for each in found] == [("t", "order")]
    assert json.loads(paused("list", "--workflow", "other", "--json").stdout) == []


def test_a_refusal_says_what_differs_and_changes_nothing(
    paused: Callable[..., Result], release: Callable[..., None]
) -> None:
    release("2", FIRST[:2])
    refused = paused("resume", "t")
    assert refused.exit_code == ExitCode.THREAD
    assert "- task 'c': removed; it would never be done" in refused.stderr
    again = paused("resume", "t", "--json")
    assert again.exit_code == ExitCode.THREAD
    error = json.loads(again.stdout)["error"]
    assert error["code"] == "incompatible_upgrade"
    assert error["differences"] == ["- task 'c': removed; it would never be done"]
    assert (error["workflow"], error["old_version"], error["new_version"]) == ("order", "1", "2")


@pytest.mark.parametrize("way", ["resume", "migrate", "cancel"])
def test_the_commands_in_a_refusal_work_as_printed(
    paused: Callable[..., Result], release: Callable[..., None], invoke: Invoke, way: str
) -> None:
    release("2", [{"task_id": "first", **NOTE}, FIRST[1]])
    refused = paused("resume", "t")
    (line,) = re.findall(rf"orchestration (threads {way} t.*)", refused.stderr)
    words = shlex.split(line.replace("MODULE:FUNCTION", "moves:names"))
    assert words[-2:] == ["--database", DATABASE]
    get_workflows.cache_clear()
    done = invoke(*words)
    shown = json.loads(paused("show", "t", "--json").stdout)
    if way == "cancel":
        assert done.exit_code == ExitCode.COMPLETED
        assert shown["status"] == "cancelled"
        return
    assert done.exit_code == ExitCode.PAUSED, done.output
    wanted = {"resume": ["a", "b", "c"], "migrate": ["first", "b"]}[way]
    assert [each["task_id"] for each in shown["result"]["tasks"]] == wanted
    if way == "migrate":
        assert shown["upgrades"][0]["by"]


def test_a_migration_goes_to_the_version_that_is_named(
    paused: Callable[..., Result], tmp_path: Path
) -> None:
    other = tmp_path / "other.json"
    tasks = [{"task_id": "first", **NOTE}, FIRST[1], {"task_id": "z", **NOTE}]
    other.write_text(json.dumps({"name": "order", "version": "9", "tasks": tasks}))
    moved = paused(
        "migrate", "t", "--with", "moves:names", "--to", str(other), "--by", "ann", "--json"
    )
    assert moved.exit_code == ExitCode.PAUSED, moved.output
    shown = json.loads(paused("show", "t", "--json").stdout)
    assert shown["workflow"] == {"name": "order", "version": "9"}
    assert shown["upgrades"][0]["by"] == "ann"


@pytest.mark.parametrize(
    ("function", "code", "words"),
    [
        ("moves:wrong", ExitCode.THREAD, "has begun and is not mentioned"),
        ("moves", ExitCode.BAD_INPUT, "is not of the form MODULE:FUNCTION"),
        ("moves:gone", ExitCode.BAD_INPUT, "has no attribute 'gone'"),
        ("nowhere:names", ExitCode.BAD_INPUT, "No module named 'nowhere'"),
        ("moves:__name__", ExitCode.BAD_INPUT, "is no function"),
    ],
)
def test_what_is_no_migration_is_refused(
    paused: Callable[..., Result], function: str, code: ExitCode, words: str
) -> None:
    refused = paused("migrate", "t", "--with", function)
    assert refused.exit_code == code
    assert words in flat(refused.stderr)
    assert json.loads(paused("show", "t", "--json").stdout)["upgrades"] == []


def test_a_refused_migration_tells_a_program_why(paused: Callable[..., Result]) -> None:
    refused = paused("migrate", "t", "--with", "moves:wrong", "--json")
    error = json.loads(refused.stdout)["error"]
    assert error["code"] == "invalid_migration"
    assert len(error["problems"]) == 2
