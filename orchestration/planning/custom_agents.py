"""Agents and capabilities that nobody here has words for: matched by their own names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestration.planning.drafts import Draft
from state.capability import AgentCapability

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestration.planning.clauses import Clause
    from state.proposal import AgentCard

_ASK = re.compile(
    (
        r"(?:ask|tell|have|get|let|instruct"
        r"|request)\s+(?:the\s+)?(?P<who>[\w-]+?)(?:\s+(?:agent|team|department"
        r"|desk))?\s*(?:,|:)?\s+(?:to\s+)?(?P<what>\S.*)$"
    ),
    re.IGNORECASE | re.DOTALL,
)
_ENDINGS = re.compile(r"(?:ing|ings|ment|tion|ation|s|ed|e|al|y|ance|ence|ion)$")
_KNOWN = frozenset(map(str, AgentCapability.known()))


def asked_agent(words: str, agents: Sequence[AgentCard]) -> tuple[AgentCard, str] | None:
    """Return the agent that is asked by its id, and what it is asked."""
    match = _ASK.match(words)
    if match is None:
        return None
    wanted = match["who"].lower().replace("-", "_")
    card = next(
        (card for card in agents if card.agent_id.lower().replace("-", "_") == wanted), None
    )
    return None if card is None else (card, match["what"])


def agent_task(clause: Clause, words: str, agents: Sequence[AgentCard]) -> Draft | None:
    """Return a task for the agent that is asked by its id, unless the rules know its work."""
    asked = asked_agent(words, agents)
    if asked is None or _KNOWN & set(asked[0].capabilities):
        return None
    card, what = asked
    return Draft(
        name=re.sub(r"\W+", "_", card.agent_id),
        capability=None,
        agent_id=card.agent_id,
        message=_sentence(what),
        quote=clause.quote,
        clause=clause,
        effect=not card.read_only,
    )


def capability_task(clause: Clause, words: str, agents: Sequence[AgentCard]) -> Draft | None:
    """Return a task for a capability that nobody here has words for and that the words name."""
    found = named_capability(words, agents)
    if found is None or not _begins(words, found[1]):
        return None
    card, capability = found
    return Draft(
        name=re.sub(r"\W+", "_", capability),
        capability=capability,
        message=_sentence(words),
        quote=clause.quote,
        clause=clause,
        effect=not card.read_only,
    )


def named_capability(words: str, agents: Sequence[AgentCard]) -> tuple[AgentCard, str] | None:
    """Return the capability, all of whose words stand in `words`, and its agent."""
    stems = {_stem(word) for word in re.findall(r"[a-z]+", words.lower())}
    for card in agents:
        for capability in map(str, card.capabilities):
            wanted = {
                _stem(word)
                for word in capability.split("_")
                if word not in {"management", "information"}
            }
            if capability not in _KNOWN and wanted and wanted <= stems:
                return card, capability
    return None


def _begins(words: str, capability: str) -> bool:
    """Whether it is a command: begins with a verb, or with the capability's own words."""
    first = re.match(r"(?:please\s+)?(?:an?\s+|the\s+)?(?P<word>[a-z]+)", words, re.IGNORECASE)
    if first is None:
        return False
    return not re.match(
        r"(?:i|we|they|he|she|it|who|what|when|the|there|this|that|if)$",
        first["word"],
        re.IGNORECASE,
    ) or _stem(first["word"].lower()) in {_stem(part) for part in capability.split("_")}


def _stem(word: str) -> str:
    return _ENDINGS.sub("", word) if len(word) > 4 else word  # noqa: PLR2004


def _sentence(words: str) -> str:
    plain = words.strip(" .,")
    return plain[:1].upper() + plain[1:]
