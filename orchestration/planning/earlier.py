"""References to what was said before: `two more of those`, `cancel that order`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestration.planning.approvals import asks_person
from orchestration.planning.clauses import read_clauses
from orchestration.planning.items import read_items
from orchestration.planning.problems import NotUnderstoodError, quoted
from orchestration.planning.quotes import without_quotes
from orchestration.planning.ticket_tasks import event_of
from orchestration.planning.vocabulary import THINGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestration.planning.request_text import Earlier

_SAME = re.compile(
    (
        r"\bof\s+(?:those|these|them|the\s+same)\b|\b(?:for\s+"
        r"|to\s+)?the\s+same\s+(?:tickets?|event|game|match|concert|show|night|one)\b"
        r"|\b(?:to|for)\s+(?:it|that)\s*$"
    ),
    re.IGNORECASE,
)
_THAT_ORDER = re.compile(
    (
        r"\b(?:the|that|this|my|our)\s+(?:last\s+|previous\s+|same\s+)?(?:order|booking"
        r"|purchase|tickets?)\b(?!\s*#?[0-9])|^(?:cancel|refund)\s+(?:it|that|them)\b"
    ),
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\border\s*(?:number|no\.?|#)?\s*#?([0-9]{1,15})\b", re.IGNORECASE)


_CITED = re.compile(r"[0-9]+\. .*\[([\w-]+)(?:, [^\[\]]*)?\]")
"""A fact in an answer, with the task that it is from."""
_OF_A_PURCHASE = re.compile(r"purchase(?:_[0-9]+)?")


def resolved(words: str, earlier: Sequence[Earlier], *, bought_here: bool) -> str:
    """Return a clause with what it refers to put in.

    Args:
        words: The clause.
        earlier: What was said before, the newest first.
        bought_here: Whether the request itself speaks of the tickets or the order.

    Raises:
        NotUnderstoodError: It refers to something that is not clear.
    """
    if bought_here or asks_person(words):
        return words
    if (match := _SAME.search(words)) and re.search(
        r"[0-9]|\b(?:book|buy|get|more|another)\b", words, re.IGNORECASE
    ):
        return _with_event(words, match, earlier)
    if re.match(r"(?:cancel|refund|undo|return)\b", words, re.IGNORECASE) and _THAT_ORDER.search(
        words
    ):
        return _with_number(words, earlier)
    return words


def _with_event(words: str, match: re.Match[str], earlier: Sequence[Earlier]) -> str:
    tails: list[str] = []
    for item in earlier:
        if item.role == "user":
            tails = _bought(item.text)
            if tails:
                break
    if len(set(tails)) != 1:
        raise NotUnderstoodError(
            f"{quoted(words)} refers to tickets, and it is not clear which. Say for "
            f"what they are, for example 'Book 2 tickets for the jazz night'."
        )
    noun = (
        ""
        if re.search(THINGS, words[: match.start()] + words[match.end() :], re.IGNORECASE)
        else "tickets "
    )
    return " ".join(f"{words[: match.start()]} {noun}{tails[0]} {words[match.end() :]}".split())


def _bought(text: str) -> list[str]:
    """For which events an earlier message bought tickets."""
    try:
        quoted_out = without_quotes(text)
        found = read_items(read_clauses(quoted_out.words), text=quoted_out, agents=())
    except NotUnderstoodError:
        return []
    return [event_of(draft, draft.clause) for draft in found.drafts if draft.name == "purchase"]


def _with_number(words: str, earlier: Sequence[Earlier]) -> str:
    for item in earlier:
        numbers = _orders_in(item.text)
        if len(numbers) == 1:
            return f"cancel order {numbers.pop()}"
        if numbers:
            break
    return words


def _orders_in(text: str) -> set[str]:
    """The orders that a message speaks of; of an answer's facts, only those of purchases.

    Other agents may write what they like, also of orders that are not the user's.
    """
    cited = [found for line in text.splitlines() if (found := _CITED.fullmatch(line.strip()))]
    bought = [found[0] for found in cited if _OF_A_PURCHASE.fullmatch(found[1])]
    return set(_NUMBER.findall("\n".join(bought) if cited else text))
