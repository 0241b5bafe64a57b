"""A text as sentences, each with the values in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from nodes.compression.atoms import Atom, Atoms, Part
from nodes.compression.mentions import Kind, Mention, kind_of_text, mentions_of
from nodes.compression.view import CUT

LONGEST_SENTENCE: Final = 240
LONGEST_FIELD_LINE: Final = 90
_END: Final = re.compile(r"[.!?][ \t]|[\n\u3002\uff01\uff1f]\n*")
_PAUSE: Final = re.compile(r"(?<=[,;\uff0c\uff1b\u3001\s])")
_FIELD: Final = re.compile(
    r"(?P<name>[^\W\d][\w .()-]{0,30}?)\s?[:=]\s*"
    r"(?P<value>[^\s=:(){}\[\];]+(?: [^\s(){}\[\];]+){0,4})\s*\Z"
)
_PROSE: Final = Part.PROSE
_VALUE: Final = Part.VALUE
_CODE_SIGNS: Final = re.compile(r"[(){}\[\];=]|^\s{2,}|\"\"\"")


class Sentence(NamedTuple):
    """A sentence, or a line of code or output."""

    start: int
    end: int
    atom: int
    """What stands around its values; their atoms follow it."""
    values_end: int
    """The atom after its last value."""


class Prose:
    """A text that is cut by sentences, and within them to their values."""

    def __init__(self, source: str, atoms: Atoms, key: str = "") -> None:
        self.source = source
        self.first = len(atoms)
        self.sentences: list[Sentence] = []
        self.spans: dict[int, slice] = {}
        """For the atom of each value, where it stands."""
        mentions = mentions_of(source)
        place = 0
        for start, end in _bounds(source, mentions):
            begun = place
            while place < len(mentions) and mentions[place].start < end:
                place += 1
            self._add(start, end, mentions[begun:place], (atoms, key))
        self.end = len(atoms)

    def _add(self, start: int, end: int, mentions: list[Mention], into: tuple[Atoms, str]) -> None:
        atoms, key = into
        line = self.source[start:end]
        context = atoms.open_context(line)
        atom = atoms.add(Atom(_PROSE, 0, end - start, line.strip(), key, context))
        is_short = end - start <= LONGEST_FIELD_LINE and (":" in line or "=" in line)
        if is_short and (field := _FIELD.match(line)):
            kind = kind_of_text(field["value"])
            row = Atom(_VALUE, int(kind), len(line), field["value"], field["name"], context)
            self.spans[atoms.add(row)] = slice(start, start + field.end("value"))
        else:
            for mention in _telling(line, start, mentions):
                text = self.source[mention.start : mention.end]
                row = Atom(_VALUE, int(mention.kind), len(text) + 2, text, key, context)
                self.spans[atoms.add(row)] = slice(mention.start, mention.end)
        self.sentences.append(Sentence(start, end, atom, len(atoms)))

    def render(self, alive: bytearray) -> str:
        """Return what is left, with a mark where something was cut."""
        if alive.find(0, self.first, self.end) < 0:
            return self.source
        written: list[str] = []
        is_cut = False
        for start, end, atom, values_end in self.sentences:
            if alive[atom]:
                if is_cut:
                    written.append(f"{CUT} ")
                written.append(self.source[start:end])
                is_cut = False
                continue
            is_cut = True
            if alive.find(1, atom, values_end) >= 0:
                atoms = (each for each in range(atom + 1, values_end) if alive[each])
                left = [self.source[self.spans[each]] for each in atoms]
                written.append(f"{CUT} {', '.join(left)} ")
        if is_cut:
            written.append(CUT)
        return "".join(written)

    def digest(self, alive: bytearray) -> str:
        """Return what is left for a line of the digest."""
        return self.render(alive).strip()


def _telling(line: str, start: int, mentions: list[Mention]) -> list[Mention]:
    """Return the values of a sentence that tell something alone.

    A capital that only begins the sentence is none; nor are the names in a line of code, which
    say something only as a line.
    """
    if not mentions:
        return mentions
    if max(mention.kind for mention in mentions) <= Kind.CODE and _CODE_SIGNS.search(line):
        return []
    first = mentions[0]
    if first.kind is Kind.NAME and first.start - start < 2:  # noqa: PLR2004  behind a quote
        opener = line[first.start - start : first.end - start]
        if " " not in opener and not opener.isupper():
            return mentions[1:]
    return mentions


def _bounds(source: str, mentions: list[Mention]) -> Iterator[tuple[int, int]]:
    """Yield where each sentence begins and ends; what is too long is cut at a pause."""
    start = place = 0
    for end in [*(found.end() for found in _END.finditer(source)), len(source)]:
        while end - start > LONGEST_SENTENCE:
            middle, latest = start + LONGEST_SENTENCE // 2, start + LONGEST_SENTENCE
            pause = _PAUSE.search(source, middle, latest)
            cut = pause.end() if pause else latest
            while place < len(mentions) and mentions[place].end <= cut:
                place += 1
            if place < len(mentions) and mentions[place].start < cut:
                cut = mentions[place].end
            yield start, cut
            start = cut
        if end > start:
            yield start, end
            start = end
