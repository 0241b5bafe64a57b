from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings
from langchain_core.vectorstores import InMemoryVectorStore

from orchestration.optimizer.retrieval.policy import RetrievalPolicy
from orchestration.optimizer.retrieval.retrieval import RagOptimizer
from state.errors import RetrievalError, RetrievalFailedError
from tests.unit.orchestration.optimizer.retrieval.retrievers import PAGES, Drawer, Shelf

ROOT = Path(__file__).resolve().parents[5]
ASKED = "Please tell me, within how many days are travel costs filed?"
SOON = RetrievalPolicy(timeout=timedelta(milliseconds=300))


async def test_the_document_that_answers_comes_first_with_its_reasons_and_its_source() -> None:
    found = await RagOptimizer(Shelf(documents=[PAGES[1], PAGES[0], PAGES[2]])).retrieve(ASKED)
    assert found.query == "within how many days are travel costs filed"
    assert found.documents[0].document == PAGES[0]
    assert any("by the words" in why for why in found.documents[0].why)
    assert found.context.startswith("[1] travel.md\n> Travel costs are filed within 30 days.")
    assert found.sources[0].source == "travel.md"
    assert (found.notes, found.cached) == ((), False)
    assert found.tokens == -(-len(found.context) // 4)


async def test_every_query_goes_to_every_retriever_at_once() -> None:
    everybody = asyncio.Barrier(8)
    one, two = Shelf(open=everybody), Shelf(open=everybody)
    optimizer = RagOptimizer({"one": one, "two": two})
    found = await optimizer.retrieve("travel costs and how is lunch served?")
    assert found.notes == ()
    assert one.asked == two.asked == list(found.queries)
    assert len(found.queries) == 4


async def test_calls_at_once_are_bounded() -> None:
    door = asyncio.Event()
    shelf = Shelf(open=door)
    optimizer = RagOptimizer(shelf, policy=RetrievalPolicy(at_once=1))
    running = asyncio.create_task(optimizer.retrieve(ASKED))
    await shelf.begun.wait()
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(shelf.asked) == 1
    door.set()
    await running
    assert len(shelf.asked) == 2


async def test_a_retriever_without_asynchronous_side_works() -> None:
    assert (await RagOptimizer(Drawer()).retrieve(ASKED)).documents[0].document == PAGES[0]


async def test_a_vector_store_is_asked_for_more_than_is_shown() -> None:
    store = InMemoryVectorStore(DeterministicFakeEmbedding(size=8))
    store.add_documents([*PAGES, *(Document(f"Nothing of note, {place}") for place in range(40))])
    retriever = store.as_retriever(search_kwargs={"k": 1})
    found = await RagOptimizer(retriever).retrieve("how are travel costs filed", top=2)
    assert len(found.documents) == 2
    assert PAGES[0].page_content in [each.document.page_content for each in found.documents]


async def test_repeats_are_left_out_and_counted() -> None:
    copies = [Document(f"Note: {PAGES[0].page_content}"), Document(PAGES[0].page_content + "  ")]
    found = await RagOptimizer(Shelf(documents=[*PAGES, *copies])).retrieve(ASKED)
    assert len(found.documents) == 3
    assert found.documents[0].why[-1] == "another document repeats it"


async def test_one_that_fails_is_done_without_and_noted() -> None:
    optimizer = RagOptimizer({"good": Shelf(), "bad": Shelf(failing_for="")})
    found = await optimizer.retrieve("travel costs")
    assert found.documents
    assert found.notes == ("retriever 'bad' failed for 'travel costs' (ConnectionError)",)
    assert "secret" not in str(found.notes)


async def test_one_that_does_not_answer_is_done_without_and_noted() -> None:
    optimizer = RagOptimizer({"good": Shelf(), "slow": Shelf(open=asyncio.Event())}, policy=SOON)
    found = await optimizer.retrieve("travel costs")
    assert found.documents
    assert found.notes == (
        "retriever 'slow' did not answer in time for 'travel costs' (TimeoutError)",
    )


async def test_where_all_fail_the_error_lists_each() -> None:
    optimizer = RagOptimizer(
        {"bad": Shelf(failing_for=""), "slow": Shelf(open=asyncio.Event())}, policy=SOON
    )
    with pytest.raises(RetrievalFailedError) as caught:
        await optimizer.retrieve("travel costs")
    assert len(caught.value.failures) == 2
    assert "secret" not in str(caught.value)
    assert isinstance(caught.value.__cause__, ConnectionError)


async def test_what_is_no_document_counts_as_a_failure() -> None:
    broken = Shelf.model_construct(documents=["text"], asked=[], metadata_seen=[])
    with pytest.raises(RetrievalFailedError, match="AttributeError"):
        await RagOptimizer(broken).retrieve("travel costs")


async def test_nothing_found_is_no_failure() -> None:
    found = await RagOptimizer(Shelf(documents=[])).retrieve(ASKED)
    assert (found.documents, found.context, found.tokens, found.notes) == ((), "", 0, ())


async def test_a_models_queries_are_asked_before_those_of_the_rules() -> None:
    optimizer = RagOptimizer(Shelf(), model=lambda _: ["expense deadline"])
    assert (await optimizer.retrieve(ASKED)).queries[:2] == (
        "within how many days are travel costs filed",
        "expense deadline",
    )


async def test_a_model_that_fails_is_done_without_and_noted() -> None:
    def broken(_: str) -> list[str]:
        raise ConnectionError("key=secret")

    optimizer = RagOptimizer(Shelf(), model=broken)
    found = await optimizer.retrieve(ASKED)
    assert list(found.queries) == optimizer.queries(ASKED)
    assert found.notes == ("the model wrote no queries, so rules did (ConnectionError)",)


class Directions(Embeddings):
    """Knows one word; or fails, or forgets a text."""

    def __init__(self, fault: str = "") -> None:
        self._fault = fault

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        if self._fault == "fails":
            raise ConnectionError
        vectors = [[1.0, 0.0] if "ravel" in text else [0.0, 1.0] for text in texts]
        return vectors[1:] if self._fault == "forgets" else vectors

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


async def test_embeddings_say_what_is_the_same_if_there_are_any() -> None:
    pages = [Document("Travel is dear"), Document("She likes to travel"), Document("Lunch")]
    found = await RagOptimizer(Shelf(documents=pages), embeddings=Directions()).retrieve("travel")
    assert {each.document.page_content for each in found.documents} in (
        {"Travel is dear", "Lunch"},
        {"She likes to travel", "Lunch"},
    )


@pytest.mark.parametrize(
    ("fault", "kind"), [("fails", "ConnectionError"), ("forgets", "ValueError")]
)
async def test_embeddings_that_fail_are_done_without_and_noted(fault: str, kind: str) -> None:
    found = await RagOptimizer(Shelf(), embeddings=Directions(fault)).retrieve("travel")
    assert len(found.documents) == 3
    assert found.notes == (f"documents were compared by their words ({kind})",)


async def test_a_cancelled_retrieval_cancels_its_calls() -> None:
    shelf = Shelf(open=asyncio.Event())
    running = asyncio.create_task(RagOptimizer(shelf).retrieve("travel"))
    await shelf.begun.wait()
    before = asyncio.all_tasks()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.gather(*(before - {running, asyncio.current_task()}), return_exceptions=True)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_what_json_does_not_have_becomes_text_whether_cached_or_not() -> None:
    dated = Document("Travel costs", metadata={"day": date(2026, 5, 1), "n": 1, "tags": {"b", "a"}})
    optimizer = RagOptimizer(Shelf(documents=[dated]))
    twice = [await optimizer.retrieve("travel"), await optimizer.retrieve("travel")]
    for found in twice:
        metadata = found.documents[0].document.metadata
        assert metadata == {"day": "2026-05-01", "n": 1, "tags": ["a", "b"]}
        json.dumps(metadata)
    assert [found.cached for found in twice] == [False, True]


async def test_retrievers_see_whose_question_it_is() -> None:
    shelf = Shelf()
    await RagOptimizer(shelf).retrieve("travel", tenant="acme", user="ann")
    assert shelf.metadata_seen[0]["tenant"] == "acme"
    assert shelf.metadata_seen[0]["user"] == "ann"


@pytest.mark.parametrize(
    ("query", "settings", "said"),
    [
        ("", {}, "has no word"),
        ("?!", {}, "has no word"),
        ("x" * 4001, {}, "4,001 characters; at most 4,000"),
        ("travel", {"max_tokens": 0}, "max_tokens=0"),
        ("travel", {"top": 0}, "top=0"),
    ],
)
async def test_what_cannot_be_retrieved_is_said_before_anybody_is_asked(
    query: str, settings: dict[str, Any], said: str
) -> None:
    shelf = Shelf()
    with pytest.raises(RetrievalError, match=said):
        await RagOptimizer(shelf).retrieve(query, **settings)
    assert shelf.asked == []


async def test_without_a_retriever_there_are_queries_only() -> None:
    optimizer = RagOptimizer()
    assert optimizer.queries("please, the travel costs?") == ["the travel costs", "travel costs"]
    with pytest.raises(RetrievalError, match="no retriever"):
        await optimizer.retrieve("travel")


def test_a_query_that_says_nothing_gives_no_queries() -> None:
    with pytest.raises(RetrievalError, match="has no word"):
        RagOptimizer().queries(" ")


async def test_the_example_of_the_documentation_runs() -> None:
    text = (ROOT / "docs/retrieval.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(example, "docs/retrieval.md", "exec"), names)  # noqa: S102  our own example
    context = await names["answer"](Shelf(), list(PAGES), "When are travel costs filed?")
    assert context.startswith("[1] travel.md")


def test_nothing_heavy_is_imported_before_it_is_used() -> None:
    code = (
        "import sys, orchestration.optimizer.retrieval.retrieval; "
        "print({'numpy', 'bm25s', 'langchain_core', 'langgraph', 'cachebox'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


async def test_a_text_that_is_no_valid_unicode_does_not_stop_the_others() -> None:
    pages = [Document("travel \ud800 costs"), *PAGES]
    found = await RagOptimizer(Shelf(documents=pages)).retrieve("travel costs")
    assert len(found.documents) == 4
