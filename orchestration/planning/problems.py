"""What a planner could not make sense of, on its way up to the proposal."""

from __future__ import annotations

_LONGEST_QUOTE = 160


class NotUnderstoodError(Exception):
    """Raised inside the planner; becomes a sentence in `Proposal.not_understood`."""


def quoted(words: str) -> str:
    """Return words of the request as they stand in a sentence about them."""
    plain = " ".join(words.split())
    shown = plain if len(plain) <= _LONGEST_QUOTE else f"{plain[:_LONGEST_QUOTE]}..."
    mark = '"' if "'" in shown else "'"
    return f"{mark}{shown}{mark}"
