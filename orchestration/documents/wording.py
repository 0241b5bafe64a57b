"""How what pydantic finds in a file is said."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from orchestration.documents.source import Finding

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from orchestration.documents.entry import Entry
    from orchestration.documents.source import KeyPath

_PLAINER: Final = {
    "invalid_key": "keys are text; put it in quotes",
    "missing": "is missing",
    "model_type": "should be a mapping",
}
_BOUNDS: Final = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}
_UNKNOWN: Final = "extra_forbidden"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """How the problems of one sort of files are said."""

    whole: type[Entry]
    """What a file is."""
    inside: Mapping[str, type[Entry]]
    """Mappings in it, by the keys that lead to them."""
    patterns: Mapping[str, str] = field(default_factory=dict)
    """What to say for texts that do not match a pattern."""
    tags: frozenset[str] = frozenset()
    """What the models put into a location that is not in the file."""

    def findings(self, error: ValidationError) -> list[Finding]:
        """Say everything that pydantic found, and where."""
        return [
            Finding(self._place(each), self._worded(each), of_key=each["type"] == _UNKNOWN)
            for each in error.errors()
        ]

    def _place(self, details: ErrorDetails) -> KeyPath:
        return tuple(part for part in details["loc"] if part not in self.tags)

    def _worded(self, details: ErrorDetails) -> str:
        kind = details["type"]
        if kind == _UNKNOWN:
            return self._unknown(self._place(details))
        message = _PLAINER.get(kind, details["msg"])
        if kind in _BOUNDS:
            words, name = _BOUNDS[kind]
            message = f"should be {words} {_number(details['ctx'][name])}"
        if kind == "string_pattern_mismatch":
            message = self.patterns.get(details["ctx"]["pattern"], message)
        simple = isinstance(details["input"], str | int | float) and kind != "missing"
        given = f", not {_given(details['input'])}" if simple else ""
        return f"{message[:1].lower()}{message[1:]}{given}"

    def _unknown(self, path: KeyPath) -> str:
        """Say that a key is not known, which may be meant, and which are known there."""
        entry = self.whole
        for part in path[:-1]:
            entry = self.inside.get(str(part), entry)
        known = entry.keys()
        close = difflib.get_close_matches(str(path[-1]), known, 1)
        meant = f" (did you mean {close[0]!r}?)" if close else ""
        return f"is no key known here{meant}; known are {', '.join(known)}"


def _given(value: object) -> str:
    """Say what stands there, as it stands there."""
    return str(value).lower() if isinstance(value, bool) else f"{value!r:.80}"


def _number(bound: float) -> str:
    """Say a bound as people write it."""
    return f"{bound:,.0f}" if bound == int(bound) else f"{bound:g}"
