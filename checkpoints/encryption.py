"""Seals texts that hold inputs, outputs or decisions, where encryption at rest is on."""

from __future__ import annotations

from typing import Final, Protocol


class TextCipher(Protocol):
    """Turns a text into one that only a holder of the key can read, and back."""

    def seal(self, text: str) -> str:
        """Return what may be stored."""
        ...

    def open(self, sealed: str) -> str:
        """Return the text."""
        ...


class PlainText:
    """Stores texts as they are."""

    def seal(self, text: str) -> str:
        """Return the text itself."""
        return text

    def open(self, sealed: str) -> str:
        """Return the text itself."""
        return sealed


PLAIN: Final = PlainText()
