"""Lists of words, written as running text."""

from __future__ import annotations


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text."""
    return tuple(text.split())


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text, without their order."""
    return frozenset(text.split())
