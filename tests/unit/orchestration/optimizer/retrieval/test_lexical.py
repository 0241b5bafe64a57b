from __future__ import annotations

import logging

import pytest
from langchain_core.documents import Document

from orchestration.optimizer.retrieval.corpus import Bm25Retriever
from orchestration.optimizer.retrieval.lexical import WordIndex
from orchestration.optimizer.retrieval.terms import keywords, words

TEXTS = [
    "Invoices are paid within thirty days.",
    "The canteen opens at noon.",
    "Error ERR_4042 means that the printer has no paper.",
    "Error ERR_4043 means that the printer is hot.",
]


def ranked(query: str, texts: list[str] = TEXTS) -> list[int]:
    return WordIndex([words(text) for text in texts]).ranked(keywords(query), most=3)


def test_texts_with_rarer_words_of_the_query_come_first() -> None:
    assert ranked("printer paper") == [2, 3]


def test_an_identifier_finds_its_own_text_first() -> None:
    assert ranked("what is ERR_4043") == [3, 2]


def test_a_slip_of_the_pen_is_forgiven() -> None:
    assert ranked("canten") == [1]


def test_an_identifier_is_never_taken_for_a_similar_one() -> None:
    assert WordIndex([["err_4042x"]]).ranked(["err_4043x"], most=3) == []


@pytest.mark.parametrize("texts", [[], [""], ["", "…"]])
def test_texts_without_words_are_never_found(texts: list[str]) -> None:
    assert ranked("anything", texts) == []


def test_nothing_is_found_for_unknown_words() -> None:
    assert ranked("zebra") == []


def test_an_index_writes_nothing_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    ranked("printer")
    assert caplog.records == []


async def test_a_corpus_of_ones_own_is_a_retriever() -> None:
    retriever = Bm25Retriever(documents=[Document(text) for text in TEXTS], k=1)
    assert [each.page_content for each in await retriever.ainvoke("printer paper")] == [TEXTS[2]]
    assert [each.page_content for each in retriever.invoke("printer paper")] == [TEXTS[2]]


async def test_a_corpus_without_documents_finds_nothing() -> None:
    assert await Bm25Retriever(documents=[]).ainvoke("printer") == []
