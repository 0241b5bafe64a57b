from __future__ import annotations

import pytest

from state.outcome import ErrorRecord, Outcome
from state.status import TaskStatus
from state.task import AgentTask


def test_a_task_needs_only_an_agent() -> None:
    task = AgentTask("ticketing")
    assert task == AgentTask(agent_id="ticketing", input_data={})
    assert (task.task_id, task.capability, task.condition) == (None, None, None)
    assert (task.timeout, task.retry, task.requires_approval) == (None, None, False)
    assert list(task.depends_on) == []
    assert (task.status, task.output, task.error) == (TaskStatus.PENDING, {}, None)


def test_tasks_share_no_defaults() -> None:
    one, other = AgentTask("a"), AgentTask("a")
    assert one.output is not other.output
    assert one.input_data is not other.input_data


def test_only_agent_and_input_may_be_positional() -> None:
    with pytest.raises(TypeError):
        AgentTask("a", {}, "ticket_purchase")  # type: ignore[call-arg]  # that is the point


def test_what_a_task_became_cannot_be_given() -> None:
    with pytest.raises(TypeError):
        AgentTask("a", status=TaskStatus.FAILED)  # type: ignore[call-arg]  # that is the point


def test_a_task_takes_over_what_became_of_it() -> None:
    error: ErrorRecord = {"code": "agent_raised", "type": "KeyError", "message": "x"}
    task = AgentTask("a")
    task.record(Outcome(status="failed", attempts=1, error=error))
    assert (task.status, task.output, task.error) == (TaskStatus.FAILED, {}, error)
    task.record(Outcome(status="succeeded", attempts=2, output={"total_price": 7}))
    assert (task.status, task.output, task.error) == (
        TaskStatus.SUCCEEDED,
        {"total_price": 7},
        None,
    )


def test_an_unreached_task_has_an_output_to_ask() -> None:
    assert AgentTask("a").output.get("total_price", 0) == 0
