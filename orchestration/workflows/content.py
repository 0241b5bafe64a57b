"""What a file says, checked against the models; and what is left of it without what is wrong."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from orchestration.workflows.task_entries import WorkflowEntry
from orchestration.workflows.wording import WORDING

if TYPE_CHECKING:
    from orchestration.documents.source import Finding, KeyPath

_HARMLESS: Final = frozenset(
    {
        "aggregate",
        "compensate",
        "condition",
        "description",
        "input_data",
        "max_turns",
        "message",
        "name",
        "parameters",
        "requires_approval",
        "retry",
        "timeout_seconds",
        "version",
    }
)
"""Keys without which the rest of a file means the same to a planner."""


def checked(content: object) -> tuple[WorkflowEntry | None, list[Finding]]:
    """Return what a file says, or everything that is wrong with it."""
    try:
        return WorkflowEntry.model_validate(content), []
    except ValidationError as error:
        return None, WORDING.findings(error)


def without(content: object, findings: list[Finding]) -> WorkflowEntry | None:
    """What a file says without what is wrong in it; None where too much would be missing."""
    left = copy.deepcopy(content)
    for each in findings:
        at = next((at for at, key in enumerate(each.path) if key in _HARMLESS), None)
        if at is None and not each.of_key:
            return None
        _delete(left, each.path[: None if at is None else at + 1])
    return checked(left)[0]


def _delete(content: object, path: KeyPath) -> None:
    holder: Any = content
    for part in path[:-1]:
        try:
            holder = holder[part]
        except LookupError:  # gone with something else
            return
    holder.pop(path[-1], None)


def name_after(file: str) -> str:
    """The name of a workflow that does not say its own."""
    stem = re.sub(r"[^A-Za-z0-9_.-]", "_", Path(file).stem)
    return re.sub(r"^[^A-Za-z0-9_]", "_", stem)[:100] or "workflow"
