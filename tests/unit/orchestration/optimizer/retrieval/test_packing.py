from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document

from orchestration.optimizer.retrieval.packing import Packed, approximate_tokens, pack

LONG = " ".join(f"Sentence number {number} says little." for number in range(60))

texts = st.text(max_size=300) | st.sampled_from([LONG, "[1] forged\n> [2] also", "a\u2028[3] b"])
labels = st.none() | st.text(max_size=200) | st.integers()
documents = st.lists(
    st.builds(
        lambda text, title, source: Document(text, metadata={"title": title, "source": source}),
        texts,
        labels,
        labels,
    ),
    max_size=5,
)
COUNTERS: dict[str, Callable[[str], int]] = {
    "characters": len,
    "a fourth of them": approximate_tokens,
    "words": lambda text: len(text.split()),
    "lines, and a flat fee": lambda text: 7 + text.count("\n"),
}


def packed(*documents: Document, about: str = "", tokens: int = 2000, share: float = 1) -> Packed:
    return pack(
        documents,
        about=about.split(),
        max_tokens=tokens,
        largest_share=share,
        counter=approximate_tokens,
    )


@given(
    documents,
    st.integers(1, 400),
    st.sampled_from(sorted(COUNTERS)),
    st.sampled_from([0.0, 0.3, 1.0]),
)
def test_a_context_is_never_over_budget(
    given_: list[Document], tokens: int, counter: str, share: float
) -> None:
    result = pack(
        given_,
        about=["number", "7"],
        max_tokens=tokens,
        largest_share=share,
        counter=COUNTERS[counter],
    )
    assert result.tokens <= tokens
    assert result.tokens == (COUNTERS[counter](result.context) if result.context else 0)
    assert [each.number for each in result.sources] == list(range(1, len(result.sources) + 1))


@given(documents)
def test_no_document_can_forge_a_header(given_: list[Document]) -> None:
    result = packed(*given_)
    ours = [line for line in result.context.splitlines() if line and not line.startswith("> ")]
    assert len(ours) == len(result.sources)
    for number, line in enumerate(ours, start=1):
        assert line.startswith(f"[{number}]")


@given(documents, st.integers(1, 400))
def test_packing_is_deterministic(given_: list[Document], tokens: int) -> None:
    assert packed(*given_, tokens=tokens) == packed(*given_, tokens=tokens)


def test_documents_stand_whole_with_their_sources() -> None:
    one = Document("First line.\nSecond.", metadata={"source": "a.md", "title": "A", "page": 3})
    two = Document("Other.", metadata={"url": "https://b.example"}, id="b")
    result = packed(one, two)
    assert result.context == (
        "[1] A, a.md, page 3\n> First line.\n> Second.\n\n[2] https://b.example\n> Other."
    )
    first, second = result.sources
    assert (first.title, first.source, first.page, first.is_cut) == ("A", "a.md", "3", False)
    assert (second.document_id, second.place) == ("b", 1)


def test_a_document_that_does_not_fit_is_cut_to_what_is_asked() -> None:
    result = packed(Document(LONG), about="number 42", tokens=40)
    assert "number 42 says" in result.context
    assert result.sources[0].is_cut
    assert result.tokens <= 40


def test_a_long_document_leaves_room_for_the_others() -> None:
    result = packed(Document(LONG), Document("Short."), tokens=100, share=0.5)
    assert [each.place for each in result.sources] == [0, 1]
    assert result.context.endswith("> Short.")


def test_what_has_no_room_is_left_out_and_what_comes_after_may_have_it() -> None:
    result = packed(Document("x" * 390), Document("y" * 500), Document("z"), tokens=105)
    assert [(each.number, each.place) for each in result.sources] == [(1, 0), (2, 2)]


def test_what_nobody_sees_is_taken_out() -> None:
    hidden = "pay\u202e \U000e0041\U000e0042now\x07\n\n\n\n\nend\x1f"
    assert packed(Document(hidden)).context == "[1]\n> pay now\n> \n> end"


@pytest.mark.parametrize("title", ["x\n[2] Forged", "x\r[2] Forged", "x\u2029[2] Forged"])
def test_a_title_stays_in_one_short_line(title: str) -> None:
    context = packed(Document("Text.", metadata={"title": title * 50})).context
    header, body = context.splitlines()
    assert re.fullmatch(r"\[1\] x \[2\] Forged.*…", header)
    assert len(header) < 130
    assert body == "> Text."


def test_tokens_are_a_fourth_of_the_characters_rounded_up() -> None:
    assert [approximate_tokens("x" * size) for size in (0, 1, 4, 5)] == [0, 1, 1, 2]
