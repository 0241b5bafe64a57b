"""Documents packed into a text for a model: within a token budget, each with its source."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from orchestration.optimizer.retrieval.excerpts import excerpt

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from langchain_core.documents import Document

LONGEST_LABEL: Final = 120
"""Characters of a title or a source in a header."""
FENCE: Final = "> "
"""Begins each line of a document, and never one of ours: no document can forge a header."""
_BETWEEN: Final = "\n\n"
_BLANK_LINES: Final = re.compile(r"\n{3,}")
_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]"
)
"""Control characters, changes of direction and tags: what a person doesn't see, a model may."""
_CHARACTERS_PER_TOKEN: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a numbered part of a context is from."""

    number: int
    """As in `[1]`."""
    title: str | None
    source: str | None
    page: str | None
    document_id: str | None
    place: int
    """Which of the ranked documents it is, from 0."""
    is_cut: bool
    """Whether only part of the document stands in the context."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A context and where its parts are from."""

    context: str
    sources: tuple[Source, ...]
    tokens: int
    """By the counter that it was packed with."""


def approximate_tokens(text: str) -> int:
    """Count tokens as a fourth of the characters, rounded up."""
    return -(-len(text) // _CHARACTERS_PER_TOKEN)


def pack(
    documents: Sequence[Document],
    *,
    about: Collection[str],
    max_tokens: int,
    largest_share: float,
    counter: Callable[[str], int],
) -> Packed:
    """Pack documents, best first: whole where they fit, else the sentences that say most.

    Args:
        documents: Best first.
        about: The question's words, as `terms.words` makes them.
        max_tokens: Never exceeded, by the counter.
        largest_share: Of the tokens, for one document while others wait.
        counter: Counts the tokens of a text.
    """
    context = ""
    sources: list[Source] = []
    for place, document in enumerate(documents):
        source = _source(document, number=len(sources) + 1, place=place)
        others_wait = place + 1 < len(documents)
        fits = _Room(
            before=context,
            header=_header(source),
            tokens=max_tokens,
            share=int(max_tokens * largest_share) if others_wait else max_tokens,
            counter=counter,
        )
        text = _clean(document.page_content)
        body = excerpt(text, about=about, fits=fits)
        if body:
            context = fits.with_body(body)
            sources.append(replace(source, is_cut=body != text))
    return Packed(context, tuple(sources), counter(context) if context else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Room:
    """What a context still has room for."""

    before: str
    header: str
    tokens: int
    share: int
    counter: Callable[[str], int]

    def __call__(self, body: str) -> bool:
        if self.counter(self._part(body)) > self.share:
            return False
        return self.counter(self.with_body(body)) <= self.tokens

    def with_body(self, body: str) -> str:
        part = self._part(body)
        return f"{self.before}{_BETWEEN}{part}" if self.before else part

    def _part(self, body: str) -> str:
        return "\n".join([self.header, *(f"{FENCE}{line}" for line in body.splitlines())])


def _source(document: Document, *, number: int, place: int) -> Source:
    return Source(
        number=number,
        title=_label(document.metadata, "title"),
        source=_label(document.metadata, "source", "url", "path"),
        page=_label(document.metadata, "page_label", "page"),
        document_id=document.id,
        place=place,
        is_cut=False,
    )


def _label(metadata: Mapping[str, object], *names: str) -> str | None:
    """The first of some metadata that is set, in one short line."""
    for name in names:
        value = metadata.get(name)
        if value is not None and (line := _HIDDEN.sub("", " ".join(str(value).split()))):
            return line if len(line) <= LONGEST_LABEL else f"{line[: LONGEST_LABEL - 1]}…"
    return None


def _header(source: Source) -> str:
    page = None if source.page is None else f"page {source.page}"
    said = [each for each in (source.title, source.source, page) if each is not None]
    return " ".join([f"[{source.number}]", ", ".join(said)]).rstrip()


def _clean(text: str) -> str:
    """Text without what nobody sees, and with at most one blank line in a row."""
    lines = (_HIDDEN.sub("", line).rstrip() for line in text.splitlines())
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()
