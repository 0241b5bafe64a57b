"""Finds workflow definitions: files in folders, and entry points of installed packages."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from state.errors import (
    ConfigurationError,
    OrchestrationError,
    RegistrationError,
    WorkflowFileError,
)
from state.jsonvalue import described
from state.workflow import Workflow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FOLDERS_VARIABLE: Final = "ORCHESTRATION_WORKFLOWS"
DEFAULT_FOLDER: Final = "workflows"
ENTRY_POINTS: Final = "orchestration.workflows"
Definition = Workflow | str
"""A workflow, or the path of its file."""


class Found(NamedTuple):
    """One version of one workflow."""

    name: str
    version: str
    origin: str
    definition: Definition


class Discovered(NamedTuple):
    """What there is, and what is wrong with the rest."""

    definitions: list[Found]
    problems: list[OrchestrationError]


def discover(environment: Mapping[str, str]) -> Discovered:
    """Find the definitions in folders, then those of packages; nothing broken stops others.

    Args:
        environment: `ORCHESTRATION_WORKFLOWS` names folders, separated as in `PATH`; by
            default `workflows`, if it is there.
    """
    found = Discovered([], [])
    files: list[Found] = []
    for folder in _folders(environment, found.problems):
        for file in sorted(folder.iterdir()):
            if file.suffix.lower() in {".yaml", ".yml", ".json"} and file.is_file():
                files += _of_file(str(file), found.problems)
    found.definitions.extend(sorted(files, key=lambda each: _natural(each.version)))
    for point in entry_points(group=ENTRY_POINTS):
        found.definitions.extend(_of_package(point, found.problems))
    return found


def _folders(environment: Mapping[str, str], problems: list[OrchestrationError]) -> Iterator[Path]:
    wanted = environment.get(FOLDERS_VARIABLE, "")
    if not wanted.strip():
        if os.path.isdir(DEFAULT_FOLDER):  # noqa: PTH112  as below
            yield Path(DEFAULT_FOLDER)
        return
    for name in filter(None, (each.strip() for each in wanted.split(os.pathsep))):
        if os.path.isdir(name) and os.access(name, os.R_OK | os.X_OK):  # noqa: PTH112  never raises
            yield Path(name)
        else:
            message = f"{FOLDERS_VARIABLE} names {name!r}, which is no folder that can be read"
            problems.append(ConfigurationError(message))


def _of_file(file: str, problems: list[OrchestrationError]) -> Iterator[Found]:
    """Read only what a file is called; the rest when it is needed."""
    from orchestration.workflows.reading import named_in  # noqa: PLC0415  pydantic

    try:
        name, version = named_in(file)
    except WorkflowFileError as error:
        problems.append(error)
    else:
        yield Found(name, version, file, file)


def _of_package(point: EntryPoint, problems: list[OrchestrationError]) -> Iterator[Found]:
    """Load what a package offers: a workflow, several, or a callable that makes them."""
    origin = f"entry point {point.name} = {point.value}"
    try:
        offered = point.load()
        offered = offered() if callable(offered) else offered
        each = [offered] if isinstance(offered, Workflow) else [*_several(offered)]
    except Exception as error:  # noqa: BLE001  a package's own; it must not break the others
        problems.append(RegistrationError(f"{origin}: {type(error).__name__}: {error}"))
        return
    for workflow in each:
        yield Found(workflow.name, workflow.version, origin, workflow)


def _several(offered: object) -> Iterator[Workflow]:
    for each in offered if isinstance(offered, Iterable) else [offered]:
        if not isinstance(each, Workflow):
            raise TypeError(f"{described(each)} is no Workflow")
        yield each


def _natural(version: str) -> list[tuple[int, int, str]]:
    """Order versions as people do: 2 before 10, 1.9 before 1.10."""
    parts = re.findall(r"\d+|[^\d._+-]+", version)
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]
