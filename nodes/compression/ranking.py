"""What goes first: how likely a later call needs each part of a history, per character."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from nodes.compression.atoms import Atom, Part
from nodes.compression.counting import CHARACTERS_PER_TOKEN
from nodes.compression.draft import Draft, Range
from nodes.compression.mentions import Kind
from nodes.compression.relevance import relevance
from nodes.compression.spans import Group
from nodes.compression.usage import Usage
from nodes.compression.view import Side

KIND: Final[Mapping[int, float]] = {
    int(Kind.PLAIN): 0.15,
    int(Kind.NUMBER): 0.15,
    int(Kind.NAME): 0.4,
    int(Kind.AMOUNT): 0.4,
    int(Kind.CODE): 0.6,
    int(Kind.IDENTIFIER): 1.0,
    int(Kind.PATH): 1.5,
}
"""The worth of a value that stands there once."""
UNNAMED: Final[Mapping[int, float]] = {int(Kind.NUMBER): 0.4, int(Kind.NAME): 0.5}
"""What is left of it where no field names the value and it is not the user who says it."""
PROSE: Final = 0.003
"""The worth of a character of prose, where that of an identifier of ten is 0.08."""
SAID_BY_USER: Final = 1.5
SHOWN: Final = 0.3
FRESH: Final = 2.0
FADE: Final = 2.0
"""How much that is more for what a user says, for an image, for the text of a fresh result."""
STANDING: Final = 0.0025
"""The worth of a character that it takes to keep a group in its place, not in the digest."""
REPEATED: Final = 0.005
"""What is left of a value's worth where it is kept elsewhere."""
NAMED: Final = 1.6
"""For fields whose name is that of an argument, or ends like that of an id."""
ID_NAMES: Final = ("id", "ids", "number", "code")
_VALUE, _LAYOUT, _MEDIA = Part.VALUE, Part.LAYOUT, Part.MEDIA
_ENDING: Final = re.compile(r"(?:_?ids?|_?number|_?code|s)\Z")
HOT: Final = 3.0
RELEVANT: Final = 1.5
ASKED: Final = 2.0
"""What heat and relevance of 1 add to a worth of 1, and that the user's last message names an id of
the record."""
ASKED_PLACE: Final = 4.0
"""The same for the place of a group."""
FLOOR: Final = 0.3
"""The share of a value's worth that age does not touch."""
DECAY: Final = 4.0
CROWD: Final = 0.2
CROWD_IN_TEXT: Final = 0.65
"""Exponents: one of many values of its kind, or field, in a message is less likely the one."""
LATER: Final = 0.3
"""The share that the last of them loses against the first, which is likelier to come next."""
LATEST_OF_USER: Final = 8.0
LATEST: Final = 1.4
"""How much more the latest of the user, and the last call's result, is worth."""
WHOLE: Final[Mapping[Side, float]] = {"user": 0.5, "assistant": 0.4, "tool": 0.25, "other": 0.4}
"""Shares of the budget up to which the latest messages stay as they are."""
LEAST_REST: Final = 10
"""Tokens that system messages leave to the user's last one, however long they are."""
RESULT_STAYS: Final = 1e3
GROUP_STAYS: Final = 2e3
SYSTEM_STAYS: Final = 3e3
QUESTION_STAYS: Final = 4e3
"""What goes only after everything of an ordinary worth, in this order: the last call's result, its
place, system messages, the user's last message."""


