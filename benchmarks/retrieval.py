"""What RAG optimisation finds, of what is wanted, in how many tokens, and how much longer it takes.

For each retriever the same questions are answered twice: by its own first eight documents, and
through `RagOptimizer` over it, by rules only. Judged is the half of the questions that no
setting was chosen by. Per question:

- recall: the share of its answers that stand in the eight documents
- nDCG: the same, more the earlier they stand; an answer counts once, however often it comes
- in 300 tokens: the share of its answers that stand in the text, cut to 300 tokens
- tokens: of the text of all eight, at most 2,000

Two retrievers together are compared with BM25, mostly the better one of them alone.

The corpus is made up (`benchmarks/retrieval_corpus.py`), so the figures compare ways of
searching it and promise nothing for other documents.
"""

from __future__ import annotations

import hashlib
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.vectorstores import InMemoryVectorStore

from benchmarks.measure import Comparison, Effort, Report, Row, interleave, main
from benchmarks.retrieval_corpus import Question, passages, questions
from orchestration.optimizer.retrieval.corpus import Bm25Retriever
from orchestration.optimizer.retrieval.packing import approximate_tokens
from orchestration.optimizer.retrieval.policy import RetrievalPolicy
from orchestration.optimizer.retrieval.retrieval import RagOptimizer
from orchestration.optimizer.retrieval.terms import words

if TYPE_CHECKING:
    from state.jsonvalue import JsonObject

TOP: Final = 8
NARROW: Final = 300
WIDE: Final = 2000
DIMENSIONS: Final = 256


class HashedWords(Embeddings):
    """A weak embedding, the same everywhere: words and their beginnings, hashed."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed each text."""
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """Embed a text."""
        vector = [0.0] * DIMENSIONS
        for word in words(text):
            for feature in (word, f"{word[:4]}…"):
                digest = hashlib.blake2b(feature.encode(), digest_size=4).digest()
                number = int.from_bytes(digest)
                vector[number % DIMENSIONS] += 1.0 if number & 0x80000000 else -1.0
        return vector


