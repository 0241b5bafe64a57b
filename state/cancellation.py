"""That somebody called a run off."""

from __future__ import annotations

import json
from typing import NamedTuple


class Cancellation(NamedTuple):
    """Who called a run off, why and when."""

    by: str | None
    reason: str
    at: float
    """Seconds since the epoch."""

    def __str__(self) -> str:
        why = f": {self.reason}" if self.reason else ""
        return f"{self.by or 'somebody'} cancelled the run{why}"

    def as_text(self) -> str:
        """As it stands in the thread's row."""
        return json.dumps(self._asdict())

    @classmethod
    def of_text(cls, text: str | None) -> Cancellation | None:
        """Read it from the thread's row."""
        return None if text is None else cls(**json.loads(text))