class Ranking:
    """The worth of every atom and group of a draft, for a budget.

    Args:
        draft: The history.
        focus: Open tasks, in words.
        budget: Tokens for all messages, system messages included.
    """

    def __init__(self, draft: Draft, *, focus: Sequence[str], budget: int) -> None:
        self.draft = draft
        self.rows = draft.atoms.rows
        self.latest = latest_of(draft)
        self.recency = self._recency()
        self.relevance = relevance(draft, latest=self.latest, focus=focus)
        self.usage = Usage(draft)
        self.usage.ask(self._question())
        self.interest = [
            (1 + RELEVANT * told) * (1 + HOT * min(1.0, heat)) * (1 + ASKED * min(1.0, asked))
            for told, heat, asked in zip(
                self.relevance, self.usage.heat, self.usage.asked, strict=True
            )
        ]
        """For each sentence and record, by what its values are worth more."""
        self.asked = [self._asked(texts) for texts in draft.texts]
        """For each message, how much the user's last one asks for a record that it has."""
        self._wanted: dict[str, bool] = {}
        self.arguments = {
            _stem(self.rows[atom].key) for atoms in draft.calls for atom in range(*atoms)
        } - {""}
        system = sum(
            tokens
            for tokens, view in zip(draft.tokens, draft.views, strict=True)
            if view.side == "system"
        )
        self.is_tight = budget - system < min(LEAST_REST, self._tokens_of_question())
        """Whether system messages leave so little that they are cut like the rest."""
        self.rest = budget if self.is_tight else budget - system
        """Tokens for what is not a system message."""
        self.worths = self._worths()

    def of_group(self, group: Group) -> float:
        """Return the worth of a group's place, for each character that it takes."""
        asked = max(self.asked[group.first : group.end])
        return STANDING * (0.5 + 0.5 * self.recency[group.first]) * (1 + ASKED_PLACE * asked)

    def _asked(self, texts: Range) -> float:
        contexts = (self.rows[atom].context for atom in range(*texts))
        return min(1.0, max((self.usage.asked[each] for each in contexts if each >= 0), default=0))

    def _question(self) -> list[str]:
        """Return the ids and the like that the user's last message names."""
        asked = [place for place in self.latest if self.draft.views[place].side == "user"]
        atoms = (atom for place in asked for atom in range(*self.draft.texts[place]))
        rows = (self.rows[atom] for atom in atoms)
        return [row.value for row in rows if row.part is _VALUE and row.kind >= Kind.CODE]

    def _tokens_of_question(self) -> int:
        users = (place for place in self.latest if self.draft.views[place].side == "user")
        return sum(self.draft.tokens[place] for place in users)

    def _recency(self) -> list[float]:
        """Return 1 for the newest message, less for each token after a message."""
        total = sum(self.draft.tokens) + 1
        after = 0
        recency = []
        for tokens in reversed(self.draft.tokens):
            recency.append(1 / (1 + DECAY * after / total))
            after += tokens
        return recency[::-1]

    def _worths(self) -> list[float]:
        worths = [0.0] * len(self.rows)
        for place, view in enumerate(self.draft.views):
            factor, offset = self._standing_of(place, view.side)
            for atom, worth in self._of_atoms(place, self.draft.texts[place]):
                worths[atom] = worth * factor + offset
            for atom, worth in self._of_atoms(place, self.draft.calls[place]):
                worths[atom] = worth
        return worths

    def _standing_of(self, place: int, side: Side) -> tuple[float, float]:
        """Return by what to multiply the worths of a message's texts, and what to add."""
        if side == "system":
            return LATEST_OF_USER, 0.0 if self.is_tight else SYSTEM_STAYS
        if place not in self.latest:
            return 1.0, 0.0
        size = sum(len(text or "") for text in self.draft.views[place].texts)
        is_whole = size <= CHARACTERS_PER_TOKEN * self.rest * WHOLE[side]
        if side == "user":
            return LATEST_OF_USER, QUESTION_STAYS if is_whole else 0.0
        return LATEST, RESULT_STAYS if is_whole else 0.0

    def _of_atoms(self, place: int, atoms: Range) -> list[tuple[int, float]]:
        rows = self.rows[atoms.first : atoms.end]
        counts = Counter(row.key or row.kind for row in rows)
        seen = dict.fromkeys(counts, 0)
        worths = []
        for atom, row in zip(range(*atoms), rows, strict=True):
            family = row.key or row.kind
            seen[family] += 1
            if not row.value:
                worth = self._of_rest(row, place)
            elif row.part is _VALUE:
                worth = self._of_value(row, place)
                worth *= counts[family] ** -(CROWD if row.key else CROWD_IN_TEXT)
                worth *= 1 - LATER * seen[family] / counts[family]
                worth *= 1.0 if self.usage.carriers[row.value] == atom else REPEATED
            else:
                worth = self._of_rest(row, place)
                worth *= 1.0 if self.usage.sentences[row.value] == atom else REPEATED
            worths.append((atom, worth))
        return worths

    def _of_rest(self, row: Atom, place: int) -> float:
        if row.part is _LAYOUT or row.part is _VALUE:
            return 0.0
        recency, side = self.recency[place], self.draft.views[place].side
        worth = PROSE * recency * (0.5 + self.relevance[row.context])
        if side == "tool":
            worth *= 1 + FRESH * recency**FADE
        elif side == "user":
            worth *= SAID_BY_USER
        return worth * SHOWN if row.part is _MEDIA else worth

    def _of_value(self, row: Atom, place: int) -> float:
        worth = KIND[row.kind]
        if not row.key and self.draft.views[place].side != "user":
            worth *= UNNAMED.get(row.kind, 1.0)
        worth *= FLOOR + (1 - FLOOR) * self.recency[place]
        worth *= self.interest[row.context] * math.sqrt(self.usage.spread[row.value])
        if row.key and self._is_wanted(row.key):
            worth *= NAMED
        return worth / (row.size + 2)

    def _is_wanted(self, name: str) -> bool:
        """Say whether a field is named like an argument or an id."""
        if (known := self._wanted.get(name)) is None:
            known = name.lower().endswith(ID_NAMES) or _stem(name) in self.arguments
            self._wanted[name] = known
        return known


def latest_of(draft: Draft) -> frozenset[int]:
    """Return the places of the last user's message and of the last group."""
    if not draft.turns:
        return frozenset()
    groups = draft.turns[-1].groups
    places = set(range(groups[-1].first, groups[-1].end))
    return frozenset(places | {groups[0].first} if draft.turns[-1].has_user else places)


def _stem(name: str) -> str:
    """Return what `reservation_id` and `reservations` have in common."""
    return _ENDING.sub("", name.lower())
