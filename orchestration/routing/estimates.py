"""Estimates from samples, each with an interval that says how sure it is.

Only the standard library, and only methods that hold for small samples:

- shares: Wilson's score interval, and Newcombe's from two of those for a difference;
- quantiles: two of the samples themselves, found by the binomial distribution; these assume
  nothing of how the values are spread;
- means: Student's t, and Welch's for a difference. They count on the mean of the samples being
  near to normal, which takes some tens of samples, and more if a few values are very large.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist, fmean
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NEARLY_NORMAL: Final = 1000
"""Degrees of freedom from where Student's t is computed from the normal distribution."""
_NOISE: Final = 1e-12
"""Share of a mean that may be the rounding of sums, and so is no difference."""
_WIDE: Final = 12
"""Standard deviations of a binomial distribution beyond which nothing counts."""


class Estimate(NamedTuple):
    """A value, and between what it is with the confidence that was asked for."""

    value: float | None
    """None if there are no samples."""
    low: float | None = None
    """None if there are too few samples to say."""
    high: float | None = None


class Spread(NamedTuple):
    """What is needed of samples to estimate their mean."""

    size: int
    mean: float
    variance: float
    """Of the values, as estimated from the samples; 0 for fewer than two."""


def spread_of(values: Sequence[float]) -> Spread:
    """Sum up samples; equal ones have a variance of exactly 0."""
    count = len(values)
    if not count:
        return Spread(0, 0.0, 0.0)
    if min(values) == max(values):
        return Spread(count, float(values[0]), 0.0)
    mean = fmean(values)
    return Spread(count, mean, math.fsum((each - mean) ** 2 for each in values) / (count - 1))


def share(successes: int, count: int, *, confidence: float) -> Estimate:
    """Estimate a probability from how often something happened, by Wilson's interval."""
    if not count:
        return Estimate(None)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    found = successes / count
    scale = 1 + z * z / count
    middle = (found + z * z / (2 * count)) / scale
    half = z * math.sqrt(found * (1 - found) / count + z * z / (4 * count * count)) / scale
    # at the ends, where rounding would leave a trace of the exact 0 and 1
    low = 0.0 if not successes else max(0.0, middle - half)
    high = 1.0 if successes == count else min(1.0, middle + half)
    return Estimate(found, low, high)


def difference_of_shares(ours: Estimate, theirs: Estimate) -> Estimate:
    """Estimate by how much our share is larger, from Wilson's intervals of both (Newcombe)."""
    if None in (*ours, *theirs):
        return Estimate(None)
    (a, a_low, a_high), (b, b_low, b_high) = _whole(ours), _whole(theirs)
    difference = a - b
    return Estimate(
        difference,
        max(-1.0, difference - math.hypot(a - a_low, b_high - b)),
        min(1.0, difference + math.hypot(a_high - a, b - b_low)),
    )


def mean_of(values: Spread, *, confidence: float) -> Estimate:
    """Estimate the mean of values that are never negative, by Student's t."""
    count, middle, variance = values
    if not count:
        return Estimate(None)
    if count == 1:
        return Estimate(middle)
    half = student(count - 1, confidence) * math.sqrt(variance / count)
    return Estimate(middle, max(0.0, middle - half), middle + half)


def difference_of_means(ours: Spread, theirs: Spread, *, confidence: float) -> Estimate:
    """Estimate by how much our mean is larger, by Welch's interval.

    Its degrees of freedom are rounded down, which makes it a little wider.
    """
    if not ours.size or not theirs.size:
        return Estimate(None)
    difference = ours.mean - theirs.mean
    if min(ours.size, theirs.size) == 1:
        return Estimate(difference)
    parts = [each.variance / each.size for each in (ours, theirs)]
    noise = _NOISE * max(abs(ours.mean), abs(theirs.mean))
    error = math.sqrt(sum(parts))
    if not error:
        return Estimate(difference, difference - noise, difference + noise)
    largest = max(parts)
    shares = [part / largest for part in parts]  # so that no square is too small for a float
    freedom = sum(shares) ** 2 / sum(
        part * part / (each.size - 1) for part, each in zip(shares, (ours, theirs), strict=True)
    )
    half = student(max(1, math.floor(freedom)), confidence) * error + noise
    return Estimate(difference, difference - half, difference + half)


