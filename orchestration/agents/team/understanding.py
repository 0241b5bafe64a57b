"""What a message asks for: its clauses matched against what an agent can do.

An effect is never guessed. A command has to stand at the start of a clause, after
courtesies; a message that negates, takes back or makes a condition acts on nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from state.errors import AgentRefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

_COURTESY = re.compile(
    r"""\A(?:(?:hi|hello|hey|ok|okay|yes|so|now|also|then|and|but|well|thanks|thank\s+you|good\s+\w+|dear\s+\w+
         |team|there|first|next|finally|please|pls|kindly
         |(?:can|could|would|will)\s+you|(?:i|we)(?:'d|\s+would)\s+like(?:\s+you)?\s+to
         |(?:i|we)\s+(?:want|need)(?:\s+you)?\s+to|let's|go\s+ahead\s+and|help\s+me(?:\s+to)?
         |(?:can|could|may)\s+(?:i|we)(?=\s+(?:please\s+)?(?:get|have)\b))\b[\s,!.:-]*)+""",
    re.IGNORECASE | re.VERBOSE,
)
_VERBS = (
    "approve authori[sz]e book buy cancel check create draft expense file get grab how is list log "
    "make mark move notify onboard order prepare purchase record refund remind request reserve "
    "return send show sign submit take tell text update what when where which who write"
).replace(" ", "|")
_JOINING = "and|then|but|so|also|plus|please"
_BREAK = re.compile(
    rf"[.!?;]+(?:\s+|$)|\n+|(?:,\s*|\s+(?:{_JOINING})\b[,\s]*)(?:(?:{_JOINING})\b[,\s]*)*"
    rf"(?=(?:{_VERBS})\b)",
    re.IGNORECASE,
)
_NEGATED = re.compile(
    r"""\b(?:not|never|no(?!\.?\s*[0-9])|none|nobody|nothing|neither|nor|without|cannot|dont|wont|shouldnt|cant
         |stop|avoid|refrain|forget|abort|ignore|skip|hold\s+off|instead\s+of|rather\s+than
         |scratch\s+that|undo|reject|decline|deny|disapprove|refuse)\b|n't\b""",
    re.IGNORECASE | re.VERBOSE,
)
_CONDITIONAL = re.compile(
    r"\b(?:if|unless|in\s+case|provided|assuming|as\s+soon\s+as|(?<!at\s)once|until|maybe|perhaps"
    r"|might|(?:after|when|before)\s+(?:the|he|she|they|i|we|it))\b",
    re.IGNORECASE,
)
_IF_POSSIBLE = re.compile(r",?\s*\bif\s+(?:possible|you\s+can|you\s+please)\b", re.IGNORECASE)
_SPEECH = re.compile(
    r"(?::\s|\s(?:saying|that\s+says|with\s+the\s+note)\s)(?P<speech>.+)$", re.DOTALL
)


class Intent(NamedTuple):
    """A way of asking for an action."""

    action: str
    pattern: re.Pattern[str]
    """Matched at the start of a clause."""
    effect: bool = True
    """Whether the action changes anything; if so the message must not be in doubt."""
    speech: bool = False
    """Whether what follows a colon is words to pass on, and not part of the request."""


def asks(action: str, pattern: str, *, effect: bool = True, speech: bool = False) -> Intent:
    """Return an intent whose pattern ignores case."""
    return Intent(action, re.compile(pattern, re.IGNORECASE), effect, speech)


def intended(text: str, intents: Sequence[Intent]) -> Intent | None:
    """Return what a message asks for; None if nothing of it is understood.

    Raises:
        AgentRefusedError: It asks for several things, or takes back or makes depend
            what it asks for.
    """
    found: list[Intent] = []
    for clause in clauses(without_speech(text)):
        match = next((intent for intent in intents if intent.pattern.match(clause)), None)
        if match is not None:
            found.append(match)
    if not found:
        return None
    if len({intent.action for intent in found}) > 1 or sum(intent.effect for intent in found) > 1:
        actions = ", ".join(intent.action for intent in found)
        raise AgentRefusedError(
            f"{text[:120]!r} asks for several things at once ({actions}). Nothing was done; "
            "ask for one at a time."
        )
    if found[0].effect:
        refuse_doubt(text, speech=found[0].speech)
    return found[0]


def refuse_doubt(text: str, *, speech: bool) -> None:
    """Refuse to act on a message that negates or makes a condition.

    Args:
        text: The message.
        speech: Whether words after a colon are to be passed on, so that they may say anything.
    """
    said = _IF_POSSIBLE.sub("", without_speech(text) if speech else text)
    if negated := _NEGATED.search(said):
        raise AgentRefusedError(
            f"{text[:120]!r} says {negated[0]!r}, so nothing was done. "
            "Say what is to be done, in a sentence of its own."
        )
    if conditional := _CONDITIONAL.search(said):
        raise AgentRefusedError(
            f"{text[:120]!r} makes it depend on something ({conditional[0]!r}), which this agent "
            "cannot judge, so nothing was done. Ask without the condition."
        )


def clauses(text: str) -> list[str]:
    """Return the sentences and commands of a text, each without its courtesies."""
    pieces = [_COURTESY.sub("", piece.strip()) for piece in _BREAK.split(text)]
    return [piece.strip() for piece in pieces if piece.strip()]


def says(text: str, pattern: re.Pattern[str]) -> bool:
    """Tell whether one of the text's clauses is, from its start to its end, what is meant."""
    return any(pattern.fullmatch(clause) for clause in clauses(text))


def without_speech(text: str) -> str:
    """Return the text without the words that it wants passed on."""
    return _SPEECH.sub("", text)


def speech_in(text: str) -> str | None:
    """Return the words that a text wants passed on: what follows a colon or `saying`."""
    match = _SPEECH.search(text)
    return match["speech"].strip().strip("'\"") or None if match else None
