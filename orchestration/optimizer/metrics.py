"""What requests took and used: recorded from any thread, summed up at any time."""

from __future__ import annotations

import threading
from dataclasses import KW_ONLY, dataclass, fields
from typing import Any, Final, TypeAlias

from ddsketch.ddsketch import BaseDDSketch, LogCollapsingLowestDenseDDSketch

from state.errors import ConfigurationError, MetricsError
from state.jsonvalue import described

Figures: TypeAlias = "dict[str, Any]"

RELATIVE_ERROR: Final = 0.01
"""Of the percentiles, at most: a p95 of 100 ms is said as 99 to 101 ms."""
PERCENTILES: Final = (50, 95, 99)
OTHER_AGENTS: Final = "(others)"
"""Under which agents are counted together that came when there were enough of them."""
DEFAULT_AGENTS: Final = 200
_COUNTS = ("tool_calls", "input_tokens", "output_tokens", "tokens_saved")
_LARGEST: Final = 1e15
_SKETCH_ERROR, _SKETCH_BINS, _DIGITS = 0.0099, 2048, 6


@dataclass(frozen=True, slots=True)
class PerformanceMetrics:
    """What one request took and used.

    Raises:
        MetricsError: A figure cannot be: negative, not finite, of the wrong type.
    """

    response_time_ms: float
    _: KW_ONLY
    tool_calls: int = 0
    cache_hit: bool | None = None
    """None where no cache was asked."""
    input_tokens: int = 0
    output_tokens: int = 0
    tokens_saved: int = 0
    """By compression, or because an answer came from the cache."""
    cost: float = 0.0
    failed: bool = False
    agent_id: str | None = None
    """Who answered; None where no single agent did."""

    def __post_init__(self) -> None:
        problems = [*_amounts(self), *_kinds(self)]
        if problems:
            raise MetricsError(f"{'; '.join(problems)}. Nothing was recorded.")


def _amounts(metrics: PerformanceMetrics) -> list[str]:
    found = []
    for field in fields(metrics):
        value = getattr(metrics, field.name)
        is_count = field.name in _COUNTS
        if not is_count and field.name not in {"response_time_ms", "cost"}:
            continue
        kinds = int if is_count else (int, float)
        is_number = isinstance(value, kinds) and not isinstance(value, bool)
        if not is_number or not 0 <= value <= _LARGEST:
            wanted = "a whole number" if is_count else "a number"
            found.append(f"{field.name} is {described(value)}; give {wanted} from 0 to 1e15")
    return found


def _kinds(metrics: PerformanceMetrics) -> list[str]:
    found = []
    if metrics.cache_hit is not None and not isinstance(metrics.cache_hit, bool):
        found.append(f"cache_hit is {described(metrics.cache_hit)}; give True, False or None")
    if not isinstance(metrics.failed, bool):
        found.append(f"failed is {described(metrics.failed)}; give True or False")
    if metrics.agent_id is not None and not (
        isinstance(metrics.agent_id, str) and metrics.agent_id
    ):
        found.append(f"agent_id is {described(metrics.agent_id)}; give an agent's id, or None")
    return found


