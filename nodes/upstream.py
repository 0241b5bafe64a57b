"""What a task builds on, copied only when its agent looks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from state.jsonvalue import JsonObject, json_object
from state.status import TaskStatus

if TYPE_CHECKING:
    from state.outcome import Outcome


class Upstream(Mapping[str, JsonObject]):
    """Outputs of the tasks that one builds on and that succeeded, by task id.

    Agents get copies, since the state is not theirs to change. In a long sequence each task
    builds on all before it, so copying ahead would cost the square of its length.
    """

    __slots__ = ("_copies", "_outcomes", "_tasks")

    def __init__(self, tasks: Sequence[str], outcomes: Mapping[str, Outcome]) -> None:
        self._tasks = tasks
        self._outcomes = outcomes
        self._copies: dict[str, JsonObject] = {}

    def __getitem__(self, task_id: str) -> JsonObject:
        if task_id not in self._copies:
            if task_id not in self._tasks or not self._succeeded(task_id):
                raise KeyError(task_id)
            self._copies[task_id] = json_object(self._outcomes[task_id]["output"], at=task_id)
        return self._copies[task_id]

    def __iter__(self) -> Iterator[str]:
        return filter(self._succeeded, self._tasks)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return repr(dict(self))

    def _succeeded(self, task_id: str) -> bool:
        outcome = self._outcomes.get(task_id)
        return outcome is not None and outcome["status"] == TaskStatus.SUCCEEDED
