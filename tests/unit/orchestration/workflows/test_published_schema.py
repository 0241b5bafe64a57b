"""The published JSON Schema and the reader agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from orchestration import WorkflowFileError, load_workflow
from orchestration.documents.reading import read_source
from orchestration.documents.yaml_source import read_yaml
from orchestration.workflows.published_schema import PUBLISHED, workflow_schema
from tests.unit.orchestration.workflows.test_kinds import NONSENSE
from tests.unit.orchestration.workflows.test_reading import FULL

ROOT = Path(__file__).parents[4]
EXAMPLES = sorted(
    each for each in (ROOT / "examples").iterdir() if each.suffix in {".yaml", ".json"}
)
VALIDATOR = Draft202012Validator(workflow_schema())
AGENT: dict[str, Any] = {"agent_id": "hr"}

WHAT_ONLY_THE_READER_SEES = {
    "{wait: {until: 2026-12-01T09:00:00}}",  # a format, which is no assertion
}


def is_fine(content: object) -> bool:
    return VALIDATOR.is_valid(content)


def test_the_committed_schema_is_up_to_date() -> None:
    published = (ROOT / PUBLISHED).read_text(encoding="utf-8")
    assert json.loads(published) == workflow_schema(), (
        f"renew it: orchestration workflows schema > {PUBLISHED}"
    )


def test_it_is_a_json_schema_and_describes_its_keys() -> None:
    schema = workflow_schema()
    Draft202012Validator.check_schema(schema)
    task = schema["$defs"]["TaskEntry"]["properties"]
    assert task["condition"]["description"] == "CEL; the task is skipped where it is false."
    assert all("title" not in each for each in task.values())


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_every_example_follows_it(file: Path) -> None:
    content = read_source(str(file)).value
    assert [*map(str, VALIDATOR.iter_errors(content))] == []


def test_every_key_of_the_readers_own_test_follows_it() -> None:
    assert is_fine(yaml.safe_load(FULL))


@pytest.mark.parametrize("text", sorted(NONSENSE.keys() - WHAT_ONLY_THE_READER_SEES))
def test_it_refuses_the_nonsense_that_the_reader_refuses(text: str) -> None:
    assert not is_fine({"tasks": [read_yaml(text, "x.yaml").value]})
    assert is_fine({"tasks": [AGENT]})


YES = True


def options(*values: object) -> st.SearchStrategy[object]:
    return st.sampled_from(values)


policies = st.fixed_dictionaries(
    {},
    optional={
        "quorum": options(0, 1, "2"),
        "roles": options([], ["a"], "a"),
        "deadline": options(5, "3d", "3 days", 0, -1),
        "at_deadline": options("reject", "wait"),
        "colour": options("red"),
    },
)
works = {
    "agent_id": options("hr", None, 5),
    "capability": options("onboarding", None),
    "input_data": options({}, {"a": [1]}, {"messages": []}, None, []),
    "message": options("hi", None, 5),
    "timeout_seconds": options(1, 0.5, 0, None, "5", YES),
    "retry": options(None, {}, {"max_attempts": 3}, {"max_attempts": 0}, {"tries": 1}),
}
tasks = st.fixed_dictionaries(
    {},
    optional={
        **works,
        "wait": options({"hours": 1}, {}, {"hours": 1, "days": 1}, None, {"hours": -1}),
        "wait_for_signal": options({"signal": "go"}, {"signal": ""}, None),
        "repeat": options({"until": "true", "tasks": [AGENT]}, {"until": "true"}, None),
        "for_each": options({"items": "a", "task": AGENT}, {"items": 5, "task": AGENT}),
        "workflow": options({"tasks": [AGENT]}, {"tasks": []}, 5),
        "task_id": options("t", 5, None),
        "depends_on": options([], ["t"], "t", None),
        "requires_approval": options(YES, not YES, None, "yes") | policies,
        "compensate": options({}, AGENT, None) | st.fixed_dictionaries({}, optional=works),
        "input_from": options({}, {"a": "b"}, {"a": 5}),
        "colour": options("red"),
    },
)
contents = st.fixed_dictionaries(
    {"tasks": st.lists(tasks | options(AGENT), max_size=2)},
    optional={
        "name": options("a", "a b", None, 5),
        "version": options("1", 2, 1.5, YES, None, ""),
        "strategy": options("parallel", "cyclic", "serial", None),
        "on_failure": options(
            "continue", {"quorum": 1}, {"quorum": 0}, {"quorum": 1, "a": 1}, None
        ),
        "router": options("a", {"a": "b"}, {"a": 1}, None, []),
        "supervisor": options("a", {"a": "b"}, AGENT, {"agent_id": None}, 5, None),
        "parameters": options({}, {"type": "object"}, {"type": 5}, None, []),
        "max_turns": options(1, 0, 1000, 1001, None),
        "$schema": options("x", 5),
    },
)


@given(contents)
def test_both_accept_and_refuse_the_same(content: dict[str, Any]) -> None:
    Path("any.json").write_text(json.dumps(content), encoding="utf-8")
    refused = ""
    try:
        load_workflow("any.json")
    except WorkflowFileError as error:
        refused = str(error)
    assert is_fine(content) == (not refused), refused
