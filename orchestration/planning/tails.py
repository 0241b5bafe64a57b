"""What may follow a command: who, when, where; anything else was not understood."""

from __future__ import annotations

import re

from orchestration.agents.team.dates import without_dates
from orchestration.agents.team.vocabulary import word_set
from orchestration.planning.problems import NotUnderstoodError, quoted
from orchestration.planning.quotes import MARK

PHONE = re.compile(r"\+?[0-9][0-9\s().-]{5,18}[0-9]")
AMOUNT = re.compile(
    (
        r"(?:us)?\$\s?[0-9](?:[0-9.,]*[0-9])?\s?(?:k|m|thousand|million|grand)?\b"
        r"|\b[0-9](?:[0-9.,]*[0-9])?\s?(?:k|thousand|grand)?\s?(?:dollars?|usd|bucks)\b"
    ),
    re.IGNORECASE,
)
_PREPOSITIONS = word_set(
    "for to on at in of from via by about regarding as under until through starting "
    "beginning worth called titled named "
    "next onto into per valued against concerning re toward towards between within "
    "during near using between over using called who whose reporting effective"
)
_PLAIN = word_set(
    "please now too today tonight asap also again immediately straight away right "
    "all together up down out accordingly each more extra in "
    "the a an this that these those it its them me us my our him her his their your "
    "and , just only new then there here well as usual quickly properly "
    "first last quick later soon someone everyone everybody both"
)
_NAME = r"(?-i:[A-Z])[\w'.&-]*(?:\s+(?-i:[A-Z])[\w'.&-]*)*"
_PEOPLE = (
    r"(?:(?:my|our|the|his|her|their)\s+(?:[\w-]+\s+)?)?(?:team|teams|clients?"
    r"|customers?|colleagues?|family|wife|husband|kids|boss|manager|staff|guests?"
    r"|friends?|group|department|people|me|us|him|her|them|everyone|"
    r"events|marketing|operations|sales|travel|training|office|hr|finance|management"
    r"|assistant|partner|interns?)"
)
_EXTRA = re.compile(
    r"\b(?:with|including|excluding|except|instead)\b\s+(?!(?-i:[A-Z])|(?:my|our)\b)", re.IGNORECASE
)
_COUNTS = re.compile(r"^(?:for|to|at)\s.*\s[0-9]{1,4}(?:$|\s+for\b)", re.IGNORECASE)
_JOINED = re.compile(
    rf"(?:{_NAME}|{_PEOPLE})(?:\s+(?:{'|'.join(sorted(_PREPOSITIONS))})\b.*)?\s*$", re.IGNORECASE
)


def check_tail(tail: str, *, quote: str, known: frozenset[str] = frozenset()) -> None:
    """Refuse what follows a command and is neither who, when nor where.

    Args:
        tail: What follows the command's verb and noun.
        quote: The clause, for the sentence about it.
        known: Further words that may stand there.

    Raises:
        NotUnderstoodError: Something stands there that asks for more.
    """
    rest = MARK.sub(" ", PHONE.sub(" ", AMOUNT.sub(" ", without_dates(tail))))
    for number, part in enumerate(re.split(r"\s*,\s*|\s+(?:and|&|plus|\+)\s+", rest)):
        words = part.strip(" .!?'\"-")
        if not words or _is_known(words, known):
            continue
        if number and _COUNTS.search(words):
            raise _unread(words, quote)  # `and for Globex 5` asks for more
        if _is_expected(words, known, first=number == 0) and not _extra(words, known):
            continue
        raise _unread(words, quote)


def _unread(words: str, quote: str) -> NotUnderstoodError:
    return NotUnderstoodError(
        f"{quoted(words)} in {quoted(quote)} was not understood. Leave it out, or say it as a "
        "sentence of its own, beginning with what is to be done."
    )


def _is_expected(words: str, known: frozenset[str], *, first: bool) -> bool:
    if words.split(maxsplit=1)[0].lower() in _PREPOSITIONS:
        return True
    return _lead(words, known) if first else bool(_JOINED.match(words))


def _extra(words: str, known: frozenset[str]) -> bool:
    """Whether more is wanted than who, when and where: `with a discount`."""
    return "with" not in known and bool(_EXTRA.search(words))


def check_parts(words: str, *, quote: str, known: frozenset[str] = frozenset()) -> None:
    """Refuse what is joined to a clause, whose beginning was understood, and asks for more.

    Raises:
        NotUnderstoodError: Something is joined that asks for more.
    """
    parts = re.split(r"(\s*,(?![0-9])\s*|\s+(?:and|&|plus|\+)\s+)", words, maxsplit=1)
    if len(parts) > 1:
        check_tail(f"the{parts[1]}{parts[2]}", quote=quote, known=known)


def _is_known(words: str, known: frozenset[str]) -> bool:
    return all(word.strip(".,'!?").lower() in known | _PLAIN for word in words.split())


def _lead(words: str, known: frozenset[str]) -> bool:
    """Whether only plain words stand before the first preposition."""
    for word in words.split():
        plain = word.strip(".,'!?").lower()
        if plain in _PREPOSITIONS:
            return True
        if plain not in _PLAIN | known:
            return False
    return True
