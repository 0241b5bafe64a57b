"""`${NAME}` in a file stands for a variable of the environment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from orchestration.agents.configuration.layout import agents_in, endpoints_in, versions_in
from orchestration.documents.source import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestration.documents.source import KeyPath

KEYS: Final = ("endpoint", "address", "settings", "metadata")
"""Where it stands for one; elsewhere it is text like any other."""
FILLED_LATER: Final = frozenset({"headers", "api_key"})
"""Settings whose references the kinds fill in for each call, so that secrets stand nowhere."""
_REFERENCE: Final = re.compile(r"\$(\$?)\{([^{}]*\}?)")
_INSIDE: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?\}", re.DOTALL)
_SHORTEST_SECRET: Final = 4


class References:
    """Fills in what variables hold, and keeps it out of messages."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._used: dict[str, str] = {}
        self.findings: list[Finding] = []
        """References that stand for nothing; they stay as they are written."""

    def fill(self, content: object) -> None:
        """Fill in the references of a whole file, in place."""
        for agent in agents_in(content):
            parts = [agent]
            for version in versions_in(agent):
                parts += [version] if version is not agent else []
                parts += endpoints_in(version)
            for part in parts:
                self._fill(part.content, part.path)

    def hidden(self, message: str) -> str:
        """Name variables in a message, instead of what they hold."""
        for value, name in sorted(self._used.items(), key=lambda used: -len(used[0])):
            for written in (value, repr(value)[1:-1]):
                message = message.replace(written, f"${{{name}}}")
        return message

    def _fill(self, part: Mapping[str, Any], path: KeyPath) -> None:
        for key in KEYS:
            if key in part:
                part[key] = self._filled(part[key], (*path, key))  # type: ignore[index]  # a copy of ours

    def _filled(self, value: object, path: KeyPath) -> object:
        if isinstance(value, dict):
            return {
                key: each if _is_later(path, key) else self._filled(each, (*path, key))
                for key, each in value.items()
            }
        if isinstance(value, list):
            return [self._filled(each, (*path, index)) for index, each in enumerate(value)]
        if not isinstance(value, str) or "${" not in value:
            return value
        self.findings += [Finding(path, problem) for problem in self._problems(value)]
        return _REFERENCE.sub(self._held, value)

    def _held(self, found: re.Match[str]) -> str:
        escaped, inside = found.groups()
        if escaped:
            return found[0][1:]
        name, default = _parts(inside)
        value = self._environment.get(name) or default
        if value is None:
            return found[0]
        if len(value) >= _SHORTEST_SECRET:
            self._used[value] = name
        return value

    def _problems(self, text: str) -> Iterator[str]:
        for found in _REFERENCE.finditer(text):
            escaped, inside = found.groups()
            name, default = _parts(inside)
            if escaped or default is not None or self._environment.get(name):
                continue
            if name:
                yield f"the environment has no {name}; set it, or say ${{{name}:-instead}}"
            else:
                yield f"{found[0]!r:.80} is no reference; say ${{NAME}}, or $${{ for the signs"


def _is_later(path: KeyPath, key: str) -> bool:
    return path[-1] == "settings" and key in FILLED_LATER


def _parts(inside: str) -> tuple[str, str | None]:
    """The name and the default of a reference; no name if it is none."""
    found = _INSIDE.fullmatch(inside)
    return (found[1], found[2]) if found else ("", None)