def quantile(ordered: Sequence[float], share_below: float, *, confidence: float) -> Estimate:
    """Estimate a quantile of which sorted samples are given, e.g. 0.95 for the p95.

    Its interval ends at samples; where there are too few, it has no end on one side or both:
    95 % for the median takes 6 samples, and for the p95 it takes 72.
    """
    count = len(ordered)
    if not count:
        return Estimate(None)
    nearest = max(1, math.ceil(share_below * count - 1e-9))  # 0.07 * 100 is a little above 7
    below, above = ranks(count, share_below, confidence)
    return Estimate(
        ordered[nearest - 1],
        None if below is None else ordered[below - 1],
        None if above is None else ordered[above - 1],
    )


@lru_cache(maxsize=256)
def ranks(count: int, share_below: float, confidence: float) -> tuple[int | None, int | None]:
    """The ranks, from 1, of the samples between which a quantile is; None for no such sample."""
    tail = (1 - confidence) / 2
    found = list(_binomial(count, share_below))
    low = high = None
    total = 0.0
    for number, chance in found:
        total += chance
        if total > tail:
            break
        low = number + 1
    total = 0.0
    for number, chance in reversed(found):
        total += chance
        if total > tail:
            break
        high = number
    return low, high


def _binomial(count: int, chance: float) -> Iterator[tuple[int, float]]:
    """How probable each number of successes is; those left out are as good as impossible."""
    middle, half = count * chance, _WIDE * math.sqrt(count * chance * (1 - chance)) + _WIDE
    logs = math.log(chance), math.log1p(-chance)
    whole = math.lgamma(count + 1)
    first, last = max(0, math.floor(middle - half)), min(count, math.ceil(middle + half))
    for number in range(first, last + 1):
        ways = whole - math.lgamma(number + 1) - math.lgamma(count - number + 1)
        yield number, math.exp(ways + number * logs[0] + (count - number) * logs[1])


@lru_cache(maxsize=1024)
def student(freedom: int, confidence: float) -> float:
    """How many standard errors Student's t reaches to both sides.

    Args:
        freedom: Degrees of freedom, from 1.
        confidence: Of both sides together, e.g. 0.95.
    """
    normal = NormalDist().inv_cdf((1 + confidence) / 2)
    if freedom > _NEARLY_NORMAL:
        return _expanded(normal, freedom)
    low, high = normal, 2 * normal
    while _within(high, freedom) < confidence:
        low, high = high, 2 * high
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        if not low < middle < high:
            break
        low, high = (middle, high) if _within(middle, freedom) < confidence else (low, middle)
    return (low + high) / 2


def _within(t: float, freedom: int) -> float:
    """The chance of Student's t to be between `-t` and `t`: its exact finite sum."""
    angle = math.atan(t / math.sqrt(freedom))
    cosine = math.cos(angle)
    square = cosine * cosine
    odd = freedom % 2
    term = cosine if odd else 1.0
    terms = [term] if freedom > 1 else []
    for number in range(3 if odd else 2, freedom - 1, 2):
        term *= square * (number - 1) / number
        terms.append(term)
    total = math.sin(angle) * math.fsum(terms)
    return 2 / math.pi * (angle + total) if odd else total


def _expanded(normal: float, freedom: int) -> float:
    """Student's t from the normal distribution (Cornish and Fisher); 1e-10 exact from 1000 on."""
    z, z3, z5, z7 = (normal**power for power in (1, 3, 5, 7))
    return (
        z
        + (z3 + z) / (4 * freedom)
        + (5 * z5 + 16 * z3 + 3 * z) / (96 * freedom**2)
        + (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * freedom**3)
    )


def _whole(estimate: Estimate) -> tuple[float, float, float]:
    value, low, high = estimate
    return value or 0.0, low or 0.0, high or 0.0
