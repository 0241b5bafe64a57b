"""Workflows by name and version: registered in code, or found in folders and packages."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from orchestration.documents.patterns import VERSION
from orchestration.workflows.discovery import Discovered, discover
from orchestration.workflows.patterns import NAME
from state.errors import (
    OrchestrationError,
    RegistrationError,
    WorkflowConflictError,
    WorkflowFileError,
    WorkflowNotFoundError,
)
from state.jsonvalue import described
from state.workflow import Workflow

if TYPE_CHECKING:
    from orchestration.workflows.discovery import Definition

IN_CODE: Final = "code"


@dataclass(frozen=True, slots=True)
class Registered:
    """One version of one workflow."""

    name: str
    version: str
    origin: str
    """A file, an entry point, or `code`."""
    definition: Definition


class WorkflowRegistry:
    """Workflows by name and version.

    What is found in folders comes first, then what packages bring, then what is registered
    in code; of several versions the last is taken where none is asked for (of files in
    folders, the highest).

    Args:
        find: Finds definitions; called once, when something is first asked for.
    """

    def __init__(self, *, find: Callable[[], Discovered] | None = None) -> None:
        self._find = find
        self._lock = threading.RLock()
        self._found: list[Registered] = []
        self._own: dict[tuple[str, str], Registered] = {}
        self._problems: list[OrchestrationError] = []

    def register(self, workflow: Workflow, *, replace: bool = False) -> Workflow:
        """Add a workflow, or a version of it; the same again changes nothing.

        Args:
            workflow: What to add.
            replace: Take the place of another of the same name and version; for notebooks.

        Raises:
            WorkflowConflictError: Its name and version stand for something else.
            RegistrationError: It cannot be registered under that name or version.
        """
        if not isinstance(workflow, Workflow):
            raise RegistrationError(f"{described(workflow)} is no workflow; give a Workflow")
        _check_text("name", workflow.name, NAME)
        _check_text("version", workflow.version, VERSION)
        key = (workflow.name, workflow.version)
        with self._lock:
            before = self._own.pop(key, None)  # so that it counts as registered last
            if before is not None and not replace and not same(before.definition, workflow):
                self._own[key] = before
                raise WorkflowConflictError(*key)
            self._own[key] = Registered(*key, IN_CODE, workflow)
        return workflow

    def get(self, name: str, version: str | None = None) -> Workflow:
        """Return a workflow; without a version, the latest.

        Raises:
            WorkflowNotFoundError: There is none; names what there is.
            WorkflowConflictError: Two files define it, and not in the same way.
            WorkflowFileError: Its file is no workflow.
        """
        return self._load(self.find(name, version))

    def latest(self, name: str) -> Workflow | None:
        """Return the latest version of a workflow, or None where nobody knows the name.

        Raises:
            WorkflowConflictError, WorkflowFileError: As in `get`.
        """
        return self.get(name) if self.versions(name) else None

    def find(self, name: str, version: str | None = None) -> Definition:
        """Return a workflow, or the path of its file.

        Raises:
            WorkflowNotFoundError, WorkflowConflictError: As in `get`.
        """
        fitting = [
            each for each in self.all() if each.name == name and version in {None, each.version}
        ]
        if not fitting:
            wanted = name if version is None else f"{name}@{version}"
            known = sorted({f"{each.name}@{each.version}" for each in self.all()})
            broken = [e.path for e in self._problems if isinstance(e, WorkflowFileError)]
            raise WorkflowNotFoundError(wanted, known, broken)
        chosen = fitting[-1]
        self._check_twins(chosen, fitting)
        return chosen.definition

    def versions(self, name: str) -> list[str]:
        """Return the versions of a workflow, the latest last; empty if there is none."""
        return [*dict.fromkeys(each.version for each in self.all() if each.name == name)]

    def names(self) -> list[str]:
        """Return the names of all workflows, sorted."""
        return sorted({each.name for each in self.all()})

    def problems(self) -> list[OrchestrationError]:
        """Return what is wrong with definitions that were found; reads every file."""
        problems, broken = [*self._listed()], {id(error) for error in self._problems}
        for each in self.all():
            try:
                self.get(each.name, each.version)
            except OrchestrationError as error:
                if id(error) not in broken and str(error) not in map(str, problems):
                    problems.append(error)
        return problems

    def all(self) -> list[Registered]:
        """Return every version of every workflow, the latest of each last."""
        with self._lock:
            if self._find is not None:
                find, self._find = self._find, None
                found = find()
                self._found = [Registered(*each) for each in found.definitions]
                self._problems = [*found.problems]
            return [*self._found, *self._own.values()]

    def _listed(self) -> list[OrchestrationError]:
        self.all()
        return self._problems

    def _load(self, definition: Definition) -> Workflow:
        if isinstance(definition, Workflow):
            return definition
        from orchestration.workflows.reading import load_workflow  # noqa: PLC0415  pydantic

        return load_workflow(definition, workflows=self)

    def _check_twins(self, chosen: Registered, fitting: Sequence[Registered]) -> None:
        """Refuse a version that is defined twice, unless both say the same."""
        twins = [each for each in fitting if each.version == chosen.version]
        for twin in twins[:-1]:
            if not same(self._load(twin.definition), self._load(chosen.definition)):
                origins = (twin.origin, chosen.origin)
                raise WorkflowConflictError(chosen.name, chosen.version, origins)


def same(one: object, other: object) -> bool:
    """Whether two definitions say the same; what became of their tasks does not count."""
    return _said(one) == _said(other)


def _said(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        given = {each.name: getattr(value, each.name) for each in fields(value) if each.init}
        return type(value), _said(given)
    if isinstance(value, Mapping):
        return {key: _said(item) for key, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return [_said(item) for item in value]
    return str(value) if isinstance(value, str) else value


def _check_text(what: str, value: object, pattern: str) -> None:
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        signs = "'_', '-' and '.'" if what == "name" else "'_', '-', '+' and '.'"
        raise RegistrationError(
            f"a workflow's {what} is {described(value)}; use letters, digits, {signs}"
        )


@cache
def get_workflows() -> WorkflowRegistry:
    """Return the process's registry.

    It finds the files in the folders that `ORCHESTRATION_WORKFLOWS` names (by default in
    `workflows/`, if that is there), and what installed packages offer under the entry point
    group `orchestration.workflows`.
    """
    return WorkflowRegistry(find=lambda: discover(os.environ))
