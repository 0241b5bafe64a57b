"""Tasks that tell somebody something."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestration.agents.team.vocabulary import word_set
from orchestration.planning.approvals import approval_topic
from orchestration.planning.drafts import Draft
from orchestration.planning.problems import NotUnderstoodError, quoted
from orchestration.planning.quotes import MARK
from orchestration.planning.tails import PHONE
from orchestration.planning.vocabulary import Frame

if TYPE_CHECKING:
    from orchestration.planning.clauses import Clause
    from orchestration.planning.quotes import Text

_MARK = MARK.pattern
_EMAIL = re.compile(r"\be-?mails?\b|\bmail\b|@", re.IGNORECASE)
_MESSAGE = (
    r"(?:sms(?:es)?|text\s+messages?|texts?|messages?|confirmations?(?:\s+(?:sms|text"
    r"|message))?|sms\s+confirmations?|notifications?|reminders?|heads[\s-]+up|line|note"
    r"|order\s+confirmations?|booking\s+confirmations?|ticket\s+confirmations?)"
)
_FORMS = (
    (
        rf"(?:text|sms|message|send)\s+(?:the\s+following|this|it"
        rf"|that)(?:\s+{_MESSAGE})?\s+to\s+(?P<to>.+?)(?=\s*[:,]|\s*\ue000|$)(?P<rest>.*)"
    ),
    r"(?:let|keep)\s+(?P<to>.+?)\s+(?:know|posted|informed|in\s+the\s+loop|updated)\b(?P<rest>.*)",
    (
        rf"(?:give|drop|shoot|send)\s+(?P<to>(?!an?\b|(?:the|our|any"
        rf"|all)\s+(?:\w+\s+)?{_MESSAGE}|out\b|sms|text|it\b|that\b|this\b|confirm|notif"
        rf"|order).+?)\s+(?:an?|the|our)\s+(?:short\s+|quick\s+"
        rf"|brief\s+)?{_MESSAGE}(?P<rest>.*)"
    ),
    (
        rf"(?:send|shoot|drop)\s+(?:out\s+)?(?:(?:an?|the|our|any|all|it|that|this"
        rf"|another)\s*)?(?:short\s+|quick\s+|brief\s+)?(?:{_MESSAGE}|{_MARK}"
        rf"|details)?\s*(?:of\s+the\s+\w+\s+|about\s+it\s+|for\s+(?:it"
        rf"|the\s+\w+)\s+)?(?:to\s+(?P<to>.+?)(?=\s+(?:about|saying|that|with|when|once"
        rf"|by|via|for\s+the|reading|to\s+say|on\s+the|regarding|confirming)\b|\s*[:,]"
        rf"|$))?(?P<rest>.*)"
    ),
    (
        r"confirm\s+(?:it|this|that|the\s+\w+)?\s*(?:with|to)\s+(?P<to>.+?)(?=\s+(?:by"
        r"|via)\b|$)(?P<rest>.*)"
    ),
    (
        r"(?:an?\s+)?(?:sms|text)\s+to\s+(?P<to>.+?)(?=\s+(?:about|saying|that)\b"
        r"|\s*[:,]|$)(?P<rest>.*)"
    ),
    r"(?:sms|text)\s+confirmations?(?:\s+to\s+(?P<to>.+?))?(?=\s+(?:about|for)\b|$)(?P<rest>.*)",
    (
        rf"(?P<verb>text|sms|notify|inform|alert|ping|remind|cc|message|tell"
        rf"|update)(?:\s+{_MARK}\s+to|\s+in)?\s+(?P<to>.+?)(?=\s+(?:about|saying|that"
        rf"|of\s+the|to\s+(?!(?-i:[A-Z]))\w+|with|when|on\s+(?:this|that|it|the)|by|via"
        rf"|via|regarding|reading|for\s+the|as\s+well)\b|\s*[:]|\s*,?\s*\ue000"
        rf"|$)(?P<rest>.*)"
    ),
)
_DETAILS = (
    r"(?:text|sms|send|message)\s+(?P<to>(?:(?:the|our|my)\s+)?[\w' -]+?)\s+(?:the|all\s+the|all)"
    r"\s+(?:(?:order|booking|ticket|purchase|event|final)\s+)?"
    r"(?:details|info|information|confirmation)(?P<rest>.*)"
)
"""`text Bob the details` gives no words of its own."""
_READ = tuple(re.compile(form, re.IGNORECASE | re.DOTALL) for form in (_DETAILS, *_FORMS))
_GENERIC = word_set(
    "the our my his their all a an team teams everyone everybody client clients "
    "customer customers buyer buyers me us her people staff "
    "attendees guests group department sales finance hr marketing operations "
    "management office company whole it colleagues participants requester events "
    "crew folks guys manager boss someone"
)
_TO_BODY = re.compile(r"^\s*to\s+(?P<what>(?!say\b)\w+.*)$", re.IGNORECASE | re.DOTALL)
_THAT = re.compile(
    (
        r"^\s*(?:,\s*)?(?:(?:to\s+(?:say|confirm|tell\s+\w+|let\s+\w+\s+know"
        r"|inform\s+\w+)|confirming|saying)(?:\s+that)?|that|about\s+the\s+fact\s+that"
        r"|how)\s+(?P<what>.+)$"
    ),
    re.IGNORECASE | re.DOTALL,
)
PRONOUNS: Final = frozenset({"him", "her", "them"})
"""Recipients who were named before."""
_CLAIMS = re.compile(
    r"\b(?:tickets?|book(?:ed|ing)|order(?:ed)?|purchased?|seats?|confirmed|bought|all\s+set"
    r"|sorted|done|cancelled|canceled|refunded|approved)\b",
    re.IGNORECASE,
)
_DONE = re.compile(
    r"\b(?:booked|ordered|purchased|confirmed|bought|reserved|secured|all\s+set|sorted|done)\b",
    re.IGNORECASE,
)
_REST = word_set(
    "confirmations notifications reminders messages texts orders out to everyone "
    "about the it that this by via sms text message with details confirmation of for "
    "booking tickets ticket order purchase and when once on as well too result "
    "results outcome "
    "on their his her phone mobile our a an update everything deal proposal leave "
    "onboarding opportunity new expense dates date to crm regarding event game "
    "concert seats approval approved happens done happened them today cost price "
    "total amount know budget plan trip confirming confirm number status please also "
    "progress quote offer request time off days vacation"
)


class Said(NamedTuple):
    """To whom, and what."""

    recipients: list[str | None]
    """A phone number or a name; None for whoever an order belongs to."""
    body: str | None
    spoken: bool
    """Whether the request gives the very words."""


def notification(
    frame: Frame, clause: Clause, words: str, *, text: Text, email: bool
) -> list[Draft]:
    """Plan messages, one for each recipient.

    Raises:
        NotUnderstoodError: It is not clear who is to get what.
    """
    if _EMAIL.search(MARK.sub(" ", words)) and not email:
        raise NotUnderstoodError(
            f"{quoted(clause.quote)} wants an e-mail, and no agent here sends any. "
            f"Messages go out by SMS: say "
            "for example 'text Alice: the bus leaves at six'."
        )
    said = _read(clause, words, text)
    return [_draft(frame, clause, words, said=said, recipient=to) for to in said.recipients]


def _draft(frame: Frame, clause: Clause, words: str, *, said: Said, recipient: str | None) -> Draft:
    draft = Draft(
        name=frame.name,
        capability=str(frame.capability),
        message="Send an SMS confirmation",
        quote=clause.quote,
        clause=clause,
        fields={"action": frame.action},
        topic=_topic(words),
    )
    if recipient is not None:
        draft.fields["to"] = recipient
        draft.message = f"Send an SMS to {recipient}"
    if said.body is not None:
        draft.fields["body"] = said.body
        draft.message += f": {said.body}"
    if said.body is not None and recipient is None:
        draft.missing = (
            f"Who shall get the message in {quoted(clause.quote)}? Give a name or a "
            f"phone number, for example 'text Alice: ...'."
        )
    if said.body is None and recipient is not None:
        draft.missing = (
            f"What shall the message in {quoted(clause.quote)} say? Say for example "
            f"'text {recipient}: the bus leaves at six'."
        )
    draft.refers = said.body is None or bool((_DONE if said.spoken else _CLAIMS).search(said.body))
    return draft


def _topic(words: str) -> str | None:
    topic = approval_topic(
        re.sub(r"\b(?:text|sms|message)s?\b", " ", MARK.sub(" ", words), flags=re.IGNORECASE)
    )
    return None if topic == "notification" else topic


def _read(clause: Clause, words: str, text: Text) -> Said:
    for pattern in _READ:
        match = pattern.fullmatch(words.strip())
        if match is None:
            continue
        recipients = _recipients(match["to"], clause)
        spoken = text.spoken(words)
        if spoken is not None:
            return Said(recipients, _checked(spoken, clause), spoken=True)
        body = _body(words, match["rest"], clause)
        return Said(recipients, body, spoken=False)
    raise NotUnderstoodError(
        f"{quoted(clause.quote)} does not tell who shall get which message; say for "
        f"example 'text Alice: the bus leaves at six'."
    )


def _checked(body: str, clause: Clause) -> str:
    if not body:
        raise NotUnderstoodError(
            f"The message in {quoted(clause.quote)} is empty; say what it shall say."
        )
    return body


def _body(words: str, rest: str, clause: Clause) -> str | None:
    if match := _THAT.match(rest):
        return _sentence(match["what"])
    if (match := _TO_BODY.match(rest)) and not re.match(
        r"\s*to\s+(?:let|confirm|inform|tell|say)\b", rest
    ):
        beginning = "Reminder" if words.lower().startswith("remind") else "Please"
        return (
            f"{beginning}: {match['what'].strip(' .')}."
            if beginning == "Reminder"
            else f"{beginning} {match['what'].strip(' .')}."
        )
    if words.lower().startswith("remind") and (
        match := re.match(r"\s*(?:about|of)\s+(?P<what>.+)$", rest, re.IGNORECASE)
    ):
        return f"Reminder: {match['what'].strip(' .')}."
    unread = [
        word
        for word in re.findall(r"[\w'-]+", PHONE.sub(" ", rest))
        if word.lower() not in _REST and not word[0].isupper()
    ]
    if unread:
        raise NotUnderstoodError(
            f"{quoted(' '.join(unread))} in {quoted(clause.quote)} was not "
            f"understood. Give the words to send after a colon or in quotation marks."
        )
    return None


def _sentence(words: str) -> str:
    plain = words.strip(" .,")
    return f"{plain[0].upper()}{plain[1:]}." if plain else plain


def _recipients(said: str | None, clause: Clause) -> list[str | None]:
    if said is None:
        return [None]
    found: list[str | None] = []
    for part in re.split(r"\s*,\s*(?:and\s+)?|\s+(?:and|&)\s+", said.strip(" .,")):
        name = _recipient(part, clause)
        if name not in found:
            found.append(name)
    if len(found) > 1 and None in found:
        found.remove(None)
    return found


def _recipient(part: str, clause: Clause) -> str | None:
    plain = re.sub(r"^(?:to|both|also)\s+", "", part.strip(" .,"), flags=re.IGNORECASE)
    if match := PHONE.search(plain):
        return match[0]
    if re.fullmatch(r"[0-9]{3,6}", plain):
        return plain
    if all(
        word.lower().strip("'s") in _GENERIC or word.lower() in _GENERIC for word in plain.split()
    ):
        return None
    name = re.sub(r"^(?:my|our|the|your)\s+(?:[a-z]+\s+)?(?=[A-Z])", "", plain)
    name = re.sub(r"\s+(?:at|from|in)\s+.*$", "", name)
    if re.fullmatch(r"[^\W\d_][\w.'-]*(?:\s+[A-Z][\w.'-]*){0,2}", name) and "'" not in name[:-2]:
        return name
    raise NotUnderstoodError(
        f"Who is {quoted(part)} in {quoted(clause.quote)}? Give a name or a phone "
        f"number, for example 'text Alice: ...'."
    )
