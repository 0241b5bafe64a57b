from __future__ import annotations

import pytest

from nodes.compression import Calibration
from nodes.token_ratios import LEAST_SAMPLES, MOST_AGENTS, TokenRatios

SENT = (100, 900, 400, 1500, 700)


def taught(ratio: float, own: int = 0, sent: tuple[int, ...] = SENT) -> Calibration:
    ratios = TokenRatios()
    for each in sent:
        ratios.learn("a@1", approximate=each, actual=round(each * ratio) + own)
    return ratios.counter("a@1")


def test_an_agent_of_which_nothing_is_known_counts_approximately() -> None:
    assert TokenRatios().counter("a@1").ratio == 1


@pytest.mark.parametrize("ratio", [0.7, 1.0, 1.6])
@pytest.mark.parametrize("own", [0, 3000])
def test_the_ratio_is_learnt_whatever_the_agent_adds_of_its_own(ratio: float, own: int) -> None:
    assert taught(ratio, own).ratio == pytest.approx(ratio, rel=0.01)


def test_few_samples_and_samples_alike_say_nothing() -> None:
    assert taught(3, sent=SENT[: LEAST_SAMPLES - 1]).ratio == 1
    assert taught(3, sent=(500, 510, 500, 505)).ratio == 1


def test_nonsense_stays_within_what_tokenisers_do() -> None:
    assert taught(50).ratio == 4
    assert taught(-1).ratio == 1
    assert taught(0.01).ratio == 0.5
    assert 0.5 <= taught(1, own=10**400).ratio <= 4


def test_agents_are_told_apart_and_the_oldest_are_forgotten() -> None:
    ratios = TokenRatios()
    for number in range(MOST_AGENTS + 1):
        for sent in SENT:
            ratios.learn(f"a{number}", approximate=sent, actual=2 * sent)
    assert ratios.counter("a0").ratio == 1
    assert ratios.counter("a1").ratio == pytest.approx(2)
