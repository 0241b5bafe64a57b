"""Which version of an agent a thread gets: shares by weight, in random order; pure."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestration.routing.policies import Ramp


class Split:
    """Shares threads out among versions.

    Each version has a credit: its share of the threads that came, less those it got. A version
    is drawn at random among those that have some left, so the split is exact to within a thread
    or two, and yet nobody can foresee who gets what (permuted blocks, as in clinical trials).
    """

    def __init__(self) -> None:
        self._credits: dict[str, float] = {}

    def draw(self, weights: Mapping[str, float], random: Callable[[], float]) -> str:
        """Return a version for one more thread.

        Args:
            weights: At least one of them positive.
            random: Gives a number from 0 to 1.
        """
        total = sum(weights.values())
        due = {
            version: self._credits.get(version, 0.0) + weight / total
            for version, weight in weights.items()
            if weight > 0
        }
        at = random() * sum(credit for credit in due.values() if credit > 0)
        chosen = max(due, key=due.__getitem__)
        for version, credit in due.items():
            if credit > 0:
                at -= credit
                if at < 0:
                    chosen = version
                    break
        due[chosen] -= 1
        self._credits = due
        return chosen


def ramped(ramp: Ramp, now: float) -> float:
    """Return the weight that a ramp says for a time; before its first point there is none."""
    seconds = now - ramp.since
    times = [at for at, _ in ramp.points]
    after = bisect_right(times, seconds)
    if after == 0:
        return 0.0
    begun, weight = ramp.points[after - 1]
    if after == len(times):
        return weight
    ends, target = ramp.points[after]
    return weight + (target - weight) * (seconds - begun) / (ends - begun)
