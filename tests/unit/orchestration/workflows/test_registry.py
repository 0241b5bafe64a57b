"""Workflows by name: in code, in folders, in packages."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration import (
    AgentTask,
    ConfigurationError,
    RegistrationError,
    Workflow,
    WorkflowConflictError,
    WorkflowFileError,
    WorkflowNotFoundError,
    WorkflowRegistry,
    get_workflows,
)
from orchestration.workflows.discovery import discover
from tests.unit.orchestration.workflows.conftest import Write


def purchase(version: str = "1", message: str = "Book 2 tickets") -> Workflow:
    return Workflow("purchase", version, [AgentTask("ticketing", {"message": message})])


def test_the_latest_is_the_one_registered_last() -> None:
    registry = WorkflowRegistry()
    for version in ("2", "10", "1"):
        registry.register(purchase(version))
    assert registry.get("purchase").version == "1"
    assert registry.get("purchase", "10").version == "10"
    assert registry.versions("purchase") == ["2", "10", "1"]
    latest = registry.latest("purchase")
    assert latest is registry.get("purchase")
    assert registry.latest("onboarding") is None
    assert (registry.names(), registry.versions("onboarding")) == (["purchase"], [])


def test_the_same_again_changes_nothing_also_after_a_run() -> None:
    registry = WorkflowRegistry()
    first = registry.register(purchase())
    first.tasks[0].output = {"order": 1}
    registry.register(purchase())
    assert registry.versions("purchase") == ["1"]


def test_something_else_under_the_same_version_is_refused_with_the_remedy() -> None:
    registry = WorkflowRegistry()
    registry.register(purchase())
    with pytest.raises(
        WorkflowConflictError, match=r"'purchase' version '1'.*give the changed one"
    ):
        registry.register(purchase(message="Book 3 tickets"))
    assert registry.get("purchase").tasks == purchase().tasks
    changed = registry.register(purchase(message="Book 3 tickets"), replace=True)
    assert registry.get("purchase") is changed


def test_a_callable_is_the_same_only_if_it_is_the_very_same() -> None:
    def big(_outcomes: object) -> bool:
        return True

    registry = WorkflowRegistry()
    for _ in range(2):
        registry.register(Workflow("w", tasks=[AgentTask("a", condition=big)]))
    with pytest.raises(WorkflowConflictError):
        registry.register(Workflow("w", tasks=[AgentTask("a", condition=lambda _: True)]))


@pytest.mark.parametrize(
    ("workflow", "why"),
    [
        (Workflow("a b"), "a workflow's name is 'a b'; use letters"),
        (Workflow("a@1"), "a workflow's name is 'a@1'"),
        (Workflow("a", "one two"), "a workflow's version is 'one two'"),
        (Workflow("a", 2), "a workflow's version is 2"),  # type: ignore[arg-type]
        ([AgentTask("a")], "is no workflow; give a Workflow"),
    ],
)
def test_what_cannot_be_registered_is_refused(workflow: Workflow, why: str) -> None:
    with pytest.raises(RegistrationError, match=why):
        WorkflowRegistry().register(workflow)


def test_an_unknown_name_or_version_is_answered_with_what_there_is() -> None:
    registry = WorkflowRegistry()
    registry.register(purchase())
    for wanted in (("onboarding", None), ("purchase", "7")):
        with pytest.raises(WorkflowNotFoundError, match=r"known are \['purchase@1'\]"):
            registry.get(*wanted)


def test_many_threads_register_and_read_at_once() -> None:
    registry = WorkflowRegistry()
    barrier = threading.Barrier(8)

    def work(number: int) -> None:
        barrier.wait(timeout=30)
        for version in range(20):
            registry.register(purchase(f"{number}.{version}"))
            assert registry.get("purchase", f"{number}.{version}").name == "purchase"

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(registry.versions("purchase")) == 160


# -- folders ------------------------------------------------------------------------------

FILE = "tasks: [{agent_id: hr}]"


def test_definitions_in_the_folder_workflows_are_found(write: Write) -> None:
    write("workflows/onboarding.yaml", f"version: 1.10\n{FILE}")
    write("workflows/old.yml", f"name: onboarding\nversion: 1.9\n{FILE}")
    write("workflows/other.json", '{"name": "leave", "tasks": [{"agent_id": "hr"}]}')
    write("workflows/notes.txt", "no workflow")
    registry = get_workflows()
    assert registry.names() == ["leave", "onboarding"]
    assert registry.versions("onboarding") == ["1.9", "1.10"]
    assert registry.get("onboarding").version == "1.10"
    assert registry.problems() == []


def test_the_environment_names_other_folders(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("workflows/a.yaml", FILE)
    write("one/b.yaml", FILE)
    write("two/c.yaml", FILE)
    monkeypatch.setenv("ORCHESTRATION_WORKFLOWS", os.pathsep.join(["one", "two", "gone"]))
    registry = get_workflows()
    assert registry.names() == ["b", "c"]
    (problem,) = registry.problems()
    assert isinstance(problem, ConfigurationError)
    assert "names 'gone', which is no folder" in str(problem)


def test_broken_files_are_reported_and_do_not_break_the_others(write: Write) -> None:
    write("workflows/good.yaml", FILE)
    write("workflows/cut.yaml", "tasks: [")
    write("workflows/list.yaml", "[]")
    write("workflows/wrong.yaml", "tasks: [{}]")
    registry = get_workflows()
    assert registry.get("good").name == "good"
    assert registry.names() == ["good", "wrong"]
    broken = [error.path for error in registry.problems() if isinstance(error, WorkflowFileError)]
    assert broken == ["workflows/cut.yaml", "workflows/list.yaml", "workflows/wrong.yaml"]
    with pytest.raises(WorkflowFileError, match=r"workflows/wrong.yaml:1:9: tasks\[0\]: says not"):
        registry.get("wrong")
    with pytest.raises(WorkflowNotFoundError, match=r"could not be read: \['workflows/cut.yaml'"):
        registry.get("cut")


def test_a_file_is_read_when_it_is_wanted(write: Write) -> None:
    write("workflows/late.yaml", f"description: before\n{FILE}")
    registry = get_workflows()
    assert registry.names() == ["late"]
    write("workflows/late.yaml", f"description: after\n{FILE}")
    assert registry.get("late").description == "after"


def test_two_files_of_one_version_must_say_the_same(write: Write) -> None:
    write("workflows/a.yaml", f"name: x\n{FILE}")
    write("workflows/b.yaml", f"name: x\n{FILE}")
    assert get_workflows().get("x").name == "x"
    write("workflows/b.yaml", "name: x\ntasks: [{agent_id: sales}]")
    get_workflows.cache_clear()
    with pytest.raises(WorkflowConflictError, match=r"workflows/a.yaml and workflows/b.yaml"):
        get_workflows().get("x")
    (problem,) = get_workflows().problems()
    assert isinstance(problem, WorkflowConflictError)


def test_what_is_registered_in_code_is_the_latest(write: Write) -> None:
    write("workflows/purchase.yaml", f"version: 7\n{FILE}")
    get_workflows().register(purchase("2"))
    assert get_workflows().versions("purchase") == ["7", "2"]
    assert get_workflows().get("purchase").version == "2"


def test_without_a_folder_there_is_nothing() -> None:
    assert get_workflows().names() == []
    assert get_workflows().problems() == []


# -- packages -----------------------------------------------------------------------------

MODULE = """
from orchestration import AgentTask, Workflow

