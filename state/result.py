"""What a caller gets back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, overload

from state.failure_mode import stop_verdict
from state.outcome import blocks, error_json, is_finished
from state.status import TaskStatus, WorkflowStatus

if TYPE_CHECKING:
    from state.jsonvalue import JsonObject, JsonValue
    from state.outcome import ErrorRecord, Outcome
    from state.plan import Plan


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What became of one task."""

    task_id: str
    status: TaskStatus
    output: JsonObject = field(default_factory=dict)
    error: ErrorRecord | None = None
    reason: str = ""
    """Why it was skipped, cancelled or rejected."""
    attempts: int = 0
    agent: str = ""
    version: str = ""
    cost: float = 0.0
    duration_seconds: float = 0.0
    """Of the last attempt."""

    @classmethod
    def of(cls, task_id: str, outcome: Outcome | None) -> TaskResult:
        """Read an outcome; None is a task that was not reached yet."""
        if outcome is None:
            return cls(task_id, TaskStatus.PENDING)
        finished = outcome.get("finished_at", 0.0)
        return cls(
            task_id,
            TaskStatus(outcome["status"]),
            outcome.get("output", {}),
            outcome.get("error"),
            outcome.get("reason", ""),
            outcome["attempts"],
            outcome.get("agent", ""),
            outcome.get("version", ""),
            outcome.get("cost", 0.0),
            finished - outcome.get("started_at", finished),
        )

    @property
    def succeeded(self) -> bool:
        """Whether the agent did it."""
        return self.status == TaskStatus.SUCCEEDED

    def as_json(self) -> JsonObject:
        """The result as a JSON object, for `--json` and logs."""
        return {
            "task_id": self.task_id,
            "status": str(self.status),
            "output": self.output,
            "error": None if self.error is None else error_json(self.error),
            "reason": self.reason,
            "attempts": self.attempts,
            "agent": self.agent,
            "version": self.version,
            "cost": self.cost,
            "duration_seconds": round(self.duration_seconds, 6),
        }


@dataclass(frozen=True, slots=True)
class PendingInterrupt:
    """A question the workflow waits for an answer to."""

    interrupt_id: str
    task_id: str
    value: JsonValue
    """For approvals: LangChain's `HITLRequest`."""


@dataclass(frozen=True, slots=True)
class WorkflowResult(Sequence[TaskResult]):
    """The results of a workflow's tasks, in task order and also by task id."""

    thread_id: str
    status: WorkflowStatus
    tasks: tuple[TaskResult, ...]
    interrupts: tuple[PendingInterrupt, ...] = ()
    aggregate: JsonValue = None
    waits: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Which task waited for which others without building on them (see the docs)."""

    @overload
    def __getitem__(self, key: int | str) -> TaskResult: ...
    @overload
    def __getitem__(self, key: slice) -> Sequence[TaskResult]: ...
    def __getitem__(self, key: int | str | slice) -> TaskResult | Sequence[TaskResult]:
        """Return the result at a position, or of a task id."""
        if not isinstance(key, str):
            return self.tasks[key]
        for task in self.tasks:
            if task.task_id == key:
                return task
        raise KeyError(key)

    def __len__(self) -> int:
        return len(self.tasks)

    def __iter__(self) -> Iterator[TaskResult]:
        return iter(self.tasks)

    @property
    def outputs(self) -> dict[str, JsonObject]:
        """Outputs of the tasks that succeeded, by task id."""
        return {task.task_id: task.output for task in self.tasks if task.succeeded}

    @property
    def cost(self) -> float:
        """Sum of what the agents said they cost."""
        return sum(task.cost for task in self.tasks)

    def as_json(self) -> JsonObject:
        """The result as a JSON object, for `--json` and logs."""
        return {
            "thread_id": self.thread_id,
            "status": str(self.status),
            "tasks": [task.as_json() for task in self.tasks],
            "interrupts": [
                {"id": each.interrupt_id, "task_id": each.task_id, "value": each.value}
                for each in self.interrupts
            ],
            "aggregate": self.aggregate,
            "cost": self.cost,
        }


def workflow_status(
    plan: Plan, outcomes: Mapping[str, Outcome], *, interrupted: bool = False
) -> WorkflowStatus:
    """Sum up what became of a plan's tasks."""
    order, mode = plan.document["order"], plan.document["on_failure"]
    if interrupted or not all(is_finished(outcomes.get(id_)) for id_ in order):
        return WorkflowStatus.INTERRUPTED
    if any(outcome["status"] == TaskStatus.REJECTED for outcome in outcomes.values()):
        return WorkflowStatus.REJECTED
    if mode["kind"] == "quorum":
        verdict = stop_verdict(mode, outcomes, total=len(order))
        fulfilled = verdict is not None and verdict.fulfilled
        return WorkflowStatus.COMPLETED if fulfilled else WorkflowStatus.FAILED
    if not any(blocks(outcome) for outcome in outcomes.values()):
        return WorkflowStatus.COMPLETED
    if mode["kind"] == "continue" and any(
        outcome["status"] == TaskStatus.SUCCEEDED for outcome in outcomes.values()
    ):
        return WorkflowStatus.PARTIAL
    return WorkflowStatus.FAILED
