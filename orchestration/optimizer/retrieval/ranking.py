"""What retrievers found made into one list: fused, without duplicates, diverse."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestration.optimizer.retrieval.diversity import by_vectors, by_words, diverse, duplicates
from orchestration.optimizer.retrieval.fusion import Fused, Ranking, fuse
from orchestration.optimizer.retrieval.lexical import WordIndex
from orchestration.optimizer.retrieval.terms import has_term, keywords, naming_terms, words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.documents import Document

    from orchestration.optimizer.retrieval.asking import Answer
    from orchestration.optimizer.retrieval.policy import RetrievalPolicy

_MOST_TERMS: Final = 8
"""Of a question's quotations and identifiers, so many are looked for."""


@dataclass(frozen=True, slots=True)
class RankedDocument:
    """A document with its place's reasons."""

    document: Document
    """Its text is anybody's: data, never instructions."""
    score: float
    """Fused from all ranks; comparable within one retrieval only."""
    why: tuple[str, ...]
    """Its ranks, and whether others repeat it, in sentences for people."""


def fused(
    answers: Sequence[Answer], queries: Sequence[str], *, policy: RetrievalPolicy
) -> list[RankedDocument]:
    """Return all that was found, by the retrievers' ranks and by words.

    Of equal texts there is one, with the metadata of the first that was found.

    Args:
        answers: What was found.
        queries: What was asked; the first is the question itself.
        policy: Weights and bounds.
    """
    documents: dict[str, Document] = {}
    rankings: list[Ranking] = []
    for answer in answers:
        keyed = [(_key(each.page_content), each) for each in answer.documents]
        for key, document in keyed:
            documents.setdefault(key, document)
        keys = [key for key, _ in keyed]
        rankings.append(_retrievers_ranking(answer, keys, question=queries[0], policy=policy))
    if policy.lexical_weight and documents:
        rankings += _word_rankings(documents, queries, policy=policy)
    rankings += _exact_rankings(documents, queries[0], policy=policy)
    found = fuse(rankings, constant=policy.rank_constant)
    return [RankedDocument(documents[each.key], each.score, _why(each)) for each in found]


def chosen(
    ranked: Sequence[RankedDocument],
    policy: RetrievalPolicy,
    *,
    vectors: Sequence[Sequence[float]] | None,
    top: int,
) -> list[RankedDocument]:
    """Return the best `top` without near-duplicates, in an order that prefers what is new.

    Args:
        ranked: Best first.
        policy: Thresholds.
        vectors: Embeddings of the documents, if there are any; else words are compared.
        top: How many.
    """
    texts = [each.document.page_content for each in ranked]
    similarity = by_words(texts) if vectors is None else by_vectors(vectors)
    threshold = policy.near_duplicate if vectors is None else policy.near_duplicate_vectors
    repeated = duplicates(texts, similarity, threshold=threshold)
    kept = [place for place in range(len(texts)) if place not in repeated]
    order = diverse(
        [ranked[place].score for place in kept],
        lambda one, other: similarity(kept[one], kept[other]),
        diversity=policy.diversity,
        most=top,
    )
    repeats = list(repeated.values())
    return [_counted(ranked[kept[place]], repeats.count(kept[place])) for place in order]


def _key(text: str) -> str:
    plain = " ".join(text.split())
    return hashlib.sha256(plain.encode(errors="surrogatepass")).hexdigest()


def _retrievers_ranking(
    answer: Answer, keys: Sequence[str], *, question: str, policy: RetrievalPolicy
) -> Ranking:
    weight = policy.weights.get(answer.retriever, 1.0)
    if answer.query != question:
        weight *= policy.expansion_weight
    return Ranking(f"of {answer.retriever!r} for {answer.query!r}", weight, keys)


def _word_rankings(
    documents: Mapping[str, Document], queries: Sequence[str], *, policy: RetrievalPolicy
) -> list[Ranking]:
    keys = sorted(documents)
    index = WordIndex([words(documents[key].page_content) for key in keys])
    rankings: dict[frozenset[str], Ranking] = {}
    for query in queries:
        weight = policy.lexical_weight * (1 if query == queries[0] else policy.expansion_weight)
        wanted = keywords(query)
        order = index.ranked(wanted, most=policy.candidates)
        ranking = Ranking(f"by the words of {query!r}", weight, [keys[place] for place in order])
        rankings.setdefault(frozenset(wanted), ranking)
    return list(rankings.values())


def _exact_rankings(
    documents: Mapping[str, Document], question: str, *, policy: RetrievalPolicy
) -> list[Ranking]:
    """For each quotation and identifier of the question, the documents that have it."""
    rankings = []
    for term in naming_terms(question)[:_MOST_TERMS]:
        having = [key for key, each in documents.items() if has_term(each.page_content, term)]
        rankings.append(Ranking(f"having {term!r}", policy.exact_weight, having))
    return rankings


def _why(fused_: Fused) -> tuple[str, ...]:
    return tuple(f"#{place} {name}" for name, place in fused_.places)


def _counted(ranked: RankedDocument, repeats: int) -> RankedDocument:
    if not repeats:
        return ranked
    others = "another document repeats it" if repeats == 1 else f"{repeats} others repeat it"
    return RankedDocument(ranked.document, ranked.score, (*ranked.why, others))
