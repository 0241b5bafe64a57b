"""From the entries of a checked file to the `Workflow` that they describe."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypedDict

from state.task import AgentTask, ForEach, Repeat, SubWorkflow, Wait, WaitForSignal
from state.workflow import Workflow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import JsonValue

    from orchestration.documents.source import KeyPath
    from orchestration.workflows.task_entries import (
        ForEachEntry,
        RepeatEntry,
        Supervisor,
        TaskEntry,
        WorkflowEntry,
    )
    from orchestration.workflows.wait_entries import WaitEntry
    from orchestration.workflows.work_entries import CompensationEntry, SupervisorEntry, WorkEntry
    from state.approval import ApprovalPolicy
    from state.task import Task
    from state.workflow import Router


class _Common(TypedDict):
    """What all kinds of tasks have."""

    task_id: str | None
    depends_on: Sequence[str]
    condition: str | None
    requires_approval: bool | ApprovalPolicy
    compensate: AgentTask | None


@dataclass(frozen=True, slots=True)
class Building:
    """Says entries in the coordinator's terms."""

    included: Mapping[KeyPath, Workflow]
    """What each `workflow` that is a name or a path stands for, by its path."""

    def workflow(self, entry: WorkflowEntry, path: KeyPath, name: str) -> Workflow:
        """Build a workflow; `name` is for one that does not say its own."""
        own = entry.name or name
        return Workflow(
            own,
            entry.version,
            self._tasks(entry.tasks, (*path, "tasks"), own),
            strategy=entry.strategy,
            on_failure=entry.on_failure,
            aggregate=entry.aggregate,
            router=entry.router,
            input_data=entry.input_data,
            supervisor=_supervisor(entry.supervisor),
            start=entry.start,
            until=entry.until,
            max_turns=entry.max_turns,
            parameters=entry.parameters,
            budgets=tuple(each.budget() for each in entry.budgets),
            description=entry.description,
        )

    def _tasks(self, entries: Sequence[TaskEntry], path: KeyPath, name: str) -> list[Task]:
        return [self._task(entry, (*path, at), name) for at, entry in enumerate(entries)]

    def _task(self, entry: TaskEntry, path: KeyPath, name: str) -> Task:
        if entry.workflow is not None:
            inner = self._referred(entry.workflow, (*path, "workflow"), f"{name}.{path[-1]}")
            return SubWorkflow(workflow=inner, **_common(entry))
        if entry.repeat is not None:
            return self._repeat(entry, entry.repeat, (*path, "repeat"), name)
        if entry.for_each is not None:
            return self._for_each(entry, entry.for_each, (*path, "for_each"), name)
        if entry.wait is not None:
            return Wait(span=_span(entry.wait), **_common(entry))
        if entry.wait_for_signal is not None:
            wanted = entry.wait_for_signal
            return WaitForSignal(
                signal=wanted.signal, timeout=wanted.timeout_seconds, **_common(entry)
            )
        return _agent_task(entry)

    def _repeat(self, entry: TaskEntry, loop: RepeatEntry, path: KeyPath, name: str) -> Repeat:
        inner: Sequence[Task] | Workflow
        if loop.workflow is not None:
            inner = self._referred(loop.workflow, (*path, "workflow"), f"{name}.{path[-2]}")
        else:
            inner = self._tasks(loop.tasks or [], (*path, "tasks"), name)
        return Repeat(tasks=inner, until=loop.until, max_turns=loop.max_turns, **_common(entry))

    def _for_each(self, entry: TaskEntry, each: ForEachEntry, path: KeyPath, name: str) -> ForEach:
        inner: Task | Sequence[Task] | Workflow
        if each.workflow is not None:
            inner = self._referred(each.workflow, (*path, "workflow"), f"{name}.{path[-2]}")
        elif each.task is not None:
            inner = self._task(each.task, (*path, "task"), name)
        else:
            inner = self._tasks(each.tasks or [], (*path, "tasks"), name)
        return ForEach(
            items=each.items,
            tasks=inner,
            max_concurrency=each.max_concurrency,
            on_failure=each.on_failure or "continue",
            **_common(entry),
        )

    def _referred(self, wanted: str | WorkflowEntry, path: KeyPath, name: str) -> Workflow:
        if isinstance(wanted, str):
            return self.included[path]
        return self.workflow(wanted, path, name)


def _agent_task(entry: TaskEntry) -> AgentTask:
    return AgentTask(
        entry.agent_id,
        _input(entry),
        capability=entry.capability,
        input_from=entry.input_from,
        timeout=entry.timeout_seconds,
        retry=None if entry.retry is None else entry.retry.policy(),
        cache=None if entry.cache is None else entry.cache.wanted(),
        compress_to=entry.compress_to,
        context=tuple(entry.context),
        **_common(entry),
    )


def _common(entry: TaskEntry) -> _Common:
    approval = entry.requires_approval
    return _Common(
        task_id=entry.task_id,
        depends_on=entry.depends_on,
        condition=entry.condition,
        requires_approval=approval is not None and approval.wanted(),
        compensate=None if entry.compensate is None else _undoing(entry.compensate, entry),
    )


def _undoing(undo: CompensationEntry, entry: TaskEntry) -> AgentTask:
    """Say how a task is undone; its own agent keeps the task's terms."""
    own = undo.agent_id is None and undo.capability is None
    retry = undo.retry or (entry.retry if own else None)
    return AgentTask(
        entry.agent_id if own else undo.agent_id,
        _input(undo),
        capability=entry.capability if own else undo.capability,
        timeout=undo.timeout_seconds or (entry.timeout_seconds if own else None),
        retry=None if retry is None else retry.policy(),
    )


def _supervisor(wanted: Supervisor | None) -> Router | AgentTask | None:
    if wanted is None or isinstance(wanted, str | dict):
        return wanted
    entry: SupervisorEntry = wanted
    return AgentTask(
        entry.agent_id,
        _input(entry),
        capability=entry.capability,
        input_from=entry.input_from,
        timeout=entry.timeout_seconds,
        retry=None if entry.retry is None else entry.retry.policy(),
    )


def _input(entry: WorkEntry) -> dict[str, JsonValue]:
    input_data = dict(entry.input_data)
    if entry.message is not None:
        input_data["messages"] = [{"role": "user", "content": entry.message}]
    return input_data


def _span(entry: WaitEntry) -> timedelta | datetime:
    if entry.until is not None:
        return entry.until
    return timedelta(
        seconds=entry.seconds or 0,
        minutes=entry.minutes or 0,
        hours=entry.hours or 0,
        days=entry.days or 0,
    )
