"""Endpoints that do worse than the others are left out, and never too many."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestration.routing.outliers import Tally, most_without_calls, outliers
from orchestration.routing.policies import OutlierPolicy

POLICY = OutlierPolicy()


def tally(calls: int, answered: int, mean: float = 0.1) -> Tally:
    return Tally(calls=calls, answered=answered, seconds=calls * mean)


def ejected(tallies: dict[str, Tally], without: set[str] | None = None) -> list[str]:
    return [each.endpoint for each in outliers(tallies, without or set(), POLICY)]


GOOD = {name: tally(50, 50) for name in ("a", "b", "c")}


def test_one_that_fails_half_of_its_calls_is_left_out() -> None:
    (found,) = outliers({**GOOD, "x": tally(50, 25)}, set(), POLICY)
    assert found.endpoint == "x"
    assert found.why == "50% of its calls succeeded, of the others' 100%"


def test_one_that_is_much_slower_is_left_out() -> None:
    (found,) = outliers({**GOOD, "x": tally(50, 50, 0.31)}, set(), POLICY)
    assert found.why == "its calls took 0.31 s, the others' 0.1 s"
    assert not ejected({**GOOD, "x": tally(50, 50, 0.29)})


def test_among_quick_ones_a_hiccup_says_nothing() -> None:
    quick = {name: tally(50, 50, 0.001) for name in "abc"}
    assert not ejected({**quick, "x": tally(50, 50, 0.05)})
    assert ejected({**quick, "x": tally(50, 50, 0.052)}) == ["x"]


def test_one_with_few_calls_is_not_judged() -> None:
    assert not ejected({**GOOD, "x": tally(19, 0)})


def test_where_all_fail_alike_nobody_is_left_out() -> None:
    assert not ejected({name: tally(50, 10) for name in "abcd"})


def test_half_of_a_pool_at_most_is_left_out_the_worst_first_counting_those_that_are_out() -> None:
    bad = {**GOOD, "x": tally(50, 20), "y": tally(50, 0), "z": tally(50, 10)}
    assert ejected(bad) == ["y", "z", "x"]
    assert ejected(bad, {"a"}) == ["y", "z"]
    assert ejected(bad, {"a", "b", "c"}) == []


def test_one_of_two_may_go_and_the_last_never() -> None:
    assert [most_without_calls(size, POLICY) for size in (1, 2, 3, 10)] == [0, 1, 1, 5]
    everything = OutlierPolicy(most_ejected=1.0)
    assert most_without_calls(4, everything) == 3


def test_old_calls_count_for_one_more_interval() -> None:
    counted = Tally()
    for _ in range(20):
        counted.count(answered=False, seconds=1)
    counted.turn_over()
    assert (counted.total, counted.success_rate, counted.mean_seconds) == (20, 0, 1)
    counted.turn_over()
    assert counted.total == 0


TALLIES = st.dictionaries(
    st.sampled_from("abcdefgh"),
    st.builds(
        lambda calls, share, mean: tally(calls, int(calls * share), mean),
        st.integers(0, 100),
        st.floats(0, 1),
        st.floats(0.001, 10),
    ),
    min_size=1,
)


@given(TALLIES, st.sets(st.sampled_from("abcdefgh")), st.floats(0, 1))
def test_no_pool_is_ever_emptied(tallies: dict[str, Tally], out: set[str], share: float) -> None:
    policy = OutlierPolicy(most_ejected=share)
    without = out & tallies.keys()
    found = {each.endpoint for each in outliers(tallies, without, policy)}
    assert not found & without
    if found:
        assert len(found | without) <= len(tallies) * share
        assert len(found | without) < len(tallies)
