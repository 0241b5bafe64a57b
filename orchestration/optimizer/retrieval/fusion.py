"""Rankings of the same things fused into one, by reciprocal ranks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Ranking(NamedTuple):
    """One order of things, best first."""

    name: str
    """What made it, for people."""
    weight: float
    keys: Sequence[str]
    """What it ranks; of a key that stands there twice, the better place counts."""


class Fused(NamedTuple):
    """One thing, with what the rankings together say of it."""

    key: str
    score: float
    places: tuple[tuple[str, int], ...]
    """The rankings that have it, and where, from 1; the best place first."""


def fuse(rankings: Sequence[Ranking], *, constant: float) -> list[Fused]:
    """Fuse rankings: a place is worth `weight / (constant + place)`, and all it has is summed.

    The order of the rankings doesn't matter. Of equal scores the one with the best single
    place comes first, and then by key.
    """
    found: dict[str, list[tuple[int, str, float]]] = {}
    for name, weight, keys in rankings:
        for place, key in enumerate(dict.fromkeys(keys), start=1):
            found.setdefault(key, []).append((place, name, weight))
    fused = [_sum(key, places, constant=constant) for key, places in found.items()]
    return sorted(fused, key=lambda each: (-each.score, each.places[0][1], each.key))


def _sum(key: str, places: list[tuple[int, str, float]], *, constant: float) -> Fused:
    places.sort()
    score = math.fsum(weight / (constant + place) for place, _, weight in places)
    return Fused(key, score, tuple((name, place) for place, name, _ in places))
