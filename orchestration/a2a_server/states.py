"""How a thread stands, as an A2A task."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from a2a.types import Artifact, Message, Part, Role, Task, TaskState, TaskStatus

from checkpoints.threads import RUNNING
from orchestration.a2a.values import data_part, struct, text_part, timestamp
from state.errors import AgentRefusedError
from state.outcome import error_json
from state.question import is_approval, is_own
from state.status import TaskStatus as Standing
from state.status import WorkflowStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from state.jsonvalue import JsonObject, JsonValue
    from state.outcome import ErrorRecord
    from state.result import PendingInterrupt, TaskResult, WorkflowResult

_RAISED = "agent_raised"
_STATES = {
    WorkflowStatus.COMPLETED: TaskState.TASK_STATE_COMPLETED,
    WorkflowStatus.PARTIAL: TaskState.TASK_STATE_COMPLETED,
    WorkflowStatus.REJECTED: TaskState.TASK_STATE_REJECTED,
    WorkflowStatus.CANCELLED: TaskState.TASK_STATE_CANCELED,
}


class TaskIds(NamedTuple):
    """What a task is called."""

    task_id: str
    """The id of its thread too."""
    context_id: str


def task_of(ids: TaskIds, result: WorkflowResult, *, record_status: str, updated_at: float) -> Task:
    """Return how a thread stands.

    Args:
        ids: What it is called.
        result: What is known of its run.
        record_status: How its row says that it stands.
        updated_at: When that changed, seconds since the epoch.
    """
    questions = questions_of(result)
    state = _state(result, questions, runs=record_status == RUNNING)
    message = _message(ids, result, questions, state=state)
    return Task(
        id=ids.task_id,
        context_id=ids.context_id,
        status=TaskStatus(state=state, message=message, timestamp=timestamp(updated_at)),
        artifacts=[artifact(each.task_id, each.output) for each in result if each.succeeded],
        metadata=struct({"thread_id": ids.task_id, "workflow_status": str(result.status)}),
    )


def working(ids: TaskIds) -> Task:
    """Return a task that has just begun."""
    return Task(
        id=ids.task_id,
        context_id=ids.context_id,
        status=TaskStatus(state=TaskState.TASK_STATE_WORKING),
        metadata=struct({"thread_id": ids.task_id}),
    )


def artifact(task_id: str, output: JsonObject) -> Artifact:
    """Return what a task of the run gave: its text, if it has some, and all of it as data."""
    parts: list[Part] = []
    if isinstance(text := output.get("content"), str) and text:
        parts.append(text_part(text))
    return Artifact(artifact_id=task_id, name=task_id, parts=[*parts, data_part(output)])


def questions_of(result: WorkflowResult) -> list[PendingInterrupt]:
    """Return what a run asks somebody; waits for a time or a signal ask nobody."""
    return [each for each in result.interrupts if is_approval(each.value) or not is_own(each.value)]


def _state(
    result: WorkflowResult, questions: Sequence[PendingInterrupt], *, runs: bool
) -> TaskState:
    if result.status == WorkflowStatus.INTERRUPTED:
        asks = bool(questions) and not runs
        return TaskState.TASK_STATE_INPUT_REQUIRED if asks else TaskState.TASK_STATE_WORKING
    if result.status == WorkflowStatus.FAILED:
        codes = {error["code"] for _, error in _errors(result)}
        refused = codes == {AgentRefusedError.code}
        return TaskState.TASK_STATE_REJECTED if refused else TaskState.TASK_STATE_FAILED
    return _STATES[result.status]


def _message(
    ids: TaskIds,
    result: WorkflowResult,
    questions: Sequence[PendingInterrupt],
    *,
    state: TaskState,
) -> Message | None:
    """What is said about a task that is not simply done."""
    metadata: JsonObject = {}
    if state == TaskState.TASK_STATE_INPUT_REQUIRED:
        parts = _asked(questions)
    elif state in {TaskState.TASK_STATE_WORKING, TaskState.TASK_STATE_COMPLETED}:
        return None
    else:
        errors = [*_errors(result)]
        reasons = [each.reason for each in result if each.reason]
        alone = len(result) == 1
        said = [_shown(*each, alone=alone) for each in errors]
        parts = [text_part("\n".join(said or reasons))]
        if errors:
            metadata["error"] = _public(errors[0][1])
    return Message(
        message_id=f"{ids.task_id}.status",
        task_id=ids.task_id,
        context_id=ids.context_id,
        role=Role.ROLE_AGENT,
        parts=parts,
        metadata=struct(metadata),
    )


def _asked(questions: Sequence[PendingInterrupt]) -> list[Part]:
    """Questions, for people and for programs."""
    lines = [
        f"The approval of a person is needed for {each.task_id}."
        if is_approval(each.value)
        else f"{each.task_id or 'The agent'} asks: {each.value}"
        for each in questions
    ]
    shown: list[JsonValue] = [
        {
            "id": each.interrupt_id,
            "task_id": each.task_id,
            "is_approval": is_approval(each.value),
            "value": each.value,
        }
        for each in questions
    ]
    return [text_part("\n".join(lines)), data_part({"questions": shown})]


def _errors(result: WorkflowResult) -> list[tuple[str, ErrorRecord]]:
    failed = {Standing.FAILED, Standing.TIMED_OUT, Standing.REJECTED}
    found = [(each.task_id, each.error) for each in _failed(result, failed) if each.error]
    return found or ([] if result.error is None else [("the workflow", result.error)])


def _failed(result: WorkflowResult, statuses: set[Standing]) -> list[TaskResult]:
    return [each for each in result if each.status in statuses]


def _shown(task_id: str, error: ErrorRecord, *, alone: bool) -> str:
    message = str(_public(error)["message"])
    return message if alone else f"{task_id}: {message}"


def _public(error: ErrorRecord) -> JsonObject:
    """An error as strangers may see it: what an agent raised by mistake may tell too much."""
    if error["code"] == _RAISED:
        return {**error_json(error), "message": f"the agent failed ({error['type']})"}
    return error_json(error)
