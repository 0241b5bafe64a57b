"""What a caller gets back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, overload

from state.compensation import next_compensation, uncompensated
from state.failure_mode import stop_verdict
from state.jsonvalue import json_like, json_object
from state.outcome import blocks, error_json, is_finished
from state.plan_document import INSIDE
from state.status import SkipCause, TaskStatus, WorkflowStatus

if TYPE_CHECKING:
    from state.failure_mode import FailureModeDocument
    from state.jsonvalue import JsonObject, JsonValue
    from state.outcome import ErrorRecord, Outcome, Routing, Try, Usage
    from state.plan import Plan
    from state.plan_document import PlanDocument
    from state.run_state import TurnRecord


NOT_REACHED: Outcome = {"status": TaskStatus.PENDING.value, "attempts": 0}


class TaskResult:
    """What became of one task: its id, and a view of its outcome."""

    __slots__ = ("_outcome", "task_id")

    def __init__(self, task_id: str, outcome: Outcome | None = None) -> None:
        """Without an outcome, the task was not reached yet."""
        self.task_id = task_id
        self._outcome = NOT_REACHED if outcome is None else outcome

    @property
    def outcome(self) -> Outcome | None:
        """How it stands in the checkpoints; None if it was not reached yet."""
        return None if self._outcome is NOT_REACHED else self._outcome

    @property
    def status(self) -> TaskStatus:
        """How it stands."""
        return TaskStatus(self._outcome["status"])

    @property
    def succeeded(self) -> bool:
        """Whether the agent did it."""
        return self._outcome["status"] == TaskStatus.SUCCEEDED

    @property
    def output(self) -> JsonObject:
        """The agent's reply; empty unless the task succeeded (if it was undone later, kept)."""
        return self._outcome.get("output", {})

    @property
    def error(self) -> ErrorRecord | None:
        """What went wrong, in the last attempt."""
        return self._outcome.get("error")

    @property
    def reason(self) -> str:
        """Why it was skipped, cancelled or rejected."""
        return self._outcome.get("reason", "")

    @property
    def attempts(self) -> int:
        """How often the agent was called."""
        return self._outcome["attempts"]

    @property
    def agent(self) -> str:
        """Who was called."""
        return self._outcome.get("agent", "")

    @property
    def version(self) -> str:
        """Which version of the agent was called."""
        return self._outcome.get("version", "")

    @property
    def endpoint(self) -> str:
        """Where the agent was called last; empty for an agent that is a handler only."""
        return self._outcome.get("endpoint", "")

    @property
    def tries(self) -> Sequence[Try]:
        """Calls of endpoints, over all attempts."""
        return tuple(self._outcome.get("tries", ()))

    @property
    def routing(self) -> Routing | None:
        """Why that endpoint was chosen, and why others were not."""
        return self._outcome.get("routing")

    @property
    def usage(self) -> Usage | None:
        """What a model used for the reply, if the agent said that."""
        return self._outcome.get("usage")

    @property
    def middleware(self) -> Mapping[str, JsonObject]:
        """What layers around the last call found out, e.g. under `cache` and `budget`."""
        return self._outcome.get("middleware", {})

    @property
    def tasks(self) -> tuple[TaskResult, ...]:
        """What became of the tasks it is made of; of items, in their order."""
        return tuple(TaskResult(id_, each) for id_, each in self._outcome.get("inner", {}).items())

    @property
    def turns(self) -> int:
        """How many turns a loop took; in a cycle, in which turn it was done last."""
        return self._outcome.get("turns", self._outcome.get("turn", 0))

    @property
    def compensation(self) -> TaskResult | None:
        """What became of undoing the task; None if that was not begun."""
        undoing = self._outcome.get("compensation")
        return None if undoing is None else TaskResult(self.task_id, undoing)

    @property
    def uncompensated(self) -> bool:
        """Whether the task should have been undone and could not be: its effect stands."""
        return uncompensated(self._outcome)

    @property
    def cost(self) -> float:
        """What the agent said it cost; with whatever is inside the task, undoing included."""
        return self._outcome.get("cost", 0.0) + _cost_of(self.tasks)

    @property
    def duration_seconds(self) -> float:
        """How long the last attempt took."""
        finished = self._outcome.get("finished_at", 0.0)
        return finished - self._outcome.get("started_at", finished)

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
            "compensation": self._compensation_json(),
            **self._called_json(),
            **self._inside_json(),
        }

    def _called_json(self) -> JsonObject:
        """What only tasks of agents with endpoints, or with models, have."""
        said: JsonObject = {}
        for key in ("endpoint", "tries", "routing", "usage", "middleware"):
            if key in self._outcome:
                said[key] = json_like(self._outcome[key])
        return said

    def _inside_json(self) -> JsonObject:
        """What only tasks in turns, and tasks made of others, have."""
        said: JsonObject = {"turns": self.turns} if self.turns else {}
        if "inner" in self._outcome:
            said["tasks"] = [task.as_json() for task in self.tasks]
        return said

    def _compensation_json(self) -> JsonObject | None:
        undoing = self.compensation
        if undoing is None:
            return None
        left_out = {"task_id", "reason", "compensation"}
        return {key: value for key, value in undoing.as_json().items() if key not in left_out}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TaskResult):
            return NotImplemented
        return (self.task_id, self._outcome) == (other.task_id, other._outcome)

    __hash__ = None  # type: ignore[assignment]  # outcomes are mutable JSON

    def __repr__(self) -> str:
        what = self.error or self.reason or self.output
        return f"TaskResult({self.task_id!r}, {str(self.status)!r}, {what!r})"


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
    error: ErrorRecord | None = None
    """Why a cycle ended before it was done, e.g. `out_of_turns`; what was achieved is kept."""
    turns: tuple[TurnRecord, ...] = ()
    """Who had which turn in a cycle, and who said so."""

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

    def __contains__(self, key: object) -> bool:
        """Whether a task id, or a result, is among these."""
        return any(key in (task.task_id, task) for task in self.tasks)

    def __len__(self) -> int:
        return len(self.tasks)

    def __iter__(self) -> Iterator[TaskResult]:
        return iter(self.tasks)

    @property
    def known(self) -> dict[str, Outcome]:
        """What is known of each task, as it stands in the checkpoints."""
        return {task.task_id: task.outcome for task in self.tasks if task.outcome is not None}

    @property
    def outputs(self) -> dict[str, JsonObject]:
        """Outputs of the tasks that succeeded and were not undone, by task id."""
        return {task.task_id: task.output for task in self.tasks if task.succeeded}

    @property
    def uncompensated(self) -> tuple[str, ...]:
        """Paths of tasks that should have been undone and could not be: their effects stand."""
        return tuple(_uncompensated(self.tasks))

    @property
    def cost(self) -> float:
        """Sum of what the agents said they cost, undoing included."""
        return _cost_of(self.tasks)

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
            "uncompensated": [*self.uncompensated],
            "cost": self.cost,
            **self._ending(),
        }

    def _ending(self) -> JsonObject:
        """What only cycles have."""
        said: JsonObject = {} if self.error is None else {"error": error_json(self.error)}
        if self.turns:
            said["turns"] = [json_object(each, at="turns") for each in self.turns]
        return said


