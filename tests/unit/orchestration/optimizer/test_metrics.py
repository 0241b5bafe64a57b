"""Metrics: bounded, correct under concurrency, and never NaN."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.optimizer.metrics import (
    OTHER_AGENTS,
    PERCENTILES,
    RELATIVE_ERROR,
    PerformanceMetrics,
    PerformanceRecorder,
)
from state.errors import ConfigurationError, MetricsError


def test_without_any_request_every_figure_is_zero() -> None:
    stats = PerformanceRecorder().stats()
    assert stats.pop("by_agent") == {}
    assert set(stats.values()) == {0}
    assert f"{stats['cache_hit_rate']:.2%}" == "0.00%"
    assert f"P95 latency: {stats['p95_response_time_ms']}ms" == "P95 latency: 0.0ms"


def test_the_figures_are_those_of_the_requests() -> None:
    recorder = PerformanceRecorder()
    recorder.record(PerformanceMetrics(10, tool_calls=3, cache_hit=False, input_tokens=100))
    recorder.record(PerformanceMetrics(1, cache_hit=True, tokens_saved=100, agent_id="sales"))
    recorder.record(PerformanceMetrics(1, cache_hit=True, agent_id="sales"))
    recorder.record(
        PerformanceMetrics(4, output_tokens=5, cost=0.25, failed=True, agent_id="finance")
    )
    stats = recorder.stats()
    agents = stats.pop("by_agent")
    for each in PERCENTILES:
        del stats[f"p{each}_response_time_ms"]
    assert stats == {
        "total_requests": 4,
        "cache_hit_rate": 2 / 3,
        "cache_hits": 2,
        "cache_misses": 1,
        "avg_response_time_ms": 4.0,
        "avg_tool_calls": 0.75,
        "input_tokens": 100,
        "output_tokens": 5,
        "total_tokens": 105,
        "tokens_saved": 100,
        "total_cost": 0.25,
        "error_rate": 0.25,
    }
    assert agents["sales"]["total_requests"] == 2
    assert agents["sales"]["cache_hit_rate"] == 1.0
    assert agents["finance"]["error_rate"] == 1.0
    assert set(agents) == {"sales", "finance"}


def test_the_slowest_of_few_requests_counts() -> None:
    recorder = PerformanceRecorder()
    for each in (10, 10, 10, 1000):
        recorder.record(PerformanceMetrics(each))
    stats = recorder.stats()
    assert stats["p50_response_time_ms"] == pytest.approx(10, rel=RELATIVE_ERROR)
    assert stats["p95_response_time_ms"] == pytest.approx(1000, rel=RELATIVE_ERROR)


def test_reset_forgets_everything() -> None:
    recorder = PerformanceRecorder()
    recorder.record(PerformanceMetrics(10, agent_id="sales"))
    recorder.reset()
    assert recorder.stats() == PerformanceRecorder().stats()


@pytest.mark.parametrize("name", ["response_time_ms", "cost"])
@pytest.mark.parametrize("value", [-1, math.nan, math.inf, -math.inf, "1", None, True, 10**400])
def test_an_amount_that_cannot_be_is_refused(name: str, value: object) -> None:
    figures: dict[str, Any] = {"response_time_ms": 1.0, name: value}
    with pytest.raises(MetricsError, match=f"{name} is "):
        PerformanceMetrics(**figures)


@pytest.mark.parametrize("name", ["tool_calls", "input_tokens", "output_tokens", "tokens_saved"])
@pytest.mark.parametrize("value", [-1, 1.5, math.nan, "1", None, True])
def test_a_count_that_cannot_be_is_refused(name: str, value: object) -> None:
    figures: dict[str, Any] = {name: value}
    with pytest.raises(MetricsError, match=f"{name} is .*give a whole number from 0"):
        PerformanceMetrics(1.0, **figures)


def test_all_that_is_wrong_is_said_at_once() -> None:
    wrong: dict[str, Any] = {"cache_hit": 1, "failed": None, "agent_id": "", "cost": -1}
    with pytest.raises(MetricsError) as caught:
        PerformanceMetrics(1.0, **wrong)
    for name in wrong:
        assert f"{name} is" in str(caught.value)


def test_agents_beyond_the_limit_are_counted_together() -> None:
    recorder = PerformanceRecorder(most_agents=2)
    for number in range(1000):
        recorder.record(PerformanceMetrics(1, agent_id=f"agent_{number % 500}"))
    counts = {name: each["total_requests"] for name, each in recorder.stats()["by_agent"].items()}
    assert counts == {"agent_0": 2, "agent_1": 2, OTHER_AGENTS: 996}


def test_a_limit_that_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="most_agents is -1"):
        PerformanceRecorder(most_agents=-1)


def test_percentiles_hold_when_many_threads_record() -> None:
    times = np.random.default_rng(7).lognormal(4, 1.5, size=20_000)
    recorder, gate = PerformanceRecorder(), threading.Barrier(8)

    def record(share: Any) -> None:  # noqa: ANN401  an array
        gate.wait()
        for each in share:
            recorder.record(PerformanceMetrics(float(each), tool_calls=1, agent_id="a"))
            if each > 2000:
                recorder.stats()

    threads = [threading.Thread(target=record, args=(times[n::8],)) for n in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    stats = recorder.stats()
    for figures in (stats, stats["by_agent"]["a"]):
        assert figures["total_requests"] == len(times)
        assert figures["avg_tool_calls"] == 1.0
        assert figures["avg_response_time_ms"] == pytest.approx(times.mean(), rel=1e-5)
        check_percentiles(figures, [*times])


_times = st.one_of(
    st.just(0.0), st.floats(1e-6, 1e9), st.integers(0, 10_000).map(float), st.just(250.0)
)


@given(st.lists(_times, min_size=1, max_size=200))
def test_percentiles_are_within_the_stated_error_whatever_the_times(times: list[float]) -> None:
    recorder = PerformanceRecorder()
    for each in times:
        recorder.record(PerformanceMetrics(each))
    check_percentiles(recorder.stats(), times)


@given(st.lists(_times, max_size=50), st.lists(_times, max_size=50))
def test_two_recorders_merged_are_one_that_recorded_both(
    one: list[float], other: list[float]
) -> None:
    recorders = [PerformanceRecorder() for _ in range(3)]
    for number, times in enumerate((one, other)):
        for each in times:
            metrics = PerformanceMetrics(each, cache_hit=True, agent_id=str(number))
            recorders[number].record(metrics)
            recorders[2].record(metrics)
    before = recorders[1].stats()
    recorders[0].merge(recorders[1])
    merged, whole = recorders[0].stats(), recorders[2].stats()
    assert recorders[1].stats() == before
    assert merged.pop("by_agent") == whole.pop("by_agent")
    assert merged == pytest.approx(whole, rel=1e-5)


def check_percentiles(figures: dict[str, Any], times: list[float]) -> None:
    for each in PERCENTILES:
        exact = float(np.percentile(times, each, method="inverted_cdf"))
        said = figures[f"p{each}_response_time_ms"]
        assert abs(said - exact) <= RELATIVE_ERROR * exact, (each, said, exact)


def test_what_is_no_metrics_counts_for_nothing() -> None:
    recorder = PerformanceRecorder()
    with pytest.raises(MetricsError, match="this is 5; give PerformanceMetrics"):
        recorder.record(5)  # type: ignore[arg-type]
    assert recorder.stats()["total_requests"] == 0
