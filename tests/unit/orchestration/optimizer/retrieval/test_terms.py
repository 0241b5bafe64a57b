from __future__ import annotations

import pytest

from orchestration.optimizer.retrieval.terms import (
    exact_terms,
    has_term,
    keywords,
    naming_terms,
    negations,
    quotations,
    words,
)


def test_words_compare_without_case_form_and_plural() -> None:
    assert words("The Policies\u2019 \uff32\uff35\uff2c\uff25\uff33") == words("the policy rule")


def test_a_compound_counts_as_a_whole_and_by_its_parts() -> None:
    assert words("ERR-42") == ["err-42", "err", "42"]


def test_scripts_without_blanks_count_by_character() -> None:
    assert words("料金は500円") == ["料", "金", "は", "円", "500"]


def test_a_question_of_small_words_only_keeps_them() -> None:
    assert keywords("who are you") == ["who", "are", "you"]


@pytest.mark.parametrize(
    "term", ["42", "3.5", "ERR_7", "LX-4100", "state/errors.py", "a@b.example", "getUser", "1,5"]
)
def test_numbers_and_identifiers_are_exact(term: str) -> None:
    assert "".join(exact_terms(f"about {term}, please")) in {term, term.replace(",", "")}


def test_ordinary_words_are_not_exact() -> None:
    assert exact_terms("the long-term plan of the HR team, isn't it") == []


@pytest.mark.parametrize(("opening", "closing"), [*map(tuple, ("“”", "„“", "«»", "「」"))])
def test_a_quotation_begins_at_the_last_mark_before_its_end(opening: str, closing: str) -> None:
    said = f"{opening}open door{closing}"
    assert quotations(f"{opening * 3}a {said} b {opening}") == [said]


def test_quotations_and_identifiers_can_find_a_document_and_small_numbers_cannot() -> None:
    asked = 'the "open door" of 3 rooms in LX-4100, year 2024'
    assert naming_terms(asked) == ['"open door"', "LX-4100", "2024"]


@pytest.mark.parametrize(
    ("text", "term", "there"),
    [
        ("See lx-4100, new.", "LX-4100", True),
        ("See LX-41001.", "LX-4100", False),
        ("He kept an  Open\ndoor.", '"open door"', True),
        ("He kept an open mind.", "«open door»", False),
    ],
)
def test_a_term_is_found_as_a_whole(text: str, term: str, *, there: bool) -> None:
    assert has_term(text, term) is there


def test_negations_are_seen_in_short_forms_too() -> None:
    assert negations("You may not") == negations("You can\u2019t, not now") == {"not"}
