"""Signs that words are no plain command: negation, alternatives, musing."""

from __future__ import annotations

import re

from orchestration.agents.team.understanding import refuse_doubt
from orchestration.planning.problems import NotUnderstoodError, quoted
from orchestration.planning.quotes import MARK
from state.errors import AgentRefusedError

_MUSING = re.compile(
    r"\b(?:maybe|perhaps|possibly|probably|might|may\s+(?:want|need|be)"
    r"|wonder(?:ing)?|thinking\s+(?:of|about)|considering|consider|should\s+(?:we|i)"
    r"|shall\s+(?:we|i)|what\s+if|would\s+it\s+be"
    r"|is\s+it\s+(?:possible|ok|okay)|could\s+(?:we|i)\s+(?!get|have)"
    r"|planning\s+(?:to|on)|someday|some\s+day|at\s+some\s+point"
    r"|one\s+day(?!\s+(?:off|of))|hypothetically|in\s+theory|imagine|suppose"
    r"|let's\s+say|would\s+be\s+(?:nice|good|great)\s+to|not\s+sure|unsure|or\s+so"
    r"|-ish|approximately|roughly|around\s+(?=[0-9])"
    r"|about\s+(?=[0-9]+\s+\w*\s*(?:tickets?|seats?|days?))|ideally|eventually"
    r"|either|in\s+the\s+future|whichever|whatever|depending|wish|hope\s+to"
    r"|tend\s+to|used\s+to|had\s+(?:to|planned)|would\s+have|could\s+have"
    r"|should\s+have)\b",
    re.IGNORECASE,
)
_REPEATEDLY = re.compile(
    (
        r"\b(?:twice|thrice|(?:two|three|four|five|[0-9]+)\s+times|every\s+\w+|daily"
        r"|weekly|monthly|from\s+now\s+on|always)\b"
    ),
    re.IGNORECASE,
)
_WHETHER = re.compile(
    r"\b(?:whether|how)\s+(?:or\s+not\s+)?to\b|\bif\s+(?:we|i)\s+should\b", re.IGNORECASE
)
_OR = re.compile(r"\b(?:and/or|or)\b|\w/\w(?!\w*[0-9])", re.IGNORECASE)
_REPORTED = re.compile(
    (
        r"^(?:[\w.'-]+\s+){0,3}?(?:said|says|told\s+(?:me|us)|asked|wrote|thinks|thought"
        r"|wants|would\s+like|mentioned|suggested|claims|promised|has\s+asked"
        r"|is\s+asking|already)\b"
    ),
    re.IGNORECASE,
)
_NEGATED_COMMAND = re.compile(
    (
        r"(?:(?:i|we|you)\s+)?(?:(?:do\s+not|don't|never|must\s+not|mustn't|shouldn't"
        r"|should\s+not|won't|will\s+not)\s+(?:(?:need|have)\s+to\s+"
        r"|want\s+(?:you\s+)?to\s+|bother\s+(?:to\s+|with\s+)?|want\s+(?=an?\b|any\b))?"
        r"|(?:there(?:'s|\s+is)\s+)?no\s+need\s+(?:to|for)\s+|not\s+(?:to\s+)?|skip\s+"
        r"|leave\s+out\s+|hold\s+off\s+(?:on\s+)?|stop\s+|avoid\s+"
        r"|forget\s+(?:about\s+)?|without\s+|no\s+(?!later|more\s+than|less))(?P<what>.+)"
    ),
    re.IGNORECASE | re.DOTALL,
)


def negated_command(words: str) -> str | None:
    """Return what is not to be done, where words say no more than that; else None."""
    match = _NEGATED_COMMAND.fullmatch(words.strip(" .!,"))
    return match["what"].strip() if match else None


def check_asked(words: str, *, quote: str) -> None:
    """Refuse a question about what should be done.

    Raises:
        NotUnderstoodError: It is one.
    """
    if whether := _WHETHER.search(words):
        raise NotUnderstoodError(
            f"{quoted(quote)} asks {quoted(whether[0])}, which is not for a planner "
            f"to say. Say plainly what is to be done."
        )


def check_plain(words: str, *, quote: str, speech: bool = False) -> None:
    """Refuse to plan an effect for words that are no plain command.

    Raises:
        NotUnderstoodError: They muse, negate, or leave something open.
    """
    said = MARK.sub(" ", words)
    if musing := _MUSING.search(said):
        raise NotUnderstoodError(
            f"{quoted(quote)} says {musing[0]!r}, so it is no clear order. Say "
            f"plainly what is to be "
            "done, for example 'Book 5 tickets for tonight'."
        )
    if repeated := _REPEATEDLY.search(said):
        raise NotUnderstoodError(
            f"{quoted(quote)} wants it more than once ({repeated[0]!r}); each task "
            f"is done once. Say it as often as it is to "
            "be done."
        )
    if alternative := _OR.search(said):
        raise NotUnderstoodError(
            f"{quoted(quote)} leaves open which of two things is meant "
            f"({alternative[0]!r}). Say which one."
        )
    if reported := _REPORTED.match(said):
        raise NotUnderstoodError(
            f"{quoted(quote)} reports something ({reported[0]!r}) and asks for "
            f"nothing. Say what is to be done."
        )
    try:
        refuse_doubt(said, speech=speech)
    except AgentRefusedError as error:
        raise NotUnderstoodError(f"In {quoted(quote)}: {error}") from error
