from __future__ import annotations

import json
import operator
import pickle
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.plan_request import PlanRequest
from graph.planner import plan
from orchestration import AgentRegistry, AgentSpec
from state.failure_mode import FailureMode, quorum
from state.outcome import ErrorRecord, Outcome, skipped
from state.plan import Plan
from state.result import PendingInterrupt, TaskResult, WorkflowResult, workflow_status
from state.status import SkipCause, TaskStatus, WorkflowStatus
from state.task import AgentTask

FATES = {
    "ok": Outcome(status="succeeded", attempts=1, output={"n": 1}),
    "failed": Outcome(status="failed", attempts=2),
    "late": Outcome(status="timed_out", attempts=1),
    "cancelled": Outcome(status="cancelled", attempts=1),
    "rejected": Outcome(status="rejected", attempts=0),
    "upstream": skipped("why", because=SkipCause.UPSTREAM),
    "stopped": skipped("why", because=SkipCause.STOPPED),
    "unneeded": skipped("why", because=SkipCause.CONDITION),
    "unrouted": skipped("why", because=SkipCause.NOT_ROUTED),
}
HARMLESS = {"ok", "unneeded", "unrouted"}
MODES = [FailureMode(kind) for kind in ("continue", "fail_fast", "all_or_nothing")]


def three_tasks(mode: FailureMode) -> Plan:
    agents = AgentRegistry()
    agents.register(AgentSpec("a", handler=dict))
    tasks = [AgentTask("a", task_id=id_) for id_ in "abc"]
    request = PlanRequest(tasks=tasks, strategy="parallel", on_failure=mode)
    return plan(request, agents=agents, run_id="r").plan


def status(mode: FailureMode, fates: Sequence[str], *, interrupted: bool = False) -> WorkflowStatus:
    outcomes = {id_: FATES[fate] for id_, fate in zip("abc", fates, strict=True)}
    return workflow_status(three_tasks(mode), outcomes, interrupted=interrupted)


three_fates = st.tuples(*[st.sampled_from(list(FATES))] * 3)


@given(st.sampled_from(MODES), three_fates)
def test_status_of_finished_tasks(mode: FailureMode, fates: tuple[str, ...]) -> None:
    if "rejected" in fates:
        expected = WorkflowStatus.REJECTED
    elif HARMLESS.issuperset(fates):
        expected = WorkflowStatus.COMPLETED
    elif mode.kind == "continue" and "ok" in fates:
        expected = WorkflowStatus.PARTIAL
    else:
        expected = WorkflowStatus.FAILED
    assert status(mode, fates) == expected


@given(st.integers(1, 3), three_fates)
def test_status_of_a_quorum(needed: int, fates: tuple[str, ...]) -> None:
    if "rejected" in fates:
        return
    reached = fates.count("ok") >= needed
    expected = WorkflowStatus.COMPLETED if reached else WorkflowStatus.FAILED
    assert status(quorum(needed), fates) == expected


@given(st.sampled_from([*MODES, quorum(2)]), three_fates)
def test_a_question_makes_it_interrupted_whatever_else_is(
    mode: FailureMode, fates: tuple[str, ...]
) -> None:
    assert status(mode, fates, interrupted=True) == WorkflowStatus.INTERRUPTED


@pytest.mark.parametrize(
    "known", [{}, {"a": FATES["ok"]}, dict.fromkeys("ab", FATES["failed"])], ids=len
)
def test_unfinished_work_is_interrupted(known: Mapping[str, Outcome]) -> None:
    assert workflow_status(three_tasks(MODES[0]), known) == WorkflowStatus.INTERRUPTED


def test_a_quorum_that_was_reached_is_complete_though_somebody_said_no() -> None:
    assert status(quorum(2), ["ok", "ok", "rejected"]) == WorkflowStatus.COMPLETED


ERROR: ErrorRecord = {"code": "x", "type": "X", "message": "m"}


def result() -> WorkflowResult:
    tasks = (
        TaskResult("a", Outcome(status="succeeded", attempts=1, output={"n": 1}, cost=0.25)),
        TaskResult("b", Outcome(status="failed", attempts=1, error=ERROR, cost=0.5)),
        TaskResult("c", skipped("why", because=SkipCause.UPSTREAM)),
    )
    interrupts = (PendingInterrupt("i1", "d", {"action_requests": []}),)
    return WorkflowResult("t", WorkflowStatus.PARTIAL, tasks, interrupts, {"a": {"n": 1}})


def test_a_result_is_a_sequence_in_task_order() -> None:
    a, b, c = result()
    assert [a.task_id, b.task_id, c.task_id] == ["a", "b", "c"]
    assert (result()[0], result()[-1], list(result()[1:])) == (a, c, [b, c])
    assert len(result()) == 3
    assert list(reversed(result())) == [c, b, a]
    assert b in result()
    assert result().index(c) == 2
    assert isinstance(result(), Sequence)


def test_a_result_is_found_by_task_id() -> None:
    assert result()["b"].status == TaskStatus.FAILED
    with pytest.raises(KeyError, match="nobody"):
        result()["nobody"]
    with pytest.raises(IndexError):
        result()[3]


def test_a_task_id_is_in_the_result() -> None:
    assert operator.contains(result(), "a")


def test_only_what_succeeded_has_an_output_and_all_have_costs() -> None:
    assert result().outputs == {"a": {"n": 1}}
    assert result().cost == 0.75


def test_a_result_is_json_and_survives_a_process_boundary() -> None:
    document = result().as_json()
    assert json.loads(json.dumps(document)) == document
    assert document["interrupts"] == [
        {"id": "i1", "task_id": "d", "value": {"action_requests": []}}
    ]
    assert pickle.loads(pickle.dumps(result())) == result()  # noqa: S301


@pytest.mark.parametrize("fate", list(FATES))
def test_a_task_result_is_read_from_its_outcome(fate: str) -> None:
    read = TaskResult("a", FATES[fate])
    assert (read.task_id, str(read.status)) == ("a", FATES[fate]["status"])
    assert read.attempts == FATES[fate]["attempts"]
    assert read.succeeded is (fate == "ok")
    assert read.output == FATES[fate].get("output", {})
    assert read.duration_seconds == 0.0


def test_a_task_not_reached_is_pending() -> None:
    read = TaskResult("a")
    assert (read.status, read.attempts, read.output, read.error) == (
        TaskStatus.PENDING,
        0,
        {},
        None,
    )


def test_a_duration_is_from_start_to_finish() -> None:
    timed = Outcome(status="succeeded", attempts=1, started_at=10.0, finished_at=12.5)
    assert TaskResult("a", timed).duration_seconds == 2.5


def test_task_results_are_equal_when_task_and_outcome_are() -> None:
    assert TaskResult("a", FATES["ok"]) == TaskResult("a", {**FATES["ok"]})
    assert TaskResult("a", FATES["ok"]) != TaskResult("b", FATES["ok"])
    assert TaskResult("a", FATES["ok"]) != TaskResult("a", FATES["failed"])
    assert TaskResult("a") != "a"
