"""Purchases that nobody here can make as asked."""

from __future__ import annotations

import re

from orchestration.agents.team.dates import without_dates
from orchestration.planning.problems import NotUnderstoodError, quoted
from orchestration.planning.tails import AMOUNT
from orchestration.planning.vocabulary import THINGS

_TERMS = re.compile(
    (
        r"\b(?:budget|credit\s+card|card|cash|invoice|voucher|discount|parking"
        r"|refundable|wheelchair|together\s+with|using)\b"
    ),
    re.IGNORECASE,
)


_BOUND = re.compile(
    r"\b(?:at\s+least|at\s+most|up\s+to|(?:no\s+)?(?:more|fewer|less)\s+than|over"
    r"|under|between|a\s+maximum\s+of"
    r"|a\s+minimum\s+of|max(?:imum)?|min(?:imum)?|nearly|almost|roughly"
    r"|some)\s+[0-9a-z-]+(?:\s+and\s+[0-9a-z-]+)?\s+(?:[a-z]+\s+)?"
    rf"{THINGS}",
    re.IGNORECASE,
)


_MULTIPLIED = re.compile(
    r"\b(?:each|every|per|apiece|twice|as\s+many|of\s+which|of\s+whom|whose)\b(?:\s+\w+)?",
    re.IGNORECASE,
)


_GIVE_BACK = re.compile(
    r"\b(?:refund\w*|cancel\w*|sell|resell|transfer\w*|exchange\w*|upgrade\w*)\b", re.IGNORECASE
)


_TRANSPORT = re.compile(
    (
        r"\b(?:train|flight|plane|air(?:line)?|bus|ferry|parking|lottery|metro|tram"
        r"|museum|cinema|movie|support|jira|hotel|raffle|speeding"
        r"|season)\s+(?:e-?)?(?:tickets?|seats?|passes)\b"
    ),
    re.IGNORECASE,
)
_RELATIVE = re.compile(
    (
        r"\b(?:which|who|that)\s+(?:(?-i:[A-Z])\w+|i|we|you|he|she|they|it|is|are|was"
        r"|has|have|starts?)\b.*"
    ),
    re.IGNORECASE,
)
_PRICE = re.compile(r"\b(?:at|for)\s+(?:[\w-]+\s+){0,2}?(?:price|rate|cost|free)\b", re.IGNORECASE)
_BELOW_ZERO = re.compile(r"\b(?:minus|negative)\s+\w+", re.IGNORECASE)
_TWO_EVENTS = re.compile(
    r"\band\s+(?:for|to|at|on)\s+(?:the|an?|tonight|tomorrow)\b.*", re.IGNORECASE
)
_REFUSED = (
    (_TRANSPORT, "nobody here sells that; tickets are for events, e.g. '2 tickets for the game'"),
    (_GIVE_BACK, "that is no purchase; say it as a sentence of its own"),
    (_MULTIPLIED, "how many tickets are that in all? Say one number"),
    (_TWO_EVENTS, "how many tickets are for what? Say '2 for the game and 3 for the concert'"),
    (
        _TERMS,
        (
            "a purchase here does not know that; an expense can be put on a budget, e.g. 'log the "
            "expense to the marketing budget'"
        ),
    ),
    (
        AMOUNT,
        (
            "a price cannot be promised; order without it, or say for example 'if it costs more "
            "than 500, get approval'"
        ),
    ),
    (_BOUND, "that leaves open how many tickets; give one number"),
    (_RELATIVE, "that describes what is meant; name the event or the day"),
    (_PRICE, "a price cannot be promised; order without it"),
    (_BELOW_ZERO, "that many tickets are not possible; an order holds 1 to 1,000"),
)


def check_terms(words: str, *, quote: str) -> None:
    """Refuse a purchase under terms that cannot be kept.

    Raises:
        NotUnderstoodError: It has such terms.
    """
    plain = without_dates(words)
    for pattern, why in _REFUSED:
        if match := pattern.search(plain):
            raise NotUnderstoodError(f"{quoted(match[0])} in {quoted(quote)}: {why}.")
