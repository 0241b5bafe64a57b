"""What the next tool call needs is still there; `benchmarks/compression.py` measures more."""

from __future__ import annotations

import pytest

from benchmarks.compression import SETS, TARGETS, TUNED
from benchmarks.compression_judge import Tally, judge, keep_the_last, ours
from benchmarks.compression_talk import Script

SEEDS = range(3)


def total(scripts: tuple[Script, ...], share: float) -> tuple[Tally, Tally]:
    kept = last = Tally()
    for script in scripts:
        kept += judge(script, ours, share=share, seeds=SEEDS)
        last += judge(script, keep_the_last, share=share, seeds=SEEDS)
    return kept, last


@pytest.mark.parametrize("share", TARGETS)
@pytest.mark.parametrize("scripts", SETS.values(), ids=SETS)
def test_most_argument_values_of_the_next_call_are_left(
    scripts: tuple[Script, ...], share: float
) -> None:
    kept, last = total(scripts, share)
    assert kept.wanted > 100
    assert kept.ratio <= share
    assert kept.retention >= TARGETS[share]
    assert kept.retention > last.retention + 0.2


def test_keeping_everything_keeps_every_value() -> None:
    tally = judge(TUNED[0], lambda messages, _: messages, share=0.5, seeds=SEEDS)
    assert tally.retention == tally.ratio == 1.0
