"""What a workflow file may say: keys, types and bounds, as pydantic models."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal, TypedDict

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue
from pydantic_core import PydanticCustomError

from orchestration.cli.workflow_approval import RequiresApproval
from state.failure_mode import FailureMode, quorum
from state.retry import RetryPolicy
from state.task import AgentTask

LONGEST_SECONDS: Final = 366 * 24 * 3600


class RunArguments(TypedDict):
    """Keyword arguments of `SimpleCoordinator.stream` that a file sets."""

    strategy: str
    on_failure: FailureMode | str | None
    aggregate: str | None
    router: str | Mapping[str, str] | None
    input_data: Mapping[str, Any] | None


def _failure_mode(value: object) -> object:
    match value:
        case {"quorum": int(needed), **rest} if not rest and not isinstance(needed, bool):
            return quorum(needed)
        case FailureMode() | "continue" | "fail_fast" | "all_or_nothing" | None:
            return value
    raise PydanticCustomError(
        "on_failure", "use 'continue', 'fail_fast', 'all_or_nothing' or {quorum: n}"
    )


def _router(value: object) -> object:
    is_map = isinstance(value, Mapping) and all(
        isinstance(text, str) for case in value.items() for text in case
    )
    if value is None or isinstance(value, str) or is_map:
        return value
    raise PydanticCustomError(
        "router", "use a CEL expression, or a map of CEL conditions to agents or task ids"
    )


Seconds = Annotated[float, Field(ge=0, le=LONGEST_SECONDS, allow_inf_nan=False)]


class Entry(BaseModel):
    """A mapping in a workflow file; it has no keys but these."""

    model_config = ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True)


class RetryEntry(Entry):
    """When a failed task is tried again."""

    max_attempts: int = Field(3, ge=1)
    initial_seconds: Seconds = 0.5
    backoff: float = Field(2.0, ge=1, allow_inf_nan=False)
    max_seconds: Seconds = 120.0
    jitter: bool = True

    def policy(self) -> RetryPolicy:
        """Say it in the coordinator's terms."""
        return RetryPolicy(
            max_attempts=self.max_attempts,
            initial_delay=timedelta(seconds=self.initial_seconds),
            backoff=self.backoff,
            max_delay=timedelta(seconds=self.max_seconds),
            jitter=self.jitter,
        )


class CompensationEntry(Entry):
    """How to undo a task; by its own agent if none is named."""

    agent_id: str | None = None
    capability: str | None = None
    input_data: dict[str, JsonValue] = Field(default_factory=dict)
    message: str | None = None
    """Short for an input with one user message."""
    timeout_seconds: float | None = Field(None, gt=0, le=LONGEST_SECONDS)
    retry: RetryEntry | None = None

    def task(self, entry: TaskEntry) -> AgentTask:
        """Say it in the coordinator's terms; the task's own agent keeps the task's terms."""
        own = self.agent_id is None and self.capability is None
        retry = self.retry or (entry.retry if own else None)
        return AgentTask(
            entry.agent_id if own else self.agent_id,
            _input(self),
            capability=entry.capability if own else self.capability,
            timeout=self.timeout_seconds or (entry.timeout_seconds if own else None),
            retry=None if retry is None else retry.policy(),
        )


class TaskEntry(Entry):
    """One piece of work for one agent."""

    agent_id: str | None = None
    capability: str | None = None
    task_id: str | None = None
    input_data: dict[str, JsonValue] = Field(default_factory=dict)
    message: str | None = None
    """Short for an input with one user message."""
    depends_on: list[str] = Field(default_factory=list)
    condition: str | None = None
    timeout_seconds: float | None = Field(None, gt=0, le=LONGEST_SECONDS)
    retry: RetryEntry | None = None
    requires_approval: RequiresApproval = None
    compensate: CompensationEntry | None = None

    def task(self) -> AgentTask:
        """Say it in the coordinator's terms."""
        return AgentTask(
            self.agent_id,
            _input(self),
            capability=self.capability,
            task_id=self.task_id,
            depends_on=self.depends_on,
            condition=self.condition,
            requires_approval=self.requires_approval is not None
            and self.requires_approval.wanted(),
            timeout=self.timeout_seconds,
            retry=None if self.retry is None else self.retry.policy(),
            compensate=None if self.compensate is None else self.compensate.task(self),
        )


def _input(entry: TaskEntry | CompensationEntry) -> dict[str, JsonValue]:
    input_data = dict(entry.input_data)
    if entry.message is not None:
        input_data["messages"] = [{"role": "user", "content": entry.message}]
    return input_data


class WorkflowEntry(Entry):
    """A whole file."""

    strategy: Literal["sequential", "parallel", "conditional"] = "sequential"
    on_failure: Annotated[FailureMode | str | None, BeforeValidator(_failure_mode)] = None
    aggregate: Literal["collect", "merge", "first_success", "majority"] | None = None
    router: Annotated[str | dict[str, str] | None, BeforeValidator(_router)] = None
    input_data: dict[str, JsonValue] | None = None
    """What the router sees; by default the first task's."""
    tasks: list[TaskEntry] = Field(min_length=1)

    def arguments(self) -> RunArguments:
        """Say everything but the tasks in the coordinator's terms."""
        return RunArguments(
            strategy=self.strategy,
            on_failure=self.on_failure,
            aggregate=self.aggregate,
            router=self.router,
            input_data=self.input_data,
        )
