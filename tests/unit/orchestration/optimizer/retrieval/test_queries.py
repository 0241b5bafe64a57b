from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.optimizer.retrieval.queries import normalised, queries_of
from orchestration.optimizer.retrieval.terms import quotations

COURTESIES = ["Hi there!", "could you please tell me about", "please", "thanks", "tell us", "?"]
EXACT = ["42", "3.5", "ERR_7", "LX-4100", '"please  do"', "«tell me»", "10²", "½", "a@b.example"]
WORDS = ["refund", "policy", "and", "for", "ﬁne", "Gebühr", "料金", "thanks"]

phrases = st.lists(st.sampled_from([*COURTESIES, *EXACT, *WORDS]), max_size=8)
blanks = st.sampled_from([" ", "  ", "\u00a0", "\n", "\t"])


@st.composite
def questions(draw: st.DrawFn) -> str:
    return "".join(f"{phrase}{draw(blanks)}" for phrase in draw(phrases))


@pytest.mark.parametrize(
    ("asked", "plain"),
    [
        ("I was wondering, who signs contracts", "who signs contracts"),
        ("  What\u00a0is\n the   limit ?", "What is the limit"),
        ("Show me invoice INV-7 please", "invoice INV-7"),
        ("could you please tell me", "could you please tell me"),
        ("Please Please Me album", "Please Please Me album"),
        ("Hello by Adele", "Hello by Adele"),
        ("Was kostet das, bitte?", "Was kostet das"),
        ("wich forms ar neded", "wich forms ar neded"),
        ("find foo.please", "find foo.please"),
        ("\ufb01ne \uff1f", "fine"),
    ],
)
def test_courtesies_and_odd_forms_go_and_the_question_stays(asked: str, plain: str) -> None:
    assert normalised(asked) == plain


@given(st.text() | questions())
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    once = normalised(text)
    assert normalised(once) == once


@given(phrases)
def test_numbers_identifiers_and_quotations_stay_as_they_are(parts: list[str]) -> None:
    plain = normalised(" ".join(parts))
    for part in parts:
        if part in EXACT:
            assert plain.count(part) == parts.count(part)


@given(st.text(alphabet="ab1 \n\"'`\uff02\uff07\uff40«»?,.\u00bd\ufb01", max_size=30))
def test_quotations_of_any_text_stay(text: str) -> None:
    assert set(quotations(text)) <= set(quotations(normalised(text)))


@given(st.text() | questions(), st.integers(1, 6))
def test_there_are_never_more_queries_than_allowed_and_the_question_is_first(
    text: str, most: int
) -> None:
    found = queries_of(text, most=most)
    assert 1 <= len(found) <= most
    assert found[0] == normalised(text) or not normalised(text)
    assert len(set(found)) == len(found)


def test_a_question_about_two_things_is_also_asked_in_parts() -> None:
    found = queries_of("travel insurance limits and how do I get a badge?", most=4)
    assert found[1:3] == ["travel insurance limits", "how do I get a badge"]


def test_words_that_belong_together_are_not_parted() -> None:
    assert queries_of("terms and conditions for hotels", most=4) == [
        "terms and conditions for hotels",
        "terms conditions hotels",
    ]


def test_what_is_quoted_is_not_parted() -> None:
    assert not any(
        each.startswith("dark night") for each in queries_of('"long day and dark night"', most=4)
    )


def test_identifiers_and_quotations_are_asked_by_themselves() -> None:
    found = queries_of('Why does "disk full" come with ERR_7 on Mondays', most=4)
    assert '"disk full" ERR_7' in found


def test_a_question_in_keywords_only_is_asked_once() -> None:
    assert queries_of("refund policy", most=4) == ["refund policy"]
