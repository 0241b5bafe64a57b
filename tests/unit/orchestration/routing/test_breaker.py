"""A breaker opens on failures, lets one probe by at a time, and closes when one succeeds."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from orchestration.routing.breaker import (
    CLOSED,
    PROBE_SECONDS,
    Breaker,
    failed,
    lets_by,
    opens_again,
    phase,
    probe_begun,
    probe_left,
    succeeded,
)
from orchestration.routing.policies import BreakerPolicy

POLICY = BreakerPolicy(
    failures=3, open_for=timedelta(seconds=10), longest_open=timedelta(minutes=1)
)


def after_failures(count: int, breaker: Breaker = CLOSED, now: float = 0.0) -> Breaker:
    for _ in range(count):
        breaker = failed(breaker, POLICY, now, probe=False)
    return breaker


def test_so_many_failures_in_a_row_open_it_and_a_success_between_does_not() -> None:
    assert phase(after_failures(2), 0) == "closed"
    assert phase(after_failures(3), 0) == "open"
    once = succeeded(after_failures(2), POLICY, probe=False)
    assert phase(after_failures(2, once), 0) == "closed"


def test_a_high_share_of_failures_opens_it_once_there_were_enough_calls() -> None:
    policy = BreakerPolicy(failures=100, failure_rate=0.5, window=10, least_calls=10)
    breaker = CLOSED
    for _ in range(4):
        breaker = failed(breaker, policy, 0, probe=False)
        breaker = succeeded(breaker, policy, probe=False)
    assert phase(breaker, 0) == "closed"
    breaker = succeeded(breaker, policy, probe=False)
    assert phase(failed(breaker, policy, 0, probe=False), 0) == "open"


def test_an_open_one_lets_nobody_by_until_its_time_and_then_one() -> None:
    breaker = after_failures(3, now=100)
    assert not lets_by(breaker, 109.9)
    assert opens_again(breaker) == 110
    assert lets_by(breaker, 110)
    assert phase(breaker, 110) == "half_open"
    probing = probe_begun(breaker, 110)
    assert not lets_by(probing, 111)
    assert lets_by(probing, 110 + PROBE_SECONDS)  # whoever probed has died
    assert lets_by(probe_left(probing), 111)


def test_a_probe_that_succeeds_closes_it_and_one_that_fails_doubles_its_time() -> None:
    breaker = probe_begun(after_failures(3, now=0), 10)
    assert succeeded(breaker, POLICY, probe=True) == CLOSED
    times = []
    for _ in range(5):
        breaker = failed(breaker, POLICY, 0, probe=True)
        times.append(breaker.due)
    assert times == [20, 40, 60, 60, 60]


def test_it_may_want_several_probes() -> None:
    policy = BreakerPolicy(probes=2)
    breaker = succeeded(Breaker(is_open=True, due=1), policy, probe=True)
    assert breaker.is_open
    assert lets_by(breaker, 1)
    assert not succeeded(breaker, policy, probe=True).is_open


def test_calls_that_began_before_it_opened_change_nothing() -> None:
    breaker = after_failures(3)
    assert succeeded(breaker, POLICY, probe=False) == breaker
    assert failed(breaker, POLICY, 5, probe=False) == breaker


STEPS = st.lists(st.tuples(st.sampled_from(["ok", "fail", "leave"]), st.floats(0, 30)), max_size=60)


@given(STEPS)
def test_whatever_happens_there_is_never_more_than_one_probe_nor_a_lost_one(
    steps: list[tuple[str, float]],
) -> None:
    breaker, now, probing = CLOSED, 0.0, False
    for end, seconds in steps:
        now += seconds
        if not lets_by(breaker, now):
            assert breaker.is_open
            assert opens_again(breaker) > now
            continue
        probe = breaker.is_open
        if probe:
            assert not probing
            breaker, probing = probe_begun(breaker, now), True
            assert not lets_by(breaker, now)
        if end == "ok":
            breaker = succeeded(breaker, POLICY, probe=probe)
        elif end == "fail":
            breaker = failed(breaker, POLICY, now, probe=probe)
        elif probe:
            breaker = probe_left(breaker)
        probing = False
        assert breaker.calls <= POLICY.window
        assert breaker.recent < 1 << POLICY.window
