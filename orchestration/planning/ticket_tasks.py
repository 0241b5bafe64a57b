"""Tasks about tickets: buying, cancelling, and questions about events."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Final

from orchestration.agents.team.dates import one_day_in, without_dates
from orchestration.agents.team.orders import order_number_in
from orchestration.agents.team.purchase_terms import refuse_unkept_terms
from orchestration.agents.team.quantities import buyable, number_in_words, tickets_in
from orchestration.agents.team.vocabulary import word_set
from orchestration.planning.drafts import Draft
from orchestration.planning.problems import NotUnderstoodError, quoted
from orchestration.planning.tails import PHONE, check_parts, check_tail
from orchestration.planning.ticket_terms import check_terms
from orchestration.planning.vocabulary import THINGS, Frame
from state.errors import AgentRefusedError

if TYPE_CHECKING:
    from orchestration.planning.clauses import Clause

NOMINAL_DAY: Final = date(2028, 1, 3)
"""Dates are only checked here, and read by the agents, whose clock it is; a leap year."""
_VAGUE = re.compile(
    (
        rf"\b(?:few|several|some|many|lots?|bunch|handful|enough"
        rf"|more)\s+(?:of\s+)?(?:[\w'-]+\s+){{0,2}}?{THINGS}"
    ),
    re.IGNORECASE,
)
_COUNT = (
    r"(?P<count>[0-9]{1,4}|half\s+a\s+dozen|(?:a\s+)?(?:dozen|couple)(?:\s+of)?"
    r"|(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)-\w+|one|two|three|four"
    r"|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty)"
)
_ELLIPSIS = re.compile(
    (
        rf"^(?:(?P<verb>[a-z]+(?:\s+(?:me|us"
        rf"|up))?)\s+)?(?:another\s+)?{_COUNT}(?:\s+more)?\s+(?=(?:for|to|of|at|on)\b)"
    ),
    re.IGNORECASE,
)
_FOR_COUNT = re.compile(
    (
        rf"\bfor\s+(?:the\s+)?{_COUNT}(?:\s+of\s+us|\s+people|\s+persons)?\s*(?=$|[,.]"
        rf"|\bon\b|\btonight\b|\btomorrow\b|\bto\b|\bat\b)"
    ),
    re.IGNORECASE,
)
_ABOUT_EVENT = re.compile(
    (
        r"\b(?:for|to|at|does|is|of)\s+(?P<event>(?:the|an?|tonight's"
        r"|tomorrow's)\s+.+?)(?:\s+(?:start|begin|cost)\w*)?\s*[?.!]*$"
    ),
    re.IGNORECASE,
)
_VERB = re.compile(
    (
        r"^(?:(?:i|we)(?:'d|'ll|\s+would)?\s+)?(?:(?:also\s+)?(?:re-?book|book(?:\s+in)?"
        r"|buy|purchase|reserve|order|get|grab|secure|obtain|pick\s+up"
        r"|arrange(?:\s+for)?|organi[sz]e|sort\s+out|procure|snag|need|want|have|take"
        r"|fetch|like)\s+)+(?:(?:me|us|him|her|them|yourself)\s+)?(?:another\s+)?"
    ),
    re.IGNORECASE,
)
_FOR_NAME = re.compile(
    (
        r"\bfor\s+(?:our\s+)?(?:(?:client|customer|account|the\s+people\s+at"
        r"|the\s+folks\s+at)\s+)?(?P<name>(?-i:[A-Z])[\w&.'-]*(?:\s+(?-i:[A-Z])[\w&.-]*)*)"
    ),
    re.IGNORECASE,
)
_BEFORE_NOUN = word_set(
    "more extra additional good best great adult adults cheap cheapest available single other of "
    "jazz concert game match basketball event show gig music night club home regular standard "
    "normal free nice x evening entry admission tonight's tomorrow's saturday's friday's sunday's "
    "the a an me us him her them my our for some few several many pair another lot lots bunch "
    "handful team clients client customers customer everyone everybody boss manager staff whole "
    "entire dozen couple and up i we need want like would required these those his their kids "
    "seats tickets enough half"
)


EVENT_WORDS: Final = word_set(
    "how much many what when where which are is do does cost costs start starts "
    "begin begins price prices game games concert concerts show shows event events "
    "jazz night match seats tickets left available time"
)


def purchase(frame: Frame, clause: Clause, words: str) -> Draft:
    """Plan a purchase.

    Raises:
        NotUnderstoodError: Its number, its date or something else cannot be carried out.
    """
    said = _with_noun(words)
    check_terms(said, quote=clause.quote)
    quantity = tickets_of(said, clause.quote)
    if quantity is None and (vague := _VAGUE.search(without_dates(said))):
        raise NotUnderstoodError(
            f"How many tickets are {quoted(vague[0])} in {quoted(clause.quote)}? Say a number."
        )
    check_day(said, clause.quote)
    _check_before_noun(said, clause.quote)
    check_tail(
        _tail(said),
        quote=clause.quote,
        known=word_set("eastern row side adults people persons of us guests"),
    )
    return _purchase(frame, clause, said, quantity=quantity)


def _check_before_noun(words: str, quote: str) -> None:
    """Refuse `get rid of the 3 tickets`: only how many and for what may stand before the noun."""
    match = re.search(THINGS, words, re.IGNORECASE)
    head = without_dates(words[: match.start()] if match else "")
    for word in _VERB.sub("", head, count=1).split():
        plain = word.strip(".,'\"-").lower()
        known = plain in _BEFORE_NOUN or not plain or plain[0].isdigit() or word[0].isupper()
        if not known and number_in_words(plain) is None:
            raise NotUnderstoodError(
                f"{quoted(word)} in {quoted(quote)} was not understood. Say for example 'Book 10 "
                "tickets for tonight'."
            )


def _purchase(frame: Frame, clause: Clause, said: str, *, quantity: int | None) -> Draft:
    name, phone = _FOR_NAME.search(without_dates(said)), PHONE.search(without_dates(said))
    draft = Draft(
        name=frame.name,
        capability=str(frame.capability),
        message=_message(said),
        quote=clause.quote,
        clause=clause,
        fields={"action": frame.action, **({"phone": phone[0]} if phone else {})},
        account=name["name"] if name else None,
    )
    if quantity is None:
        draft.missing = (
            f"How many tickets? {quoted(clause.quote)} gives no number. Say for example 'Book 10 "
            "tickets'."
        )
    else:
        draft.fields["quantity"] = quantity
    return draft


def tickets_of(words: str, quote: str) -> int | None:
    """Return how many tickets words ask for; None if they do not say.

    Raises:
        NotUnderstoodError: Nobody can buy that many, or it is left open how many.
    """
    plain = PHONE.sub(" ", without_dates(words))
    try:
        found = tickets_in(plain)
        if found is None and (match := _FOR_COUNT.search(plain)):
            found = _value(match["count"])
        refuse_unkept_terms(words)
        return None if found is None else buyable(found)
    except AgentRefusedError as error:
        raise NotUnderstoodError(f"In {quoted(quote)}: {error}") from error


def check_day(words: str, quote: str, *, most: int = 1) -> int:
    """Return how many dates words name.

    Raises:
        NotUnderstoodError: One is not exact or not in the calendar, or there are several.
    """
    from orchestration.agents.team.dates import dates_in  # noqa: PLC0415

    try:
        days = {found.day for found in dates_in(words, NOMINAL_DAY)}
        if len(days) <= 1 or most == 1:
            one_day_in(words, NOMINAL_DAY)
    except AgentRefusedError as error:
        raise NotUnderstoodError(f"In {quoted(quote)}: {error}") from error
    if len(days) > most:
        raise NotUnderstoodError(f"{quoted(quote)} names {len(days)} dates; give at most {most}.")
    return len(days)


def cancellation(frame: Frame, clause: Clause, words: str) -> Draft:
    """Plan that an order is taken back."""
    try:
        number = order_number_in(words)
    except AgentRefusedError as error:
        raise NotUnderstoodError(str(error)) from error
    if number is None and re.search(r"[0-9]", words):
        raise NotUnderstoodError(
            f"Is the number in {quoted(clause.quote)} an order's? Say for example "
            f"'Cancel order 17'."
        )
    check_tail(
        re.sub(
            (
                r"^\w+(?:\s+off)?\s+(?:(?:the|that|this|my|our|it"
                r"|them)\s*)?(?:\w+\s+){0,2}?(?:orders?|tickets?|booking|purchase"
                r"|reservation)?\s*(?:number|no\.?|#)?\s*[0-9]*"
            ),
            "",
            words,
            count=1,
            flags=re.IGNORECASE,
        ),
        quote=clause.quote,
    )
    draft = Draft(
        name=frame.name,
        capability=str(frame.capability),
        message=f"Cancel order {number}" if number is not None else "Cancel the order",
        quote=clause.quote,
        clause=clause,
        fields={"action": frame.action},
        refers=number is None,
        topic="purchase",
    )
    if number is None:
        draft.missing = (
            f"Which order? {quoted(clause.quote)} names none. Say for example 'Cancel order 17'."
        )
    else:
        draft.fields["order_id"] = number
    return draft


def event_question(frame: Frame, clause: Clause, words: str) -> Draft:
    """Plan a question about events, which changes nothing."""
    check_parts(words, quote=clause.quote, known=EVENT_WORDS)
    return Draft(
        name=frame.name,
        capability=str(frame.capability),
        message=words,
        quote=clause.quote,
        clause=clause,
        effect=False,
        fields={"action": frame.action},
    )


def event_of(draft: Draft, clause: Clause) -> str:
    """Return for which event a task is, as the end of a command; for `book 2` after it.

    Raises:
        NotUnderstoodError: It is for none in particular.
    """
    if draft.name == "purchase":
        return _tail(draft.message).strip(" .?!")
    match = _ABOUT_EVENT.search(draft.message)
    if draft.name != "event_info" or match is None:
        raise NotUnderstoodError(
            f"What for is {quoted(clause.quote)}? Say for example 'Book 2 tickets for the game'."
        )
    return f"for {match['event'].strip()}"


def _with_noun(words: str) -> str:
    """Return words with `tickets` after a number that stands alone."""
    if re.search(THINGS, words, re.IGNORECASE):
        return words
    match = _ELLIPSIS.match(words)
    if match is None:
        return words
    return f"book {match['count']} tickets {words[match.end() :]}"


def _value(count: str) -> int | None:
    return (
        int(count) if count.isdecimal() else number_in_words(re.sub(r"\s+of$", "", count.strip()))
    )


def _tail(words: str) -> str:
    match = re.search(THINGS, words, re.IGNORECASE)
    return words[match.end() :] if match else words


def _message(words: str) -> str:
    rest = re.sub(
        r"\s+instead$", "", _VERB.sub("", words, count=1).strip(" .!"), flags=re.IGNORECASE
    )
    return f"Book {rest}"
