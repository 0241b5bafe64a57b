"""Every kind of task, and every key of a workflow, as read from a file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from orchestration import (
    AgentTask,
    ForEach,
    Repeat,
    SubWorkflow,
    Wait,
    WaitForSignal,
    Workflow,
    WorkflowFileError,
    load_workflow,
    quorum,
)
from state.task import Task
from tests.unit.orchestration.workflows.conftest import Write


def only(write: Write, text: str) -> Task:
    """The one task of a file."""
    write("w.yaml", f"tasks:\n  - {text}\n")
    (task,) = load_workflow("w.yaml").tasks
    return task


def refused(write: Write, text: str) -> list[str]:
    write("w.yaml", f"tasks:\n  - {text}\n")
    with pytest.raises(WorkflowFileError) as caught:
        load_workflow("w.yaml")
    return [f"{each.path}: {each.message}" for each in caught.value.problems]


def test_a_workflow_says_all_of_itself(write: Write) -> None:
    write(
        "negotiation.yaml",
        """
name: price-talks
version: 2
description: Until they agree.
strategy: cyclic
on_failure: fail_fast
start: buyer
until: outputs.seller.agreed
max_turns: 7
supervisor: {agent_id: boss, message: "Who is next?", timeout_seconds: 4}
parameters: {type: object, properties: {limit: {type: number}}}
tasks:
  - {agent_id: buyer, input_from: {limit: parameters.limit}}
  - {agent_id: seller}
