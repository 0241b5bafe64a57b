"""The report on an agent's versions says what is shown, and no more."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoints.traffic import Sample
from orchestration.routing.comparison import LEAST, Comparison, Difference, Figures, compare

SAMPLES = st.lists(
    st.builds(
        Sample,
        version=st.sampled_from(["1", "2", "3-shadow"]),
        succeeded=st.booleans(),
        seconds=st.floats(0, 1e6),
        cost=st.floats(0, 1e6),
    ),
    max_size=120,
)


def task(version: str, seconds: float, cost: float, *, succeeded: bool = True) -> Sample:
    return Sample(version=version, succeeded=succeeded, seconds=seconds, cost=cost)


def tasks(
    version: str, count: int, *, failed: int = 0, seconds: float = 1, cost: float = 0
) -> list[Sample]:
    return [
        Sample(version=version, succeeded=number >= failed, seconds=seconds, cost=cost)
        for number in range(count)
    ]


def found(report: Comparison, measure: str, version: str = "2") -> Difference:
    return next(
        each for each in report.differences if (each.measure, each.version) == (measure, version)
    )


def figures(report: Comparison, version: str) -> Figures:
    return next(each for each in report.versions if each.version == version)


class TestVerdicts:
    def test_a_version_that_succeeds_more_often_is_better(self) -> None:
        report = compare([*tasks("1", 1000, failed=100), *tasks("2", 900, failed=10)])

        difference = found(report, "success")
        assert difference.better == "2"
        assert difference.verdict.startswith("2 is better than 1 in success: +8.9 points [+")

    def test_one_that_does_not_is_worse(self) -> None:
        report = compare([*tasks("1", 1000, failed=10), *tasks("2", 900, failed=100)])

        difference = found(report, "success")
        assert difference.better == "1"
        assert difference.verdict.startswith("2 is worse than 1 in success: -10.1 points [-")

    def test_less_time_is_faster_and_less_money_cheaper(self) -> None:
        source = random.Random(5)
        slow = [task("1", source.gauss(2, 0.1), source.gauss(5, 0.1)) for _ in range(60)]
        fast = [task("2", source.gauss(1, 0.1), source.gauss(6, 0.1)) for _ in range(50)]

        report = compare(slow + fast)

        assert found(report, "latency").better == "2"
        assert found(report, "latency").verdict.startswith("2 is faster than 1 in latency: -")
        assert " s [-" in found(report, "latency").verdict
        assert found(report, "cost").better == "1"
        assert found(report, "cost").verdict.startswith("2 is dearer than 1 in cost: +")

    def test_no_difference_is_no_verdict(self) -> None:
        report = compare([*tasks("1", 100, failed=10), *tasks("2", 100, failed=12)])

        for each in report.differences:
            assert each.better is None
            assert each.verdict.startswith(f"2 and 1: no difference in {each.measure} shown yet: ")
            assert "too small" not in each.verdict

    def test_too_few_tasks_are_no_verdict_however_clear_they_look(self) -> None:
        few = LEAST - 1
        report = compare(
            [*tasks("1", 500, failed=500, cost=1), *tasks("2", few, seconds=9, cost=9)]
        )

        difference = found(report, "success")
        assert difference.better is None
        assert difference.verdict.endswith(
            f"shown yet: n is too small ({few} and 500; it takes {LEAST} of each)"
        )
        assert found(report, "cost").better is None

    def test_prices_that_never_change_need_no_more_than_that(self) -> None:
        report = compare([*tasks("1", LEAST, cost=0.3), *tasks("2", LEAST, cost=0.2)])

        assert found(report, "cost").better == "2"

    def test_versions_that_are_the_same_seldom_look_different(self) -> None:
        source = random.Random(20261126)

        def sampled(version: str) -> list[Sample]:
            return [
                Sample(version, source.random() < 0.9, source.expovariate(1), source.expovariate(1))
                for _ in range(80)
            ]

        times = 400
        misled = sum(
            any(
                each.better
                for each in compare(sampled("1") + sampled("2") + sampled("3")).differences
            )
            for _ in range(times)
        )

        assert misled / times < 0.07


class TestFigures:
    def test_times_are_of_tasks_that_succeeded(self) -> None:
        samples = [
            *(task("1", float(each), 2.0) for each in range(1, 101)),
            *(task("1", 900.0, 2.0, succeeded=False) for _ in range(50)),
        ]

        (only,) = compare(samples).versions

        assert (only.tasks, only.succeeded) == (150, 100)
        assert only.success.value == pytest.approx(2 / 3)
        assert only.latency.value == 50.5
        assert (only.median_latency, only.p95_latency) == ((50, 40, 61), (95, 90, 100))
        assert only.cost == (2, 2, 2)

    def test_a_version_that_never_succeeded_has_no_times(self) -> None:
        report = compare([*tasks("1", 20), *tasks("2", 20, failed=20)])

        assert figures(report, "2").latency == (None, None, None)
        assert figures(report, "2").success.low == 0.0
        assert "n is too small (0 and 20;" in found(report, "latency").verdict

    def test_shadow_traffic_is_a_version_like_others(self) -> None:
        report = compare([*tasks("1", 30), *tasks("2-shadow", 20)])

        assert [each.version for each in report.versions] == ["1", "2-shadow"]
        assert found(report, "success", "2-shadow").baseline == "1"


class TestBaseline:
    def test_it_is_the_version_with_the_most_tasks(self) -> None:
        assert compare([*tasks("1", 5), *tasks("2", 9), *tasks("3", 2)]).baseline == "2"
        assert compare([*tasks("2", 5), *tasks("1", 5)]).baseline == "1"

    def test_it_can_be_chosen(self) -> None:
        report = compare([*tasks("1", 50), *tasks("2", 90)], baseline="1")

        assert {each.baseline for each in report.differences} == {"1"}
        assert {each.version for each in report.differences} == {"2"}

    def test_it_may_have_no_tasks_yet(self) -> None:
        report = compare(tasks("1", 50), baseline="2")

        assert figures(report, "2").tasks == 0
        assert found(report, "success", "1").estimate.value is None
        assert found(report, "success", "1").better is None

    def test_nothing_is_compared_with_itself(self) -> None:
        assert compare(tasks("1", 50)).differences == ()

    def test_no_samples_make_an_empty_report(self) -> None:
        report = compare([])

        assert report.baseline is None
        assert (len(report.versions), len(report.differences)) == (0, 0)

    @pytest.mark.parametrize("confidence", [0, 1, -1, 95, float("nan")])
    def test_confidence_is_a_share(self, confidence: float) -> None:
        with pytest.raises(ValueError, match="give a number between 0 and 1"):
            compare([], confidence=confidence)


class TestAsJson:
    def test_its_shape(self) -> None:
        report = compare([*tasks("1", 3), *tasks("2", 2)]).as_json()

        assert report["baseline"] == "1"
        versions, differences = report["versions"], report["differences"]
        assert isinstance(versions, list)
        assert isinstance(differences, list)
        assert versions[0] == {
            "version": "1",
            "tasks": 3,
            "succeeded": 3,
            "success": {"value": 1.0, "low": pytest.approx(0.4385, abs=5e-5), "high": 1.0},
            "latency_seconds": {"value": 1.0, "low": 1.0, "high": 1.0},
            "median_latency_seconds": {"value": 1, "low": None, "high": None},
            "p95_latency_seconds": {"value": 1, "low": 1, "high": None},
            "cost": {"value": 0.0, "low": 0.0, "high": 0.0},
        }
        assert [each["measure"] for each in differences if isinstance(each, dict)] == [
            "success",
            "latency",
            "cost",
        ]

    @given(SAMPLES)
    def test_it_is_json_whatever_the_samples(self, samples: list[Sample]) -> None:
        report = compare(samples)

        assert json.loads(json.dumps(report.as_json(), allow_nan=False)) == report.as_json()

    @given(SAMPLES)
    def test_their_order_does_not_matter(self, samples: list[Sample]) -> None:
        assert compare(reversed(samples)) == compare(samples)

    @given(SAMPLES)
    def test_who_is_better_has_an_interval_without_zero(self, samples: list[Sample]) -> None:
        for each in compare(samples).differences:
            if each.better is not None:
                assert each.estimate.low is not None
                assert each.estimate.high is not None
                assert each.estimate.low * each.estimate.high > 0
