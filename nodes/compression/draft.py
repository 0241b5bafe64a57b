"""A history taken apart: what can go, and what the messages look like once it has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from nodes.compression.atoms import Atom, Atoms, Part
from nodes.compression.counting import CHARACTERS_PER_TOKEN, TOKENS_PER_IMAGE, tokens_of
from nodes.compression.fields import Fields, read_json
from nodes.compression.prose import Prose
from nodes.compression.spans import Group, turns_of
from nodes.compression.view import CUT, View, rewritten, user_message, with_note

HEADER: Final = "[Shortened history:"
FOOTER: Final = "]"
_LIKE_ANOTHERS: Final = re.compile(r"\s*(?:[\[\]]|\w+:)")
"""What an assistant's line is not to begin with, as it is the only one without a name before it."""


class Range(NamedTuple):
    """Atoms from the first up to, and without, the last."""

    first: int
    end: int


class Written(NamedTuple):
    """A message or a line of the digest, as long as the same atoms are alive."""

    state: bytes
    content: Any
    tokens: int


class Draft:
    """A history whose atoms and groups can be taken out and put back.

    `alive` has a byte for each atom; `standing` one for each message. A message whose group no
    longer stands is told in the digest, by what is alive of it.
    """

    def __init__(self, views: Sequence[View]) -> None:
        self.views = views
        self.turns = turns_of(views)
        self.atoms = Atoms()
        self.documents: list[list[Prose | Fields | int]] = []
        """For each message, its texts; a number is the atom of an image."""
        self.arguments: list[list[Fields]] = []
        """For each message, what its calls were given; only the digest tells it."""
        self.texts: list[Range] = []
        """For each message, the atoms of its texts."""
        self.calls: list[Range] = []
        """For each message, the atoms of its calls."""
        for view in views:
            self._read(view)
        self.restore()
        self.tokens = [tokens_of(view.message) for view in views]
        self.summary = ""
        self._messages: dict[int, Written] = {}
        self._lines: dict[int, Written] = {}

    def _read(self, view: View) -> None:
        first = len(self.atoms)
        self.documents.append([self._document(text) for text in view.texts])
        middle = len(self.atoms)
        self.arguments.append([Fields("", call.arguments, self.atoms) for call in view.calls])
        self.texts.append(Range(first, middle))
        self.calls.append(Range(middle, len(self.atoms)))

    def _document(self, text: str | None) -> Prose | Fields | int:
        if text is None:
            size = TOKENS_PER_IMAGE * CHARACTERS_PER_TOKEN
            return self.atoms.add(Atom(Part.MEDIA, 0, size, "", "", self.atoms.open_context()))
        value = read_json(text)
        return Prose(text, self.atoms) if value is None else Fields(text, value, self.atoms)

    def restore(self) -> None:
        """Put everything back."""
        self.alive = bytearray(b"\1") * len(self.atoms)
        self.standing = bytearray(b"\1") * len(self.views)
        self.has_header = True

    def says(self, place: int) -> bool:
        """Say whether a message calls a tool, or anything is left of its texts."""
        return bool(self.views[place].calls) or self.alive.find(1, *self.texts[place]) >= 0

    def put(self, group: Group, *, stands: bool) -> None:
        """Let a group stand in its place, or be told in the digest."""
        self.standing[group.first : group.end] = bytes([stands]) * (group.end - group.first)

    def messages(self) -> list[Any]:
        """Return the history as it stands, with the digest of the rest in its first message."""
        return [written.content for written in self._written()]

    def count(self) -> int:
        """Return what these messages take, by the approximate count."""
        return sum(written.tokens for written in self._written())

    def cut(self) -> int:
        """Return how many of the messages that stand have lost something."""
        return sum(
            self.alive.find(0, *self.texts[place]) >= 0
            for place, stands in enumerate(self.standing)
            if stands
        )

    def _written(self) -> list[Written]:
        places = [place for place, stands in enumerate(self.standing) if stands]
        written = [self._message(place) for place in places]
        if not (note := self._note()):
            return written
        sides = [self.views[place].side for place in places]
        opening = next((at for at, side in enumerate(sides) if side != "system"), len(sides))
        if sides[opening : opening + 1] == ["user"]:
            is_later = places[opening] < self.standing.index(0)
            message = with_note(written[opening].content, note, before=not is_later)
            written[opening] = Written(b"", message, tokens_of(message))
        else:
            message = user_message(note, like=self.views[0].message)
            written.insert(opening, Written(b"", message, tokens_of(message)))
        return written

    def _message(self, place: int) -> Written:
        first, end = self.texts[place]
        view = self.views[place]
        if self.alive.find(0, first, end) < 0:
            return Written(b"", view.message, self.tokens[place])
        state = bytes(self.alive[first:end])
        known = self._messages.get(place)
        if known is None or known.state != state:
            message = rewritten(view, [self._text(each) for each in self.documents[place]])
            known = self._messages[place] = Written(state, message, tokens_of(message))
        return known

    def _text(self, document: Prose | Fields | int) -> str | None:
        if isinstance(document, int):
            return None if self.alive[document] else CUT
        return document.render(self.alive)

    def _note(self) -> str:
        """Return the digest with its marks, or nothing if no message is missing."""
        if 0 not in self.standing:
            return ""
        told = "\n".join(line for line in [self.summary, *self._digest()] if line)
        if told:
            return f"{HEADER}\n{told}{FOOTER}"
        return f"{HEADER} {CUT}{FOOTER}" if self.has_header else ""

    def _digest(self) -> Iterator[str]:
        """Yield a line for each message that does not stand, of what is alive of it."""
        for place, stands in enumerate(self.standing):
            first, end = self.texts[place].first, self.calls[place].end
            if stands or self.alive.find(1, first, end) < 0:
                continue
            state = bytes(self.alive[first:end])
            known = self._lines.get(place)
            if known is None or known.state != state:
                known = self._lines[place] = Written(state, self._line(place), 0)
            yield known.content

    def _line(self, place: int) -> str:
        view = self.views[place]
        told = [
            f"{call.name}({given.digest(self.alive)})"
            for call, given in zip(view.calls, self.arguments[place], strict=True)
            if self.alive.find(1, given.first, given.end) >= 0
        ]
        told += [
            each.digest(self.alive)
            for each in self.documents[place]
            if not isinstance(each, int) and self.alive.find(1, each.first, each.end) >= 0
        ]
        line = " ".join("; ".join(told).splitlines())  # so that nobody can make up another's line
        is_plain = view.side == "assistant" and not _LIKE_ANOTHERS.match(line)
        return line if is_plain or not line else f"{view.side}: {line}"
