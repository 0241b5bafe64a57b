"""How often a run may call an agent again: retries and failovers, over all of its tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from state.outcome import Outcome


class RetryBudget:
    """Counts the calls after the first of each task, and says when there are enough.

    After a crash it is counted anew from the outcomes in the checkpoint.
    """

    def __init__(self, limit: int, known: Iterable[Outcome] = ()) -> None:
        self.limit = limit
        self._left = limit - sum(map(repeated_calls, known))

    def take(self) -> bool:
        """Whether one more call may be made; it counts as made then."""
        if self._left <= 0:
            return False
        self._left -= 1
        return True


def repeated_calls(outcome: Outcome) -> int:
    """How many calls after the first a task has had, with the tasks inside it."""
    calls = max(outcome["attempts"], len(outcome.get("tries", ())))
    inner = sum(map(repeated_calls, outcome.get("inner", {}).values()))
    undoing = outcome.get("compensation")
    return max(0, calls - 1) + inner + (0 if undoing is None else repeated_calls(undoing))
