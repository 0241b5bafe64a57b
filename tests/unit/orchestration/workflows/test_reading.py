from __future__ import annotations

import json
import pickle
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration import Workflow, WorkflowFileError, load_workflow
from state.approval import ApprovalPolicy
from state.failure_mode import quorum
from state.retry import RetryPolicy
from state.task import AgentTask

FULL = """
strategy: parallel
on_failure: {quorum: 1}
aggregate: merge
tasks:
  - agent_id: ticketing
    message: Book 2 tickets
    input_data: {amount: 5}
    task_id: buy
    timeout_seconds: 3
    retry: {max_attempts: 4, initial_seconds: 1, backoff: 3, max_seconds: 9, jitter: false}
  - capability: expense_logging
    depends_on: [buy]
    condition: outputs.buy.total_price > 5
    requires_approval: true
"""


def load(text: str, name: str = "workflow.yaml") -> WorkflowFileError:
    Path(name).write_text(text)
    with pytest.raises(WorkflowFileError) as caught:
        load_workflow(name)
    return caught.value


def agent_tasks(workflow: Workflow) -> list[AgentTask]:
    tasks = [task for task in workflow.tasks if isinstance(task, AgentTask)]
    assert len(tasks) == len(workflow.tasks)
    return tasks


def test_every_key_reaches_the_tasks() -> None:
    Path("full.yaml").write_text(FULL)
    workflow = load_workflow("full.yaml")
    buy, log = agent_tasks(workflow)
    assert (workflow.name, workflow.version) == ("full", "1")
    assert workflow.strategy == "parallel"
    assert workflow.on_failure == quorum(1)
    assert workflow.aggregate == "merge"
    assert buy.input_data == {
        "amount": 5,
        "messages": [{"role": "user", "content": "Book 2 tickets"}],
    }
    assert (buy.agent_id, buy.task_id, buy.timeout) == ("ticketing", "buy", 3.0)
    assert buy.retry == RetryPolicy(
        max_attempts=4,
        initial_delay=timedelta(seconds=1),
        backoff=3,
        max_delay=timedelta(seconds=9),
        jitter=False,
    )
    assert (log.agent_id, log.capability, log.depends_on) == (None, "expense_logging", ["buy"])
    assert (log.condition, log.requires_approval) == ("outputs.buy.total_price > 5", True)


def test_yaml_and_json_say_the_same() -> None:
    Path("full.yaml").write_text(FULL)
    Path("full.json").write_text(json.dumps(yaml.safe_load(FULL)))
    assert load_workflow("full.yaml") == load_workflow("full.json")


@pytest.mark.parametrize("router", ["'hr'", {"true": "hr"}])
def test_a_router_is_an_expression_or_a_map(router: object) -> None:
    content = {"strategy": "conditional", "router": router, "tasks": [{"agent_id": "hr"}]}
    Path("routed.json").write_text(json.dumps(content))
    assert load_workflow("routed.json").router == router


def test_dates_in_yaml_stay_text_as_in_json() -> None:
    Path("dated.yaml").write_text("tasks: [{agent_id: hr, input_data: {day: 2026-11-23}}]")
    assert agent_tasks(load_workflow("dated.yaml"))[0].input_data == {"day": "2026-11-23"}


def approvals(values: list[object]) -> list[object]:
    content = {"tasks": [{"agent_id": "hr", "requires_approval": value} for value in values]}
    Path("approved.json").write_text(json.dumps(content))
    return [task.requires_approval for task in load_workflow("approved.json").tasks]


def test_every_field_of_an_approval_policy_reaches_the_task() -> None:
    policy = ApprovalPolicy(
        roles=["manager"],
        quorum=2,
        separation_of_duties=False,
        allowed=["approve", "reject"],
        when="input.amount > 5",
        arguments={"type": "object"},
        deadline=timedelta(days=2),
        at_deadline="approve",
        reminder=timedelta(hours=1.5),
        escalation=timedelta(days=1, hours=12),
        escalate_to=["director"],
    )
    values = {field: getattr(policy, field) for field in policy.__dataclass_fields__}
    assert approvals([{**values, "deadline": "2d", "reminder": 5400, "escalation": "1d 12h"}]) == [
        policy
    ]
    assert approvals([True, False, {}]) == [True, False, True]


