"""What stands in a card, as ids and words that may be used here."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

from orchestration.agents.addresses import told

if TYPE_CHECKING:
    from a2a.types import AgentCard

LONGEST_WORD: Final = 100


def agent_id_of(card: AgentCard) -> str:
    """Return an id made from an agent's name."""
    words = re.sub(r"[^a-z0-9_.-]+", "_", card.name.lower())
    return words.strip("_.-")[:64] or "agent"


def version_of(card: AgentCard) -> str:
    """Return an agent's version, with the letters only that versions have."""
    words = re.sub(r"[^A-Za-z0-9_.+-]+", "_", card.version.strip())
    return words.lstrip(".+-")[:50] or "1"


def text_of(said: str, *, longest: int) -> str:
    """Return what a card says in one line that no terminal and no log acts on."""
    plain = "".join(letter if letter.isprintable() else " " for letter in said)
    return " ".join(plain.split())[:longest]


def capabilities_of(card: AgentCard) -> list[str]:
    """Return ids and tags of the skills."""
    words = [word for skill in card.skills for word in (skill.id, *skill.tags)]
    return [
        word
        for word in words
        if len(word) <= LONGEST_WORD
        and word.isprintable()
        and word.replace("-", " ").replace("_", " ").strip()
    ]


def endpoint_id_of(url: str) -> str:
    """Return an endpoint's id made from where it is; what may be secret in that is not in it."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name_of(url).partition("://")[2]).strip("_.-")[:64]


def name_of(url: str) -> str:
    """Return what to call an address: what of it may be told, and a mark of what may not."""
    plain = told(url)
    return plain if plain == url else f"{plain} {hashlib.sha256(url.encode()).hexdigest()[:8]}"
