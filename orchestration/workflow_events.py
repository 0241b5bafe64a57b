"""The events of a run, as readers get them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from state.jsonvalue import JsonObject

EventKind = Literal[
    "run_started",
    "turn_started",
    "turns_ended",
    "task_started",
    "token",
    "token_restart",
    "verdict",
    "task_retrying",
    "task_finished",
    "task_waiting",
    "approval_requested",
    "compensation_started",
    "compensation_retrying",
    "compensation_finished",
    "run_finished",
]


@dataclass(frozen=True, slots=True)
class WorkflowEvent:
    """One thing that happened; `sequence` counts from 1 within the run, wherever it goes on."""

    sequence: int
    kind: EventKind
    thread_id: str
    task_id: str = ""
    """Of a task inside others its path, e.g. `offers/3/price` or `talk#2/buyer`."""
    data: JsonObject = field(default_factory=dict)
    """`run_started`: `order`, `strategy`. `turn_started`, `turns_ended`: `turn` and `by`, and of
    a cycle a `TurnRecord`. `task_started`, `compensation_started`: `attempt`. `token`: `text`,
    a piece of what the agent answers, in order; another attempt begins anew. `token_restart`:
    `reason`; so does this attempt, as it was made again after a crash and says something else.
    `verdict`: `middleware`, `verdict`, and what else that says. `task_finished`,
    `task_retrying`, `compensation_finished`, `compensation_retrying`: a `TaskResult`.
    `task_waiting`: `due_at` (seconds since the epoch) and `signal`, each may be none.
    `approval_requested`: `id`, `value`. `run_finished`: the `WorkflowResult` (of a request in
    plain words, the `EnterpriseResult`), also at each pause, as `interrupted`. What happens in
    a turn has `turn` too."""

    def as_json(self) -> JsonObject:
        """The event as a JSON object."""
        return {
            "sequence": self.sequence,
            "kind": self.kind,
            "thread_id": self.thread_id,
            "task_id": self.task_id,
            "data": self.data,
        }
