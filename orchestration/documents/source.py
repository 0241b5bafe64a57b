"""Text as plain values, with the place in the text that each of them came from."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from state.errors import FileProblem

if TYPE_CHECKING:
    from collections.abc import Sequence

KeyPath = tuple[str | int, ...]
"""Keys and indexes, from the whole to a part of it."""

DEEPEST: Final = 100
"""Levels of nesting; input data may have no more either."""
MOST_VALUES: Final = 200_000
"""Counted where they are used, so that a few aliases cannot stand for billions."""
_LARGEST, _SMALLEST = 2**63 - 1, -(2**63)


class BadTextError(ValueError):
    """Raised for text that cannot be read at all; says where, if that is known."""

    def __init__(self, message: str, position: Position | None = None) -> None:
        self.message = message
        self.position = position
        super().__init__(message, position)

    def __str__(self) -> str:
        return self.message


class Position(NamedTuple):
    """A place in a text, as editors count: from 1."""

    line: int
    column: int


class Spot(NamedTuple):
    """Where a value stands."""

    value: Position
    key: Position | None
    """Of the key that leads to it, in a mapping."""
    text: str
    """A scalar as it was written."""


class Finding(NamedTuple):
    """Something wrong in a text."""

    path: KeyPath
    message: str
    of_key: bool = False
    """Whether it is about the key, and not about its value."""
    position: Position | None = None
    """Where, if the path does not say it."""


@dataclass(slots=True)
class Source:
    """What a text says, and where."""

    file: str
    """As the user named it; problems begin with it."""
    value: object = None
    spots: dict[KeyPath, Spot] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    """What JSON does not have; everything else was read."""

    def note(self, path: KeyPath, spot: Spot) -> None:
        """Remember where a value stands.

        Raises:
            BadTextError: It is nested too deeply, or one too many.
        """
        if len(path) > DEEPEST:
            raise BadTextError("nested too deeply", spot.value)
        if len(self.spots) >= MOST_VALUES:
            raise BadTextError(f"more than {MOST_VALUES:,} values, more than people write")
        self.spots[path] = spot

    def problem(self, finding: Finding) -> FileProblem:
        """Word a finding, with the place of its value or of the nearest thing around it."""
        path, message, of_key, known = finding
        position = known or self.position(path, of_key=of_key)
        line, column = position or (None, None)
        return FileProblem(self.file, line, column, path_text(path), message)

    def refuse(self, path: KeyPath, message: str, position: Position | None = None) -> None:
        """Note that a value cannot be."""
        self.findings.append(Finding(path, message, position=position))

    def position(self, path: KeyPath, *, of_key: bool = False) -> Position | None:
        """Where a value stands, or its key, or else the nearest thing around it."""
        spot = self.spots.get(path)
        if spot is not None:
            return spot.key if of_key and spot.key is not None else spot.value
        return self.position(path[:-1]) if path else None

    def scalar(self, path: KeyPath, value: object) -> object:
        """Return a scalar if JSON has it; note a problem otherwise."""
        match value:
            case None | bool():
                return value
            case int() if not _SMALLEST <= value <= _LARGEST:
                self.refuse(path, "needs more than 64 bits; put it in quotes")
            case float() if not math.isfinite(value):
                self.refuse(path, f"{self.spots[path].text} is no JSON number; use null")
            case str() if not is_text(value):
                self.refuse(path, "is text that UTF-8 cannot hold")
            case int() | float() | str():
                return value
            case _:
                self.refuse(path, f"is a {type(value).__name__}, which is no JSON value")
        return None


def is_text(value: str) -> bool:
    """Whether UTF-8 can hold a text."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def path_text(path: Sequence[str | int]) -> str:
    """Say a path, e.g. `tasks[2].retry.max_attempts`; empty for the whole."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")
