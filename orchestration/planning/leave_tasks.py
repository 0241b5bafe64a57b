"""Tasks about people: leave, onboarding, who is who."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestration.agents.team.dates import dates_in, without_dates
from orchestration.agents.team.quantities import number_in_words
from orchestration.agents.team.vocabulary import word_set
from orchestration.planning.drafts import Draft
from orchestration.planning.problems import NotUnderstoodError, quoted
from orchestration.planning.tails import check_parts
from orchestration.planning.ticket_tasks import NOMINAL_DAY, check_day
from orchestration.planning.vocabulary import Frame
from state.errors import AgentRefusedError

if TYPE_CHECKING:
    from orchestration.planning.clauses import Clause
    from state.jsonvalue import JsonObject

_NAME = r"(?-i:[A-Z])[\w'.-]*(?:\s+(?-i:[A-Z])[\w'.-]*){0,3}"
_EMPLOYEE = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\b(?:for|of|to|does|has|is)\s+(?:our\s+colleague\s+)?(?P<name>{_NAME})",
        rf"(?P<name>{_NAME})'s?\s",
        rf"(?P<name>{_NAME})\s+(?:still\s+)?(?:has|have|got)\b",
        (
            rf"^(?:request|book|give|grant|put|schedule|plan|get|ask|register|log|record"
            rf"|note|block)\s+(?:for\s+)?(?P<name>{_NAME})"
        ),
        r"\bfor\s+(?P<name>[a-z]{3,})(?=\s+(?:from|on|starting|beginning)\b|\s*$)",
    )
)
_NO_PERSON = word_set(
    "everyone everybody all team staff them him her us somebody someone "
    "monday tuesday wednesday thursday friday saturday sunday january february march "
    "april may june july august september october november december pto christmas "
    "easter me myself leave vacation holiday days next this the i"
)
_NUMBER = (
    r"(?P<number>[0-9]{1,3}|an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven"
    r"|twelve|fifteen|twenty|a\s+couple\s+of|half\s+an?)"
)
_DAYS = re.compile(
    (
        rf"\b{_NUMBER}[\s-]+(?:(?:full|more|working|business|vacation|paid|leave"
        rf"|annual)\s+)*(?P<unit>days?|weeks?|months?)\b(?!\s+(?:after|before|later))"
    ),
    re.IGNORECASE,
)
_PUT_IN = re.compile(
    r"\bin\s+(?=[0-9]+\s+(?:[a-z]+\s+){0,2}?days?\s+(?:of\b|off\b|leave|vacation|holiday|for\b))",
    re.IGNORECASE,
)
"""`put in 5 days of leave` is not `in 5 days`."""
_FOR_SOMEBODY = re.compile(r"\bfor\b(?!\s+(?:[0-9]|an?\b|two|three|four|five))", re.IGNORECASE)
_PRONOUN = re.compile(r"\bfor\s+(?:him|her|them)\b", re.IGNORECASE)
_ONE_DAY = re.compile(r"\b(?:on\s|off\s*$|day\b)", re.IGNORECASE)
_KNOWN = word_set("working days day inclusive including back returning")
_MYSELF = re.compile(r"\b(?:i|me|my|myself)\b", re.IGNORECASE)


def leave_request(frame: Frame, clause: Clause, words: str) -> Draft:
    """Plan a request for leave.

    Raises:
        NotUnderstoodError: It is not clear for whom, from when or for how long.
    """
    said = _PUT_IN.sub("", words)
    dates = check_day(said, clause.quote, most=2)
    check_parts(said, quote=clause.quote, known=_KNOWN)
    person = _person(said, clause.quote)
    days, weeks = _length(said, clause.quote, dates=dates)
    fields: JsonObject = {"action": frame.action}
    if days is not None:
        fields["days"] = days
    if person:
        fields["employee"] = person
    return Draft(
        name=frame.name,
        capability=str(frame.capability),
        message=_leave_message(said, days=days, person=person),
        quote=clause.quote,
        clause=clause,
        fields=fields,
        assumptions=[f"{weeks} of leave: {days} working days."] if weeks else [],
    )


def _person(words: str, quote: str) -> str | None:
    """Return for whom the leave is; None for whoever asks."""
    plain, person = without_dates(words), employee_in(words)
    if person and re.search(rf"{re.escape(person)}(?:\s+and|,)\s+(?:for\s+)?[A-Z]", plain):
        raise NotUnderstoodError(
            f"{quoted(quote)} is about several people; ask for the leave of each in a part of its "
            "own."
        )
    if _PRONOUN.search(plain):
        return person  # who that is, the request said before, or else is asked
    if person is None and not _MYSELF.search(words) and _FOR_SOMEBODY.search(plain):
        raise NotUnderstoodError(
            f"Who is the leave in {quoted(quote)} for? Say for example 'for Bob'."
        )
    return person


def _length(words: str, quote: str, *, dates: int) -> tuple[int | None, str]:
    """Return how many days, and the weeks they were given in; no number where two dates say it."""
    days, weeks = _days(words, quote)
    if not dates:
        raise NotUnderstoodError(
            f"From which day is the leave in {quoted(quote)}? Say for example 'from 2026-12-21'."
        )
    if days is None and dates == 1:
        if not _ONE_DAY.search(words):
            raise NotUnderstoodError(
                f"How many days of leave are meant in {quoted(quote)}? Say for example '3 days'."
            )
        days = 1
    return days, weeks


def leave_question(frame: Frame, clause: Clause, words: str) -> Draft:
    """Plan a question about somebody's days of leave."""
    check_parts(words, quote=clause.quote)
    draft = Draft(
        name=frame.name,
        capability=str(frame.capability),
        message=words,
        quote=clause.quote,
        clause=clause,
        effect=False,
        fields={"action": frame.action},
    )
    if person := employee_in(words):
        draft.fields["employee"] = person
    return draft


