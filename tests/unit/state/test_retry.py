from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.retry import RetryPolicy, retry_delay

policies = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, 100),
    initial_delay=st.timedeltas(timedelta(0), timedelta(hours=1)),
    backoff=st.floats(1, 20),
    max_delay=st.timedeltas(timedelta(0), timedelta(hours=1)),
    jitter=st.booleans(),
)


@given(policies, st.integers(1, 100), st.text(max_size=5))
def test_a_delay_keeps_within_its_bounds(policy: RetryPolicy, attempt: int, seed: str) -> None:
    full = policy.initial_delay.total_seconds() * policy.backoff ** (attempt - 1)
    ceiling = min(full, policy.max_delay.total_seconds())
    delay = retry_delay(policy.document(), attempt, seed=seed)
    assert (ceiling / 2 if policy.jitter else ceiling) <= delay <= ceiling


@given(policies, st.integers(1, 50), st.text(max_size=5))
def test_the_same_seed_gives_the_same_delay(policy: RetryPolicy, attempt: int, seed: str) -> None:
    document = policy.document()
    assert retry_delay(document, attempt, seed=seed) == retry_delay(document, attempt, seed=seed)


@given(policies, st.integers(1, 50))
def test_delays_without_jitter_never_shrink(policy: RetryPolicy, attempt: int) -> None:
    document = replace(policy, jitter=False).document()
    first, second = (retry_delay(document, n, seed="s") for n in (attempt, attempt + 1))
    assert first <= second


def test_threads_do_not_retry_as_one() -> None:
    document = RetryPolicy().document()
    assert len({retry_delay(document, 1, seed=f"thread {n}") for n in range(100)}) == 100


def test_the_default_delays_double() -> None:
    document = RetryPolicy(jitter=False).document()
    assert [retry_delay(document, n, seed="") for n in (1, 2, 3, 20)] == [0.5, 1.0, 2.0, 120.0]


@given(policies)
def test_a_sound_policy_has_no_problems(policy: RetryPolicy) -> None:
    assert list(policy.problems()) == []


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (RetryPolicy(max_attempts=0), "max_attempts is 0"),
        (RetryPolicy(initial_delay=timedelta(seconds=-1)), "negative"),
        (RetryPolicy(max_delay=timedelta(seconds=-1)), "negative"),
        (RetryPolicy(backoff=0.5), "backoff is 0.5"),
    ],
)
def test_an_unsound_policy_says_why(policy: RetryPolicy, words: str) -> None:
    (problem,) = policy.problems()
    assert words in problem


def test_every_problem_of_a_policy_is_named() -> None:
    policy = RetryPolicy(max_attempts=-1, max_delay=timedelta(days=-1), backoff=0)
    assert len(list(policy.problems())) == 3


@pytest.mark.parametrize(("backoff", "attempt"), [(2.0, 1100), (10.0, 320)])
def test_a_delay_after_very_many_attempts_is_the_largest(backoff: float, attempt: int) -> None:
    policy = RetryPolicy(max_attempts=2000, backoff=backoff, jitter=False)
    assert retry_delay(policy.document(), attempt, seed="") == 120.0


@pytest.mark.parametrize("backoff", [math.nan, math.inf])
def test_a_backoff_that_is_no_number_is_a_problem(backoff: float) -> None:
    assert list(RetryPolicy(backoff=backoff).problems())


def test_a_broken_number_of_attempts_is_a_problem() -> None:
    assert list(RetryPolicy(max_attempts=2.5).problems())  # type: ignore[arg-type]  # on purpose


def test_a_delay_that_is_no_timedelta_is_a_problem() -> None:
    assert list(RetryPolicy(initial_delay=5).problems())  # type: ignore[arg-type]  # on purpose
