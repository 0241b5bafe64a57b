"""Takes out of a draft, the least worth first, what does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from nodes.compression.counting import CHARACTERS_PER_TOKEN
from nodes.compression.draft import Draft
from nodes.compression.ranking import GROUP_STAYS, Ranking
from nodes.compression.spans import Group, Turn

PROBES: Final = 24
"""Every second one halves what is left to search, so this is enough for thousands of moves."""
NEAR: Final = 0.005
"""The share of the budget that may be left over when the search ends."""
LEAST_WITH_HEADER: Final = 40
"""Tokens below which an empty digest is not worth its header."""
SMALL: Final = 0.15
"""The share of the budget up to which the last group keeps its place whatever it is worth."""
LEAST_PUT_BACK: Final = 5e-4
"""The worth below which nothing is put back to use up a budget."""
MOST_PUT_BACK: Final = 50


class Leaving(NamedTuple):
    """Groups that leave their places together."""

    groups: tuple[Group, ...]
    worth: float
    gain: int
    """Characters that it sets free, beside those of their texts."""


class Cutting:
    """A draft and the order in which its parts go; the first so many of them are taken.

    A move is the number of an atom that goes, or, from the number of atoms on, of groups that
    leave their places.
    """

    def __init__(self, draft: Draft, ranking: Ranking) -> None:
        self.draft = draft
        self.ranking = ranking
        self.leaving = [each for turn in draft.turns for each in self._of_turn(turn)]
        self.worths = [*ranking.worths, *(each.worth for each in self.leaving)]
        self.gains = [row.size for row in draft.atoms.rows]
        self.gains += [each.gain for each in self.leaving]
        self.moves = sorted(range(len(self.worths)), key=self.worths.__getitem__)
        self.taken = 0

    def _of_turn(self, turn: Turn) -> Iterator[Leaving]:
        """Yield the groups within a turn one by one, then its first and last together.

        The user's message of the latest turn never goes.
        """
        last = self.draft.turns[-1]
        inner = turn.groups[1:-1]
        outer = tuple(dict.fromkeys((turn.groups[0], turn.groups[-1])))
        for group in inner:
            yield Leaving((group,), self.ranking.of_group(group), self._overhead(group))
        if turn is last and turn.has_user:
            outer = turn.groups[1:][-1:]
        if not outer:
            return
        gain = sum(map(self._overhead, outer))
        worth = max(self.ranking.of_group(group) for group in (*inner, *outer))
        if turn is last and gain <= SMALL * CHARACTERS_PER_TOKEN * self.ranking.rest:
            worth = GROUP_STAYS
        yield Leaving(outer, worth, gain)

    def _overhead(self, group: Group) -> int:
        """Return the characters that a group takes beside its texts."""
        places = range(group.first, group.end)
        texts = sum(len(text or "") for place in places for text in self.draft.views[place].texts)
        tokens = sum(self.draft.tokens[place] for place in places)
        return max(0, CHARACTERS_PER_TOKEN * tokens - texts)

    def fit(self, tokens: int) -> bool:
        """Take as little as makes the draft fit; say whether it does."""
        self.draft.restore()
        self.draft.has_header = self.ranking.rest >= LEAST_WITH_HEADER
        self.taken = 0
        if self.draft.count() <= tokens:
            return True
        self._take(self._search(tokens))
        if self.taken == len(self.moves) and self.draft.count() > tokens:
            self.draft.has_header = False
            return self.draft.count() <= tokens
        self._clear()
        self._fill(tokens)
        return True

    def _search(self, tokens: int) -> int:
        """Return how many moves have to be taken; all, if nothing less fits."""
        low, high, place = 0, len(self.moves), 0
        excess = self.draft.count() - tokens
        for probe in range(PROBES):
            if high - low <= 1 or -NEAR * tokens <= excess <= 0:
                break
            guess = (low + high) // 2 if probe % 2 else self._guess(place, excess)
            place = min(max(guess, low + 1), high - 1)
            self._take(place)
            excess = self.draft.count() - tokens
            low, high = (low, place) if excess <= 0 else (place, high)
        return high

    def _take(self, number: int) -> None:
        goes = number > self.taken
        changed = self.moves[self.taken : number] if goes else self.moves[number : self.taken]
        alive, atoms = self.draft.alive, len(self.draft.alive)
        for move in changed:
            if move < atoms:
                alive[move] = not goes
            else:
                for group in self.leaving[move - atoms].groups:
                    self.draft.put(group, stands=not goes)
        self.taken = number

    def _guess(self, place: int, excess: int) -> int:
        """Return how many moves set so many tokens more free than now; fewer, if negative."""
        needed = CHARACTERS_PER_TOKEN * abs(excess)
        step = 1 if excess > 0 else -1
        while 0 < place + step < len(self.moves) and needed > 0:
            place += step
            needed -= self.gains[self.moves[place if step < 0 else place - 1]]
        return place if excess > 0 else place + 1

    def _clear(self) -> None:
        """Take turns out of their place that have nothing left to say there."""
        for turn in self.draft.turns[:-1]:
            stands = [group for group in turn.groups if self.draft.standing[group.first]]
            if not any(self.draft.says(group.first) for group in stands):
                for group in stands:
                    self.draft.put(group, stands=False)

    def _fill(self, tokens: int) -> None:
        """Put back what is worth most of what has gone and still fits."""
        alive = self.draft.alive
        slack = CHARACTERS_PER_TOKEN * (tokens - self.draft.count())
        back: list[int] = []
        for move in reversed(self.moves[: self.taken]):
            if self.worths[move] < LEAST_PUT_BACK or len(back) == MOST_PUT_BACK:
                break
            needed = self.gains[move] + CHARACTERS_PER_TOKEN
            if needed <= slack and move < len(alive):
                alive[move] = 1
                slack -= needed
                back.append(move)
        while back and self.draft.count() > tokens:
            for move in back[len(back) // 2 :]:
                alive[move] = 0
            del back[len(back) // 2 :]
