"""How the versions of an agent compare: success, latency and cost, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from orchestration.routing.estimates import (
    Estimate,
    Spread,
    difference_of_means,
    difference_of_shares,
    mean_of,
    quantile,
    share,
    spread_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from checkpoints.traffic import Sample
    from state.jsonvalue import JsonObject, JsonValue

Measure = Literal["success", "latency", "cost"]
MEASURES: Final[tuple[Measure, ...]] = ("success", "latency", "cost")
LEAST: Final = 10
"""Samples of each version, below which nothing is said of their difference."""
_BETTER: Final = {"success": "better", "latency": "faster", "cost": "cheaper"}
_WORSE: Final = {"success": "worse", "latency": "slower", "cost": "dearer"}


class Figures(NamedTuple):
    """What is known of one version."""

    version: str
    tasks: int
    succeeded: int
    success: Estimate
    """Share of the tasks, from 0 to 1."""
    latency: Estimate
    """Mean seconds, of the tasks that succeeded: who fails at once is not fast."""
    median_latency: Estimate
    p95_latency: Estimate
    cost: Estimate
    """Mean of a task, whatever became of it."""


class Difference(NamedTuple):
    """How a version differs from the one that all are compared with."""

    measure: Measure
    version: str
    baseline: str
    samples: tuple[int, int]
    """Of the version and of the baseline, that this is from."""
    estimate: Estimate
    """The version's value less the baseline's: a share, seconds, or currency."""

    @property
    def better(self) -> str | None:
        """The version that is shown to be better; None while neither is."""
        _, low, high = self.estimate
        if min(self.samples) < LEAST or low is None or high is None or low <= 0 <= high:
            return None
        more_is_better = self.measure == "success"
        return self.version if (low > 0) == more_is_better else self.baseline

    @property
    def verdict(self) -> str:
        """In words, e.g. `2 is better than 1 in success: +3.1 points [+1.0, +5.2]`."""
        pair = f"{self.version} and {self.baseline}"
        if min(self.samples) < LEAST:
            mine, theirs = self.samples
            return (
                f"{pair}: no difference in {self.measure} shown yet: n is too small "
                f"({mine} and {theirs}; it takes {LEAST} of each)"
            )
        if self.better is None:
            return f"{pair}: no difference in {self.measure} shown yet: {self._numbers()}"
        word = (_BETTER if self.better == self.version else _WORSE)[self.measure]
        return f"{self.version} is {word} than {self.baseline} in {self.measure}: {self._numbers()}"

    def _numbers(self) -> str:
        value, low, high = (signed(self.measure, each) for each in self.estimate)
        return f"{value}{_UNITS[self.measure]} [{low}, {high}]"

    def as_json(self) -> JsonObject:
        """The difference as a JSON object."""
        return {
            "measure": self.measure,
            "version": self.version,
            "baseline": self.baseline,
            "samples": list(self.samples),
            "difference": _json(self.estimate),
            "better": self.better,
            "verdict": self.verdict,
        }


_UNITS: Final = {"success": " points", "latency": " s", "cost": ""}


def signed(measure: Measure, difference: float | None) -> str:
    """Say a difference with its sign; of shares, in points of a hundred."""
    if difference is None:
        return "?"
    if measure == "success":
        return f"{100 * difference:+.1f}"
    return f"{difference:+.3g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A report on the versions of an agent."""

    baseline: str | None
    """The version that the others are compared with; None if there are no samples."""
    confidence: float
    """Of each version's intervals; and of all intervals of differences together (each is
    wider for it, after Bonferroni), so that of many one is not `better` by mere luck. Who
    looks again and again until something shows is not covered by that."""
    versions: tuple[Figures, ...]
    differences: tuple[Difference, ...]

    def as_json(self) -> JsonObject:
        """The report as a JSON object; what cannot be said yet is null."""
        return {
            "baseline": self.baseline,
            "confidence": self.confidence,
            "versions": [_figures_json(each) for each in self.versions],
            "differences": [each.as_json() for each in self.differences],
        }


