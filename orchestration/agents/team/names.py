"""Names of people, companies and events: which of the known ones is meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestration.agents.team.vocabulary import word_set
from state.errors import AgentRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable

_UNSAID = word_set(
    "a an the our my inc corp corporation ltd llc gmbh co company account customer client"
)
_MOST_LISTED = 12


def name_words(name: str) -> frozenset[str]:
    """Return the words that tell a name from others: lower case, no `the`, no `Inc`."""
    words = re.findall(r"[^\W_]+(?:[-.&][^\W_]+)*", re.sub(r"'s?\b|'$", "", name.lower()))
    return frozenset(words) - _UNSAID


def bare_name(phrase: str, *, never: frozenset[str]) -> str | None:
    """Return the name in a phrase, without the words before it that are `never` a name.

    Returns:
        None if nothing is left that may be a name.
    """
    words = phrase.strip(" '\"").split()
    while words and words[0].lower() in never:
        words = words[1:]
    return " ".join(words) or None


def matching(wanted: str, names: Iterable[str]) -> list[str]:
    """Return the names that `wanted` may mean: the same one, or else all with its words."""
    known = list(names)
    same = [name for name in known if name.casefold() == wanted.strip().casefold()]
    words = name_words(wanted)
    return same or [name for name in known if words and words <= name_words(name)]


def the_one(wanted: str, names: Iterable[str], *, kind: str) -> str:
    """Return the one known name that is meant.

    Raises:
        AgentRefusedError: None matches, or several do.
    """
    known = list(names)
    matches = matching(wanted, known)
    if len(matches) == 1:
        return matches[0]
    if matches:
        message = f"Which {kind} is {wanted!r}? It could be {_listed(matches)}. Nothing was done."
    else:
        message = f"There is no {kind} {wanted!r}; known are {_listed(known)}. Nothing was done."
    raise AgentRefusedError(message)


def _listed(names: list[str]) -> str:
    shown = ", ".join(sorted(names)[:_MOST_LISTED])
    return shown if len(names) <= _MOST_LISTED else f"{shown} and {len(names) - _MOST_LISTED} more"
