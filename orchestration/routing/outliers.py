"""Which endpoints of a pool do so much worse than the others that they are left out; pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from orchestration.routing.policies import OutlierPolicy


@dataclass(slots=True)
class Tally:
    """Calls of an endpoint in the present interval and the one before."""

    calls: int = 0
    answered: int = 0
    seconds: float = 0.0
    """Of all calls together."""
    calls_before: int = 0
    answered_before: int = 0
    seconds_before: float = 0.0

    def count(self, *, answered: bool, seconds: float) -> None:
        """Count a call."""
        self.calls += 1
        self.answered += answered
        self.seconds += seconds

    def turn_over(self) -> None:
        """Begin another interval."""
        self.calls_before, self.answered_before = self.calls, self.answered
        self.seconds_before = self.seconds
        self.calls = self.answered = 0
        self.seconds = 0.0

    @property
    def total(self) -> int:
        """Calls in both."""
        return self.calls + self.calls_before

    @property
    def success_rate(self) -> float:
        """Share of calls that were answered; there were some."""
        return (self.answered + self.answered_before) / self.total

    @property
    def mean_seconds(self) -> float:
        """How long a call took; there were some."""
        return (self.seconds + self.seconds_before) / self.total


class Outlier(NamedTuple):
    """An endpoint to be left out."""

    endpoint: str
    why: str


def outliers(
    tallies: Mapping[str, Tally], without_calls: Collection[str], policy: OutlierPolicy
) -> list[Outlier]:
    """Return what is to be ejected, the worst first.

    Args:
        tallies: Of every endpoint of the pool.
        without_calls: Those that get none already, for whatever reason but a lack of work.
        policy: How many may be without, and what counts as worse.
    """
    judged = {
        id_: tally
        for id_, tally in tallies.items()
        if id_ not in without_calls and tally.total >= policy.least_calls
    }
    room = most_without_calls(len(tallies), policy) - len(without_calls)
    if room <= 0 or len(judged) < 2:  # noqa: PLR2004  nobody to compare with
        return []
    worst = sorted(_worse(judged, policy), key=lambda each: -each[0])
    return [outlier for _, outlier in worst[:room]]


def most_without_calls(size: int, policy: OutlierPolicy) -> int:
    """How many endpoints of a pool of a size ejection may leave without calls; never all."""
    return min(math.floor(size * policy.most_ejected), size - 1)


def _worse(judged: Mapping[str, Tally], policy: OutlierPolicy) -> Iterator[tuple[float, Outlier]]:
    rates = sorted(tally.success_rate for tally in judged.values())
    means = sorted(tally.mean_seconds for tally in judged.values())
    gap = policy.latency_gap.total_seconds()
    for id_, tally in judged.items():
        rate, mean = tally.success_rate, tally.mean_seconds
        usual, usual_mean = _median_without(rates, rate), _median_without(means, mean)
        if usual - rate > policy.success_gap:
            why = f"{rate:.0%} of its calls succeeded, of the others' {usual:.0%}"
            yield 1.0 + usual - rate, Outlier(id_, why)
        elif mean > max(policy.latency_factor * usual_mean, usual_mean + gap):
            why = f"its calls took {mean:.3g} s, the others' {usual_mean:.3g} s"
            yield 1.0 - usual_mean / mean, Outlier(id_, why)


def _median_without(values: list[float], own: float) -> float:
    """The median of sorted values, one of which is left out."""
    if len(values) > 64:  # noqa: PLR2004  one of so many hardly moves it
        return values[len(values) // 2]
    others = values.copy()
    others.remove(own)
    return median(others)
