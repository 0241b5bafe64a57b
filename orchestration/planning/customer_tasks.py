"""Tasks about customers: the CRM, opportunities, proposals."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestration.agents.team.amounts import amount_in, dollars
from orchestration.agents.team.dates import without_dates
from orchestration.agents.team.vocabulary import word_set
from orchestration.planning.drafts import Draft
from orchestration.planning.problems import NotUnderstoodError, quoted
from orchestration.planning.quotes import MARK
from orchestration.planning.tails import check_parts
from orchestration.planning.vocabulary import Frame
from state.errors import AgentRefusedError

if TYPE_CHECKING:
    from orchestration.planning.clauses import Clause
    from orchestration.planning.quotes import Text

_NAME = r"(?-i:[A-Z])[\w&.-]*(?:\s+(?:of\s+)?(?-i:[A-Z])[\w&.-]*)*"
_GENERIC = word_set(
    "the our my this that a an it them him her us me crm order orders purchase "
    "purchases booking tickets ticket deal proposal opportunity new details record "
    "records "
    "account accounts client clients customer customers everything all result "
    "results expense cost costs total amount date time call meeting event events "
    "game concert follow-up note entry accordingly date latest today tomorrow well "
    "now done future reference good lead both same system file team sales these "
    "those seats approval approved leave onboarding outcome total info information "
    "data"
)
_ACCOUNT = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        (
            rf"\b(?:for|with|about|at|on|to|of|from|under|against|in)\s+(?:the\s+"
            rf"|our\s+)?(?:new\s+)?(?:client|customer|account|company"
            rf"|prospect)?\s*(?P<name>{_NAME})(?:'s)?(?!\s*(?:crm\b))"
        ),
        (
            rf"\b(?:the|our)?\s*(?P<name>{_NAME})(?:'s)?\s+(?:account|record|file|deal"
            rf"|opportunity|proposal|entry|crm)\b"
        ),
        rf"^(?:send|get|write|make|prepare|draft|give)\s+(?P<name>{_NAME})\s+(?:an?|the|our)\b",
        rf"(?P<name>{_NAME})'s?\s+(?:account|record|crm)",
        (
            r"\b(?:for|with)\s+(?:the\s+)?(?P<name>[a-z][\w&-]+)(?=\s*$|\s*,|\s+(?:worth"
            r"|for|over|at|of|valued)\b|\s+\$|\s+account\b)"
        ),
    )
)
_NO_ACCOUNT = re.compile(
    r"^(?:CRM|Salesforce|HubSpot|January|February|March|April|May|June|July|August"
    r"|September|October|November|December|Monday|Tuesday|Wednesday|Thursday|Friday"
    r"|Saturday|Sunday|I|SMS|USD|US|Q[1-4])\b"
)
_THAT = re.compile(
    (
        r"\b(?:(?:with|leave|add|make|put|write)\s+(?:an?|the)\s+(?:short\s+"
        r"|quick\s+)?note\s+(?:that|saying|on)|noting(?:\s+that)?|saying(?:\s+that)?"
        r"|that|to\s+say\s+that|to\s+(?:say|reflect|show)(?:\s+that)?)\s+(?P<note>.+)$"
    ),
    re.IGNORECASE | re.DOTALL,
)
_POINTS = re.compile(r"that\s+(?:in|on|to|into|for|under|with)\b", re.IGNORECASE)
"""`record that in the CRM` is about what was done, and gives no note."""
_REST = word_set(
    "get have keep bring sync order order up-to-date update sync refresh log record "
    "note add enter put write capture register track document reflect make leave "
    "store file mark bring save push post the our a an it this that these in into to "
    "on with for of as and "
    "crm salesforce hubspot account record records entry order orders purchase "
    "purchases booking tickets ticket sale sales everything all details detail new "
    "latest accordingly up date call meeting email e-mail visit activity today's "
    "today tonight client customer "
    "note result results from about under against deal proposal opportunity expense "
    "cost total information info data too also them customer's client's status "
    "system there was were last number seats house recent successful event its their "
    "event's visit's change changes this week's reservation leave onboarding quote "
    "offer sent won lost both which include including date outcome approval request "
    "hire joiner price amount please"
)


def crm_update(frame: Frame, clause: Clause, words: str, *, text: Text) -> Draft:
    """Plan a note in the CRM, or that orders are recorded there.

    Raises:
        NotUnderstoodError: It is not clear what is to be recorded.
    """
    note = text.spoken(words)
    before = MARK.sub(" ", words)
    if note is None and (match := _THAT.search(words)) and not _POINTS.search(match[0]):
        note, before = match["note"].strip(" ."), words[: match.start()]
    account = account_in(before) or (account_in(note) if note and not text.spoken(words) else None)
    plain = before if account is None else before.replace(account, " ")
    unread = [
        word
        for word in re.findall(r"[\w'-]+", without_dates(plain))
        if word.lower() not in _REST and word != "s"
    ]
    kind = re.search(r"\b(?:call|meeting|e?mail|visit)\b", before, re.IGNORECASE)
    if unread and account and kind and note is None:
        check_parts(before, quote=clause.quote)
        note, unread = _about_meeting(before), []
    if unread and not (account and note):
        raise NotUnderstoodError(
            f"{quoted(' '.join(unread))} in {quoted(clause.quote)} was not "
            f"understood. Say for example 'Update the CRM for Acme: renewal agreed'."
        )
    draft = Draft(
        name=frame.name,
        capability=str(frame.capability),
        message=f"{'Update' if kind is None else f'Log a {kind[0].lower()} in'} the CRM"
        + (f" for {account}" if account else ""),
        quote=clause.quote,
        clause=clause,
        fields={"action": frame.action},
        account=account,
        refers=note is None
        and (
            kind is None
            or bool(re.search(r"\b(?:order|purchase|tickets?|booking)\b", before, re.IGNORECASE))
        ),
        topic=_topic(before),
    )
    if note is None and re.search(r"\bnotes?\b", before, re.IGNORECASE) and draft.topic is None:
        draft.missing = (
            f"What shall the note in {quoted(clause.quote)} say? Say for example 'Update "
            f"the CRM for Acme: renewal agreed'."
        )
        draft.refers = False
    if account:
        draft.fields["account"] = account
    if note:
        draft.fields["note"] = note
        draft.message += f": {note}"
        if account is None:
            draft.missing = (
                f"Which account is the note in {quoted(clause.quote)} for? Say for "
                f"example 'Update the CRM for Acme: renewal agreed'."
            )
    return draft


def _about_meeting(words: str) -> str:
    """`Log the call with Acme about prices` is a note of its own."""
    said = re.sub(r"^\w+\s+(?:an?\s+|the\s+|our\s+|my\s+)?", "", words).strip(" .")
    return f"{said[0].upper()}{said[1:]}"


def account_question(frame: Frame, clause: Clause, words: str) -> Draft:
    """Plan a question about a customer."""
    check_parts(
        words,
        quote=clause.quote,
        known=word_set(
            "who contact owner status pipeline what their proposals opportunities deals"
        ),
    )
    account = account_in(words)
    draft = Draft(
        name=frame.name,
        capability=str(frame.capability),
        message=words,
        quote=clause.quote,
        clause=clause,
        effect=False,
        fields={"action": frame.action},
    )
    if account is None:
        raise NotUnderstoodError(
            f"Which account is {quoted(clause.quote)} about? Say for example 'What's "
            f"the status of Acme?'."
        )
    draft.fields["account"] = account
    return draft


def amount_of(words: str, quote: str) -> float | None:
    """Return the dollars that words speak of; None if they speak of none.

    Raises:
        NotUnderstoodError: They speak of several, or of another currency.
    """
    plain = re.sub(
        (
            r"\b(a|an|one|two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen"
            r"|twenty|thirty|forty|fifty)\s+(hundred|thousand|grand|k)\b"
        ),
        _digits,
        without_dates(words),
        flags=re.IGNORECASE,
    )
    plain = re.sub(r"\b([0-9]+)\s+hundred\b", lambda match: f"{int(match[1]) * 100}", plain)
    try:
        cents = amount_in(MARK.sub(" ", plain))
    except AgentRefusedError as error:
        raise NotUnderstoodError(f"In {quoted(quote)}: {error}") from error
    if cents is not None and cents <= 0:
        raise NotUnderstoodError(
            f"The amount in {quoted(quote)} is nothing; amounts start at $0.01."
        )
    return None if cents is None else dollars(cents)


def _digits(match: re.Match[str]) -> str:
    from orchestration.agents.team.quantities import number_in_words  # noqa: PLC0415

    one = {"a": 1, "an": 1}.get(match[1].lower()) or number_in_words(match[1]) or 1
    return f"{one * (100 if match[2].lower() == 'hundred' else 1000)}"


def account_in(words: str) -> str | None:
    """Return the customer's name in words; None if they name none."""
    for pattern in _ACCOUNT:
        for match in pattern.finditer(without_dates(words)):
            name = re.sub(r"^(?:The|Our)\s+|'s?$", "", match["name"].strip(" .,"))
            name = re.sub(r"\s+(?:CRM|Account|Record)$", "", name)
            if name and name.lower() not in _GENERIC and not _NO_ACCOUNT.match(name):
                return name
    return None


def _topic(words: str) -> str | None:
    for name, pattern in (
        ("proposal", r"proposal|quote|offer"),
        ("opportunity", r"opportunity|deal"),
        ("purchase", r"purchase|tickets?|orders?|booking|sale"),
        ("leave", r"leave"),
        ("onboarding", r"onboarding|hire"),
    ):
        if re.search(rf"\b(?:{pattern})\b", words, re.IGNORECASE):
            return name
    return None
