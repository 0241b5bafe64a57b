"""A question made into search queries by rules: what it asks, without what surrounds it."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from orchestration.optimizer.retrieval.terms import (
    QUOTED,
    distinct,
    has_exact,
    is_stop_word,
    keywords,
    naming_terms,
)

_PIECES: Final = re.compile(f"({QUOTED})")
_MARKS: Final = "\"'`“”„«»「」"
_BLANK: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_END: Final = r"(?=\s|,\s|:\s|$)"
_OPENING: Final = re.compile(
    rf"""\A(?:
      (?:hi|hello|hey|good\s(?:morning|afternoon|evening))(?:\s(?:there|all|team|everyone))?[,.!]+{_END}
     |(?:please|kindly|bitte|por\sfavor|s['\u2019]il\s(?:vous|te)\spla[iî]t)(?!\splease\b){_END}
     |(?:(?:can|could|would|will)\syou\s(?:(?:please|kindly|possibly)\s)*)?
      (?:tell|show|give|remind|help|explain\sto)\s(?:me|us)(?:\s(?:to\s)?(?:understand|find\sout|know))?{_END}
     |(?:can|could|would|will)\syou\s(?:please|kindly){_END}
     |i(?:['\u2019]d|\swould)?\s(?:like|love|want|need)\sto\s(?:know|find\sout|understand|learn|ask(?:\syou)?){_END}
     |i(?:['\u2019]m|\sam|\swas)\s(?:just\s)?(?:wondering|curious|trying\sto\s(?:find\sout|understand)){_END}
     |do\syou\s(?:happen\sto\s)?know{_END}|(?:a\s)?quick\squestion[:,]+{_END}
     |(?:k[öo]nn(?:t)?en\ssie\smir\s(?:bitte\s)?sagen|ich\sm[öo]chte\swissen){_END}
     |(?:pouvez-vous\sme\sdire|puede\sdecirme){_END}
    )(?:\sabout{_END})?[\s,:]*""",
    re.IGNORECASE | re.VERBOSE,
)
_CLOSING: Final = re.compile(
    r"""(?:^|(?<=\s))
    (?:please|thanks|thank\syou|thx|bitte|danke|merci|gracias|por\sfavor|s['\u2019]il\s(?:vous|te)\spla[iî]t)
    (?:\s(?:a\slot|so\smuch|very\smuch|in\sadvance))?[\s,.!]*$""",
    re.IGNORECASE | re.VERBOSE,
)
_CLOSING_MARKS: Final = re.compile(r"[\s,]+$|(?<=\w)\s*\?+$")
_JOINT: Final = re.compile(
    rf"{QUOTED}|(?P<joint>[?;]\s+|\.\s+(?=\w)|,?\s(?:and|or|und|oder|et|ou|y)\s(?:also\s)?)",
    re.IGNORECASE,
)
_ASKING: Final = re.compile(
    r"(?:how|what|when|where|which|who|whom|whose|why|is|are|do|does|did|can|may|must|should"
    r"|wie|was|wann|wo|welche[rsmn]?|wer|warum)\s",
    re.IGNORECASE,
)
_FEWEST_KEYWORDS: Final = 2
"""A part that is no question and has fewer says too little to be asked by itself."""


def normalised(query: str) -> str:
    """Return a query without courtesies and odd forms; twice changes nothing more.

    Numbers, identifiers and quotations stay as they are, and so do language and spelling.
    """
    while (plainer := _without_courtesies(_tidy(query))) != query:
        query = plainer
    return query


def queries_of(query: str, *, most: int) -> list[str]:
    """Return the normalised query, and by rules others that look for the same, at most `most`.

    They are the parts of a question that asks for several things, what is quoted or named by
    an identifier, and the keywords.
    """
    plain = normalised(query)
    asked = [plain, *_parts(plain), " ".join(naming_terms(plain)), _keyword_form(plain)]
    return distinct(asked)[:most] or [plain]


def _tidy(query: str) -> str:
    """One kind of blank, one form of each character, outside of quotations."""
    pieces = _PIECES.split(query)
    pieces[::2] = [_tidy_piece(piece) for piece in pieces[::2]]
    return "".join(pieces).strip()


def _tidy_piece(piece: str) -> str:
    blank_parted = _BLANK.sub(" ", piece).split(" ")
    return " ".join(_tidy_word(word) for word in blank_parted)


def _tidy_word(word: str) -> str:
    if word.isascii() or has_exact(word):
        return word
    plain = unicodedata.normalize("NFKC", word)
    makes_a_mark = any(mark in plain and mark not in word for mark in _MARKS)
    return word if makes_a_mark else plain  # a new mark would make other parts of it a quotation


def _without_courtesies(text: str) -> str:
    shorter = _CLOSING_MARKS.sub("", _CLOSING.sub("", _OPENING.sub("", text, count=1)))
    return shorter if keywords(shorter) else text


def _parts(query: str) -> list[str]:
    """The questions in a question, if it holds several that can stand alone."""
    parts, since = [], 0
    for joint in _JOINT.finditer(query):
        if joint.group("joint"):  # and no quotation
            parts.append(query[since : joint.start()])
            since = joint.end()
    plain = [normalised(part) for part in [*parts, query[since:]]]
    return plain if len(plain) > 1 and all(map(_stands_alone, plain)) else []


def _stands_alone(part: str) -> bool:
    fewest = 1 if _ASKING.match(part) else _FEWEST_KEYWORDS
    return bool(naming_terms(part)) or _subjects(part) >= fewest


def _subjects(part: str) -> int:
    return sum(not is_stop_word(word) for word in part.split())


def _keyword_form(query: str) -> str:
    pieces = _PIECES.split(query)
    pieces[::2] = [
        " ".join(word.strip(",;:") for word in piece.split() if not is_stop_word(word))
        for piece in pieces[::2]
    ]
    return " ".join(piece for piece in pieces if piece)