@pytest.mark.parametrize(
    ("given_", "seconds"),
    [
        (90, 90),
        (0.5, 0.5),
        ("45s", 45),
        ("30m", 1800),
        ("2h", 7200),
        ("3d", 259200),
        ("1w", 604800),
    ],
)
def test_a_duration_is_seconds_or_a_text(given_: object, seconds: float) -> None:
    (policy,) = approvals([{"deadline": given_}])
    assert isinstance(policy, ApprovalPolicy)
    assert policy.deadline == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "wrong",
    [0, -1, True, None, "", "soon", "3 days", "h", "-2h", "2h later", "99999w", "9" * 400, []],
)
def test_what_is_no_duration_is_refused(wrong: object) -> None:
    with pytest.raises(WorkflowFileError, match=r"requires_approval.deadline: use seconds, or"):
        approvals([{"deadline": wrong}])


@pytest.mark.parametrize(
    ("policy", "place", "why"),
    [
        (None, "", "use true, false, or a mapping"),
        ("yes", "", "use true, false, or a mapping"),
        ([], "", "use true, false, or a mapping"),
        ({"colour": "red"}, ".colour", "is no key known here; known are roles, quorum, "),
        ({"roles": "manager"}, ".roles", "input should be a valid list, not 'manager'"),
        ({"quorum": 0}, "", "quorum is 0; give a whole number from 1 on"),
        ({"allowed": ["approve"]}, "", "allowed has no 'reject'"),
        ({"at_deadline": "respond"}, ".at_deadline", "input should be 'reject' or 'approve'"),
        ({"deadline": "1h", "reminder": "2h"}, "", "reminder is 2:00:00, which is not before"),
        ({"escalate_to": ["boss"]}, "", "escalation and escalate_to belong together"),
        ({"arguments": {"type": 5}}, "", "arguments is no JSON Schema"),
    ],
)
def test_an_approval_that_cannot_be_is_refused_with_its_place(
    policy: object, place: str, why: str
) -> None:
    with pytest.raises(WorkflowFileError) as caught:
        approvals([policy])
    (problem,) = caught.value.problems
    assert problem.path == f"tasks[0].requires_approval{place}"
    assert why in problem.message


def test_every_problem_is_named_with_its_place() -> None:
    error = load(
        """
strategy: serial
on_failure: {quorum: two}
router: [1]
colour: red
tasks:
  - {agent_id: a, capability: b, timeout_seconds: 0}
  - {agent_id: a, message: 5, when: now, retry: {max_attempts: 0, tries: 2}}
  - {}
  - {agent_id: a, message: hi, input_data: {messages: []}}
"""
    )
    assert sorted(problem.path for problem in error.problems) == [
        "colour",
        "on_failure",
        "router",
        "strategy",
        "tasks[0]",
        "tasks[0].timeout_seconds",
        "tasks[1].message",
        "tasks[1].retry.max_attempts",
        "tasks[1].retry.tries",
        "tasks[1].when",
        "tasks[2]",
        "tasks[3]",
    ]
    assert "workflow.yaml has 12 problems; nothing was run" in str(error)
    assert "max_attempts, initial_seconds" in str(error)


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        pytest.param("", "w.yaml", "w.yaml: should be a mapping", id="empty"),
        pytest.param("[]", "w.json", "w.json:1:1: should be a mapping", id="a list"),
        pytest.param("tasks: []", "w.yaml", "tasks: list should have at least 1", id="no tasks"),
        pytest.param("tasks: [", "w.yaml", ":1:9: not YAML: ", id="cut YAML"),
        pytest.param('{"tasks"', "w.json", ":1:9: not JSON: ", id="cut JSON"),
        pytest.param(
            "a: 1\na: 2", "w.yaml", ":2:1: a: this key is there twice", id="twice in YAML"
        ),
        pytest.param(
            '{"a":1,"a":2}', "w.json", ":1:8: a: this key is there twice", id="twice in JSON"
        ),
        pytest.param('{"a": NaN}', "w.json", "NaN is no JSON number", id="NaN"),
        pytest.param(
            "tasks: &a [*a]", "w.yaml", r"tasks\[0\]: is an alias for something", id="a loop"
        ),
        pytest.param("[" * 5000, "w.json", "nested too deeply", id="deep JSON"),
        pytest.param("[" * 5000, "w.yaml", "nested too deeply", id="deep YAML"),
        pytest.param("tasks: [{agent_id: hr, input_data: {1: 2}}]", "w.yaml", "input_data", id="1"),
        pytest.param("a: \x07", "w.yaml", "not YAML: .*special characters", id="control letter"),
    ],
)
def test_what_is_no_workflow_is_refused(text: str, name: str, expected: str) -> None:
    error = load(text, name)
    assert str(error).startswith(name)
    assert error.code == "invalid_file"
    with pytest.raises(WorkflowFileError, match=expected):
        raise error