def _uncompensated(tasks: Sequence[TaskResult], inside: str = "") -> Iterator[str]:
    for task in tasks:
        if task.uncompensated:
            yield inside + task.task_id
        yield from _uncompensated(task.tasks, f"{inside}{task.task_id}{INSIDE}")


def _cost_of(tasks: Sequence[TaskResult]) -> float:
    undoings = filter(None, (task.compensation for task in tasks))
    return sum(work.cost for work in (*tasks, *undoings))


def workflow_status(
    plan: Plan,
    outcomes: Mapping[str, Outcome],
    *,
    interrupted: bool = False,
    ended: ErrorRecord | None = None,
) -> WorkflowStatus:
    """Sum up what became of a plan's tasks, and of undoing them.

    Args:
        plan: Whose tasks.
        outcomes: What became of them.
        interrupted: Whether anything waits for an answer.
        ended: Why a cycle ended before it was done.
    """
    document = plan.document
    if ended is not None:
        if ended["code"] == SkipCause.CANCELLED:
            return WorkflowStatus.CANCELLED
        some = any(outcome["status"] == TaskStatus.SUCCEEDED for outcome in outcomes.values())
        return WorkflowStatus.PARTIAL if some else WorkflowStatus.FAILED
    statuses = {outcome["status"] for outcome in outcomes.values()}
    everything = len(outcomes) == len(document["order"])
    if statuses == {TaskStatus.SUCCEEDED} and everything and not interrupted:
        return WorkflowStatus.COMPLETED  # by far the commonest
    status = WorkflowStatus.INTERRUPTED if interrupted else settled_status(document, outcomes)
    if next_compensation(document, outcomes, status=status) is not None:
        return WorkflowStatus.INTERRUPTED
    return status


def settled_status(document: PlanDocument, outcomes: Mapping[str, Outcome]) -> WorkflowStatus:
    """Say how a plan's tasks came out, whether or not any is to be undone, or was.

    Undoing a task does not change this: it decides whether to, so it must not.
    """
    order, mode = document["order"], document["on_failure"]
    if not all(is_finished(outcomes.get(id_)) for id_ in order):
        return WorkflowStatus.INTERRUPTED
    statuses = {outcome["status"] for outcome in outcomes.values()}
    if any(outcome.get("because") == SkipCause.CANCELLED for outcome in outcomes.values()):
        return WorkflowStatus.CANCELLED
    if TaskStatus.REJECTED in statuses and mode["kind"] != "quorum":
        return WorkflowStatus.REJECTED
    return _status_at_the_end(mode, outcomes, len(order))


def _status_at_the_end(
    mode: FailureModeDocument, outcomes: Mapping[str, Outcome], total: int
) -> WorkflowStatus:
    """Sum up tasks that are all over."""
    if mode["kind"] == "quorum":
        verdict = stop_verdict(mode, outcomes, total=total)
        fulfilled = verdict is not None and verdict.fulfilled
        return WorkflowStatus.COMPLETED if fulfilled else WorkflowStatus.FAILED
    if not any(blocks(outcome) for outcome in outcomes.values()):
        return WorkflowStatus.COMPLETED
    some = any(outcome["status"] == TaskStatus.SUCCEEDED for outcome in outcomes.values())
    goes_on = mode["kind"] == "continue"
    return WorkflowStatus.PARTIAL if goes_on and some else WorkflowStatus.FAILED
