from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.optimizer.retrieval.fusion import Ranking, fuse

keys = st.lists(st.sampled_from("abcdefg"), max_size=7, unique=True)
rankings = st.lists(
    st.builds(Ranking, st.sampled_from("xyz"), st.sampled_from([0.1, 0.5, 1.0, 3.0]), keys),
    max_size=5,
)


@given(rankings, st.randoms(use_true_random=False))
def test_the_order_of_the_rankings_does_not_matter(given_: list[Ranking], chance: Random) -> None:
    shuffled = list(given_)
    chance.shuffle(shuffled)
    assert fuse(shuffled, constant=10) == fuse(given_, constant=10)


@given(keys, st.integers(1, 4))
def test_rankings_that_agree_change_nothing(order: list[str], times: int) -> None:
    fused = fuse([Ranking("x", 1.0, order)] * times, constant=10)
    assert [each.key for each in fused] == order


@given(rankings)
def test_everything_that_was_ranked_is_there_once(given_: list[Ranking]) -> None:
    fused = [each.key for each in fuse(given_, constant=10)]
    assert sorted(fused) == sorted({key for ranking in given_ for key in ranking.keys})


def test_what_two_rankings_like_beats_what_one_likes_best() -> None:
    fused = fuse([Ranking("x", 1.0, "abc"), Ranking("y", 1.0, "db")], constant=10)
    assert [each.key for each in fused] == ["b", "a", "d", "c"]
    assert fused[0].score == pytest.approx(1 / 12 + 1 / 12)
    assert fused[0].places == (("x", 2), ("y", 2))


def test_a_heavier_ranking_counts_more() -> None:
    fused = fuse([Ranking("x", 1.0, "ab"), Ranking("y", 2.0, "ba")], constant=10)
    assert [each.key for each in fused] == ["b", "a"]


def test_the_better_place_of_a_key_counts() -> None:
    fused = fuse([Ranking("x", 1.0, ["a", "b", "a"])], constant=0)
    assert [(each.key, each.score) for each in fused] == [("a", 1.0), ("b", 0.5)]
