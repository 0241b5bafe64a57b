"""Tasks about new people, and questions about those who work here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestration.agents.team.dates import dates_in, without_dates
from orchestration.agents.team.vocabulary import word_set
from orchestration.planning.drafts import Draft
from orchestration.planning.problems import NotUnderstoodError, quoted
from orchestration.planning.tails import check_parts, check_tail
from orchestration.planning.ticket_tasks import NOMINAL_DAY, check_day

if TYPE_CHECKING:
    from orchestration.planning.clauses import Clause
    from orchestration.planning.vocabulary import Frame

_NAME = r"(?-i:[A-Z])[\w'.-]*(?:\s+(?-i:[A-Z])[\w'.-]*){0,3}"


_ONBOARD = re.compile(
    (
        rf"\b(?:on-?board(?:ing)?|hire)\s+(?:process\s+)?(?:for\s+|of\s+)?(?:our\s+"
        rf"|the\s+|a\s+|my\s+)?(?:new\s+)?(?:(?:hire|starter|joiner|colleague|employee"
        rf"|team\s+member)\s*,?\s+)?(?P<name>{_NAME})(?P<rest>.*)$"
    ),
    re.IGNORECASE | re.DOTALL,
)


_TITLE = re.compile(
    (
        r"^\s*,?\s*(?:as\s+|,\s*|,?\s*(?:who\s+(?:is|will\s+be|joins|starts"
        r"|begins)\s+(?:us\s+)?(?:as\s+)?)|in\s+the\s+role\s+of\s+"
        r"|for\s+the\s+role\s+of\s+)(?:an?\s+|our\s+"
        r"|the\s+)?(?:new\s+)?(?P<title>[^\d,]+?)(?=\s+(?:start\w*|from|on|beginning"
        r"|begins|in|with|under|report\w*|who|effective|and)\b|\s*[,;.!]|\s*$)"
    ),
    re.IGNORECASE,
)


_DEPARTMENT = re.compile(
    r"\bin\s+(?:the\s+)?(?P<name>sales|finance|hr|operations|management|marketing)\b", re.IGNORECASE
)


_MANAGER = re.compile(
    rf"\b(?:report(?:s|ing)?\s+to|under|manager)\s+(?P<name>{_NAME})", re.IGNORECASE
)


def onboarding(frame: Frame, clause: Clause, words: str) -> Draft:
    """Plan that somebody new starts.

    Raises:
        NotUnderstoodError: The name, the title or the first day is not given.
    """
    match = _ONBOARD.search(words)
    if match is None or len(match["name"].split()) < 2:  # noqa: PLR2004  first and last name
        raise NotUnderstoodError(
            f"Who is new? {quoted(clause.quote)} gives no full name. Say for example "
            f"'Onboard Jane Doe as Accountant starting 2026-12-01'."
        )
    title = _TITLE.match(without_dates(match["rest"]))
    if title is None:
        raise NotUnderstoodError(
            f"As what does {match['name']} start? {quoted(clause.quote)} gives no "
            f"title. Say for example 'as Accountant'."
        )
    if not check_day(words, clause.quote):
        raise NotUnderstoodError(
            f"On which day does {match['name']} start? Say for example 'starting 2026-12-01'."
        )
    found = dates_in(words, NOMINAL_DAY)[0]
    draft = Draft(
        name=frame.name,
        capability=str(frame.capability),
        message=(
            f"Onboard {match['name']} as {title['title'].strip()} starting "
            f"{words[found.start : found.end]}"
        ),
        quote=clause.quote,
        clause=clause,
        fields={"action": frame.action, "name": match["name"], "title": title["title"].strip()},
    )
    for field, pattern in (("department", _DEPARTMENT), ("manager", _MANAGER)):
        if said := pattern.search(match["rest"]):
            draft.fields[field] = (
                {"hr": "HR"}.get(said["name"].lower(), said["name"].capitalize())
                if field == "department"
                else said["name"]
            )
    check_tail(
        _TITLE.sub(" ", without_dates(match["rest"]), count=1),
        quote=clause.quote,
        known=word_set("who starts start date begins joins us joining"),
    )
    return draft


def employee_question(frame: Frame, clause: Clause, words: str) -> Draft:
    """Plan a question about somebody who works here."""
    check_parts(
        words,
        quote=clause.quote,
        known=word_set(
            "what when who where title role job phone number email department start "
            "date manager report reports to"
        ),
    )
    return Draft(
        name=frame.name,
        capability=str(frame.capability),
        message=words,
        quote=clause.quote,
        clause=clause,
        effect=False,
        fields={"action": frame.action},
    )
