"""Which keys of a workflow file do not go together; found also where others are wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from orchestration.documents.source import Finding
from orchestration.workflows.task_entries import (
    AGENT_KEYS,
    FOR_ITEMS,
    KINDS,
    REPEATED,
    WAITING_KINDS,
)
from orchestration.workflows.wait_entries import SPANS
from orchestration.workflows.work_entries import AGENT_KINDS

if TYPE_CHECKING:
    from orchestration.documents.source import KeyPath

    Content = Mapping[str, Any]

BODIES = ("workflow", "repeat", "for_each")
"""Keys of a task that may have tasks inside."""


def contradictions(content: object) -> Iterator[Finding]:
    """Say which keys do not go together in any task of a file."""
    for task, at in tasks_in(content):
        kinds = _given(task, KINDS)
        yield from _kinds(kinds, at)
        yield from _two_messages(task, at)
        if kinds and not set(kinds) & set(AGENT_KINDS):
            yield from _for_agents_only(task, kinds[0], at)
        yield from _one_of(task, "repeat", REPEATED, at)
        yield from _one_of(task, "for_each", FOR_ITEMS, at)
        yield from _one_of(task, "wait", SPANS, at)
        yield from _undoing(task, kinds, at)
    yield from _supervisor(content)


def tasks_in(content: object, path: KeyPath = ()) -> Iterator[tuple[Content, KeyPath]]:
    """Yield every task of a mapping that has tasks, at any depth, with its path."""
    if not isinstance(content, Mapping):
        return
    listed = content.get("tasks")
    found: list[tuple[object, KeyPath]] = [(content.get("task"), (*path, "task"))]
    if isinstance(listed, list):
        found += [(each, (*path, "tasks", index)) for index, each in enumerate(listed)]
    for task, at in found:
        if isinstance(task, Mapping):
            yield task, at
            for key in BODIES:
                yield from tasks_in(task.get(key), (*at, key))
    yield from tasks_in(content.get("workflow"), (*path, "workflow"))


def workflows_in(content: object) -> Iterator[tuple[object, KeyPath]]:
    """Yield whatever stands under a `workflow` key where one is looked for, with its path."""
    for task, at in tasks_in(content):
        holders: list[tuple[object, KeyPath]] = [(task, at)]
        holders += [(task.get(key), (*at, key)) for key in BODIES[1:]]
        for holder, where in holders:
            if isinstance(holder, Mapping) and holder.get("workflow") is not None:
                yield holder["workflow"], (*where, "workflow")


def _given(content: object, keys: Sequence[str]) -> list[str]:
    if not isinstance(content, Mapping):
        return []
    return [key for key in keys if content.get(key) is not None]


def _kinds(kinds: Sequence[str], at: KeyPath) -> Iterator[Finding]:
    if not kinds:
        yield Finding(at, f"says nothing to do; give one of {', '.join(KINDS)}")
    elif {*kinds} == {*AGENT_KINDS}:
        yield Finding(at, "give either agent_id or capability")
    elif len(kinds) > 1:
        yield Finding(at, f"does several things; keep one of {', '.join(kinds)}")


def _two_messages(entry: Content, at: KeyPath) -> Iterator[Finding]:
    input_data = entry.get("input_data")
    if "message" in entry and isinstance(input_data, Mapping) and "messages" in input_data:
        yield Finding(at, "give either message or input_data.messages")


def _for_agents_only(task: Content, kind: str, at: KeyPath) -> Iterator[Finding]:
    for key in AGENT_KEYS:
        if key in task:
            message = f"is for agents, and this task is a {kind}; leave it out"
            yield Finding((*at, key), message, of_key=True)
    if kind in WAITING_KINDS and task.get("requires_approval", False) is not False:
        message = "nobody can approve a task that only waits; leave it out"
        yield Finding((*at, "requires_approval"), message, of_key=True)


def _one_of(task: Content, key: str, keys: Sequence[str], at: KeyPath) -> Iterator[Finding]:
    inner = task.get(key)
    if isinstance(inner, Mapping) and len(given := _given(inner, keys)) != 1:
        found = f", not {' and '.join(given)}" if given else ""
        yield Finding((*at, key), f"give one of {', '.join(keys)}{found}")


def _undoing(task: Content, kinds: Sequence[str], at: KeyPath) -> Iterator[Finding]:
    undo, path = task.get("compensate"), (*at, "compensate")
    if not isinstance(undo, Mapping):
        return
    agents = _given(undo, AGENT_KINDS)
    if len(agents) > 1:
        yield Finding(path, "give either agent_id or capability")
    if not agents and kinds and not set(kinds) & set(AGENT_KINDS):
        message = f"a {kinds[0]} has no agent of its own; say who undoes it: agent_id or capability"
        yield Finding(path, message)
    yield from _two_messages(undo, path)


def _supervisor(content: object) -> Iterator[Finding]:
    """Look at the supervisors of all cyclic workflows in a file."""
    found = [(content, ()), *workflows_in(content)]
    for workflow, path in found:
        lead = workflow.get("supervisor") if isinstance(workflow, Mapping) else None
        if isinstance(lead, Mapping) and any(key in lead for key in AGENT_KINDS):
            where = (*path, "supervisor")
            if len(_given(lead, AGENT_KINDS)) != 1:
                yield Finding(where, "give either agent_id or capability")
            yield from _two_messages(lead, where)