""",
    )
    assert load_workflow("negotiation.yaml") == Workflow(
        "price-talks",
        "2",
        [
            AgentTask("buyer", {}, input_from={"limit": "parameters.limit"}, depends_on=[]),
            AgentTask("seller", {}, depends_on=[]),
        ],
        strategy="cyclic",
        on_failure="fail_fast",
        supervisor=AgentTask(
            "boss", {"messages": [{"role": "user", "content": "Who is next?"}]}, timeout=4.0
        ),
        start="buyer",
        until="outputs.seller.agreed",
        max_turns=7,
        parameters={"type": "object", "properties": {"limit": {"type": "number"}}},
        description="Until they agree.",
    )


@pytest.mark.parametrize(
    ("written", "version"),
    [("1.10", "1.10"), ("3", "3"), ("'3'", "3"), ("2.0.1", "2.0.1"), ("2026-11-25", "2026-11-25")],
)
def test_a_version_is_kept_as_it_is_written(write: Write, written: str, version: str) -> None:
    inner = f"{{version: {written}, tasks: [{{agent_id: a}}]}}"
    write("w.yaml", f"version: {written}\ntasks:\n  - workflow: {inner}\n")
    workflow = load_workflow("w.yaml")
    (task,) = workflow.tasks
    assert isinstance(task, SubWorkflow)
    assert (workflow.version, task.workflow.version) == (version, version)
    write("w.json", f'{{"version": {1.10}, "tasks": [{{"agent_id": "a"}}]}}')
    assert load_workflow("w.json").version == "1.1"


@pytest.mark.parametrize("supervisor", ["'finish'", "{'turn > 2': finish, 'true': buyer}"])
def test_a_supervisor_may_be_an_expression_or_a_map(write: Write, supervisor: str) -> None:
    write("w.yaml", f"strategy: cyclic\nsupervisor: {supervisor}\ntasks: [{{agent_id: buyer}}]")
    wanted = {"turn > 2": "finish", "true": "buyer"} if "{" in supervisor else "finish"
    assert load_workflow("w.yaml").supervisor == wanted


@pytest.mark.parametrize(
    ("file", "name"),
    [("my flow (2).yaml", "my_flow__2_"), (".hidden.yaml", "_hidden"), ("é.json", "_")],
)
def test_a_file_without_a_name_is_named_after_itself(write: Write, file: str, name: str) -> None:
    write(file, '{"tasks": [{"agent_id": "a"}]}')
    assert load_workflow(file).name == name


def test_a_workflow_inside_a_task(write: Write) -> None:
    task = only(write, "{task_id: t, workflow: {strategy: parallel, tasks: [{agent_id: a}]}}")
    assert isinstance(task, SubWorkflow)
    assert (task.task_id, task.workflow.name, task.workflow.strategy) == ("t", "w.0", "parallel")
    assert isinstance(task.workflow.tasks[0], AgentTask)


def test_a_loop(write: Write) -> None:
    task = only(write, "{repeat: {tasks: [{agent_id: a}], until: turn > 2, max_turns: 5}}")
    assert isinstance(task, Repeat)
    assert (task.until, task.max_turns) == ("turn > 2", 5)
    whole = only(write, "{repeat: {workflow: {tasks: [{agent_id: a}]}, until: 'true'}}")
    assert isinstance(whole, Repeat)
    assert isinstance(whole.tasks, Workflow)
    assert whole.max_turns == 10


def test_work_for_each_item(write: Write) -> None:
    one = only(
        write,
        "{for_each: {items: [1, a], task: {agent_id: a}, max_concurrency: 2, "
        "on_failure: {quorum: 1}}}",
    )
    assert isinstance(one, ForEach)
    assert isinstance(one.tasks, AgentTask)
    assert (one.items, one.max_concurrency, one.on_failure) == ([1, "a"], 2, quorum(1))
    several = only(write, "{for_each: {items: outputs.a.hits, tasks: [{agent_id: a}]}}")
    assert isinstance(several, ForEach)
    assert isinstance(several.tasks, list)
    assert (several.items, several.on_failure) == ("outputs.a.hits", "continue")
    whole = only(write, "{for_each: {items: [], workflow: {tasks: [{agent_id: a}]}}}")
    assert isinstance(whole, ForEach)
    assert isinstance(whole.tasks, Workflow)


@pytest.mark.parametrize(
    ("written", "span"),
    [
        ("{seconds: 0.5}", timedelta(seconds=0.5)),
        ("{minutes: 3}", timedelta(minutes=3)),
        ("{hours: 2}", timedelta(hours=2)),
        ("{days: 365}", timedelta(days=365)),
        ("{until: 2026-12-01T09:00:00Z}", datetime(2026, 12, 1, 9, tzinfo=UTC)),
        (
            "{until: '2026-12-01 09:00+01:00'}",
            datetime(2026, 12, 1, 9, tzinfo=timezone(timedelta(hours=1))),
        ),
    ],
)
def test_a_wait(write: Write, written: str, span: timedelta | datetime) -> None:
    task = only(write, f"{{wait: {written}, depends_on: [], condition: 'true'}}")
    assert task == Wait(span=span, depends_on=[], condition="true")


def test_a_wait_for_a_signal(write: Write) -> None:
    task = only(write, "{wait_for_signal: {signal: goods.arrived, timeout_seconds: 60}}")
    assert task == WaitForSignal(signal="goods.arrived", timeout=60.0, depends_on=[])


def test_other_kinds_can_be_approved_and_taken_back_by_a_named_agent(write: Write) -> None:
    task = only(
        write,
        "{workflow: {tasks: [{agent_id: a}]}, requires_approval: true, compensate: {agent_id: b}}",
    )
    assert task.requires_approval is True
    assert task.compensate == AgentTask("b", {})


AGENT = "agent_id: a"
NONSENSE = {
    "{}": ["tasks[0]: says nothing to do; give one of agent_id, capability, workflow,"],
    f"{{{AGENT}, wait: {{hours: 1}}}}": [
        "tasks[0]: does several things; keep one of agent_id, wait"
    ],
    "{wait: {}}": ["tasks[0].wait: give one of seconds, minutes, hours, days, until"],
    "{wait: {hours: 1, days: 1}}": ["tasks[0].wait: give one of seconds, minutes, hours, days, "],
    "{wait: {hours: 0}}": ["tasks[0].wait.hours: should be more than 0, not 0"],
    "{wait: {days: 366}}": ["tasks[0].wait.days: should be at most 365, not 366"],
    "{wait: {until: 2026-12-01T09:00:00}}": [
        "tasks[0].wait.until: use a moment with its time zone"
    ],
    "{wait: {hours: 1}, message: hi}": ["tasks[0].message: is for agents, and this task is a wait"],
    "{wait: {hours: 1}, requires_approval: true}": ["tasks[0].requires_approval: nobody can app"],
    "{wait_for_signal: {signal: a b}}": ["tasks[0].wait_for_signal.signal: use 1 to 100 letters"],
    "{wait_for_signal: {}}": ["tasks[0].wait_for_signal.signal: is missing"],
    "{workflow: 5}": ["tasks[0].workflow: use the name of a workflow, the path of a file, or a "],
    "{workflow: ''}": ["tasks[0].workflow: "] * 2,
    "{workflow: {tasks: [{}]}}": ["tasks[0].workflow.tasks[0]: says nothing to do"],
    "{workflow: {tasks: [{agent_id: a}]}, compensate: {}}": ["tasks[0].compensate: a workflow has"],
    "{repeat: {tasks: [{agent_id: a}]}}": ["tasks[0].repeat.until: is missing"],
    "{repeat: {until: 'true'}}": ["tasks[0].repeat: give one of tasks, workflow"],
    "{repeat: {until: 'true', max_turns: 1001, tasks: [{agent_id: a, tries: 1}]}}": [
        "tasks[0].repeat.tasks[0].tries: is no key known here; known are agent_id",
        "tasks[0].repeat.max_turns: should be at most 1,000, not 1001",
    ],
    "{for_each: {items: 5, task: {agent_id: a}}}": [
        "tasks[0].for_each.items: use a list, or a CEL"
    ],
    "{for_each: {items: []}}": ["tasks[0].for_each: give one of task, tasks, workflow"],
    "{for_each: {items: [], task: {wait: {hours: x}}}}": [
        "tasks[0].for_each.task.wait.hours: input should be a valid number, not 'x'"
    ],
    "{agent_id: a, input_from: {x: 5}}": ["tasks[0].input_from.x: input should be a valid string"],
    "{agent_id: a, dependson: [b]}": ["tasks[0].dependson: is no key known here (did you mean "],
}


@pytest.mark.parametrize("text", NONSENSE)
def test_what_makes_no_sense_is_refused_with_its_path(write: Write, text: str) -> None:
    problems = refused(write, text)
    assert len(problems) == len(NONSENSE[text]), problems
    for problem, expected in zip(problems, NONSENSE[text], strict=True):
        assert problem.startswith(expected)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("name: a b", "name: use 1 to 100 letters, digits, '_', '-' or '.', not 'a b'"),
        ("version: one two", "version: use 1 to 50 letters"),
        ("version: true", "version: input should be a valid string"),
        ("max_turns: 0", "max_turns: should be at least 1, not 0"),
        ("supervisor: 5", "supervisor: use a CEL expression, a map of CEL conditions"),
        ("supervisor: {agent_id: a, capability: b}", "supervisor: give either agent_id or cap"),
        ("supervisor: {agent_id: a, tries: 3}", "supervisor.tries: is no key known here; known "),
        ("parameters: {type: table}", "parameters: no JSON Schema: type: "),
        ("parameters: []", "parameters: input should be a valid dictionary"),
        ("on_failure: {quorum: 0}", "on_failure: use 'continue'"),
    ],
)
def test_what_a_whole_cannot_be_is_refused(write: Write, line: str, problem: str) -> None:
    write("w.yaml", f"{line}\ntasks: [{{agent_id: a}}]")
    with pytest.raises(WorkflowFileError) as caught:
        load_workflow("w.yaml")
    (found,) = caught.value.problems
    assert f"{found.path}: {found.message}".startswith(problem)
    assert found.line == 1
