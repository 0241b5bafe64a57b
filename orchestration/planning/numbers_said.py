"""The numbers in a text, in digits or in words, whoever wrote it."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from orchestration.agents.team.quantities import number_in_words
from orchestration.agents.team.vocabulary import words

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCALES: Final = {
    "k": 10**3, "thousand": 10**3, "grand": 10**3, "m": 10**6, "million": 10**6,
    "hundred": 100, "dozen": 12, "billion": 10**9,
}  # fmt: skip
NUMBER_WORDS: Final = words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety "
    "hundred dozen pair couple thousand"
)
_MONTHS = words("january february march april june july august september october november december")
_MONTH_NUMBERS = {
    name: Decimal(number)
    for name, number in zip(_MONTHS, (1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12), strict=True)
}  # "may" is a verb more often than a month

_DIGITS = re.compile(r"(?<![\d.,])(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")
_SCALE_AFTER = re.compile(rf"[\s-]?({'|'.join(_SCALES)})(?![a-z])")
_SPOKEN = rf"(?:{'|'.join(NUMBER_WORDS)})"
_IN_WORDS = re.compile(
    rf"\b(?:half\s+a\s+dozen|(?:an?\s+)?{_SPOKEN}(?:[\s-]+(?:and\s+)?{_SPOKEN})*)\b"
)
_MILLIONS = re.compile(r"\s+(million|billion)\b")
_MONTH = re.compile(rf"\b(?:{'|'.join(_MONTHS)})\b")
_GROUPED = re.compile(r"\+?\d(?:[ ()/-]{0,2}\d){6,19}(?!\d)")
"""A telephone number, which some write with gaps."""
_LONGEST = 30
"""Digits of a number that are read."""


def numbers_in(text: str) -> set[Decimal]:
    """Return the numbers that a normalised text has; a month's name is its number."""
    found = set(_in_digits(text))
    found |= {value for match in _IN_WORDS.finditer(text) for value in _in_words(match, text)}
    found |= {Decimal(re.sub(r"\D", "", match[0])) for match in _GROUPED.finditer(text)}
    return found | {_MONTH_NUMBERS[match[0]] for match in _MONTH.finditer(text)}


def odd_tokens(text: str) -> set[str]:
    """Return words that mix letters and digits, e.g. `x500` or `q3`, less what are numbers."""
    tokens = set(re.findall(r"[^\W_]*\d[^\W_]*", text))
    return {each for each in tokens if not re.fullmatch(r"\d+(?:k|m|st|nd|rd|th)?", each)}


def _in_digits(text: str) -> Iterator[Decimal]:
    for match in _DIGITS.finditer(text):
        value = Decimal(match[0].replace(",", "")[:_LONGEST])
        if scale := _SCALE_AFTER.match(text, match.end()):
            value *= _SCALES[scale[1]]
        yield value.normalize()


def _in_words(match: re.Match[str], text: str) -> Iterator[Decimal]:
    spoken = match[0]
    value = number_in_words(spoken)
    if value is None:
        parts = re.findall(_SPOKEN, spoken)
        yield from (Decimal(each) for part in parts if (each := number_in_words(part)) is not None)
        return
    scale = _MILLIONS.match(text, match.end())
    factor = {"million": 10**6, "billion": 10**9}[scale[1]] if scale else 1
    yield (Decimal(value) * factor).normalize()
