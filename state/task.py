"""What a caller asks for: pieces of work, and ways to put them together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from state.jsonvalue import JsonObject
from state.status import TaskStatus

if TYPE_CHECKING:
    from state.approval import ApprovalPolicy
    from state.caching import CachePolicy
    from state.capability import AgentCapability
    from state.failure_mode import FailureMode
    from state.outcome import ErrorRecord, Outcome
    from state.retry import RetryPolicy
    from state.workflow import Workflow

_STATUSES = {str(each): each for each in TaskStatus}
DEFAULT_TURNS = 10

Condition = str | Callable[[], object] | Callable[[Mapping[str, Any]], object]
"""A CEL expression, or a callable that takes nothing or the outcomes so far."""


@dataclass(slots=True, kw_only=True)
class Task:
    """What all kinds of tasks have in common.

    After each step, `status`, `output` and `error` of this very object are set, so that a
    later task's condition may read them.
    """

    task_id: str | None = None
    """By default named after what it does (`ticketing`, then `ticketing_2`, ...)."""
    depends_on: Sequence[str] = ()
    """Task ids that must be done first."""
    condition: Condition | None = None
    """The task is skipped where this is false. A CEL string survives the process."""
    requires_approval: bool | ApprovalPolicy = False
    """Pause for a person first; `input_data["requires_approval"]` of an agent counts too."""
    compensate: AgentTask | Mapping[str, Any] | None = None
    """How to undo the task if it succeeds and the workflow is then rejected, fails or is
    cancelled: a task for any agent, or input data for the agent that did this one (with
    this one's timeout and retry). The agent gets this task's output as `upstream`. Of a task
    that is made of others and has none, those are undone by theirs. What is done in turns,
    inside a `Repeat` or a cyclic workflow, can only be undone as a whole."""

    status: TaskStatus = field(default=TaskStatus.PENDING, init=False)
    output: JsonObject = field(default_factory=dict, init=False)
    error: ErrorRecord | None = field(default=None, init=False)

    def record(self, outcome: Outcome) -> None:
        """Take over what became of the task."""
        self.status = _STATUSES[outcome["status"]]
        self.output = outcome.get("output", {})
        self.error = outcome.get("error")


@dataclass(slots=True)
class AgentTask(Task):
    """One piece of work for one agent: name it, or what it must be able to do."""

    agent_id: str | None = None
    input_data: Mapping[str, Any] = field(default_factory=dict)
    """A JSON object; usually `{"messages": [...]}` or `{"action": ...}`."""
    capability: AgentCapability | str | None = field(default=None, kw_only=True)
    input_from: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    """Fields of the input that are worked out when the task's turn comes: names to CEL
    expressions, e.g. `{"amount": "outputs.ticketing.total_price"}`."""
    timeout: float | timedelta | None = field(default=None, kw_only=True)
    """For each attempt; a number is seconds."""
    retry: RetryPolicy | None = field(default=None, kw_only=True)
    cache: CachePolicy | bool | None = field(default=None, kw_only=True)
    """Whether the answer may come from a cache: `True`, or a policy, says that the task changes
    nothing; `False` always calls the agent; by default it is as its agent says."""
    compress_to: int | None = field(default=None, kw_only=True)
    """Most tokens that the messages of its input may have; older content is cut first."""
    context: Sequence[str] = field(default=(), kw_only=True)
    """Context sources of the optimizer whose values the agent gets in its input's `context`."""


@dataclass(slots=True)
class SubWorkflow(Task):
    """A whole workflow as one task; its output is its tasks' outputs, by task id."""

    workflow: Workflow


@dataclass(slots=True)
class Repeat(Task):
    """Tasks that are done again and again, until something holds.

    In each turn they see what the turn before came to as `upstream`. The output is that of
    the last turn; running out of turns is a failure, which keeps that output. So is a turn
    whose tasks, taken as a workflow, did not complete.
    """

    tasks: Sequence[Task] | Workflow
    until: Condition = field(kw_only=True)
    """Asked after each turn; CEL also knows `turn`, from 1 on."""
    max_turns: int = field(default=DEFAULT_TURNS, kw_only=True)


@dataclass(slots=True)
class ForEach(Task):
    """The same work for every item of a list, all at once.

    Expressions of the tasks know `item` and `index`, from 0 on. The output has `items`: the
    output of each item's work, in the order of the items, null where it did not succeed. The
    task as a whole succeeds if all items did, or a `quorum` of them.
    """

    items: str | Sequence[Any]
    """JSON values, or a CEL expression for a list, e.g. `outputs.search.hits`."""
    tasks: Task | Sequence[Task] | Workflow
    """A single task's output is the item's; of several it is an object by task id."""
    max_concurrency: int | None = field(default=None, kw_only=True)
    """Agent calls at the same time; None is no limit."""
    on_failure: FailureMode | str = field(default="continue", kw_only=True)
    """`continue`, `fail_fast`, `all_or_nothing` or `quorum(n)`, as for parallel tasks."""


@dataclass(slots=True)
class Wait(Task):
    """A pause for a time, or until a moment; also over days, and whatever process dies."""

    span: float | timedelta | datetime
    """Seconds, a timedelta, or a moment with its time zone."""


@dataclass(slots=True)
class WaitForSignal(Task):
    """A pause until somebody sends a named signal; its payload becomes the output."""

    signal: str
    timeout: float | timedelta | None = field(default=None, kw_only=True)
    """After this the task has timed out; a number is seconds."""
