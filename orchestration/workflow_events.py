"""What happens in a run, as a stream of events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from state.compensation import next_compensation
from state.outcome import is_finished
from state.plan import COMPENSATE
from state.result import TaskResult, settled_status
from state.waiting import asked_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from state.jsonvalue import JsonObject, JsonValue
    from state.outcome import Outcome
    from state.plan import Plan

EventKind = Literal[
    "run_started",
    "task_started",
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
    """One thing that happened; `sequence` counts from 1 within the stream."""

    sequence: int
    kind: EventKind
    thread_id: str
    task_id: str = ""
    data: JsonObject = field(default_factory=dict)
    """`run_started`: `order`, `strategy`. `task_started`, `compensation_started`: `attempt`.
    `task_finished`, `task_retrying`, `compensation_finished`, `compensation_retrying`: a
    `TaskResult`. `task_waiting`: `due_at` (seconds since the epoch) and `signal`, each may be
    none. `approval_requested`: `id`, `value`. `run_finished`: the `WorkflowResult`."""

    def as_json(self) -> JsonObject:
        """The event as a JSON object."""
        return {
            "sequence": self.sequence,
            "kind": self.kind,
            "thread_id": self.thread_id,
            "task_id": self.task_id,
            "data": self.data,
        }


class EventTranslator:
    """Says LangGraph's `tasks` stream in the project's terms, each fact once.

    A subgraph's node reports again what its inner nodes did; what was said is left out.
    """

    def __init__(self, thread_id: str, plan: Plan) -> None:
        self._thread_id = thread_id
        self._plan = plan
        self._count = 0
        self._told: set[tuple[str, str, int]] = set()

    def event(
        self, kind: EventKind, task_id: str = "", data: JsonObject | None = None
    ) -> WorkflowEvent:
        """Number the next event."""
        self._count += 1
        return WorkflowEvent(self._count, kind, self._thread_id, task_id, data or {})

    def translate(self, payload: dict[str, Any]) -> Iterator[WorkflowEvent]:
        """Say one payload of the `tasks` stream as events; often as none."""
        name = payload["name"]
        if "triggers" in payload:
            if name == COMPENSATE:
                yield from self._undoing(payload["input"].get("outcomes", {}))
            attempt = self._attempt(payload, name)
            if name in self._plan.document["tasks"] and self._is_new("start", name, attempt):
                yield self.event("task_started", name, {"attempt": attempt})
            return
        yield from self._finished(payload)
        for interrupt in payload.get("interrupts", ()):
            value = interrupt["value"]
            if _is_wait(self._plan, value):  # it was said when the wait began
                continue
            task_id = value.get("task_id", "") if isinstance(value, dict) else ""
            if self._is_new("interrupt", interrupt["id"], 0):
                data: JsonObject = {"id": interrupt["id"], "value": value}
                yield self.event("approval_requested", task_id, data)

    def _finished(self, payload: dict[str, Any]) -> Iterator[WorkflowEvent]:
        result = payload.get("result")
        outcomes = result.get("outcomes", {}) if isinstance(result, dict) else {}
        for task_id, outcome in outcomes.items():
            if (begun := _wait_begun(self._plan, task_id, outcome)) is not None:
                if self._is_new("wait", task_id, 0):
                    yield self.event("task_waiting", task_id, begun)
                continue
            kind, attempts = _ending(outcome)
            if self._is_new(kind, task_id, attempts):
                yield self.event(kind, task_id, TaskResult(task_id, outcome).as_json())

    def _undoing(self, outcomes: dict[str, Outcome]) -> Iterator[WorkflowEvent]:
        """Say which task the compensation node begins to undo; it decides as is done here."""
        document = self._plan.document
        status = settled_status(document, outcomes)
        task_id = next_compensation(document, outcomes, status=status)
        if task_id is None:
            return
        attempt = outcomes[task_id].get("compensation", {"attempts": 0})["attempts"] + 1
        if self._is_new("undo", task_id, attempt):
            yield self.event("compensation_started", task_id, {"attempt": attempt})

    def _is_new(self, kind: str, name: str, number: int) -> bool:
        key = (kind, name, number)
        if key in self._told:
            return False
        self._told.add(key)
        return True

    @staticmethod
    def _attempt(payload: dict[str, Any], name: str) -> int:
        known = payload["input"].get("outcomes", {}).get(name)
        return 1 if known is None else int(known["attempts"]) + 1


def _wait_begun(plan: Plan, task_id: str, outcome: Outcome) -> JsonObject | None:
    """What a task waits for that has just begun to; None if this is something else."""
    wait = plan.document["tasks"][task_id].get("wait")
    if wait is None or is_finished(outcome):
        return None
    name = wait["signal"] if wait["kind"] == "signal" else None
    return {"due_at": outcome.get("next_due_at"), "signal": name}


def _is_wait(plan: Plan, value: JsonValue) -> bool:
    """Whether an interrupt is the wait of a task, and so asks nobody."""
    task_id = value.get("task_id") if isinstance(value, dict) else None
    task = plan.task_at(task_id) if isinstance(task_id, str) else None
    return task is not None and asked_by(task, value) is not None


def _ending(outcome: Outcome) -> tuple[EventKind, int]:
    """What an outcome reports the end of: an attempt at the task, or at undoing it."""
    undoing = outcome.get("compensation")
    if undoing is not None:
        over = is_finished(undoing)
        return "compensation_finished" if over else "compensation_retrying", undoing["attempts"]
    return "task_finished" if is_finished(outcome) else "task_retrying", outcome["attempts"]
