"""How many: numbers in digits and in words, and the number of tickets a text asks for."""

from __future__ import annotations

import re
from typing import Final

from orchestration.agents.team.vocabulary import words
from state.errors import AgentRefusedError

MOST_TICKETS: Final = 1_000
"""The largest order; more are bought in several."""

_ONES = words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
_TENS = words("twenty thirty forty fifty sixty seventy eighty ninety")
_VALUES = {word: value for value, word in enumerate(_ONES)} | {
    word: 10 * value for value, word in enumerate(_TENS, start=2)
}
_GROUPS = {"hundred": 100, "dozen": 12, "pair": 2, "couple": 2}
_WORD = rf"(?:{'|'.join((*_VALUES, *_GROUPS, 'thousand'))})"
_WORDS = rf"(?:half\s+a\s+dozen|(?:(?:a|an)\s+)?{_WORD}(?:[\s-]+(?:and\s+)?{_WORD})*|an?)"
_DIGITS = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?"
_NUMBER = rf"(?<![\w.,$#-])(?P<number>-?{_DIGITS}(?:\s?k\b)?|{_WORDS})"
NUMBER_AT_START: Final = re.compile(rf"{_NUMBER}(?![\w.,]*[0-9])\b", re.IGNORECASE)

_VAGUE = "few|lot|lots|bunch|many|handful|some|several|number|load|loads|half|quarter"
_JOINING = "and|or|to|for|at|on|in|by|with|from|people|persons|guests|days|rows?|sections?"
_ADJECTIVES = rf"(?:\s+(?!(?:{_VAGUE}|{_JOINING}|{_WORD})\b)[a-z'-]+){{0,3}}?"
_TICKETS = re.compile(
    rf"{_NUMBER}(?:\s*x\b)?{_ADJECTIVES}\s+(?:tickets?|seats?|passes)\b", re.IGNORECASE
)
_AFTER_NOUN = re.compile(
    rf"\b(?:tickets?|seats?|quantity)\s*(?:[x\u00d7:=]|of\b)\s*{_NUMBER}",
    re.IGNORECASE,
)
_PEOPLE = re.compile(
    rf"\bfor\s+{_NUMBER}\s+(?:people|persons|guests|adults|of\s+us|colleagues|clients|employees"
    r"|customers|friends)\b",
    re.IGNORECASE,
)
_ALTERNATIVES = re.compile(
    rf"(?:[0-9]\s*[-\u2013/]\s*[0-9]|(?:[0-9]|\b{_WORD})\s+(?:to|or)\s+(?:[0-9]|{_WORD}\b))",
    re.IGNORECASE,
)


def number_in_words(words: str) -> int | None:
    """Return what number words such as `twenty-five` or `a dozen` say; None if nothing."""
    parts = [part for part in re.split(r"[\s-]+", words.lower()) if part != "and"]
    if parts == ["half", "a", "dozen"]:
        return 6
    if parts[:1] in (["a"], ["an"]):
        parts = parts[1:] if parts[1:] and parts[1] not in _VALUES else ["one", *parts[1:]]
    total = current = 0
    for part in parts:
        if part == "thousand":
            total, current = total + max(current, 1) * 1_000, 0
        elif part in _GROUPS:
            current = max(current, 1) * _GROUPS[part]
        elif part in _VALUES and _follows(current, _VALUES[part]):
            current += _VALUES[part]
        else:
            return None
    return total + current


def tickets_in(text: str) -> int | None:
    """Return how many tickets a text asks for; None if it gives no number.

    The number is as written, and may be one that nobody can buy. Dates and order
    numbers have to be taken out of the text before.

    Raises:
        AgentRefusedError: It gives several numbers, a range, or a number that is not whole.
    """
    if _ALTERNATIVES.search(text):
        raise _refused(text, "leaves open how many tickets; give one number")
    found = {_value(match["number"], text) for match in _TICKETS.finditer(text)}
    found |= {_value(match["number"], text) for match in _AFTER_NOUN.finditer(text)}
    if not found:
        found = {_value(match["number"], text) for match in _PEOPLE.finditer(text)}
    if len(found) > 1:
        listed = ", ".join(f"{number:,}" for number in sorted(found))
        raise _refused(
            text, f"speaks of several numbers of tickets ({listed}); order one at a time"
        )
    return next(iter(found), None)


def buyable(quantity: int | None) -> int:
    """Return the quantity if somebody can buy that many tickets.

    Raises:
        AgentRefusedError: There is none, or it is out of bounds.
    """
    if quantity is None:
        message = (
            "How many tickets? The request has no number, so nothing was bought. "
            "Say for example 'Book 10 tickets', or give a `quantity`."
        )
        raise AgentRefusedError(message)
    if not 1 <= quantity <= MOST_TICKETS:
        message = (
            f"An order of {quantity:,} tickets is not possible; one order holds "
            f"1 to {MOST_TICKETS:,}. Nothing was bought."
        )
        raise AgentRefusedError(message)
    return quantity


def _value(number: str, text: str) -> int:
    if number[0] not in "-0123456789":
        value = number_in_words(number)
        if value is None:
            raise _refused(text, f"has {number!r} for a number, which cannot be read")
        return value
    scale = 1_000 if number[-1] in "kK" else 1
    digits = number.rstrip("kK ").replace(",", "")
    if "." in digits:
        raise _refused(text, f"asks for {number} tickets; tickets are sold whole")
    return int(digits) * scale


def _follows(current: int, value: int) -> bool:
    """Tell whether a number word may follow: `twenty` `five` is a number, `one` `two` is not."""
    rest = current % 100
    return rest == 0 or (rest >= 20 and rest % 10 == 0 and value < 10)  # noqa: PLR2004  the tens


def _refused(text: str, why: str) -> AgentRefusedError:
    return AgentRefusedError(f"{text.strip()[:120]!r} {why}. Nothing was bought.")
