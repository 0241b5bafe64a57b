"""Commands that are not said as such: `have the CRM updated`, `the expense must be logged`."""

from __future__ import annotations

import re

from orchestration.planning.ties import base_verb

_DONE = (
    r"(?P<done>updated|synced|booked|bought|purchased|reserved|ordered|logged|recorded"
    r"|filed|submitted|expensed|notified|informed|texted|told|messaged|alerted|sent"
    r"|cancelled|canceled|refunded|onboarded|drafted|created|prepared|written|opened"
    r"|checked|entered|noted|charged|approved|authori[sz]ed|arranged|requested|secured)"
)
_BE = (
    r"(?:(?:is|are|gets?|be|to\s+be|has\s+to\s+be|have\s+to\s+be|needs?\s+to\s+be"
    r"|need\s+to\s+get|needs\s+to\s+get|must\s+be|should\s+(?:also\s+)?be"
    r"|ought\s+to\s+be|shall\s+be|will\s+be|needs?)\s+)"
)
_MUST_BE = (
    r"(?:(?:(?:is|are)\s+to\s+be|to\s+be|has\s+to\s+be|have\s+to\s+be|needs?\s+to\s+be"
    r"|needs?\s+to\s+get|must\s+be|should\s+(?:also\s+)?be|ought\s+to\s+be|shall\s+be|needs?)\s+)"
)
_THING = r"(?P<thing>(?!(?:that|which|you|it\s+is|.*\bbeen)\b)(?:[\w$'&#.-]+\s+){1,9}?)"
_MEANT = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        (
            rf"(?:make\s+(?:sure|certain)|ensure"
            rf"|see\s+to\s+it)\s+(?:that\s+)?{_THING}{_BE}{_DONE}\b(?P<rest>.*)"
        ),
        (
            rf"(?:have|get|(?:(?:i|we)(?:'d|\s+would)?\s+)?(?:need|want"
            rf"|like))\s+{_THING}{_BE}?{_DONE}\b(?P<rest>.*)"
        ),
        rf"{_THING}{_MUST_BE}{_DONE}\b(?P<rest>.*)",
        (
            r"(?P<thing>(?-i:[A-Z])\w+(?:\s+(?-i:[A-Z])\w+)?\s+)(?P<done>informed"
            r"|notified|texted|told|messaged)\b(?P<rest>.*)"
        ),
        (
            rf"(?P<thing>(?:the\s+|our\s+)?(?:crm|expenses?|costs?|tickets"
            rf"|order)\s+){_DONE}\b(?P<rest>.*)"
        ),
    )
)
_TOLD = re.compile(
    (
        r"(?:make\s+sure\s+(?:that\s+)?|ensure\s+(?:that\s+)?)?(?P<who>(?:(?:the|my"
        r"|our)\s+)?[\w-]+(?:\s+[A-Z]\w+)?)\s+(?:needs?\s+to\s+know"
        r"|should\s+(?:also\s+)?know|must\s+know|has\s+to\s+know|knows|is\s+aware"
        r"|are\s+aware)\b(?P<rest>.*)"
    ),
    re.IGNORECASE | re.DOTALL,
)


def as_command(words: str, *, plain: bool) -> str:
    """Return what is said of a thing as a command, or else the words as they are.

    Args:
        words: The clause.
        plain: Whether it is a command already; then only `make sure that …` and `have … booked`
            are read.
    """
    if plain:
        return next((said for form in _MEANT[:2] if (said := _active(form, words))), words)
    if match := _TOLD.fullmatch(words):
        return f"let {match['who']} know{match['rest']}"
    return next((said for form in _MEANT if (said := _active(form, words))), words)


def _active(form: re.Pattern[str], words: str) -> str | None:
    match = form.fullmatch(words)
    if match is None:
        return None
    return f"{base_verb(match['done'])} {match['thing'].strip()}{match['rest']}"
