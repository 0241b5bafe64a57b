"""How often a run calls again."""

from __future__ import annotations

from nodes.retry_budget import RetryBudget, repeated_calls
from state.outcome import Outcome, Try


def tried(*errors: str | None) -> list[Try]:
    return [
        Try(endpoint="a", version="1", seconds=0.1)
        if error is None
        else Try(endpoint="a", version="1", seconds=0.1, error=error)
        for error in errors
    ]


def test_a_budget_allows_so_many_calls_and_no_more() -> None:
    budget = RetryBudget(2)
    assert [budget.take() for _ in range(4)] == [True, True, False, False]


def test_after_a_crash_it_is_what_the_outcomes_left() -> None:
    retried = Outcome(status="succeeded", attempts=3)
    failed_over = Outcome(status="succeeded", attempts=1, tries=tried("agent_not_started", None))
    inside = Outcome(status="succeeded", attempts=1, inner={"0": retried})
    undone = Outcome(status="compensated", attempts=1, compensation=retried)
    assert list(map(repeated_calls, (retried, failed_over, inside, undone))) == [2, 1, 2, 2]
    budget = RetryBudget(4, [retried, failed_over])
    assert [budget.take(), budget.take()] == [True, False]


def test_an_attempt_that_is_still_to_come_was_taken_before() -> None:
    to_come = Outcome(status="pending", attempts=2, next_due_at=1.0)
    assert repeated_calls(to_come) == 2
    assert not RetryBudget(2, [to_come]).take()


def test_what_never_ran_costs_nothing() -> None:
    assert repeated_calls(Outcome(status="skipped", attempts=0)) == 0
