"""What a request says is not to be done."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestration.planning.approvals import asks_person
from orchestration.planning.problems import NotUnderstoodError, quoted
from orchestration.planning.ties import command_words
from orchestration.planning.vocabulary import frame_of

if TYPE_CHECKING:
    from orchestration.planning.clauses import Clause


_ANYTHING = re.compile(
    (
        r"(?:book|buy|purchase|order|spend|get|reserve)(?:ing)?\b.*\b(?:anything|any|it"
        r"|them|those|money|tickets?|yet|that)\b|(?:booking|buying|purchase)s?$"
    ),
    re.IGNORECASE,
)


def negated_name(what: str, clause: Clause) -> str:
    """Return the name of the tasks that are not to be done.

    Raises:
        NotUnderstoodError: It is not clear which these are.
    """
    words = command_words(re.sub(r"^(?:to\s+|the\s+|any\s+|an?\s+)", "", what)) or what
    if asks_person(what) or re.match(
        r"(?:approvals?|sign-?offs?|permission)\b", what, re.IGNORECASE
    ):
        return "expense_approval"
    if _ANYTHING.match(what):
        return "purchase"
    frame = frame_of(words) or frame_of(what)
    if frame is None:
        raise NotUnderstoodError(
            f"{quoted(clause.quote)} says what is not to be done, and it is not "
            f"clear what that is. Say only what is to be done."
        )
    if re.search(
        r"\b(?:more\s+than|before|until|unless|except|but|other|than)\b", what, re.IGNORECASE
    ):
        raise NotUnderstoodError(
            f"{quoted(clause.quote)} sets a limit that cannot be kept. Say plainly "
            f"what is to be done."
        )
    return frame.name
