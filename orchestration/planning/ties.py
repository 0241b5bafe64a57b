"""Ties between clauses: `after booking the tickets`, `once it is approved`, `before you …`."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

from orchestration.planning.condition import About
from orchestration.planning.condition_words import read_condition


class Target(StrEnum):
    """What a tie leads to."""

    PREVIOUS = "previous"
    """What was said just before."""
    TASK = "task"
    """A task of the request, or a new one: `words` says which as a command."""
    APPROVAL = "approval"


class Tie(NamedTuple):
    """That a clause comes after, or before, something else."""

    after: bool
    target: Target
    words: str
    """A command such as `book the tickets`, or what was said."""
    ordered: bool = False
    """Whether it orders what it mentions, as `after booking 5 tickets` does, and `once the tickets
    are booked` does not."""


_IRREGULAR = {
    "getting": "get",
    "putting": "put",
    "letting": "let",
    "setting": "set",
    "bought": "buy",
    "sent": "send",
    "got": "get",
    "made": "make",
    "told": "tell",
    "written": "write",
    "given": "give",
    "synced": "sync",
    "notified": "notify",
    "refunded": "refund",
}
_DOUBLED = re.compile(r"\w([^ls])\1$")
_E_VERBS = frozenset(
    [
        "purchas",
        "reserv",
        "arrang",
        "procur",
        "updat",
        "captur",
        "approv",
        "authoris",
        "authoriz",
        "notify",
        "mak",
        "creat",
        "prepar",
        "generat",
        "mov",
        "clos",
        "fil",
        "expens",
        "charg",
        "schedul",
        "giv",
        "tak",
        "hir",
        "secur",
        "writ",
        "organis",
        "organiz",
        "complet",
        "produc",
        "issu",
    ]
)
_GERUND = re.compile(
    r"(?:you\s+(?:start|begin)\s+)?(?P<verb>[a-z]+(?:-[a-z]+)?ing)\b\s*(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
_FINITE = re.compile(
    (
        r"(?:you|we|i)(?:'ve|\s+have|\s+had)?\s+(?:do\s+"
        r"|go\s+(?:ahead\s+)?and\s+)?(?P<verb>[a-z]+)\b\s*(?P<rest>.*)"
    ),
    re.IGNORECASE | re.DOTALL,
)
_PASSIVE = re.compile(
    r"(?:the\s+|these\s+|those\s+|our\s+|all\s+(?:the\s+)?|their\s+|his\s+|her\s+"
    r"|an?\s+)?(?P<thing>[\w' -]*?)\s*(?:'s|'re|\b(?:is|are|was|were|has\s+been"
    r"|have\s+been|gets?|got|comes?|goes|went|get))\s+(?:all\s+|been\s+"
    r"|successfully\s+|safely\s+)?"
    r"(?P<done>\w+(?:\s+(?:off|in|out|up|place|through))?)(?:\s+(?:in|to|with"
    r"|for)\s+(?:the\s+)?[\w ]+)?",
    re.IGNORECASE,
)
_MERELY = re.compile(r"(?:when|whenever)\b")
"""`when you book 10 tickets` does not order any."""
_PREVIOUS = re.compile(
    (
        r"(?:that|this|it|everything|all(?:\s+(?:of\s+)?(?:that|this))?|doing\s+(?:so"
        r"|that|this|it)|you\s+(?:do|have\s+done)\s+(?:so|that|it)|(?:that|this|it|which"
        r"|everything)(?:'s|\s+is|\s+has\s+been)?\s+(?:all\s+)?(?:done|complete[d]?"
        r"|finished|through|sorted|in\s+place|taken\s+care\s+of)|you(?:'re"
        r"|\s+are)\s+done(?:\s+with\s+(?:that|this))?|done|finished|confirmation"
        r"|completion|(?:it|that|this|they)(?:'s|'ve|\s+(?:is|are|has|have))(?:\s+been)?\s+(?:all\s+)?"
        r"(?:generated|created|prepared|made|recorded|updated|opened|processed|submitted|sent|noted"
        r"|saved|placed|completed)|you(?:'ve"
        r"|\s+have)\s+(?:done|finished)(?:\s+(?:that|this|it))?"
        r"|anything(?:\s+(?:else|happens|(?:is|gets)\s+\w+))?|the\s+rest)"
    ),
    re.IGNORECASE,
)
_COMMANDS = (
    (r"(?:tickets?|seats?|booking|purchase|order|reservation)", "book the tickets"),
    (r"(?:crm)(?:\s+(?:update|entry))?", "update the crm"),
    (r"(?:expenses?|costs?|spend)", "log the expense"),
    (r"(?:leave|vacation|time\s+off|leave\s+request|days\s+off)", "request leave"),
    (r"on-?boarding", "start onboarding"),
    (r"(?:proposal|quote|offer)", "create the proposal"),
    (r"(?:opportunity|deal)", "create the opportunity"),
    (r"(?:text|sms|message|notification)s?", "send the sms"),
    (r"budget(?:\s+check)?", "check the budget"),
    (r"(?:cancellation|refund)", "cancel the order"),
)


def read_tie(word: str, said: str, *, whole: str = "") -> Tie | None:
    """Return what `after …`, `once …`, `before …` ties a clause to; None if that is unknown."""
    plain = re.sub(r"\s+", " ", said).strip(" ,.;:!")
    lowered = word.lower()
    after = not lowered.startswith(("before", "prior", "ahead"))
    if lowered.startswith(("until", "till", "without")):
        after = True
    if re.match(r"(?:but\s+|and\s+)?not\s+(?:before|until)", whole, re.IGNORECASE):
        after = True
    if _PREVIOUS.fullmatch(plain):
        return Tie(after, Target.PREVIOUS, plain)
    condition = read_condition(plain)
    if condition is not None and condition.about is About.APPROVED:
        return Tie(after, Target.APPROVAL, plain)
    if lowered.startswith(("subject", "pending", "upon")) or re.match(
        (
            r"(?:getting|obtaining|receiving|asking|you\s+get|we\s+get"
            r"|having)\b.*(?:approv|permission|sign|manager|boss|\bok\b)"
        ),
        plain,
        re.IGNORECASE,
    ):
        return Tie(after, Target.APPROVAL, plain)
    command = _command(plain)
    ordered = bool(
        _GERUND.fullmatch(plain) or (_FINITE.fullmatch(plain) and not _MERELY.match(lowered))
    )
    return None if command is None else Tie(after, Target.TASK, command, ordered)


def command_words(said: str) -> str | None:
    """Return `book the tickets` for `booking the tickets`, `the tickets` and the like."""
    return _command(re.sub(r"\s+", " ", said).strip(" ,.;:!"))


def _command(plain: str) -> str | None:
    if match := re.fullmatch(
        r"(?:the\s+|that\s+|this\s+|your\s+)?(?P<thing>[\w -]+)", plain, re.IGNORECASE
    ):
        for pattern, command in _COMMANDS:
            if re.fullmatch(pattern, match["thing"], re.IGNORECASE):
                return command
    if alone := _of_thing_done("", plain):
        return alone  # `when confirmed`
    if match := _PASSIVE.fullmatch(plain):
        return _of_thing(match["thing"]) or _of_thing_done(match["thing"], match["done"])
    for form in (_GERUND, _FINITE):
        if (match := form.fullmatch(plain)) and match["rest"]:
            return f"{base_verb(match['verb'])} {match['rest']}".strip()
    return None


def _of_thing(thing: str) -> str | None:
    words = thing.strip()
    for pattern, command in _COMMANDS:
        if re.search(rf"\b{pattern}\b", words, re.IGNORECASE):
            return command
    return None


_DONE = (
    (r"booked|bought|purchased|reserved|ordered|confirmed|secured|paid", "book the tickets"),
    (r"logged|expensed|filed", "log the expense"),
    (r"onboarded|hired", "start onboarding"),
    (r"drafted|written", "create the proposal"),
    (r"cancelled|canceled|refunded", "cancel the order"),
)


def _of_thing_done(thing: str, done: str) -> str | None:
    if re.match(r"(?:on-?boarded|hired)$", done, re.IGNORECASE):
        return "start onboarding"
    if thing.strip().lower() not in {
        "it",
        "that",
        "this",
        "they",
        "everything",
        "all",
        "these",
        "",
    }:
        return None
    return next((command for p, command in _DONE if re.match(p, done, re.IGNORECASE)), None)


def base_verb(verb: str) -> str:
    """Return a verb as a command has it: `booking` and `booked` become `book`."""
    word = verb.lower()
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            stem = word[: -len(ending)]
            if stem in _E_VERBS:
                return f"{stem}e"
            return stem[:-1] if _DOUBLED.search(stem) else stem
    return word