def test_yaml_tags_run_nothing() -> None:
    error = load('tasks: !!python/object/apply:os.mkdir ["made"]')
    assert "could not determine a constructor" in str(error)
    assert not Path("made").exists()


def test_a_file_that_is_missing_or_no_text_is_refused() -> None:
    with pytest.raises(WorkflowFileError, match=r"gone\.yaml: cannot be read: No such file"):
        load_workflow("gone.yaml")
    Path("binary.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(WorkflowFileError, match="not UTF-8 text"):
        load_workflow("binary.yaml")


def test_a_byte_order_mark_is_no_problem() -> None:
    Path("marked.json").write_bytes(b'\xef\xbb\xbf{"tasks": [{"agent_id": "hr"}]}')
    assert agent_tasks(load_workflow("marked.json"))[0].agent_id == "hr"


def test_the_error_survives_a_process_boundary() -> None:
    error = load("{}")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(copy), str(copy)) == (type(error), str(error))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
keys = ["strategy", "on_failure", "aggregate", "router", "tasks"]
entries = st.lists(
    st.dictionaries(
        st.sampled_from(["agent_id", "message", "retry", "input_data", "timeout_seconds"]), values
    )
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(keys), values | entries))
def test_any_content_is_loaded_or_refused_with_a_reason(content: dict[str, object]) -> None:
    Path("any.yaml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    problems: list[str] = []
    tasks: list[AgentTask] = []
    try:
        tasks = agent_tasks(load_workflow("any.yaml"))
    except WorkflowFileError as error:
        problems = [str(problem) for problem in error.problems]
    assert bool(tasks) != bool(problems)


def test_a_compensation_keeps_its_tasks_terms_unless_another_agent_is_named() -> None:
    Path("undone.yaml").write_text("""
tasks:
  - agent_id: ticketing
    message: Book 2 tickets
    timeout_seconds: 3
    retry: {max_attempts: 4}
    compensate: {input_data: {action: cancel_order}}
  - capability: expense_logging
    timeout_seconds: 3
    compensate:
      agent_id: finance
      message: Cancel it
      retry: {max_attempts: 2}
""")
    buy, log = agent_tasks(load_workflow("undone.yaml"))
    assert buy.compensate == AgentTask(
        "ticketing", {"action": "cancel_order"}, timeout=3.0, retry=RetryPolicy(max_attempts=4)
    )
    assert log.compensate == AgentTask(
        "finance",
        {"messages": [{"role": "user", "content": "Cancel it"}]},
        retry=RetryPolicy(max_attempts=2),
    )


def test_problems_of_a_compensation_are_named_with_their_place() -> None:
    error = load("""
tasks:
  - agent_id: a
    compensate: {action: cancel_order}
  - agent_id: b
    compensate: {agent_id: x, capability: y, message: m, input_data: {messages: []}}
  - agent_id: c
    compensate: {retry: {often: 1}}
""")
    unknown = ": is no key known here; known are"
    keys = "agent_id, capability, input_data, message, timeout_seconds, retry"
    of_retry = "max_attempts, initial_seconds, backoff, max_seconds, jitter"
    assert [*map(str, error.problems)] == [
        f"workflow.yaml:4:18: tasks[0].compensate.action{unknown} {keys}",
        "workflow.yaml:6:17: tasks[1].compensate: give either agent_id or capability",
        "workflow.yaml:6:17: tasks[1].compensate: give either message or input_data.messages",
        f"workflow.yaml:8:26: tasks[2].compensate.retry.often{unknown} {of_retry}",
    ]
