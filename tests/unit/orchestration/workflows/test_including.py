"""Files that include files and registered workflows."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration import (
    AgentTask,
    SubWorkflow,
    Workflow,
    WorkflowFileError,
    WorkflowRegistry,
    load_workflow,
)
from tests.unit.orchestration.workflows.conftest import Write

LEAF = "tasks: [{agent_id: hr}]"


def including(*references: str) -> str:
    return "tasks:\n" + "".join(f"  - workflow: {each}\n" for each in references)


def problems_of(file: str, workflows: WorkflowRegistry | None = None) -> list[str]:
    with pytest.raises(WorkflowFileError) as caught:
        load_workflow(file, workflows=workflows)
    return [str(problem) for problem in caught.value.problems]


def test_a_path_is_relative_to_the_file_that_names_it(write: Write) -> None:
    write("a/top.yaml", including("parts/middle.json"))
    write("a/parts/middle.json", '{"tasks": [{"workflow": "../leaf.yaml"}]}')
    write("a/leaf.yaml", f"name: leaf\nversion: 3\n{LEAF}")
    (middle,) = load_workflow("a/top.yaml").tasks
    assert isinstance(middle, SubWorkflow)
    (leaf,) = middle.workflow.tasks
    assert isinstance(leaf, SubWorkflow)
    assert (leaf.workflow.name, leaf.workflow.version) == ("leaf", "3")


def test_a_name_stands_for_a_registered_workflow(write: Write) -> None:
    registry = WorkflowRegistry()
    for version in ("1", "2"):
        registry.register(Workflow("leaf", version, [AgentTask("hr")]))
    write("top.yaml", including("leaf", "leaf@1"))
    tasks = load_workflow("top.yaml", workflows=registry).tasks
    versions = [task.workflow.version for task in tasks if isinstance(task, SubWorkflow)]
    assert versions == ["2", "1"]


def test_a_name_that_is_not_there_is_named_with_its_place(write: Write) -> None:
    write("top.yaml", including("leaf@7"))
    (problem,) = problems_of("top.yaml", WorkflowRegistry())
    assert problem.startswith("top.yaml:2:15: tasks[0].workflow: no workflow 'leaf@7'; known are")


def test_a_file_that_is_not_there_is_named_where_it_is_included(write: Write) -> None:
    write("top.yaml", including("gone.yaml"))
    (problem,) = problems_of("top.yaml")
    assert problem == (
        "top.yaml:2:15: tasks[0].workflow: gone.yaml: cannot be read: No such file or directory"
    )


def test_what_can_be_no_path_is_refused_too(write: Write) -> None:
    write("top.json", '{"tasks": [{"workflow": "a\\u0000.yaml"}, {"workflow": "/"}]}')
    null, folder = problems_of("top.json")
    assert "tasks[0].workflow: a\0.yaml: cannot be read: embedded null" in null
    assert "tasks[1].workflow: is '/'; a workflow file ends in .yaml" in folder
    with pytest.raises(WorkflowFileError, match="embedded null"):
        load_workflow("a\0.yaml")


def test_problems_of_an_included_file_have_its_places_and_are_told_once(write: Write) -> None:
    write("parts/leaf.yaml", "tasks:\n  - agent_id: hr\n    tries: 3")
    write("top.yaml", including("parts/leaf.yaml", "parts/leaf.yaml") + "  - {}\n")
    own, leaf = problems_of("top.yaml")
    assert own.startswith("top.yaml:4:5: tasks[2]: says nothing to do")
    assert leaf.startswith("parts/leaf.yaml:3:5: tasks[0].tries: is no key known here")


@pytest.mark.parametrize(
    ("files", "circle"),
    [
        ({"a.yaml": ["a.yaml"]}, "a.yaml -> a.yaml"),
        ({"a.yaml": ["./b.yaml"], "b.yaml": ["a.yaml"]}, "a.yaml -> b.yaml -> a.yaml"),
        (
            {"a.yaml": ["b.yaml"], "b.yaml": ["c.yaml"], "c.yaml": ["b.yaml"]},
            "b.yaml -> c.yaml -> b.yaml",
        ),
    ],
)
def test_a_circle_is_named(write: Write, files: dict[str, list[str]], circle: str) -> None:
    for name, references in files.items():
        write(name, including(*references))
    (problem,) = problems_of("a.yaml")
    assert problem.endswith(f"tasks[0].workflow: includes itself: {circle}")


def test_a_circle_by_names_is_named_too(write: Write) -> None:
    write("workflows/a.yaml", including("b"))
    write("workflows/b.yaml", including("a"))
    (problem,) = problems_of("workflows/a.yaml")
    circle = "workflows/a.yaml -> workflows/b.yaml -> workflows/a.yaml"
    assert problem == f"workflows/b.yaml:2:15: tasks[0].workflow: includes itself: {circle}"


def test_a_link_to_the_file_itself_is_a_circle(write: Write) -> None:
    write("a.yaml", including("b.yaml"))
    Path("b.yaml").symlink_to("a.yaml")
    assert "includes itself: a.yaml -> b.yaml" in problems_of("a.yaml")[0]


def test_files_in_a_long_row_are_refused(write: Write) -> None:
    for number in range(12):
        write(f"f{number}.yaml", including(f"f{number + 1}.yaml"))
    write("f12.yaml", LEAF)
    (problem,) = problems_of("f0.yaml")
    assert "f7.yaml:2:15: tasks[0].workflow: is the 9th file inside another" in problem
    assert load_workflow("f5.yaml").name == "f5"


def test_files_that_double_each_time_are_refused(write: Write) -> None:
    for number in range(6):
        write(f"f{number}.yaml", including(*[f"f{number + 1}.yaml"] * 10))
    write("f6.yaml", LEAF)
    told = problems_of("f0.yaml")
    assert any("tasks with those it includes; at most 10,000" in problem for problem in told)


def test_only_workflow_files_are_included_and_nothing_else_is_quoted(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("token: hush", encoding="utf-8")
    outer = tmp_path / "outer.yaml"
    outer.write_text("tasks: [{workflow: ./secret.txt}]", encoding="utf-8")
    with pytest.raises(WorkflowFileError, match=r"ends in \.yaml") as refused:
        load_workflow(str(outer))
    assert "hush" not in str(refused.value)