class WordLlamaVectors(Embeddings):
    """A small real model of meaning that works offline (WordLlama)."""

    def __init__(self) -> None:
        import wordllama  # noqa: PLC0415  an extra

        folder = Path(wordllama.__file__).parent
        self._model = wordllama.WordLlama.load(cache_dir=folder, disable_download=True)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed each text."""
        vectors: list[list[float]] = self._model.embed(texts, norm=True).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """Embed a text."""
        return self.embed_documents([text])[0]


@dataclass(frozen=True, slots=True)
class Scores:
    """What one way of searching came to, as means over questions."""

    recall: float
    ndcg: float
    narrow: float
    tokens: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreComparison:
    """One row: a figure of a subject against that of a reference."""

    name: str
    subject: float
    reference: float
    unit: str

    @property
    def ratio(self) -> float:
        """How many times the reference it is."""
        return self.subject / self.reference if self.reference else math.inf

    def as_json(self) -> JsonObject:
        """Return the row as JSON."""
        return {
            "name": self.name,
            "subject": round(self.subject, 3),
            "reference": round(self.reference, 3),
            "unit": self.unit,
            "ratio": round(self.ratio, 3),
            "target": None,
            "verdict": "no target",
        }

    def cells(self) -> tuple[str, ...]:
        """Return the row of the table."""
        shown = (
            f"{value:.{2 if self.unit == '' else 0}f} {self.unit}".strip()
            for value in (self.subject, self.reference)
        )
        return (self.name, *shown, f"{self.ratio:.2f}", "", "", "")


async def plain_scores(retriever: BaseRetriever, asked: Sequence[Question]) -> Scores:
    """Answer questions by what a retriever finds first."""
    rows = []
    for question in asked:
        texts = [each.page_content for each in (await retriever.ainvoke(question.text))[:TOP]]
        whole = "\n\n".join(texts)
        rows.append(_scores(question, texts, narrow=whole[: NARROW * 4], wide=whole[: WIDE * 4]))
    return _mean(rows)


async def optimised_scores(optimizer: RagOptimizer, asked: Sequence[Question]) -> Scores:
    """Answer questions through an optimizer."""
    rows = []
    for question in asked:
        wide = await optimizer.retrieve(question.text, top=TOP, max_tokens=WIDE)
        narrow = await optimizer.retrieve(question.text, top=TOP, max_tokens=NARROW)
        texts = [each.document.page_content for each in wide.documents]
        rows.append(_scores(question, texts, narrow=narrow.context, wide=wide.context))
    return _mean(rows)


def _scores(question: Question, texts: Sequence[str], *, narrow: str, wide: str) -> Scores:
    places = [
        next((place for place, text in enumerate(texts) if answer in text), None)
        for answer in question.answers
    ]
    found = [place for place in places if place is not None]
    gain = sum(1 / math.log2(place + 2) for place in found)
    best = sum(1 / math.log2(place + 2) for place in range(len(places)))
    inside = sum(answer in narrow for answer in question.answers)
    return Scores(
        len(found) / len(places), gain / best, inside / len(places), approximate_tokens(wide)
    )


def _mean(rows: Sequence[Scores]) -> Scores:
    names = ("recall", "ndcg", "narrow", "tokens")
    return Scores(*(statistics.fmean(getattr(row, name) for row in rows) for name in names))


@dataclass(frozen=True, slots=True)
class Match:
    """What is compared: a retriever alone, and the optimised one or several."""

    alone: BaseRetriever
    optimised: BaseRetriever | Mapping[str, BaseRetriever]


def matches(documents: list[Document]) -> dict[str, Match]:
    """Return what is made better: a weak, a lexical and a fair retriever, and two together."""
    embeddings: dict[str, Embeddings] = {"hashed words": HashedWords()}
    if find_spec("wordllama") is not None:
        embeddings["WordLlama"] = WordLlamaVectors()
    lexical = Bm25Retriever(documents=documents)
    found = {"BM25": Match(lexical, lexical)}
    for name, each in embeddings.items():
        store = InMemoryVectorStore(each)
        store.add_documents(documents)
        alone = store.as_retriever(search_kwargs={"k": TOP})
        found[name] = Match(alone, alone)
        found[f"{name} + BM25"] = Match(lexical, {name: alone, "BM25": lexical})
    return found


async def compare(name: str, match: Match, asked: Sequence[Question]) -> list[Row]:
    """Return a retriever's rows: all questions, then each kind."""
    optimizer = RagOptimizer(match.optimised, policy=RetrievalPolicy(ttl=None))
    plain, better = await plain_scores(match.alone, asked), await optimised_scores(optimizer, asked)
    rows: list[Row] = [
        ScoreComparison(name=f"{name}: {title}", subject=new, reference=old, unit=unit)
        for title, new, old, unit in (
            ("recall", better.recall, plain.recall, ""),
            ("nDCG", better.ndcg, plain.ndcg, ""),
            ("in 300 tokens", better.narrow, plain.narrow, ""),
            ("tokens", better.tokens, plain.tokens, "tokens"),
        )
    ]
    for kind in sorted({each.kind for each in asked}):
        some = [each for each in asked if each.kind == kind]
        old, new = await plain_scores(match.alone, some), await optimised_scores(optimizer, some)
        title = f"{name}: nDCG, {kind} ({len(some)})"
        rows.append(ScoreComparison(name=title, subject=new.ndcg, reference=old.ndcg, unit=""))
    return rows


async def times(retriever: BaseRetriever, *, quick: bool) -> list[Row]:
    """Return what it costs in time, new and from the cache."""
    fresh = RagOptimizer(retriever, policy=RetrievalPolicy(ttl=None))
    kept = RagOptimizer(retriever, policy=RetrievalPolicy(ttl=timedelta(hours=1)))
    asked = questions()[0].text
    effort = Effort(rounds=2, runs=3) if quick else Effort(rounds=5, runs=20)
    measured = await interleave(
        {
            "plain": lambda: retriever.ainvoke(asked),
            "fresh": lambda: fresh.retrieve(asked),
            "kept": lambda: kept.retrieve(asked),
        },
        effort,
    )
    return [
        Comparison(name=f"time, {name}", subject=measured[key], reference=measured["plain"])
        for name, key in (("new", "fresh"), ("from the cache", "kept"))
    ]


async def benchmark(quick: bool) -> Report:  # noqa: FBT001  called by `main`
    """Compare with each retriever."""
    documents = [Document(each.text, metadata={"source": each.source}) for each in passages()]
    asked = questions()[1 :: 6 if quick else 2]
    rows: list[Row] = []
    every = matches(documents)
    for name, match in every.items():
        rows += await compare(name, match, asked)
    rows += await times(every["hashed words"].alone, quick=quick)
    note = f"{len(documents)} passages, {len(asked)} questions, {TOP} documents each"
    return Report("retrieval: RagOptimizer against the retriever alone", rows, [note])


if __name__ == "__main__":
    main(benchmark, __doc__)