class PerformanceRecorder:
    """Adds up metrics from any number of threads.

    Memory is bounded whatever comes: counts, and for percentiles a DDSketch (over all requests
    and for each agent).

    Args:
        most_agents: Agents that are told apart; later ones are counted together.
    """

    def __init__(self, *, most_agents: int = DEFAULT_AGENTS) -> None:
        if most_agents < 0:
            raise ConfigurationError(f"most_agents is {most_agents}; give a number from 0 on")
        self._most_agents = most_agents
        self._lock = threading.Lock()
        self._all = _Tally()
        self._agents: dict[str, _Tally] = {}

    def record(self, metrics: PerformanceMetrics) -> None:
        """Count one request.

        Raises:
            MetricsError: It is something else; nothing was counted.
        """
        if not isinstance(metrics, PerformanceMetrics):
            raise MetricsError(f"this is {described(metrics)}; give PerformanceMetrics")
        with self._lock:
            self._all.add(metrics)
            if metrics.agent_id is not None:
                self._of(metrics.agent_id).add(metrics)

    def count_miss(self) -> None:
        """Count a question that a cache had no answer to, where no request is measured."""
        with self._lock:
            self._all.sums["misses"] += 1

    def merge(self, other: PerformanceRecorder) -> None:
        """Count what another recorder has counted too."""
        taken = PerformanceRecorder(most_agents=other._most_agents)
        with other._lock:
            taken._all.merge(other._all)
            for agent_id, tally in other._agents.items():
                taken._of(agent_id).merge(tally)
        with self._lock:
            self._all.merge(taken._all)
            for agent_id, tally in taken._agents.items():
                self._of(agent_id).merge(tally)

    def stats(self) -> Figures:
        """Return what was recorded since the beginning, or the last `reset`.

        Returns:
            `total_requests`, `cache_hit_rate` (hits of hits and misses), `cache_hits`,
            `cache_misses`, `avg_response_time_ms`, `p50_`, `p95_` and `p99_response_time_ms`,
            `avg_tool_calls`, `input_tokens`, `output_tokens`, `total_tokens`, `tokens_saved`,
            `total_cost`, `error_rate`; and `by_agent`, the same by agent id. Without any
            request every figure is 0. A percentile is the least time that so many percent
            of the requests did not exceed, within 1 %.
        """
        with self._lock:
            by_agent = {agent_id: each.figures() for agent_id, each in self._agents.items()}
            return {**self._all.figures(), "by_agent": by_agent}

    def reset(self) -> None:
        """Forget everything."""
        with self._lock:
            self._all, self._agents = _Tally(), {}

    def _of(self, agent_id: str) -> _Tally:
        """The tally of an agent; hold the lock."""
        if agent_id not in self._agents and len(self._agents) >= self._most_agents:
            agent_id = OTHER_AGENTS
        return self._agents.setdefault(agent_id, _Tally())


class _Tally:
    """Sums over requests."""

    def __init__(self) -> None:
        self.sums = dict.fromkeys((*_COUNTS, "requests", "hits", "misses", "failures"), 0)
        self.milliseconds = 0.0
        self.cost = 0.0
        self.times: BaseDDSketch = _sketch()

    def add(self, metrics: PerformanceMetrics) -> None:
        sums = self.sums
        sums["requests"] += 1
        for name in _COUNTS:
            sums[name] += getattr(metrics, name)
        if metrics.cache_hit is not None:
            sums["hits" if metrics.cache_hit else "misses"] += 1
        sums["failures"] += metrics.failed
        self.milliseconds += metrics.response_time_ms
        self.cost += metrics.cost
        self.times.add(metrics.response_time_ms)

    def merge(self, other: _Tally) -> None:
        for name, value in other.sums.items():
            self.sums[name] += value
        self.milliseconds += other.milliseconds
        self.cost += other.cost
        self.times.merge(other.times)

    def figures(self) -> Figures:
        sums = self.sums
        requests = sums["requests"]
        return {
            "total_requests": requests,
            "cache_hit_rate": _share(sums["hits"], sums["hits"] + sums["misses"]),
            "cache_hits": sums["hits"],
            "cache_misses": sums["misses"],
            "avg_response_time_ms": _rounded(_share(self.milliseconds, requests)),
            **{f"p{each}_response_time_ms": self._percentile(each) for each in PERCENTILES},
            "avg_tool_calls": _share(sums["tool_calls"], requests),
            "input_tokens": sums["input_tokens"],
            "output_tokens": sums["output_tokens"],
            "total_tokens": sums["input_tokens"] + sums["output_tokens"],
            "tokens_saved": sums["tokens_saved"],
            "total_cost": _rounded(self.cost),
            "error_rate": _share(sums["failures"], requests),
        }

    def _percentile(self, percent: int) -> float:
        """The least time that so many percent of the requests did not exceed."""
        requests = self.sums["requests"]
        if not requests:
            return 0.0
        place = -(-percent * requests // 100)  # from 1 on, rounded up
        half_way = (place - 0.5) / (requests - 1) if place < requests else 1.0
        return _rounded(self.times.get_quantile_value(half_way) or 0.0)


def _sketch() -> BaseDDSketch:
    return LogCollapsingLowestDenseDDSketch(_SKETCH_ERROR, _SKETCH_BINS)


def _share(part: float, whole: int) -> float:
    return part / whole if whole else 0.0


def _rounded(value: float) -> float:
    """Leave out digits that nobody wants to read."""
    return float(f"{value:.{_DIGITS}g}")
