"""Which task is undone next: the order, once each, and only where the workflow came to nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.plan_request import PlanRequest
from graph.planner import plan
from orchestration import AgentRegistry, AgentSpec
from state.compensation import finish_order, next_compensation, uncompensated
from state.failure_mode import FailureMode, quorum
from state.outcome import Outcome, skipped
from state.plan import Plan
from state.result import TaskResult, WorkflowResult, settled_status, workflow_status
from state.run_state import merge_outcomes
from state.status import SkipCause, TaskStatus, WorkflowStatus
from state.task import AgentTask

IDS = "abcd"
MODES = [
    FailureMode("continue"),
    FailureMode("fail_fast"),
    FailureMode("all_or_nothing"),
    quorum(2),
]


def planned(
    *,
    needs: dict[str, list[str]] | None = None,
    undoable: str = IDS,
    strategy: str = "parallel",
    mode: FailureMode | None = None,
) -> Plan:
    agents = AgentRegistry()
    agents.register(AgentSpec("x", handler=dict))
    tasks = [
        AgentTask(
            "x",
            task_id=id_,
            depends_on=(needs or {}).get(id_, []),
            compensate={"undo": id_} if id_ in undoable else None,
        )
        for id_ in IDS
    ]
    request = PlanRequest(tasks=tasks, strategy=strategy, on_failure=mode)
    return plan(request, agents=agents, run_id="r").plan


def done(at: float) -> Outcome:
    return Outcome(status="succeeded", attempts=1, output={}, finished_at=at)


def other(status: str) -> Outcome:
    return Outcome(status=status, attempts=1)


def undo_all(made: Plan, outcomes: dict[str, Outcome], status: WorkflowStatus) -> list[str]:
    """Undo one after another as the node does; return the tasks in that order."""
    undone: list[str] = []
    known = dict(outcomes)
    while (id_ := next_compensation(made.document, known, status=status)) is not None:
        undone.append(id_)
        known[id_] = {**known[id_], "status": "compensated", "compensation": done(9.0)}
        assert len(undone) <= len(IDS), "a task is undone again and again"
    return undone


fates = st.one_of(
    st.floats(0, 10).map(done),
    st.sampled_from(["failed", "timed_out", "cancelled", "rejected"]).map(other),
    st.just(skipped("why", because=SkipCause.CONDITION)),
)
all_fates = st.fixed_dictionaries(dict.fromkeys(IDS, fates))
undoings = st.sampled_from([WorkflowStatus.REJECTED, WorkflowStatus.FAILED])


@given(all_fates, st.sets(st.sampled_from(IDS)), undoings)
def test_what_succeeded_and_can_be_undone_is_undone_once_each_last_first(
    outcomes: dict[str, Outcome], undoable: set[str], status: WorkflowStatus
) -> None:
    undone = undo_all(planned(undoable="".join(undoable)), outcomes, status)
    assert set(undone) == {id_ for id_ in undoable if outcomes[id_]["status"] == "succeeded"}
    assert len(set(undone)) == len(undone)
    keys = [(outcomes[id_]["finished_at"], id_) for id_ in undone]
    assert keys == sorted(keys, reverse=True)


@given(
    all_fates,
    st.sampled_from([WorkflowStatus.COMPLETED, WorkflowStatus.PARTIAL, WorkflowStatus.INTERRUPTED]),
)
def test_nothing_is_undone_where_the_workflow_came_to_something(
    outcomes: dict[str, Outcome], status: WorkflowStatus
) -> None:
    assert next_compensation(planned().document, outcomes, status=status) is None


def test_a_cancelled_workflow_is_undone_too() -> None:
    outcomes = {"a": done(1), "b": done(2), "c": other("cancelled"), "d": other("cancelled")}
    assert undo_all(planned(), outcomes, WorkflowStatus.CANCELLED) == ["b", "a"]


@given(
    st.lists(st.floats(0, 10), min_size=4, max_size=4), st.sampled_from(["sequential", "parallel"])
)
def test_clocks_that_differ_never_undo_a_task_before_what_builds_on_it(
    times: list[float], strategy: str
) -> None:
    needs = {"a": ["d"], "b": ["a"], "c": ["b"]}
    sequential = strategy == "sequential"
    made = planned(strategy=strategy, needs={} if sequential else needs)
    outcomes = {id_: done(at) for id_, at in zip(IDS, times, strict=True)}
    expected = ["d", "c", "b", "a"] if sequential else ["c", "b", "a", "d"]
    assert undo_all(made, outcomes, WorkflowStatus.FAILED) == expected
    assert finish_order(made.document, outcomes) == expected[::-1]


@given(all_fates, st.sampled_from(MODES))
def test_undoing_does_not_change_how_the_workflow_came_out(
    outcomes: dict[str, Outcome], mode: FailureMode
) -> None:
    made = planned(mode=mode)
    known, came_out = dict(outcomes), settled_status(made.document, outcomes)
    for id_ in undo_all(made, outcomes, came_out):
        assert workflow_status(made, known) == WorkflowStatus.INTERRUPTED, "it is not over yet"
        known[id_] = {**known[id_], "status": "compensated", "compensation": done(9.0)}
        assert settled_status(made.document, known) == came_out
    assert workflow_status(made, known) == came_out


def test_a_compensation_to_be_tried_again_is_next_and_one_that_failed_is_left() -> None:
    outcomes = {"a": done(1), "b": done(2), "c": done(3), "d": other("failed")}
    outcomes["c"]["compensation"] = Outcome(status="pending", attempts=1, next_due_at=5.0)
    document = planned().document
    assert next_compensation(document, outcomes, status=WorkflowStatus.FAILED) == "c"
    outcomes["c"]["compensation"] = Outcome(status="failed", attempts=2)
    assert next_compensation(document, outcomes, status=WorkflowStatus.FAILED) == "b"
    assert uncompensated(outcomes["c"])
    assert not uncompensated(outcomes["b"])


def test_plans_of_older_versions_undo_nothing() -> None:
    made = planned(undoable="")
    assert all("compensate" not in task for task in made.tasks())
    outcomes = dict.fromkeys(IDS, done(1))
    assert next_compensation(made.document, outcomes, status=WorkflowStatus.FAILED) is None


def attempts_at_undoing() -> list[Outcome]:
    first = done(1)
    return [
        first,
        {**first, "compensation": {"status": "pending", "attempts": 1}},
        {**first, "compensation": {"status": "pending", "attempts": 2}},
        {**first, "status": "compensated", "compensation": {"status": "succeeded", "attempts": 3}},
    ]


@pytest.mark.parametrize("left", range(4))
@pytest.mark.parametrize("right", range(4))
def test_of_two_outcomes_the_one_further_in_its_undoing_stays(left: int, right: int) -> None:
    stages = attempts_at_undoing()
    merged = merge_outcomes({"a": stages[left]}, {"a": stages[right]})
    assert merged == {"a": stages[max(left, right)]}


def test_a_result_says_what_was_undone_and_what_could_not_be() -> None:
    error = {"code": "agent_refused", "type": "AgentRefusedError", "message": "too late"}
    undoing = Outcome(status="succeeded", attempts=2, output={"back": 1}, agent="x", cost=0.5)
    stands = Outcome(status="failed", attempts=1, error=error, agent="x")  # type: ignore[typeddict-item]
    result = WorkflowResult(
        "t",
        WorkflowStatus.REJECTED,
        (
            TaskResult("a", {**done(1), "status": "compensated", "compensation": undoing}),
            TaskResult("b", {**done(2), "compensation": stands, "cost": 0.25}),
            TaskResult("c", other("rejected")),
        ),
    )
    assert result.uncompensated == ("b",)
    assert result.outputs == {"b": {}}
    assert result.cost == 0.75
    undone = result["a"].compensation
    assert undone is not None
    assert (undone.status, undone.output, undone.agent) == (TaskStatus.SUCCEEDED, {"back": 1}, "x")
    assert result["c"].compensation is None
    document: Any = result.as_json()
    assert document["uncompensated"] == ["b"]
    assert [task["status"] for task in document["tasks"]] == [
        "compensated",
        "succeeded",
        "rejected",
    ]
    assert document["tasks"][1]["compensation"]["error"] == error
    assert document["tasks"][0]["compensation"]["attempts"] == 2
