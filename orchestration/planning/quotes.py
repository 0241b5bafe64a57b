"""Words that are quoted: speech to pass on, never a command."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from orchestration.planning.problems import NotUnderstoodError, quoted

_QUOTED = re.compile(r"\"([^\"\n]*)\"|(?<![\w'])'([^'\n]*(?:'[a-z][^'\n]*)*)'(?!\w)")
MARK: Final = re.compile("\ue000([0-9]+)\ue001")
"""Stands in a text for what was quoted there."""


class Text(NamedTuple):
    """A text whose quoted words are replaced by marks."""

    words: str
    quotes: tuple[str, ...]

    def restored(self, words: str) -> str:
        """Return words with what was quoted in them, in quotation marks."""
        return MARK.sub(lambda match: f'"{self.quotes[int(match[1])]}"', words)

    def spoken(self, words: str) -> str | None:
        """Return the first quoted words in `words`; None if nothing is quoted there."""
        match = MARK.search(words)
        return self.quotes[int(match[1])].strip() if match else None


def without_quotes(text: str) -> Text:
    """Replace what is quoted in a text by marks.

    Raises:
        NotUnderstoodError: A quotation is not closed.
    """
    quotes: list[str] = []

    def keep(match: re.Match[str]) -> str:
        said = match[1] if match[1] is not None else match[2]
        quotes.append(said)
        stop = (
            "."
            if said.rstrip()[-1:] in {".", "!", "?"}
            and re.match(r"\s+[A-Z]|\s*$", text[match.end() :])
            else ""
        )
        return f"\ue000{len(quotes) - 1}\ue001{stop}"

    words = _QUOTED.sub(keep, text)
    if '"' in words:
        rest = quoted(words[words.index('"') :])
        raise NotUnderstoodError(
            f"A quotation begins and does not end in {rest}; "
            "close it, so that it is clear what is to be passed on."
        )
    return Text(words, tuple(quotes))
