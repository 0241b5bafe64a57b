"""Which parts of a text are values rather than prose: ids, codes, amounts, names, addresses."""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple

LONGEST_MENTION: Final = 64
SHORT_NUMBER: Final = 5
"""Digits from which on a number is taken for an id."""
REMEMBERED: Final = 4096
"""Short tokens whose kind is not worked out anew: most of a history's are the same few."""


class Kind(IntEnum):
    """How much a token looks like a value that a later call may need."""

    PLAIN = 0
    NUMBER = 1
    NAME = 2
    AMOUNT = 3
    """An amount, a date, a time."""
    CODE = 4
    IDENTIFIER = 5
    PATH = 6
    """A path, a link or an e-mail address."""


class Mention(NamedTuple):
    """A value in a text."""

    start: int
    end: int
    kind: Kind


def _words(letter: str) -> re.Pattern[str]:
    """Match words; what dots, slashes or the like join is one."""
    joiners = r"(?:[@.\-/:+%#=&?~]{1,3}|,(?=\d{3}))"
    return re.compile(rf"[#$€£~@/.]{{0,2}}{letter}+(?:{joiners}{letter}+)*[%/]?")


# Ideographs, kana and hangul have no spaces between words: a code next to them ends there.
_WORDS: Final = _words(r"[^\W\u3000-\u9fff\uac00-\ud7af\uff00-\uffef]")
_ASCII_WORDS: Final = _words(r"[a-zA-Z0-9_]")
_QUOTED: Final = re.compile(
    r"\"([^\"\n]{2,60})\"|`([^`\n]{2,60})`|[“「『]([^”」』\n]{1,60})[”」』]"
)
_ENDS_OF_KEYS: Final = ('":', "':")
"""What follows the name of a field, in JSON or Python, that stands in a text."""
_UNIT: Final = re.compile(r" [^\W\d_]{1,12}\b")
_TWO_DIGITS: Final = re.compile(r"\d\D*\d")
_DIGIT: Final = re.compile(r"\d")
_AMOUNT: Final = re.compile(r"[$€£]?\d{1,4}(?:[.,:%/+-]\d*)*(?:T[\d:.+]+Z?)?%?\Z|[$€£]?\d+\.\d+\Z")
_JOINED_WORDS: Final = re.compile(r"[a-z]+[/-][a-z]+(?:-[a-z]+)*\Z")


def kind_of(token: str) -> Kind:
    """Say how much a token looks like a value."""
    return _kind_of_short(token) if len(token) <= LONGEST_MENTION else _kind_of(token)


def _kind_of(token: str) -> Kind:
    if token.isalpha():
        return _kind_of_letters(token)
    if "@" in token[1:] or "//" in token or token.count("/") > 1:
        return Kind.AMOUNT if _AMOUNT.match(token) else Kind.PATH
    if "=" in token:  # an argument or a setting: as telling as its value
        return kind_of(token.rsplit("=", 1)[1])
    return _kind_of_digits(token) if _DIGIT.search(token) else _kind_of_joined(token)


_kind_of_short: Final = lru_cache(maxsize=REMEMBERED)(_kind_of)


def _kind_of_digits(token: str) -> Kind:
    if token.isdigit() and len(token) < SHORT_NUMBER:
        return Kind.NUMBER
    return Kind.AMOUNT if _AMOUNT.match(token) else Kind.IDENTIFIER


def _kind_of_joined(token: str) -> Kind:
    if _JOINED_WORDS.match(token):  # "and/or" is a word, "prod-eu" may be a name
        return Kind.NAME if "-" in token else Kind.PLAIN
    return Kind.CODE


def _kind_of_letters(token: str) -> Kind:
    if len(token) == 1 or token.islower():
        return Kind.PLAIN
    if token.isupper() or (token[0].isupper() and token[1:].islower()):
        return Kind.NAME
    return Kind.CODE if token[1:] != token[1:].lower() else Kind.PLAIN


def kind_of_text(text: str) -> Kind:
    """Say how much a short text looks like a value: as much as the most telling word of it."""
    if text.isalpha():
        return _kind_of_letters(text)
    pattern = _ASCII_WORDS if text.isascii() else _WORDS
    return max(map(kind_of, pattern.findall(text)), default=Kind.PLAIN)


def is_record_id(name: str) -> bool:
    """Say whether a name in a JSON object is no name of a field but a record's id."""
    return len(name) >= SHORT_NUMBER and _TWO_DIGITS.search(name) is not None


def mentions_of(text: str) -> list[Mention]:
    """Return the values in a text, in order, none overlapping.

    Neighbours that all look like values are one ("842 Maple Drive"); a short number takes the
    word after it along ("2 bags").
    """
    found: list[Mention] = []
    start = end = -2
    kind = Kind.PLAIN
    for word in (_ASCII_WORDS if text.isascii() else _WORDS).finditer(text):
        token = word.group()
        if token.isalpha() and token.islower():
            continue
        begun, ended = word.span()
        if (own := kind_of(token)) is Kind.PLAIN or text[ended : ended + 2] in _ENDS_OF_KEYS:
            continue
        if begun == end + 1 and text[end] == " " and ended - start <= LONGEST_MENTION:
            kind = max(kind, own)
            found.pop()
        elif begun < end:
            continue
        else:
            start, kind = begun, own
        end = ended
        if own is Kind.NUMBER and (unit := _UNIT.match(text, ended)):
            end = unit.end()
        found.append(Mention(start, end, kind))
    return _with_quoted(text, found)


def _with_quoted(text: str, found: list[Mention]) -> list[Mention]:
    if not any(quote in text for quote in '"`“「『'):
        return found
    quoted = [
        Mention(*each.span(each.lastindex or 0), Kind.CODE)
        for each in _QUOTED.finditer(text)
        if text[each.end() : each.end() + 1] != ":"
    ]
    merged: list[Mention] = []
    for mention in sorted([*found, *quoted]):
        if merged and mention.start < merged[-1].end:
            last = merged[-1]
            end, kind = max(last.end, mention.end), max(last.kind, mention.kind)
            merged[-1] = Mention(last.start, end, kind)
        else:
            merged.append(mention)
    return merged
