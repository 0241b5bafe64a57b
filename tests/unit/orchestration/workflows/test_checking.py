"""What the planner finds is told with its place in the file, beside everything else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given

from orchestration import (
    AgentRegistry,
    AgentSpec,
    AgentTask,
    ForEach,
    Repeat,
    SubWorkflow,
    Wait,
    WaitForSignal,
    Workflow,
    WorkflowFileError,
)
from orchestration.workflows.checking import check_file
from orchestration.workflows.reading import Reader
from orchestration.workflows.task_names import Places, default_ids, kind_of
from state.errors import FileProblem
from tests.unit.orchestration.workflows.conftest import Write
from tests.unit.orchestration.workflows.test_published_schema import contents

WRONG = """strategy: parallel
aggregate: merge
on_failure: {quorum: 9}
router: "'hr'"
tasks:
  - agent_id: nobody
    retry:
      max_attempts: 0
  - task_id: x
    agent_id: hr
    condition: 1 +
    depends_on: [y]
  - capability: dancing
    requires_approval: {when: weather}
    depends_on: [gone]
  - task_id: y
    agent_id: hr
    depends_on: [x]
    compensate: {agent_id: nope}
  - agent_id: finance
    task_id: y
"""
PLACES = [
    ("3:13", "on_failure", "quorum(9) of 5 tasks cannot be; use 1 to 5"),
    ("4:9", "router", "a router was given, but the strategy is 'parallel'"),
    ("6:15", "tasks[0].agent_id", "task 'nobody': no enabled agent for 'nobody'"),
    ("8:21", "tasks[0].retry.max_attempts", "should be at least 1, not 0"),
    ("11:16", "tasks[1].condition", "the condition of task 'x' is not valid CEL"),
    ("13:17", "tasks[2].capability", "task 'dancing': no enabled agent for 'dancing'"),
    ("14:24", "tasks[2].requires_approval", "task 'dancing': approval when is not valid CEL"),
    ("15:17", "tasks[2].depends_on", "task 'dancing' depends on 'gone', which is no task"),
    ("19:17", "tasks[3].compensate", "the compensation of task 'y': no enabled agent"),
    ("21:14", "tasks[4].task_id", "task id 'y' is used 2 times"),
]


def problems_of(file: str, agents: AgentRegistry) -> list[str]:
    with pytest.raises(WorkflowFileError) as caught:
        check_file(file, agents=agents)
    return [str(problem) for problem in caught.value.problems]


def test_all_problems_are_told_at_once_with_their_places(
    write: Write, agents: AgentRegistry
) -> None:
    write("w.yaml", WRONG)
    problems = problems_of("w.yaml", agents)
    for (place, path, message), problem in zip(PLACES, problems, strict=True):
        assert problem.startswith(f"w.yaml:{place}: {path}: {message}")
        assert "\n" not in problem


def test_they_are_told_of_json_too(write: Write, agents: AgentRegistry) -> None:
    text = json.dumps(yaml.safe_load(WRONG), indent=1)
    write("w.json", text)
    lines = text.splitlines()
    problems = problems_of("w.json", agents)
    for (_, path, message), problem in zip(PLACES, problems, strict=True):
        file, line, column, rest = problem.split(":", 3)
        assert (file, rest.startswith(f" {path}: {message}")) == ("w.json", True)
        key = path.rpartition(".")[2]
        assert lines[int(line) - 1][: int(column) - 1].strip() == f'"{key}":'


def test_a_cycle_is_told_at_one_of_its_tasks(write: Write, agents: AgentRegistry) -> None:
    write(
        "w.yaml",
        "strategy: parallel\ntasks:\n  - {task_id: a, agent_id: hr}\n"
        "  - {task_id: b, agent_id: hr, depends_on: [c]}\n"
        "  - {task_id: c, agent_id: hr, depends_on: [b]}\n",
    )
    (problem,) = problems_of("w.yaml", agents)
    assert problem.startswith("w.yaml:4:44: tasks[1].depends_on: these tasks wait for each other: ")


def test_a_budget_of_a_tenant_is_good_though_a_check_has_none(
    write: Write, agents: AgentRegistry
) -> None:
    write("w.yaml", "budgets: [{cost: 5, per: tenant}]\ntasks: [{agent_id: hr}]\n")
    assert check_file("w.yaml", agents=agents).name == "w"


def test_a_task_without_an_id_is_found_by_the_one_it_gets(
    write: Write, agents: AgentRegistry
) -> None:
    write(
        "w.yaml",
        "tasks:\n  - agent_id: hr\n  - agent_id: hr\n    condition: '('\n"
        "  - agent_id: hr\n    depends_on: [hr_4]\n",
    )
    condition, later = problems_of("w.yaml", agents)
    assert condition.startswith("w.yaml:4:16: tasks[1].condition: ")
    assert later.startswith("w.yaml:6:17: tasks[2].depends_on: task 'hr_3' depends on 'hr_4'")


def test_nothing_is_planned_of_a_file_in_which_too_much_is_wrong(
    write: Write, agents: AgentRegistry
) -> None:
    write("w.yaml", "tasks:\n  - agent_id: 5\n  - agent_id: nobody\n")
    (problem,) = problems_of("w.yaml", agents)
    assert problem.startswith("w.yaml:2:15: tasks[0].agent_id: input should be a valid string")


def test_a_good_file_is_returned(write: Write, agents: AgentRegistry) -> None:
    write("w.yaml", "parameters: {required: [day]}\ntasks: [{capability: onboarding}]")
    assert check_file("w.yaml", agents=agents).name == "w"


def test_a_reserved_or_impossible_id_is_told_where_it_stands(
    write: Write, agents: AgentRegistry
) -> None:
    write("w.yaml", "tasks:\n  - {agent_id: hr, task_id: a b}\n")
    (problem,) = problems_of("w.yaml", agents)
    assert problem.startswith("w.yaml:2:29: tasks[0].task_id: task id 'a b' cannot be used")


NESTED = """tasks:
  - task_id: loop
    repeat:
      until: 'true'
      tasks:
        - agent_id: hr
        - for_each: {items: [1], task: {agent_id: finance, task_id: pay}}
  - workflow: {name: inner, tasks: [{agent_id: hr}]}
  - workflow: leaf.yaml
