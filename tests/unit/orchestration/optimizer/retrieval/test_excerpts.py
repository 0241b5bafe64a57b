from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestration.optimizer.retrieval.excerpts import excerpt, sentences

TEXT = (
    "The office opens at eight. Dr. Meyer has the keys. Guests wear a badge. "
    "The alarm code is 4711. Nobody may share it! Dogs stay at home."
)


def shown(text: str) -> list[str]:
    return [text[start:end].strip() for start, end in sentences(text)]


def cut(*about: str, most: int) -> str:
    return excerpt(TEXT, about=about, fits=lambda text: len(text) <= most)


def test_sentences_end_at_their_marks_and_not_at_abbreviations() -> None:
    assert shown(TEXT)[:3] == [
        "The office opens at eight.",
        "Dr. Meyer has the keys.",
        "Guests wear a badge.",
    ]
    assert shown("料金は五百円です。駅は近い。") == ["料金は五百円です。", "駅は近い。"]
    assert shown("Price: 3.50 euros\nNext line") == ["Price: 3.50 euros", "Next line"]


@given(st.text(alphabet="ab .!?\n。\"'", max_size=60) | st.text(), st.integers(1, 3))
def test_sentences_together_are_the_text(text: str, times: int) -> None:
    whole = text * times * 9
    assert "".join(whole[start:end] for start, end in sentences(whole)) == whole
    assert all(0 < end - start <= 400 for start, end in sentences(whole))


def test_a_text_that_fits_is_left_alone() -> None:
    assert cut("code", most=len(TEXT)) == TEXT


def test_the_sentence_that_says_most_stays() -> None:
    assert cut("alarm", "code", most=32) == "… The alarm code is 4711. …"


def test_neighbours_come_along_while_there_is_room() -> None:
    assert cut("alarm", "code", most=55) == "… Guests wear a badge. The alarm code is 4711. …"


def test_sentences_far_apart_keep_their_order_and_show_the_gap() -> None:
    assert cut("dog", "office", most=52) == "The office opens at eight. … Dogs stay at home."


def test_numbers_and_identifiers_weigh_more_than_words() -> None:
    text = "Invoice TR-9 is open. It was the best of all summer weeks. Nothing else is known."
    taken = excerpt(text, about=["tr-9", "week"], fits=lambda part: len(part) <= 26)
    assert "TR-9" in taken


def test_without_a_match_the_beginning_stays() -> None:
    assert cut("zebra", most=30) == "The office opens at eight. …"


def test_where_nothing_fits_nothing_is_returned() -> None:
    assert cut("code", most=3) == ""


def test_a_text_without_ends_is_cut_at_blanks() -> None:
    taken = excerpt("lorem " * 500, about=[], fits=lambda part: len(part) <= 500)
    assert taken.startswith("lorem")
    assert set(taken.split()) == {"lorem", "…"}


def test_a_shorter_sentence_after_one_that_has_no_room_still_comes_along() -> None:
    text = "Tax is due. The tax on very long sentences is high. Pay tax. Nothing else is said."
    taken = excerpt(text, about=["tax"], fits=lambda part: len(part) <= 26)
    assert taken == "Tax is due. … Pay tax. …"


def test_few_lengths_are_tried_for_a_long_text() -> None:
    asked: list[int] = []

    def fits(part: str) -> bool:
        asked.append(len(part))
        return len(part) <= 20_000

    taken = excerpt("A short sentence. " * 5000, about=["short"], fits=fits)
    assert 19_900 < len(taken) <= 20_000
    assert len(asked) < 25


@given(st.text(alphabet="ab .!\n", max_size=80), st.sets(st.integers(0, 80)))
def test_only_what_was_found_to_fit_is_returned(text: str, lengths: set[int]) -> None:
    taken = excerpt(text, about=["a"], fits=lambda part: len(part) in lengths)
    assert taken == "" or len(taken) in lengths
