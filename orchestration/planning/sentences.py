"""A text as sentences: lines, list items and full stops."""

from __future__ import annotations

import re
from typing import NamedTuple

from orchestration.planning.starters import starts_clause

_BULLET = re.compile(
    (
        r"^\s*(?:[-*\u2022\u00b7\u2013>]\s+|\(?[0-9]{1,2}[.)]\s+|\(?[a-h][.)]\s+"
        r"|\[[ x]?\]\s*|[0-9]{1,2}\s*-\s+)"
    ),
    re.IGNORECASE,
)
_INLINE_ITEM = re.compile(r"(?:(?<=\s)|(?<=^))\(?(?P<n>[1-9])[.)]\s+(?=[A-Za-z])")
_ABBREVIATION = re.compile(
    (
        r"(?:\b(?:mr|mrs|ms|dr|st|inc|ltd|corp|co|no|nr|approx|e\.g|i\.e|vs|dept|acct"
        r"|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|incl)|\b[A-Z])\.$"
    ),
    re.IGNORECASE,
)
_BREAK = re.compile(r"(?<=[.!?])\s+|;\s*|\n+")
_SIGNATURE = re.compile(
    r"(?:^|[\n.!?,]\s*)(?i:(?:many\s+|best\s+)?thanks(?:\s+(?:a\s+lot|so\s+much"
    r"|in\s+advance))?|thank\s+you(?:\s+(?:so|very)\s+much)?|cheers|(?:best|kind"
    r"|warm)\s+regards|regards|best|br)\s*[,!.\n-]*\s*"
    r"(?:[A-Z][a-z]+(?:\s+[A-Z][a-z]+)?)?[\s.!]*$"
)
_SUFFIX = re.compile(r"\b(?P<am>[ap])\.m\.", re.IGNORECASE)
_WEEKDAY_BEFORE_DATE = re.compile(
    (
        r"\b(?:mon|tues|wednes|thurs|fri|satur"
        r"|sun)day,?\s+(?:the\s+)?(?=(?:[0-9]{1,2}(?:st|nd|rd|th)?\s+(?:of\s+)?)?(?:jan"
        r"|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?(?:\s+[0-9]|\b)"
        r"|[0-9]{4}-)"
    ),
    re.IGNORECASE,
)
_DATE_COMMA = re.compile(
    (
        r"(\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov"
        r"|dec)[a-z]*\.?\s+[0-9]{1,2}(?:st|nd|rd|th)?|[0-9]{1,2}(?:st|nd|rd"
        r"|th)?\s+(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov"
        r"|dec)[a-z]*),\s+(?=[0-9]{4}\b)"
    ),
    re.IGNORECASE,
)
_MONTH_DOT = re.compile(
    r"\b(jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\.(?=\s+[0-9])", re.IGNORECASE
)
_PARENTHESIS = re.compile(r"\s*\(([^()]*)\)")


_OPEN_END = re.compile(
    r"(?:,|\b(?:and|or|for|to|the|an?|at|on|of|with|in|my|our|by|from|then))\s*$", re.IGNORECASE
)
"""A line that ends so goes on in the next."""
_GOES_ON = re.compile(
    r"(?:for|to|on|at|in|and|with|by|from|of|as|tonight|tomorrow|but|or)\b(?!\s*:)"
)
"""A line that begins so goes on with the one before."""


class Sentence(NamedTuple):
    """One sentence, line or item of a list."""

    words: str
    item: bool
    """Whether it is an item of a list."""


def sentences(text: str) -> list[Sentence]:
    """Return the sentences of a text, without bullets, brackets and a signature."""
    plain = _MONTH_DOT.sub(r"\1", _SUFFIX.sub(lambda match: f"{match['am']}m", text))
    plain = _SIGNATURE.sub(_keep_stop, plain)
    plain = _DATE_COMMA.sub(r"\1 ", _WEEKDAY_BEFORE_DATE.sub("", plain))
    plain = _PARENTHESIS.sub(r", \1, ", plain).replace(" ,", ",")
    found: list[Sentence] = []
    for line in _joined_lines(_items(plain)):
        bullet = _BULLET.match(line)
        body = line[bullet.end() :] if bullet else line
        found += [Sentence(part, bool(bullet)) for part in _split(body) if part.strip()]
    return found


def _keep_stop(match: re.Match[str]) -> str:
    return match[0][:1] if match[0][:1] in {".", "!", "?"} else ""


def _items(text: str) -> str:
    """Put the items of a list that runs on in one line into lines of their own."""
    numbers = [match["n"] for match in _INLINE_ITEM.finditer(text)]
    if numbers[:2] != ["1", "2"]:
        return text
    return _INLINE_ITEM.sub(lambda match: f"\n{match['n']}. ", text)


def _joined_lines(text: str) -> list[str]:
    """Return the lines, each with those that only go on with its sentence."""
    lines: list[str] = []
    for line in text.split("\n"):
        goes_on = lines and (_OPEN_END.search(lines[-1][-12:]) or _GOES_ON.match(line))
        if goes_on and not _BULLET.match(line) and not starts_clause(line):
            lines[-1] = f"{lines[-1]} {line}"
        elif line.strip():
            lines.append(line)
    return lines


def _split(line: str) -> list[str]:
    parts: list[str] = []
    start = 0
    for match in _BREAK.finditer(line):
        if _ABBREVIATION.search(line[max(start, match.start() - 12) : match.start()]):
            continue
        parts.append(line[start : match.start()])
        start = match.end()
    return [*parts, line[start:]]