"""


@pytest.mark.parametrize(
    ("task_id", "file", "path"),
    [
        ("loop", "w.yaml", ("tasks", 0)),
        ("loop/", "w.yaml", ("tasks", 0)),
        ("loop/hr", "w.yaml", ("tasks", 0, "repeat", "tasks", 0)),
        (
            "loop/for_each/pay",
            "w.yaml",
            ("tasks", 0, "repeat", "tasks", 1, "for_each", "task"),
        ),
        ("inner/hr", "w.yaml", ("tasks", 1, "workflow", "tasks", 0)),
        ("leaf/talk", "leaf.yaml", ("tasks", 1)),
        ("leaf/nobody", "w.yaml", ("tasks", 2)),
    ],
)
def test_a_task_inside_others_is_found_by_its_path(
    write: Write, task_id: str, file: str, path: tuple[str | int, ...]
) -> None:
    write("leaf.yaml", "tasks:\n  - agent_id: hr\n  - {agent_id: hr, task_id: talk}")
    write("w.yaml", NESTED)
    place = Places(Reader().read("w.yaml")).find(task_id)
    assert place is not None
    assert (place.reading.source.file, place.path) == (file, path)


def test_an_id_that_nobody_has_has_no_place(write: Write) -> None:
    write("w.yaml", NESTED.replace("leaf.yaml", "gone.yaml"))
    assert Places(Reader().read("w.yaml")).find("loop") is None
    write("leaf.yaml", "tasks: [{agent_id: hr}]")
    write("w.yaml", NESTED)
    assert Places(Reader().read("w.yaml")).find("nobody") is None


def test_every_kind_of_task_has_an_id_and_can_be_described() -> None:
    hr = AgentTask("hr")
    tasks = [
        hr,
        AgentTask(capability="onboarding"),
        SubWorkflow(workflow=Workflow("inner", "3", [hr])),
        Repeat(tasks=[hr], until="true"),
        ForEach(items=[1, 2], tasks=hr),
        ForEach(items="outputs.hr.all", tasks=hr),
        Wait(span=5),
        WaitForSignal(signal="go"),
    ]
    said = dict(zip(default_ids(tasks), map(kind_of, tasks), strict=True))
    assert said == {
        "hr": "asks hr",
        "onboarding": "asks whoever can do onboarding",
        "inner": "runs the workflow inner 3",
        "repeat": "repeats until true, at most 10 times",
        "for_each": "for each of 2",
        "for_each_2": "for each of outputs.hr.all",
        "wait": "waits 5",
        "go": "waits for the signal go",
    }


@given(contents)
def test_checking_says_what_is_wrong_or_nothing_is(content: dict[str, Any]) -> None:
    Path("any.json").write_text(json.dumps(content), encoding="utf-8")
    registry = AgentRegistry()
    registry.register(AgentSpec("hr", ["onboarding"], handler=lambda _: {}))
    problems: Sequence[FileProblem] = ()
    name = ""
    try:
        name = check_file("any.json", agents=registry).name
    except WorkflowFileError as error:
        problems = error.problems
    assert bool(name) != bool(problems)
    assert all(problem.line is not None for problem in problems)


def test_a_thousand_problems_are_placed_in_a_moment(write: Write, agents: AgentRegistry) -> None:
    write("w.json", json.dumps({"tasks": [{"agent_id": "nobody"}] * 1000}))
    problems = problems_of("w.json", agents)
    assert len(problems) == 1000
    assert problems[-1].startswith("w.json:1:")
    assert "tasks[999].agent_id: task 'nobody_1000': no enabled agent" in problems[-1]
