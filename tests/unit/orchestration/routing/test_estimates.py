"""Intervals: against published values, and against what happens when one samples."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.routing.estimates import (
    Estimate,
    Spread,
    difference_of_means,
    difference_of_shares,
    mean_of,
    quantile,
    ranks,
    share,
    spread_of,
    student,
)

COUNTS = st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
VALUES = st.lists(st.floats(0, 1e9), min_size=1, max_size=200)
CONFIDENCE = st.sampled_from([0.5, 0.9, 0.95, 0.99, 0.999])


def holds(interval: Estimate, truth: float) -> bool:
    low = -math.inf if interval.low is None else interval.low
    high = math.inf if interval.high is None else interval.high
    return low <= truth <= high


def coverage(make: Callable[[random.Random], Estimate], truth: float, *, times: int) -> float:
    """How often intervals from fresh samples hold the truth."""
    source = random.Random(20261126)
    return sum(holds(make(source), truth) for _ in range(times)) / times


class TestShares:
    @pytest.mark.parametrize(
        ("successes", "count", "low", "high"),
        [
            # Newcombe, Statistics in Medicine 17 (1998) 857-872
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0000, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ],
    )
    def test_published_intervals(self, successes: int, count: int, low: float, high: float) -> None:
        found = share(successes, count, confidence=0.95)

        assert found.value == successes / count
        assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)

    def test_all_and_none_end_exactly(self) -> None:
        assert share(0, 7, confidence=0.95).low == 0.0
        assert share(7, 7, confidence=0.95).high == 1.0
        assert share(7, 7, confidence=0.95).low == pytest.approx(0.6457, abs=5e-5)

    def test_nothing_is_known_of_no_tasks(self) -> None:
        assert share(0, 0, confidence=0.95) == (None, None, None)

    @given(COUNTS, CONFIDENCE)
    def test_the_interval_holds_the_estimate_and_is_a_share(
        self, counts: tuple[int, int], confidence: float
    ) -> None:
        found = share(*counts, confidence=confidence)

        assert found.value is not None
        assert found.low is not None
        assert found.high is not None
        assert 0 <= found.low <= found.value <= found.high <= 1

    @given(COUNTS)
    def test_more_confidence_is_a_wider_interval(self, counts: tuple[int, int]) -> None:
        narrow, wide = share(*counts, confidence=0.9), share(*counts, confidence=0.99)

        assert _width(narrow) < _width(wide)

    @pytest.mark.parametrize("chance", [0.03, 0.2, 0.5, 0.9, 0.99])
    def test_it_holds_the_truth_as_often_as_it_says(self, chance: float) -> None:
        def sampled(source: random.Random) -> Estimate:
            return share(sum(source.random() < chance for _ in range(120)), 120, confidence=0.95)

        assert 0.92 < coverage(sampled, chance, times=2_000) < 0.985

    @pytest.mark.parametrize(
        ("ours", "theirs", "low", "high"),
        [
            # Newcombe, Statistics in Medicine 17 (1998) 873-890
            ((56, 70), (48, 80), 0.0524, 0.3339),
            ((9, 10), (3, 10), 0.1705, 0.8090),
            ((10, 10), (0, 10), 0.6075, 1.0000),
            ((5, 56), (0, 29), -0.0381, 0.1926),
        ],
    )
    def test_published_differences(
        self, ours: tuple[int, int], theirs: tuple[int, int], low: float, high: float
    ) -> None:
        found = difference_of_shares(share(*ours, confidence=0.95), share(*theirs, confidence=0.95))

        assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)

    @given(COUNTS, COUNTS)
    def test_a_difference_holds_its_estimate_and_turns_with_the_sides(
        self, ours: tuple[int, int], theirs: tuple[int, int]
    ) -> None:
        mine, yours = share(*ours, confidence=0.95), share(*theirs, confidence=0.95)
        there, back = difference_of_shares(mine, yours), difference_of_shares(yours, mine)

        assert there.value is not None
        assert there.low is not None
        assert there.high is not None
        assert -1 <= there.low <= there.value <= there.high <= 1
        assert back == pytest.approx((-there.value, -there.high, -there.low), abs=1e-12)

    def test_no_difference_from_nothing(self) -> None:
        nothing, something = share(0, 0, confidence=0.95), share(1, 2, confidence=0.95)

        assert difference_of_shares(nothing, something) == (None, None, None)


class TestStudent:
    @pytest.mark.parametrize(
        ("freedom", "confidence", "expected"),
        [
            (1, 0.95, 12.7062047362),
            (2, 0.95, 4.30265272991),
            (3, 0.95, 3.18244630528),
            (5, 0.99, 4.03214298356),
            (10, 0.95, 2.22813885196),
            (11, 0.9, 1.79588481870),
            (30, 0.95, 2.04227245630),
            (100, 0.99, 2.62589052144),
            (1000, 0.95, 1.96233908083),
        ],
    )
    def test_published_quantiles(self, freedom: int, confidence: float, expected: float) -> None:
        assert student(freedom, confidence) == pytest.approx(expected, rel=1e-10)

    def test_one_and_two_degrees_have_a_formula(self) -> None:
        for confidence in (0.5, 0.9, 0.999, 0.9999):
            tangent = math.tan(math.pi * confidence / 2)
            assert student(1, confidence) == pytest.approx(tangent, rel=1e-9)
            formula = confidence * math.sqrt(2 / (1 - confidence**2))
            assert student(2, confidence) == pytest.approx(formula, rel=1e-9)

    def test_the_sum_and_the_expansion_meet(self) -> None:
        exact, expanded = student(1_000, 0.99), student(1_001, 0.99)

        assert 0 < exact - expanded < 1e-5

    def test_it_nears_the_normal_distribution(self) -> None:
        found = [student(freedom, 0.95) for freedom in (1, 2, 5, 50, 900, 1_100, 10**6)]

        assert found == sorted(found, reverse=True)
        assert found[-1] == pytest.approx(NormalDist().inv_cdf(0.975), abs=1e-5)


class TestMeans:
    def test_an_interval_from_a_table(self) -> None:
        # mean 3, deviation sqrt(2.5), t(4) = 2.776445
        found = mean_of(spread_of([1, 2, 3, 4, 5]), confidence=0.95)

        half = 2.776445105 * math.sqrt(2.5 / 5)
        assert found == pytest.approx((3, 3 - half, 3 + half))

    def test_one_value_says_nothing_of_its_certainty(self) -> None:
        assert mean_of(spread_of([7]), confidence=0.95) == (7, None, None)
        assert mean_of(spread_of([]), confidence=0.95) == (None, None, None)

    def test_equal_values_have_no_spread(self) -> None:
        assert spread_of([0.1] * 7) == Spread(7, 0.1, 0.0)
        assert mean_of(spread_of([0.1] * 7), confidence=0.95) == (0.1, 0.1, 0.1)

    def test_welch_by_hand(self) -> None:
        ours, theirs = spread_of([2, 4, 6]), spread_of([1, 1, 2, 2])
        # variances 4 and 1/3; errors 4/3 and 1/12; freedom 2.26, rounded down to 2
        half = 4.30265272991 * math.sqrt(4 / 3 + 1 / 12)

        found = difference_of_means(ours, theirs, confidence=0.95)

        assert found == pytest.approx((2.5, 2.5 - half, 2.5 + half))

    def test_rounding_is_no_difference(self) -> None:
        ours, theirs = spread_of([0.1 + 0.2] * 50), spread_of([0.3] * 50)

        found = difference_of_means(ours, theirs, confidence=0.95)

        assert holds(found, 0)
        assert found.value != 0

    def test_not_even_where_the_values_have_a_trace_of_spread(self) -> None:
        above = 0.1 + 0.2
        ours, theirs = spread_of([above] * 99 + [0.3]), spread_of([above] + [0.3] * 99)

        found = difference_of_means(ours, theirs, confidence=0.95)

        assert ours.variance > 0
        assert holds(found, 0)

    def test_constants_differ_for_sure(self) -> None:
        found = difference_of_means(spread_of([2.0] * 9), spread_of([1.0] * 9), confidence=0.95)

        assert found == pytest.approx((1, 1, 1))

    def test_nothing_follows_from_one_value_or_none(self) -> None:
        many, one, none = spread_of([1, 2, 3]), spread_of([2]), spread_of([])

        assert difference_of_means(many, one, confidence=0.95) == (0, None, None)
        assert difference_of_means(many, none, confidence=0.95) == (None, None, None)

    @given(VALUES, VALUES, CONFIDENCE)
    def test_intervals_hold_their_estimates(
        self, ours: list[float], theirs: list[float], confidence: float
    ) -> None:
        a, b = spread_of(ours), spread_of(theirs)
        for found in (
            mean_of(a, confidence=confidence),
            difference_of_means(a, b, confidence=confidence),
        ):
            assert found.value is not None
            assert holds(found, found.value)

    def test_the_mean_is_held_as_often_as_it_says(self) -> None:
        def normal(source: random.Random) -> Estimate:
            values = [source.gauss(10, 2) for _ in range(12)]
            return mean_of(spread_of(values), confidence=0.95)

        def skewed(source: random.Random) -> Estimate:
            values = [source.expovariate(0.5) for _ in range(60)]
            return mean_of(spread_of(values), confidence=0.95)

        assert 0.935 < coverage(normal, 10, times=3_000) < 0.965
        assert 0.90 < coverage(skewed, 2, times=3_000) < 0.97

    def test_so_is_a_difference(self) -> None:
        def sampled(source: random.Random) -> Estimate:
            ours = spread_of([source.gauss(10, 5) for _ in range(15)])
            theirs = spread_of([source.gauss(7, 1) for _ in range(40)])
            return difference_of_means(ours, theirs, confidence=0.95)

        assert 0.935 < coverage(sampled, 3, times=3_000) < 0.97


class TestQuantiles:
    @pytest.mark.parametrize(
        ("count", "expected"),
        # tables for the sign test: the median lies between these ranks with at least 95 %
        [(5, (None, None)), (6, (1, 6)), (8, (1, 8)), (10, (2, 9)), (20, (6, 15)), (100, (40, 61))],
    )
    def test_published_ranks_of_the_median(
        self, count: int, expected: tuple[int | None, int | None]
    ) -> None:
        low, high = ranks(count, 0.5, 0.95)

        if None in expected:
            assert low is None or high is None
        else:
            assert (low, high) == expected

    @pytest.mark.parametrize("count", [1, 2, 7, 40, 72, 300])
    @pytest.mark.parametrize("share_below", [0.05, 0.5, 0.95])
    def test_the_ranks_are_the_narrowest_that_hold(self, count: int, share_below: float) -> None:
        tail = 0.025
        chances = [
            math.comb(count, k) * share_below**k * (1 - share_below) ** (count - k)
            for k in range(count + 1)
        ]

        low, high = ranks(count, share_below, 0.95)

        least = 0 if low is None else low
        most = count + 1 if high is None else high
        assert sum(chances[:least]) <= tail < sum(chances[: least + 1])
        assert sum(chances[most:]) <= tail < sum(chances[most - 1 :])

    def test_a_p95_without_an_end_says_so(self) -> None:
        values = [float(n) for n in range(71)]

        few = quantile(values, 0.95, confidence=0.95)
        enough = quantile([*values, 71.0], 0.95, confidence=0.95)

        assert (few.low, few.high) == (62, None)
        assert (enough.low, enough.high) == (63, 71)

    def test_the_estimate_is_the_nearest_rank(self) -> None:
        values = [float(n) for n in range(1, 101)]

        assert quantile(values, 0.95, confidence=0.95).value == 95
        assert quantile(values, 0.5, confidence=0.95).value == 50
        assert quantile(values, 0.07, confidence=0.95).value == 7
        assert quantile([3.0], 0.95, confidence=0.95) == (3, None, None)
        assert quantile([], 0.95, confidence=0.95) == (None, None, None)

    @given(VALUES, st.sampled_from([0.05, 0.5, 0.9, 0.95, 0.99]), CONFIDENCE)
    def test_the_interval_holds_the_estimate(
        self, values: list[float], share_below: float, confidence: float
    ) -> None:
        found = quantile(sorted(values), share_below, confidence=confidence)

        assert found.value is not None
        assert holds(found, found.value)

    @pytest.mark.parametrize("share_below", [0.5, 0.95])
    def test_it_holds_the_truth_at_least_as_often_as_it_says(self, share_below: float) -> None:
        truth = -math.log(1 - share_below)

        def sampled(source: random.Random) -> Estimate:
            values = sorted(source.expovariate(1) for _ in range(120))
            return quantile(values, share_below, confidence=0.95)

        assert 0.94 < coverage(sampled, truth, times=3_000) < 0.99

    def test_many_samples_take_no_time_to_speak_of(self) -> None:
        low, high = ranks(10_000_000, 0.5, 0.95)

        assert low is not None
        assert high is not None
        half = 1.96 * math.sqrt(10_000_000) / 2
        assert (high - low) / 2 == pytest.approx(half, rel=0.01)


def _width(estimate: Estimate) -> float:
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.high - estimate.low


def test_values_need_not_be_a_list() -> None:
    values: Sequence[float] = (1.0, 2.0)

    assert spread_of(values) == Spread(2, 1.5, 0.5)
