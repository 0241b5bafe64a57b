"""The terms of a text: its words, made comparable, and what in it is exact."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from orchestration.optimizer.retrieval.small_words import NEGATIONS, STOP_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable

QUOTED: Final = (
    r"\"[^\"]+\"|“[^“”]+”|„[^„“”]+[“”]|«[^«»]+»|「[^「」]+」|`[^`]+`"
    r"|(?<!\w)'[^']+'(?!\w)"
)
"""The pattern of a quotation; what stands in one is somebody's exact words.

None holds another opening mark, or many of these would take a time that grows with their square.
It may go over lines: so what pairs with what is the same before and after lines are joined.
"""

_QUOTED: Final = re.compile(QUOTED)
_MARKS: Final = re.compile(r"^.\s*|\s*.$")
_WORD: Final = re.compile(r"\w+(?:[-./:@#&+'\u2019]+\w+)*(?:\+\+|#)?")
_PART: Final = re.compile(r"[^\W_]+(?:\+\+|#)?")
_NO_SPACES: Final = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
"""Characters of scripts that put no spaces between words: each counts as a word."""
_EXACT: Final = re.compile(r"\d|_|[/@]|[a-z][A-Z]|\w[.:]\w")
_NAMING: Final = re.compile(r"[^\W\d_].*\d|\d.*[^\W\d_]|_|@|\d{4}")
_LONGEST_QUOTATION: Final = 100
"""Characters; a longer one was hardly meant to be found by."""
_LONGEST_KEPT: Final = 40
"""Characters of a word whose forms are remembered."""
_POSSESSIVE: Final = re.compile(r"['\u2019]s$")
_NEGATIONS: Final = frozenset(NEGATIONS.split())
_CONTRACTED: Final = re.compile(r"n['\u2019]t\b", re.IGNORECASE)
_STOP_WORDS: Final = frozenset(STOP_WORDS.split())


def words(text: str) -> list[str]:
    """Return a text's words as they compare: case, form and plural don't count.

    A compound such as `ERR-42` or `state/errors.py` counts as a whole and by its parts, so
    that the whole finds only itself and a part still finds it.
    """
    found: list[str] = []
    for whole in _WORD.findall(unicodedata.normalize("NFKC", text).casefold()):
        found += _forms(whole) if len(whole) <= _LONGEST_KEPT else _forms.__wrapped__(whole)
    return found


def keywords(text: str) -> list[str]:
    """Return the words that say what a text is about; all of them where none does."""
    every = words(text)
    return [word for word in every if word not in _STOP_WORDS] or every


def is_stop_word(word: str) -> bool:
    """Whether a word of a question says nothing about its subject; English only."""
    return _POSSESSIVE.sub("", word.strip(",;:.!?").casefold()) in _STOP_WORDS


def quotations(text: str) -> list[str]:
    """Return what is quoted in a text, with its quotation marks."""
    return _QUOTED.findall(text)


def exact_terms(text: str) -> list[str]:
    """Return a text's numbers and identifiers as they stand: nothing else means the same."""
    return [found for found in _WORD.findall(text) if _is_exact(found)]


def naming_terms(text: str) -> list[str]:
    """Return the quotations and identifiers that can find a document by themselves."""
    quoted = [each for each in quotations(text) if len(each) <= _LONGEST_QUOTATION]
    outside = _QUOTED.sub(" ", text)
    return [*quoted, *(term for term in exact_terms(outside) if _NAMING.search(term))]


def has_term(text: str, term: str) -> bool:
    """Whether a text has a quotation or an identifier, whatever the case and the blanks."""
    plain = _plain(_MARKS.sub("", term) if _QUOTED.fullmatch(term) else term)
    found = re.search(rf"(?<!\w){re.escape(plain)}(?!\w)", _plain(text))
    return found is not None


def negations(text: str) -> frozenset[str]:
    """Return the words of a text that turn what it says into the contrary."""
    contracted = {"not"} if _CONTRACTED.search(text) else set()
    return frozenset((set(words(text)) & _NEGATIONS) | contracted)


def has_exact(word: str) -> bool:
    """Whether a word is, or holds, a number or an identifier."""
    return _is_exact(word) or any(each.isnumeric() for each in word)


def distinct(texts: Iterable[str]) -> list[str]:
    """Return texts in their order, those of the same words only once, and none without any."""
    seen: dict[tuple[str, ...], str] = {}
    for text in texts:
        seen.setdefault(tuple(words(text)), text)
    seen.pop((), None)
    return list(seen.values())


@lru_cache(maxsize=1 << 15)
def _is_exact(word: str) -> bool:
    return _EXACT.search(word) is not None


@lru_cache(maxsize=1 << 15)
def _forms(whole: str) -> tuple[str, ...]:
    """What a word compares by; remembered, as most words of a text are a few."""
    whole = _POSSESSIVE.sub("", whole)
    characters = _NO_SPACES.findall(whole)
    if characters:
        return (*characters, *map(_singular, _PART.findall(_NO_SPACES.sub(" ", whole))))
    parts = _PART.findall(whole)
    forms = map(_singular, parts)
    return (whole, *forms) if len(parts) > 1 else tuple(forms)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _singular(word: str) -> str:
    """Take an English plural's ending off; the same is done to both sides, so no harm is done."""
    if len(word) <= 3 or not word.endswith("s") or word.endswith(("ss", "us", "is")):  # noqa: PLR2004
        return word
    if word.endswith("ies") and len(word) > 4:  # noqa: PLR2004
        return f"{word[:-3]}y"
    return word[:-1]
