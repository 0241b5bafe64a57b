"""Whether two questions differ in their wording only.

Embeddings cannot tell: they put "Q3 revenue" nearer to "Q4 revenue" than to a true paraphrase, and
see no order of words. So questions count as the same only if they consist of the same words,
but for politeness, plurals and known synonyms, and in the same order where that tells who does
what to whom. Numbers, names, negations, identifiers, dates and opposites are words too. The
rules are English; in other languages only what is left as it is matches.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from typing import Final

MOST_WORDS: Final = 40
"""Longer questions are never taken for another."""
LONGEST: Final = 500
"""Characters; likewise. Some rules take a time that grows with the square of it."""

_TOKEN: Final = re.compile(
    r"\"[^\"]*\"|“[^”]*”|`[^`]*`|(?<!\w)'[^']*'(?!\w)"  # quoted
    r"|[^\s\"“”`]+"
)


def _each(words: str) -> list[str]:
    return words.split()


_PHRASES: Final = (
    (r"\b(can|could|would) you (please )?(?=\w)", ""),
    (r"\b(please|kindly|thanks|thank you|hello|hi|hey)\b", ""),
    (r"\b(do you know|i would like to know|i'd like to know|i want to know|let me know)\b", ""),
    (r"\b(tell|show|give|get) me\b", ""),
    (r"\bi (need|want) to (know|see)\b", ""),
    (r"\b(at )?what time\b", "when"),
    (r"\bhow (can|could|may|should) i\b|\bhow to\b|\bwhat is the way to\b", "how do i"),
    (r"\bhow much (does|do)\b(?=.*\bcost\b)", "what"),
    (r"\bhow many\b|\bnumber of\b", "count"),
    (r"\b(can)(?:not|'t)\b", "can not"),
    (r"\bwon't\b", "will not"),
    (r"n't\b", " not"),
    (r"\b(what|where|when|who|how|it|that|there)'s\b", r"\1 is"),
    (r"'re\b", " are"),
    (r"^\s*(show|list|display|view|see)(?= (the|all|my|our|every)\b)", "show"),
)
_RULES: Final = tuple((re.compile(rule), instead) for rule, instead in _PHRASES)
_FILLERS: Final = _each("a an the is are be do does what which of that there actually")
_SYNONYMS: Final = (
    "start begin commence",
    "starts begins",
    "starting beginning",
    "end finish",
    "ends finishes",
    "purchase buy",
    "find search locate",
    "delete remove erase",
    "create make",
    "modify change edit alter",
    "staff employees personnel",
    "picture image photo",
    "quickly fast",
    "email e-mail",
    "phone telephone",
    "game match",
    "repair fix",
    "allowed permitted",
    "explain describe",
    "timetable schedule",
)
"""Words of one line stand for each other; words that only often do are left out."""
_NUMBERS: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty"
)
_CANONICAL: Final = {
    **{word: group.partition(" ")[0] for group in _SYNONYMS for word in _each(group)},
    **{word: str(number) for number, word in enumerate(_each(_NUMBERS))},
}
_ACRONYMS_LIKE_WORDS: Final = frozenset(
    _each("us it or in who as is no am an at be do he me so to")
)


def may_match(text: str) -> bool:
    """Whether a question can be taken for another at all."""
    return len(text) <= LONGEST and bool(_words(text))


def difference(one: str, other: str) -> str | None:
    """Say in what two questions differ beyond their wording; None if in nothing."""
    first, second = _words(one), _words(other)
    if not first or not second:
        return "a question is empty, has lines, or is too long"
    odd = (Counter(first) - Counter(second)) + (Counter(second) - Counter(first))
    if odd:
        return f"words: {', '.join(sorted(odd)[:4])}"
    return None if first == second else "the order of words"


@lru_cache(maxsize=4096)
def _words(text: str) -> tuple[str, ...]:
    """The words that carry the meaning, in order; none of what is too long, or has lines."""
    plain = text.replace("\u2019", "'")
    if "\n" in plain or len(plain) > LONGEST:
        return ()
    shouted = plain.isupper()
    lowered = _keep_acronyms(plain) if not shouted else plain.casefold()
    for rule, instead in _RULES:
        lowered = rule.sub(instead, lowered)
    tokens = [token.rstrip(".:,;!?") for token in _TOKEN.findall(lowered)]
    if tokens and tokens[-1] == "a":  # no article, but a name, as in "plan a"
        tokens[-1] = "A"
    words = [_CANONICAL.get(each, each) for each in tokens if each and each not in _FILLERS]
    return tuple(words) if len(tokens) <= MOST_WORDS else ()


def _keep_acronyms(text: str) -> str:
    """Fold the case of all but what would then look like a common word: US, plan A."""

    def folded(match: re.Match[str]) -> str:
        word = match[0]
        is_acronym = len(word) > 1 and word.isupper() and word.lower() in _ACRONYMS_LIKE_WORDS
        is_letter = word == "A" and match.start() > 0  # as in "plan A", and no article
        return word if is_acronym or is_letter else word.casefold()

    return re.sub(r"\w+", folded, text)