def compare(
    samples: Iterable[Sample], *, baseline: str | None = None, confidence: float = 0.95
) -> Comparison:
    """Compare the versions that samples are of; those of shadow traffic are versions like others.

    Args:
        samples: In any order, of one agent.
        baseline: The version that the others are compared with; by default the one with the
            most samples. It may have none.
        confidence: Between 0 and 1.

    Raises:
        ValueError: `confidence` is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence!r}; give a number between 0 and 1, e.g. 0.95")
    by_version: dict[str, list[Sample]] = {}
    for sample in samples:
        by_version.setdefault(sample.version, []).append(sample)
    if baseline is None and by_version:
        baseline = min(by_version, key=lambda version: (-len(by_version[version]), version))
    elif baseline is not None:
        by_version.setdefault(baseline, [])
    versions = [_Version.of(name, by_version[name]) for name in sorted(by_version)]
    return Comparison(
        baseline=baseline,
        confidence=confidence,
        versions=tuple(each.figures(confidence) for each in versions),
        differences=tuple(_differences(versions, baseline, confidence)),
    )


class _Version(NamedTuple):
    """One version's samples, summed up."""

    name: str
    tasks: int
    succeeded: int
    latencies: list[float]
    latency: Spread
    cost: Spread
    priced: int
    """Samples whose cost is known."""

    @classmethod
    def of(cls, name: str, samples: Sequence[Sample]) -> _Version:
        latencies = sorted(each.seconds for each in samples if each.succeeded)
        costs = [each.cost for each in samples if each.cost is not None]
        return cls(
            name,
            len(samples),
            len(latencies),
            latencies,
            spread_of(latencies),
            spread_of(costs),
            len(costs),
        )

    def figures(self, confidence: float) -> Figures:
        return Figures(
            version=self.name,
            tasks=self.tasks,
            succeeded=self.succeeded,
            success=self.success(confidence),
            latency=mean_of(self.latency, confidence=confidence),
            median_latency=quantile(self.latencies, 0.5, confidence=confidence),
            p95_latency=quantile(self.latencies, 0.95, confidence=confidence),
            cost=mean_of(self.cost, confidence=confidence),
        )

    def success(self, confidence: float) -> Estimate:
        return share(self.succeeded, self.tasks, confidence=confidence)

    def samples_of(self, measure: Measure) -> int:
        if measure == "cost":
            return self.priced
        return self.succeeded if measure == "latency" else self.tasks

    def difference(self, measure: Measure, other: _Version, confidence: float) -> Estimate:
        if measure == "success":
            return difference_of_shares(self.success(confidence), other.success(confidence))
        if measure == "latency":
            return difference_of_means(self.latency, other.latency, confidence=confidence)
        return difference_of_means(self.cost, other.cost, confidence=confidence)


def _differences(
    versions: Sequence[_Version], baseline: str | None, confidence: float
) -> list[Difference]:
    base = [each for each in versions if each.name == baseline]
    others = [each for each in versions if each.name != baseline]
    if not base or not others:
        return []
    each_confidence = 1 - (1 - confidence) / (len(others) * len(MEASURES))
    return [
        Difference(
            measure=measure,
            version=other.name,
            baseline=base[0].name,
            samples=(other.samples_of(measure), base[0].samples_of(measure)),
            estimate=other.difference(measure, base[0], each_confidence),
        )
        for other in others
        for measure in MEASURES
    ]


def _figures_json(figures: Figures) -> JsonObject:
    return {
        "version": figures.version,
        "tasks": figures.tasks,
        "succeeded": figures.succeeded,
        "success": _json(figures.success),
        "latency_seconds": _json(figures.latency),
        "median_latency_seconds": _json(figures.median_latency),
        "p95_latency_seconds": _json(figures.p95_latency),
        "cost": _json(figures.cost),
    }


def _json(estimate: Estimate) -> JsonValue:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}
