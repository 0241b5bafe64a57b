"""Which values a history uses: how widely, where each is kept, and which records they make hot."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from nodes.compression.atoms import Part
from nodes.compression.draft import Draft, Range
from nodes.compression.view import Side

SIDE: Final[Mapping[Side, float]] = {
    "system": 1.0,
    "user": 2.0,
    "assistant": 1.0,
    "tool": 1.0,
    "other": 1.0,
}
"""What it says for a value that it stands there."""
CALLED: Final = 3.0
"""The same for what a call was given: it is likely to be given again."""
_VALUE: Final = Part.VALUE
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d(?=[T ])")
"""How people refer to a moment."""
PASSED_ON: Final = 0.3
ASKED_FOR: Final = 0.5
"""The share of a record's heat that its parts have, and the record that it is part of; the same of
how much it is asked for."""


class Source(NamedTuple):
    """The texts, or the calls, of a message."""

    place: int
    atoms: Range
    weight: float
    is_told: bool
    """Whether a system message or a tool says it, not one who talks."""


class Usage:
    """What is known of each value and of each sentence or record."""

    def __init__(self, draft: Draft) -> None:
        self.rows = draft.atoms.rows
        self.spread: dict[str, float] = {}
        """For each value, the weights of the messages that it stands in, added up."""
        self.carriers: dict[str, int] = {}
        """For each value, the atom that bears its worth: the last, or what stays."""
        self.sentences: dict[str, int] = {}
        """For each sentence, the atom of its prose that does."""
        self.heat = [0.0] * len(draft.atoms.contexts)
        """For each record of a result, how much of it was talked about or given to a call."""
        self.asked = [0.0] * len(draft.atoms.contexts)
        """For each record of a result, from 0 to 1, whether `ask` was told a value that it has."""
        self._homes: dict[str, set[int]] = {}
        self._talked: dict[str, None] = {}
        for source in _sources(draft):
            self._read(source, stays=draft.views[source.place].side == "system")
        self._parents = draft.atoms.parents
        self._warm(self.heat, self._talked, passed_on=PASSED_ON)

    def ask(self, values: Iterable[str]) -> None:
        """Note which records have these values, which the current turn names."""
        self._warm(self.asked, values, passed_on=ASKED_FOR)

    def _warm(self, heat: list[float], values: Iterable[str], *, passed_on: float) -> None:
        """Heat the records that have the values, what they are part of, and then their parts."""
        for value in values:
            homes = self._homes.get(value, ())
            for context in homes:
                heat[context] += len(homes) ** -1.5  # what many records have makes none hot
        parents = self._parents
        for context in range(len(parents) - 1, -1, -1):
            if (parent := parents[context]) >= 0:
                heat[parent] = max(heat[parent], heat[context] * passed_on)
        for context, parent in enumerate(parents):
            if parent >= 0:
                heat[context] = max(heat[context], heat[parent] * passed_on)

    def _read(self, source: Source, *, stays: bool) -> None:
        seen: set[str] = set()
        for atom in range(*source.atoms):
            row = self.rows[atom]
            value = row.value
            if not value:
                continue
            if row.part is not _VALUE:
                self.sentences[value] = atom
                continue
            self.carriers[value] = atom
            if value not in seen:
                seen.add(value)
                self.spread[value] = self.spread.get(value, 0.0) + source.weight
            if not source.is_told:
                self._talked[value] = None
            elif not stays:
                self._homes.setdefault(value, set()).add(row.context)
                if day := _DAY.match(value):
                    self._homes.setdefault(day.group(), set()).add(row.context)


def _sources(draft: Draft) -> Iterator[Source]:
    """Yield system messages last: what they hold need not be kept elsewhere."""
    places = range(len(draft.views))
    for place in sorted(places, key=lambda each: draft.views[each].side == "system"):
        side = draft.views[place].side
        yield Source(place, draft.texts[place], SIDE[side], side in {"tool", "system"})
        if draft.views[place].calls:
            yield Source(place, draft.calls[place], CALLED, is_told=False)