def leave_withdrawal(frame: Frame, clause: Clause, words: str) -> Draft:
    """Plan that leave is taken back; it has to be named by its number."""
    match = re.search(
        r"\bleave\s*(?:request|number|no\.?)?\s*#?\s*([0-9]{1,15})\b", words, re.IGNORECASE
    )
    if match is None:
        raise NotUnderstoodError(
            f"Which leave is meant in {quoted(clause.quote)}? Say for example 'Withdraw leave 3'."
        )
    return Draft(
        name="leave_withdrawal",
        capability=str(frame.capability),
        message=f"Withdraw leave {match[1]}",
        quote=clause.quote,
        clause=clause,
        fields={"action": frame.action, "leave_id": int(match[1])},
    )


def employee_in(words: str) -> str | None:
    """Return the name of the person in words; None if they name nobody."""
    plain = without_dates(words)
    for pattern in _EMPLOYEE:
        for match in pattern.finditer(plain):
            name = re.sub(r"'s?$", "", match["name"].strip(" .,"))
            if name and name.split()[0].lower() not in _NO_PERSON:
                return name
    return None


def _days(words: str, quote: str) -> tuple[int | None, str]:
    found = {
        (match["number"].lower(), match["unit"].lower())
        for match in _DAYS.finditer(re.sub(r"\bin\s+[0-9]+\s+days\b", " ", without_dates(words)))
    }
    values: dict[int, str] = {}
    for number, unit in found:
        value = int(number) if number.isdecimal() else number_in_words(number.removesuffix(" of"))
        if value is None or number.startswith("half") or unit.startswith("month"):
            raise NotUnderstoodError(
                f"How many working days are '{number} {unit}' in {quoted(quote)}? "
                f"Say for example '3 days'."
            )
        if unit.startswith("week"):
            values[5 * value] = f"{number} {unit}"
        else:
            values[value] = ""
    if len(values) > 1:
        raise NotUnderstoodError(f"{quoted(quote)} speaks of several numbers of days; give one.")
    if not values:
        return None, ""
    days, weeks = next(iter(values.items()))
    if not 1 <= days <= 60:  # noqa: PLR2004  what one request may ask for
        raise NotUnderstoodError(
            f"{days} days of leave in {quoted(quote)} are not possible; 1 to 60 are."
        )
    return days, weeks


def _leave_message(words: str, *, days: int | None, person: str | None) -> str:
    try:
        found = dates_in(words, NOMINAL_DAY)
    except AgentRefusedError:
        found = []
    when = [words[item.start : item.end] for item in found]
    whom = f" for {person}" if person else " for me"
    if len(when) > 1:
        return f"Request leave{whom} from {when[0]} to {when[1]}"
    return f"Request {days} {'day' if days == 1 else 'days'} of leave{whom} from {when[0]}"
