"""Workflow files: YAML or JSON in, tasks and options for the coordinator out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ValidationError

from orchestration.cli.workflow_approval import ApprovalEntry
from orchestration.cli.workflow_schema import (
    CompensationEntry,
    RetryEntry,
    RunArguments,
    TaskEntry,
    WorkflowEntry,
)
from orchestration.cli.workflow_text import BadTextError, read_json, read_yaml
from state.errors import OrchestrationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic_core import ErrorDetails

    from state.task import AgentTask

LARGEST_FILE: Final = 10_000_000
"""Bytes; no workflow written by people comes near."""


class WorkflowFileError(OrchestrationError):
    """Raised for a file that is no workflow; lists every problem, each with its place."""

    code = "invalid_file"

    def __init__(self, path: str, problems: Sequence[str]) -> None:
        self.path = path
        self.problems = tuple(problems)
        super().__init__(path, self.problems)

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return f"{self.path}: {self.problems[0]}"
        lines = "\n".join(f"  - {problem}" for problem in self.problems)
        return f"{self.path} has {len(self.problems)} problems; nothing was run:\n{lines}"


@dataclass(frozen=True, slots=True)
class WorkflowFile:
    """What a file asks for."""

    tasks: list[AgentTask]
    arguments: RunArguments


def load_workflow(file: str) -> WorkflowFile:
    """Read a workflow; a file that ends in `.json` is JSON, any other YAML.

    Raises:
        WorkflowFileError: It cannot be read, or is no workflow; with every problem.
    """
    read = read_json if file.lower().endswith(".json") else read_yaml
    try:
        content = read(_text(Path(file)))
    except (BadTextError, OSError) as error:
        raise WorkflowFileError(file, [_reason(error)]) from error
    contradictions = [*_contradictions(content)]
    try:
        workflow = WorkflowEntry.model_validate(content)
    except ValidationError as error:
        problems = [*map(_problem, error.errors()), *contradictions]
        raise WorkflowFileError(file, problems) from error
    if contradictions:
        raise WorkflowFileError(file, contradictions)
    return WorkflowFile([task.task() for task in workflow.tasks], workflow.arguments())


def _contradictions(content: object) -> Iterator[str]:
    """Say which keys of a task do not go together, even where others are wrong."""
    tasks = content.get("tasks") if isinstance(content, dict) else None
    for index, task in enumerate(tasks if isinstance(tasks, list) else []):
        if not isinstance(task, dict):
            continue
        if (task.get("agent_id") is None) == (task.get("capability") is None):
            yield f"tasks[{index}]: give either agent_id or capability"
        yield from _two_messages(task, f"tasks[{index}]")
        undo = task.get("compensate")
        if isinstance(undo, dict):
            if undo.get("agent_id") is not None and undo.get("capability") is not None:
                yield f"tasks[{index}].compensate: give either agent_id or capability"
            yield from _two_messages(undo, f"tasks[{index}].compensate")


def _two_messages(entry: dict[str, object], place: str) -> Iterator[str]:
    input_data = entry.get("input_data")
    if "message" in entry and isinstance(input_data, dict) and "messages" in input_data:
        yield f"{place}: give either message or input_data.messages"


def _text(path: Path) -> str:
    with path.open("rb") as stream:
        content = stream.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise BadTextError(f"larger than {LARGEST_FILE:,} bytes, so hardly a workflow")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadTextError(f"not UTF-8 text: {error.reason} at byte {error.start}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror or error}"
    return str(error)


_PLAINER = {
    "extra_forbidden": "is no key known here",
    "invalid_key": "keys are text; put it in quotes",
    "missing": "is missing",
    "model_type": "should be a mapping",
}


def _problem(details: ErrorDetails) -> str:
    place = ""
    for part in details["loc"]:
        place += f"[{part}]" if isinstance(part, int) else f".{part}"
    place = place.removeprefix(".") or "the file"
    kind = details["type"]
    if kind == "extra_forbidden":
        return f"{place} is no key known here; known are {', '.join(_known_keys(details['loc']))}"
    message = _PLAINER.get(kind, details["msg"])
    simple = isinstance(details["input"], str | int | float) and kind != "missing"
    given = f", not {details['input']!r:.80}" if simple else ""
    return f"{place}: {message[:1].lower()}{message[1:]}{given}"


def _known_keys(location: Sequence[int | str]) -> list[str]:
    """The keys allowed where an unknown one was found."""
    entry: type[BaseModel] = WorkflowEntry
    if "requires_approval" in location[:-1]:
        entry = ApprovalEntry
    elif "retry" in location[:-1]:
        entry = RetryEntry
    elif "compensate" in location[:-1]:
        entry = CompensationEntry
    elif len(location) > 1:
        entry = TaskEntry
    return list(entry.model_fields)
