"""The words that are to be planned: the last user message, made easy to read."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestration.agents.team.quantities import number_in_words
from orchestration.planning.problems import NotUnderstoodError
from state.capability import AgentCapability
from state.conversation import SPOKESMAN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from state.jsonvalue import JsonObject, JsonValue
    from state.proposal import AgentCard, PlanningRequest

LONGEST_REQUEST: Final = 4_000
"""In characters; a longer one is refused unread."""
_LONGEST_EARLIER = 2_000
_EARLIER_MESSAGES = 20
_SAME = str.maketrans(
    {
        "\u2018": "'",
        "\u2019": "'",
        "\u02bc": "'",
        "`": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u201e": '"',
        "\u00ab": '"',
        "\u00bb": '"',
        "\u2212": "-",
        "\u2010": "-",
        "\u2011": "-",
        "\u2026": "...",
        "\u00d7": "x",
        "\uff04": "$",
    }
)
_LONG_DASH = re.compile(r"(?<=\S) *[\u2013\u2014](?![0-9]) *|(?<=\S) +-{1,3} +| *-> *| *\u2192 *")
_SHORT = {
    "tix": "tickets",
    "tonite": "tonight",
    "2nite": "tonight",
    "tmrw": "tomorrow",
    "tmr": "tomorrow",
    "2moro": "tomorrow",
    "u": "you",
    "ur": "your",
    "w/": "with",
    "b4": "before",
    "thru": "through",
    "mgr": "manager",
}
_SHORTENED = re.compile(
    rf"(?<![\w@.])(?:{'|'.join(map(re.escape, _SHORT))})(?![\w@])", re.IGNORECASE
)
_FOUR = re.compile(r"\b(tickets|seats|passes)\s+4\s+(?=[a-z])", re.IGNORECASE)
_TWICE = re.compile(r"\b([A-Za-z-]+)\s+\(([0-9]{1,6})\)")
_REPEATED = re.compile(r"([!?.,])\1+")


class Earlier(NamedTuple):
    """Something said before the request."""

    role: str
    text: str


def request_text(request: PlanningRequest) -> str:
    """Return the last user message of a request.

    Raises:
        NotUnderstoodError: There is none, or it is too long.
    """
    place = _last_user(request.messages)
    text = "" if place is None else text_of(request.messages[place].get("content"))
    if not text.strip():
        raise NotUnderstoodError(
            "There is no user message to plan; say what is to be done, for example "
            "'Book 10 tickets for tonight and update the CRM'."
        )
    if len(text) > LONGEST_REQUEST:
        raise NotUnderstoodError(
            f"The request has {len(text):,} characters; at most {LONGEST_REQUEST:,} are read. "
            "Say in fewer words what is to be done."
        )
    return readable(text)


def earlier_messages(request: PlanningRequest) -> list[Earlier]:
    """Return what was said before the request, the newest first; only users and assistants.

    Of single agents, as runs of tasks record them, only those that sell tickets are heard.
    """
    place = _last_user(request.messages) or 0
    said = [*request.history, *request.messages[:place]]
    found = [
        Earlier(str(message.get("role")), readable(text_of(message.get("content"))))
        for message in reversed(said[-_EARLIER_MESSAGES:])
        if isinstance(message, dict) and _is_heard(message, request.agents)
    ]
    return [item for item in found if item.text and len(item.text) <= _LONGEST_EARLIER]


def _is_heard(message: JsonObject, agents: Sequence[AgentCard]) -> bool:
    if message.get("role") != "assistant":
        return message.get("role") == "user"
    sells = str(AgentCapability.TICKET_PURCHASE)
    sellers = {card.agent_id for card in agents if sells in card.capabilities}
    return message.get("name", SPOKESMAN) in {SPOKESMAN, *sellers}


def text_of(content: JsonValue) -> str:
    """Return the text of a message's content: a string, or text parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = [part.get("text") for part in content if isinstance(part, dict)]
    return "\n".join(part for part in parts if isinstance(part, str))


def readable(text: str) -> str:
    """Return a text with one kind of quotes, dashes and spaces, and without pictures."""
    plain = unicodedata.normalize("NFC", text.translate(_SAME))
    kept = "".join(_kept(character) for character in plain)
    lines = (" ".join(line.split()) for line in kept.splitlines())
    joined = "\n".join(line for line in lines if line)
    joined = _TWICE.sub(lambda match: match[2] if _same_number(match) else match[0], joined)
    spelled = _SHORTENED.sub(lambda match: _SHORT[match[0].lower()], joined)
    return _REPEATED.sub(r"\1", _LONG_DASH.sub(" - ", _FOUR.sub(r"\1 for ", spelled)))


def _same_number(match: re.Match[str]) -> bool:
    """Whether `ten (10)` gives one number twice."""
    return number_in_words(match[1]) == int(match[2])


def _kept(character: str) -> str:
    if character == "\n":
        return character
    category = unicodedata.category(character)
    if category in {"So", "Sk", "Co", "Cn", "Cs", "Cc", "Zs", "Mn"} or category == "Zl":
        return " " if category != "Mn" else ""
    return "" if category == "Cf" else character


def _last_user(messages: Sequence[JsonObject]) -> int | None:
    for place in range(len(messages) - 1, -1, -1):
        if isinstance(messages[place], dict) and messages[place].get("role") == "user":
            return place
    return None
