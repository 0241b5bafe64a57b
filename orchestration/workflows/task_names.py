"""Finds the task of a file that a plan's problem is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from state.task import AgentTask, ForEach, Repeat, SubWorkflow, Task, Wait, WaitForSignal
from state.workflow import Workflow

if TYPE_CHECKING:
    from orchestration.documents.source import KeyPath
    from orchestration.workflows.reading import Reading

_NAMES = {SubWorkflow: "workflow", Repeat: "repeat", ForEach: "for_each", Wait: "wait"}


class TaskPlace(NamedTuple):
    """Where a task is written."""

    reading: Reading
    path: KeyPath
    task: Task


class WholePlace(NamedTuple):
    """Where a workflow is written, or what stands for one."""

    reading: Reading
    path: KeyPath


class _Level(NamedTuple):
    """Tasks beside each other, and where their list is written."""

    reading: Reading
    path: KeyPath
    tasks: Sequence[Task]
    single: bool = False
    """Whether the path is that of the only task, and not of a list."""

    def place(self, index: int) -> TaskPlace:
        path = self.path if self.single else (*self.path, "tasks", index)
        return TaskPlace(self.reading, path, self.tasks[index])


class Places:
    """Finds tasks of a file by their ids; names the tasks of each list only once."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._indexes: dict[tuple[str, KeyPath], dict[str, list[int]]] = {}

    def find(self, task_id: str, *, last: bool = False) -> TaskPlace | None:
        """Find a task by its id, or by its path where it is inside others (`offers/review`).

        Args:
            task_id: The id or path.
            last: Whether to take the last of several tasks with that id, and not the first.

        Returns:
            Its place, or that of the innermost task around it that is known; None for neither.
        """
        found: TaskPlace | None = None
        workflow = self._reading.workflow
        level = None if workflow is None else _Level(self._reading, (), workflow.tasks)
        for part in filter(None, task_id.split("/")):
            indexes = [] if level is None else self._named(level).get(part, [])
            if level is None or not indexes:
                break
            found = level.place(indexes[-1 if last else 0])
            level = _inside(found)
        return found

    def _named(self, level: _Level) -> dict[str, list[int]]:
        """Which tasks of a level have each id."""
        where = (level.reading.source.file, level.path)
        known = self._indexes.get(where)
        if known is None:
            known = self._indexes[where] = {}
            for index, id_ in enumerate(default_ids(level.tasks)):
                known.setdefault(id_, []).append(index)
        return known


def whole_place(place: TaskPlace) -> WholePlace:
    """Where what is inside a task is written, as a whole."""
    level = _inside(place)
    return WholePlace(place.reading, place.path) if level is None else WholePlace(*level[:2])


def default_ids(tasks: Sequence[Task]) -> list[str]:
    """Name tasks as the planner does: by their id, or after what they do."""
    taken = {task.task_id for task in tasks if task.task_id is not None}
    numbers: dict[str, int] = {}
    return [task.task_id or _free_id(_named_after(task), taken, numbers) for task in tasks]


def _free_id(base: str, taken: set[str], numbers: dict[str, int]) -> str:
    """The first of `base`, `base_2`, ... that nobody has; `numbers` says where to go on."""
    number = numbers.get(base, 0)
    while True:
        number += 1
        id_ = base if number == 1 else f"{base}_{number}"
        if id_ not in taken:
            taken.add(id_)
            numbers[base] = number
            return id_


def kind_of(task: Task) -> str:
    """Say in a few words what a task does."""
    match task:
        case AgentTask(agent_id=str(agent)):
            said = f"asks {agent}"
        case AgentTask():
            said = f"asks whoever can do {task.capability}"
        case SubWorkflow(workflow=workflow):
            said = f"runs the workflow {workflow.name} {workflow.version}"
        case Repeat():
            said = f"repeats until {task.until}, at most {task.max_turns} times"
        case ForEach():
            said = f"for each of {task.items if isinstance(task.items, str) else len(task.items)}"
        case Wait():
            said = f"waits {task.span}"
        case WaitForSignal():
            said = f"waits for the signal {task.signal}"
        case _:
            said = type(task).__name__
    return said


def _named_after(task: Task) -> str:
    match task:
        case AgentTask():
            name: object = task.agent_id or task.capability
        case SubWorkflow(workflow=Workflow()):
            name = task.workflow.name
        case WaitForSignal():
            name = task.signal
        case _:
            name = _NAMES.get(type(task))
    return str(name or "task")


def _inside(place: TaskPlace) -> _Level | None:
    """The tasks inside a task."""
    match place.task:
        case SubWorkflow(workflow=workflow):
            return _of_workflow(place, (*place.path, "workflow"), workflow)
        case Repeat(tasks=inner):
            path: KeyPath = (*place.path, "repeat")
        case ForEach(tasks=inner):
            path = (*place.path, "for_each")
        case _:
            return None
    if isinstance(inner, Workflow):
        return _of_workflow(place, (*path, "workflow"), inner)
    if isinstance(inner, Task):
        return _Level(place.reading, (*path, "task"), [inner], single=True)
    return _Level(place.reading, path, inner)


def _of_workflow(place: TaskPlace, path: KeyPath, workflow: Workflow) -> _Level | None:
    if (file := place.reading.included.get(path)) is not None:
        return _Level(file, (), workflow.tasks)
    is_here = (*path, "tasks") in place.reading.source.spots
    return _Level(place.reading, path, workflow.tasks) if is_here else None
