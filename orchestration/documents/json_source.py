"""Reads JSON with positions: the standard library says whether it is JSON, a scan says where."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from typing import TYPE_CHECKING, Final

from orchestration.documents.source import BadTextError, Position, Source, Spot, is_text

if TYPE_CHECKING:
    from orchestration.documents.source import KeyPath

_WORD: Final = re.compile(r'[ \t\n\r]*([{}\[\]:,]|"(?:[^"\\]|\\.)*"|[^\s{}\[\]:,"]+)', re.DOTALL)
_CONSTANTS: Final = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_LONGEST_INTEGER: Final = 25
"""Characters; longer ones need more than 64 bits in any case."""


def read_json(text: str, file: str) -> Source:
    """Read a JSON text.

    Raises:
        BadTextError: It is none.
    """
    try:
        json.loads(text, parse_int=float, parse_float=float)
    except json.JSONDecodeError as error:
        where = Position(error.lineno, error.colno)
        raise BadTextError(f"not JSON: {error.msg}", where) from error
    except RecursionError as error:
        raise BadTextError("nested too deeply") from error
    source = Source(file)
    source.value = _Scan(text, source).value((), None)
    return source


class _Scan:
    """Goes through the words of a text that is known to be JSON."""

    def __init__(self, text: str, source: Source) -> None:
        self._text = text
        self._source = source
        self._at = 0
        self._lines = [0, *(found.end() for found in re.finditer(r"\n", text))]

    def value(self, path: KeyPath, key: Position | None) -> object:
        """Read the next value."""
        word, start = self._next()
        self._source.note(path, Spot(self._position(start), key, word))
        if word == "{":
            return self._object(path)
        if word == "[":
            return self._array(path)
        return self._source.scalar(path, _scalar(word))

    def _object(self, path: KeyPath) -> dict[str, object]:
        made: dict[str, object] = {}
        word, start = self._next()
        while word != "}":
            if word == ",":
                word, start = self._next()
            name, key = str(json.loads(word)), self._position(start)
            if name in made:
                self._source.refuse((*path, name), "this key is there twice", key)
            if not is_text(name):
                self._source.refuse(path, "has a key that UTF-8 cannot hold", key)
            self._next()  # the colon
            made[name] = self.value((*path, name), key)
            word, start = self._next()
        return made

    def _array(self, path: KeyPath) -> list[object]:
        made: list[object] = []
        before = self._at
        word, _ = self._next()
        while word != "]":
            if word != ",":
                self._at = before
            made.append(self.value((*path, len(made)), None))
            before = self._at
            word, _ = self._next()
        return made

    def _next(self) -> tuple[str, int]:
        found = _WORD.match(self._text, self._at)
        assert found is not None  # noqa: S101  as the text is JSON
        self._at = found.end()
        return found[1], found.start(1)

    def _position(self, offset: int) -> Position:
        line = bisect_right(self._lines, offset)
        return Position(line, offset - self._lines[line - 1] + 1)


def _scalar(word: str) -> object:
    if word in _CONSTANTS:
        return _CONSTANTS[word]
    if len(word) > _LONGEST_INTEGER and word.lstrip("-").isdigit():
        return 2**64
    return json.loads(word)
