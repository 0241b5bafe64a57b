from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.outcome import Outcome, blocks, error_record, is_finished, skipped
from state.run_state import ApprovalRecord, Outcomes, merge_approvals, merge_outcomes
from state.status import SkipCause, TaskStatus

FINISHED = [TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.TIMED_OUT, TaskStatus.CANCELLED]


def outcome(status: TaskStatus, attempts: int, reason: str = "") -> Outcome:
    return Outcome(status=status.value, attempts=attempts, reason=reason)


outcome_sets = st.dictionaries(
    st.sampled_from("abc"),
    st.builds(
        outcome,
        st.sampled_from([TaskStatus.PENDING, TaskStatus.COMPENSATED, *FINISHED]),
        st.integers(0, 3),
        st.sampled_from("xyz"),
    ),
)
approval_sets = st.dictionaries(
    st.sampled_from("abc"),
    st.builds(
        ApprovalRecord, decision=st.sampled_from(["approve", "reject"]), message=st.text(max_size=2)
    ),
)


@given(outcome_sets, outcome_sets, outcome_sets)
def test_merging_outcomes_is_associative(x: Outcomes, y: Outcomes, z: Outcomes) -> None:
    assert merge_outcomes(merge_outcomes(x, y), z) == merge_outcomes(x, merge_outcomes(y, z))


@given(outcome_sets, outcome_sets)
def test_merging_the_same_outcomes_again_changes_nothing(x: Outcomes, y: Outcomes) -> None:
    once = merge_outcomes(x, y)
    assert merge_outcomes(once, y) == once
    assert merge_outcomes(x, x) == x
    assert merge_outcomes(once, once) == once


@given(outcome_sets, outcome_sets)
def test_merging_outcomes_changes_neither_side(x: Outcomes, y: Outcomes) -> None:
    before = {**x}, {**y}
    merge_outcomes(x, y)
    assert (x, y) == before


@given(outcome_sets)
def test_nothing_is_neutral_to_outcomes(x: Outcomes) -> None:
    assert merge_outcomes({}, x) == merge_outcomes(x, {}) == x


def either_way(left: Outcomes, right: Outcomes) -> list[Outcomes]:
    return [merge_outcomes(left, right), merge_outcomes(right, left)]


@given(st.sampled_from(FINISHED), st.integers(1, 4))
def test_a_finished_attempt_outlives_the_same_attempt_pending_in_any_order(
    status: TaskStatus, attempt: int
) -> None:
    pending, finished = {"a": outcome(TaskStatus.PENDING, attempt)}, {"a": outcome(status, attempt)}
    assert either_way(pending, finished) == [finished, finished]


@given(st.sampled_from(FINISHED), st.integers(1, 4))
def test_a_compensation_outlives_what_it_undid_in_any_order(
    status: TaskStatus, attempt: int
) -> None:
    undone, done = {"a": outcome(TaskStatus.COMPENSATED, attempt)}, {"a": outcome(status, attempt)}
    assert either_way(undone, done) == [undone, undone]


@given(
    st.sampled_from([TaskStatus.PENDING, *FINISHED]),
    st.sampled_from([TaskStatus.PENDING, *FINISHED]),
    st.integers(1, 4),
)
def test_a_later_attempt_outlives_an_earlier_one_in_any_order(
    early: TaskStatus, late: TaskStatus, attempt: int
) -> None:
    earlier, later = {"a": outcome(early, attempt)}, {"a": outcome(late, attempt + 1)}
    assert either_way(earlier, later) == [later, later]


@given(approval_sets, approval_sets, approval_sets)
def test_merging_approvals_is_associative_and_idempotent(
    x: dict[str, ApprovalRecord], y: dict[str, ApprovalRecord], z: dict[str, ApprovalRecord]
) -> None:
    assert merge_approvals(merge_approvals(x, y), z) == merge_approvals(x, merge_approvals(y, z))
    once = merge_approvals(x, y)
    assert merge_approvals(once, y) == merge_approvals(once, x) == once


def test_the_first_decision_about_a_task_stays() -> None:
    no: ApprovalRecord = {"decision": "reject", "message": "no"}
    yes: ApprovalRecord = {"decision": "approve", "message": ""}
    assert merge_approvals({"a": no}, {"a": yes, "b": yes}) == {"a": no, "b": yes}


def test_only_a_pending_task_is_unfinished() -> None:
    unfinished = [s for s in TaskStatus if not is_finished(Outcome(status=s, attempts=1))]
    assert unfinished == [TaskStatus.PENDING]
    assert not is_finished(None)


@pytest.mark.parametrize("cause", SkipCause)
def test_only_a_skip_for_want_of_success_blocks(cause: SkipCause) -> None:
    harmful = cause in {SkipCause.UPSTREAM, SkipCause.STOPPED, SkipCause.CANCELLED}
    assert blocks(skipped("why", because=cause)) is harmful


@pytest.mark.parametrize("status", [s for s in TaskStatus if s != TaskStatus.SKIPPED])
def test_every_end_but_success_blocks(status: TaskStatus) -> None:
    unsuccessful = {
        TaskStatus.FAILED,
        TaskStatus.TIMED_OUT,
        TaskStatus.CANCELLED,
        TaskStatus.REJECTED,
    }
    assert blocks(Outcome(status=status.value, attempts=1)) is (status in unsuccessful)


@given(st.text(st.characters(), max_size=30))
def test_any_error_text_can_be_stored(text: str) -> None:
    record = error_record(RuntimeError(text))
    assert record["type"] == "RuntimeError"
    assert record["code"] == "agent_raised"
    assert record["message"].encode().decode() == record["message"]
    assert record["message"]


def test_a_long_error_is_cut() -> None:
    assert len(error_record(RuntimeError("x" * 10_000))["message"]) == 2000


class NumberedError(Exception):
    """Like `urllib.error.HTTPError` and `google.api_core.exceptions.GoogleAPICallError`."""

    code = 404


class MethodCodeError(Exception):
    """Like `grpc.RpcError`."""

    def code(self) -> int:
        return 5


@pytest.mark.parametrize("error", [NumberedError("no"), MethodCodeError("no")])
def test_the_code_of_a_foreign_error_is_text(error: Exception) -> None:
    assert type(error_record(error)["code"]) is str


class SilentError(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


def test_an_error_that_cannot_be_printed_is_recorded() -> None:
    assert error_record(SilentError())["type"] == "SilentError"