one = Workflow("one", tasks=[AgentTask("hr")])
def several():
    return [Workflow("two", tasks=[AgentTask("hr")]), Workflow("three", tasks=[AgentTask("hr")])]
nothing = 5
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a package with entry points on the path, as pip does."""

    def install(entries: str) -> None:
        folder = tmp_path / "site"
        information = folder / "company_flows-1.0.dist-info"
        information.mkdir(parents=True)
        (folder / "company_flows.py").write_text(MODULE)
        (information / "METADATA").write_text("Metadata-Version: 2.1\nName: company-flows\n")
        (information / "entry_points.txt").write_text(f"[orchestration.workflows]\n{entries}")
        monkeypatch.syspath_prepend(str(folder))

    return install


def test_packages_bring_workflows_and_broken_ones_are_reported(
    install: Callable[[str], None],
) -> None:
    install(
        "one = company_flows:one\nmore = company_flows:several\n"
        "bad = company_flows:nothing\ngone = company_flows:gone\n"
    )
    registry = WorkflowRegistry(find=lambda: discover({}))
    assert registry.names() == ["one", "three", "two"]
    told = sorted(map(str, registry.problems()))
    assert told[0].startswith(
        "entry point bad = company_flows:nothing: TypeError: 5 is no Workflow"
    )
    assert told[1].startswith("entry point gone = company_flows:gone: AttributeError: ")
