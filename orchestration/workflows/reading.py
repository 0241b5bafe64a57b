"""Workflow files: YAML or JSON in, `Workflow` out, or every problem with its place."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from orchestration.documents.reading import SUFFIXES, read_source
from orchestration.documents.source import BadTextError, Finding, Source
from orchestration.documents.version import keep_versions
from orchestration.workflows.building import Building
from orchestration.workflows.content import checked, name_after, without
from orchestration.workflows.contradictions import contradictions, tasks_in, workflows_in
from orchestration.workflows.task_entries import WorkflowEntry
from state.errors import FileProblem, OrchestrationError, WorkflowFileError

if TYPE_CHECKING:
    from orchestration.documents.source import KeyPath
    from state.workflow import Workflow

DEEPEST: Final = 8
"""Files that include files; so many plans stand inside each other at most."""
MOST_TASKS: Final = 10_000
"""In a workflow, with those that it includes counted as often as it does."""


class Definitions(Protocol):
    """Finds workflows by name."""

    def find(self, name: str, version: str | None) -> Workflow | str:
        """Return a workflow, or the path of its file.

        Raises:
            WorkflowNotFoundError, WorkflowConflictError: There is none, or no certain one.
        """
        ...


@dataclass(slots=True)
class Reading:
    """What came of reading a file."""

    source: Source
    problems: list[FileProblem] = field(default_factory=list)
    workflow: Workflow | None = None
    """None where it makes no sense at all; with problems, what is left without them."""
    included: dict[KeyPath, Reading] = field(default_factory=dict)
    """The files it includes, by the path of the `workflow` key that does."""
    size: int = 0
    """How many tasks it has."""


def load_workflow(
    file: str | os.PathLike[str], *, workflows: Definitions | None = None
) -> Workflow:
    """Read a workflow; a file that ends in `.json` is JSON, any other YAML.

    Args:
        file: Its path.
        workflows: Finds workflows that it includes by name; by default `get_workflows()`.

    Raises:
        WorkflowFileError: It cannot be read, or is no workflow; with every problem.
    """
    reading = Reader(workflows).read(os.fspath(file))
    if reading.problems or reading.workflow is None:
        raise WorkflowFileError(reading.source.file, reading.problems)
    return reading.workflow


def named_in(file: str) -> tuple[str, str]:
    """Return the name and version of the workflow in a file, without checking the rest.

    Raises:
        WorkflowFileError: They cannot be read.
    """
    try:
        source = read_source(file)
    except BadTextError as error:
        problem = Source(file).problem(Finding((), str(error), position=error.position))
        raise WorkflowFileError(file, [problem]) from error
    keep_versions(source, [(source.value, ())])
    content = source.value if isinstance(source.value, dict) else {}
    head = {key: content[key] for key in ("name", "version") if key in content}
    entry, findings = checked({**head, "tasks": [{}]})
    if entry is None or source.value != content:
        findings = findings or [Finding((), "should be a mapping")]
        raise WorkflowFileError(file, [source.problem(each) for each in findings])
    return entry.name or name_after(file), entry.version


def is_file(reference: str) -> bool:
    """Whether a reference to a workflow is the path of a file, and not a name."""
    return reference.lower().endswith(SUFFIXES) or "/" in reference or os.sep in reference


class Reader:
    """Reads files and what they include, each once."""

    def __init__(self, workflows: Definitions | None = None) -> None:
        self._workflows = workflows
        self._done: dict[str, Reading] = {}
        self._open: dict[str, str] = {}
        """What is being read now: real paths to names, the outermost first."""

    def read(self, file: str) -> Reading:
        """Read a file; what is wrong with it stands in the result."""
        real = _real_path(file)
        if real not in self._done:
            self._open[real] = file
            self._done[real] = self._read(file)
            del self._open[real]
        return self._done[real]

    def _read(self, file: str) -> Reading:
        try:
            source = read_source(file)
        except BadTextError as error:
            broken = Source(file)
            problem = broken.problem(Finding((), str(error), position=error.position))
            return Reading(broken, [problem])
        keep_versions(source, [(source.value, ()), *workflows_in(source.value)])
        reading = Reading(source)
        included = self._include(reading)
        entry, findings = checked(source.value)
        findings = [*source.findings, *findings, *contradictions(source.value)]
        reading.problems += [source.problem(each) for each in findings]
        if findings:
            entry = without(source.value, findings)
        if entry is not None:
            reading.workflow = _built(entry, included, file)
        reading.problems = [*dict.fromkeys(reading.problems)]
        reading.problems.sort(key=lambda each: (each.file != file, each.file, each.line or 0))
        return reading

    def _include(self, reading: Reading) -> dict[KeyPath, Workflow]:
        """Find what a file includes."""
        included: dict[KeyPath, Workflow] = {}
        reading.size = sum(1 for _ in tasks_in(reading.source.value))
        for wanted, path in workflows_in(reading.source.value):
            if not isinstance(wanted, str):
                continue
            try:
                found = self._found(wanted, path, reading)
            except OrchestrationError as error:
                reading.problems.append(reading.source.problem(Finding(path, str(error))))
                continue
            if found is not None:
                included[path] = found
        if reading.size > MOST_TASKS:
            message = f"has {reading.size:,} tasks with those it includes; at most {MOST_TASKS:,}"
            reading.problems.append(reading.source.problem(Finding(("tasks",), message)))
            included = {}
        return included

    def _found(self, wanted: str, path: KeyPath, reading: Reading) -> Workflow | None:
        """Find what one `workflow` stands for.

        Raises:
            OrchestrationError: It cannot be included; what else is wrong is in `reading`.
        """
        file: Workflow | str = os.path.normpath(Path(reading.source.file).parent / wanted)
        if not is_file(wanted):
            name, _, version = wanted.partition("@")
            file = self._definitions().find(name, version or None)
        if not isinstance(file, str):
            return file
        if not file.lower().endswith(SUFFIXES):  # whatever else lies there is nobody's to quote
            raise IncludeError(f"is {wanted!r}; a workflow file ends in {', '.join(SUFFIXES)}")
        if (real := _real_path(file)) in self._open:
            open_ = [*self._open]
            circle = [self._open[each] for each in open_[open_.index(real) :]]
            raise IncludeError(f"includes itself: {' -> '.join([*circle, file])}")
        if len(self._open) >= DEEPEST:
            raise IncludeError(f"is the {DEEPEST + 1}th file inside another; put fewer in a row")
        inner = self.read(file)
        if inner.problems and inner.problems[0].line is None:  # it is not there
            raise IncludeError(str(inner.problems[0]))
        reading.included[path] = inner
        reading.problems += inner.problems
        reading.size += inner.size
        return None if inner.problems else inner.workflow

    def _definitions(self) -> Definitions:
        if self._workflows is None:
            from orchestration.workflows.registry import get_workflows  # noqa: PLC0415  uses this

            self._workflows = get_workflows()
        return self._workflows


class IncludeError(OrchestrationError):
    """Raised and caught here, for what becomes a problem of the file."""

    code = "invalid_include"


def _built(entry: WorkflowEntry, included: dict[KeyPath, Workflow], file: str) -> Workflow | None:
    try:
        return Building(included).workflow(entry, (), name_after(file))
    except KeyError:  # something it includes is broken, which has been noted
        return None


def _real_path(file: str) -> str:
    """The same for all names of a file."""
    try:
        return os.path.realpath(file)
    except ValueError:  # with a null character; that it is no path is found when it is read
        return file
