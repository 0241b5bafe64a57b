"""The smallest parts of a history that can be kept or go, as columns."""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Final, NamedTuple

_WORDS: Final = re.compile(r"\w+")


class Part(IntEnum):
    """What an atom is."""

    PROSE = 0
    """What stands around the values of a sentence."""
    VALUE = 1
    """A value in a sentence, or a field of a JSON text."""
    LAYOUT = 2
    """How a JSON text is written: spaces, line ends."""
    MEDIA = 3
    """An image or the like."""


class Atom(NamedTuple):
    """One row."""

    part: Part
    kind: int
    """How much it looks like a value: a `Kind`."""
    size: int
    """Characters."""
    value: str
    """The value, or the sentence, to find where it stands a second time; empty is worth nothing."""
    key: str
    """The name of its field, if it is one."""
    context: int
    """Number of the sentence or record that it belongs to."""


class Atoms:
    """Collects atoms, and the words of the sentences and records that they belong to."""

    def __init__(self) -> None:
        self.rows: list[Atom] = []
        self.contexts: list[list[str]] = []
        """For each sentence and record, its words in lower case."""
        self.parents: list[int] = []
        """For each of them, the record that it is part of, or -1."""

    def __len__(self) -> int:
        return len(self.rows)

    def open_context(self, text: str = "", *, parent: int = -1) -> int:
        """Begin a sentence or record; return its number."""
        self.parents.append(parent)
        self.contexts.append(words_of(text) if text else [])
        return len(self.contexts) - 1

    def add(self, row: Atom) -> int:
        """Add an atom; return its number."""
        self.rows.append(row)
        return len(self.rows) - 1


def words_of(text: str) -> list[str]:
    """Return the words of a text, in lower case."""
    return _WORDS.findall(text.lower())
