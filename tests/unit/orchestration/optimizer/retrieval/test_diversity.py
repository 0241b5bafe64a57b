from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.optimizer.retrieval.diversity import by_vectors, by_words, diverse, duplicates

RULE = "Employees file what they spent on a trip with receipts and get it back the next month"

relevances = st.lists(st.floats(0.01, 1.0), min_size=1, max_size=8).map(
    lambda values: sorted(values, reverse=True)
)
texts = st.lists(st.sampled_from(["a b c d", "a b c e", "x y z", "not a b c d", ""]), max_size=8)


def repeated(*texts: str) -> dict[int, int]:
    return duplicates(texts, by_words(texts), threshold=0.6)


def test_a_text_with_a_few_words_round_it_is_a_duplicate_and_the_better_stays() -> None:
    assert repeated(RULE, "The canteen is open", f"Please note: {RULE}.") == {2: 0}


@pytest.mark.parametrize("change", [" within 30 days", " but not now", " by form TR-9"])
def test_what_says_something_of_its_own_is_no_duplicate(change: str) -> None:
    assert repeated(RULE, RULE + change) == {}


def test_what_leaves_out_a_number_is_a_duplicate_of_what_has_it() -> None:
    assert repeated(f"{RULE} within 30 days", RULE) == {1: 0}


def test_what_leaves_out_a_negation_is_no_duplicate() -> None:
    assert repeated(f"{RULE} but not now", RULE) == {}


@given(texts)
def test_duplicates_point_to_better_texts_that_stay(given_: list[str]) -> None:
    found = duplicates(given_, by_words(given_), threshold=0.6)
    assert all(better < place and better not in found for place, better in found.items())


@given(relevances, st.floats(0, 1), st.integers(1, 10), st.randoms(use_true_random=False))
def test_the_best_is_always_chosen_first(
    relevance: list[float], diversity: float, most: int, chance: Random
) -> None:
    size = len(relevance)
    table = [[chance.random() for _ in range(size)] for _ in range(size)]
    order = diverse(relevance, lambda one, other: table[one][other], diversity=diversity, most=most)
    assert order[0] == 0
    assert len(order) == len(set(order)) == min(most, size)


@given(relevances)
def test_without_diversity_the_order_stays(relevance: list[float]) -> None:
    order = diverse(relevance, lambda _one, _other: 1.0, diversity=0, most=99)
    assert order == list(range(len(relevance)))


@given(relevances)
def test_a_shorter_choice_is_the_beginning_of_a_longer_one(relevance: list[float]) -> None:
    def choose(most: int) -> list[int]:
        return diverse(
            relevance,
            lambda one, other: 1.0 if one % 2 == other % 2 else 0.0,
            diversity=0.5,
            most=most,
        )

    assert choose(3) == choose(99)[:3]


def test_what_is_new_comes_before_what_is_alike() -> None:
    alike = by_words(["a b c d e", "a b c d f", "x y z"])
    assert diverse([1.0, 0.9, 0.8], alike, diversity=0.4, most=3) == [0, 2, 1]


def test_embeddings_compare_by_their_angle() -> None:
    similarity = by_vectors([[1, 0], [2, 0], [0, 1], [0, 0], [-1, 0]])
    assert [similarity(0, other) for other in range(5)] == pytest.approx([1, 1, 0, 0, 0])
