"""How what pydantic finds is said."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from orchestration.workflows.approval_entry import ApprovalEntry
from orchestration.workflows.entry import Entry, RetryEntry
from orchestration.workflows.patterns import NAME, SIGNAL, VERSION
from orchestration.workflows.task_entries import (
    ForEachEntry,
    RepeatEntry,
    TaskEntry,
    WorkflowEntry,
)
from orchestration.workflows.wait_entries import WaitEntry, WaitForSignalEntry
from orchestration.workflows.work_entries import CompensationEntry, SupervisorEntry

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from orchestration.workflows.source import KeyPath

_TAGS: Final = frozenset({"<name>", "<inline>", "<cel>", "<map>", "<task>"})
"""What the models put into a location that is not in the file."""
_ENTRIES: Final[dict[str | int, type[Entry]]] = {
    "tasks": TaskEntry,
    "task": TaskEntry,
    "workflow": WorkflowEntry,
    "repeat": RepeatEntry,
    "for_each": ForEachEntry,
    "wait": WaitEntry,
    "wait_for_signal": WaitForSignalEntry,
    "retry": RetryEntry,
    "requires_approval": ApprovalEntry,
    "compensate": CompensationEntry,
    "supervisor": SupervisorEntry,
}
_PLAINER: Final = {
    "invalid_key": "keys are text; put it in quotes",
    "missing": "is missing",
    "model_type": "should be a mapping",
}
_BOUNDS: Final = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}
_PATTERNS: Final = {
    NAME: "use 1 to 100 letters, digits, '_', '-' or '.'",
    VERSION: "use 1 to 50 letters, digits, '_', '-', '+' or '.'",
    SIGNAL: "use 1 to 100 letters, digits, '_', '-', '.' or ':'",
}
UNKNOWN: Final = "extra_forbidden"


def place_in(details: ErrorDetails) -> KeyPath:
    """Where in the file a problem is."""
    return tuple(part for part in details["loc"] if part not in _TAGS)


def worded(details: ErrorDetails) -> str:
    """Say what pydantic found."""
    kind = details["type"]
    if kind == UNKNOWN:
        return _unknown(place_in(details))
    message = _PLAINER.get(kind, details["msg"])
    if kind in _BOUNDS:
        words, name = _BOUNDS[kind]
        message = f"should be {words} {_number(details['ctx'][name])}"
    if kind == "string_pattern_mismatch":
        message = _PATTERNS.get(details["ctx"]["pattern"], message)
    simple = isinstance(details["input"], str | int | float) and kind != "missing"
    given = f", not {details['input']!r:.80}" if simple else ""
    return f"{message[:1].lower()}{message[1:]}{given}"


def _number(bound: float) -> str:
    """Say a bound as people write it."""
    return f"{bound:,.0f}" if bound == int(bound) else f"{bound:g}"


def _unknown(path: KeyPath) -> str:
    known = _known_keys(path)
    close = difflib.get_close_matches(str(path[-1]), known, 1)
    meant = f" (did you mean {close[0]!r}?)" if close else ""
    return f"is no key known here{meant}; known are {', '.join(known)}"


def _known_keys(path: KeyPath) -> list[str]:
    """The keys allowed where an unknown one was found."""
    entry: type[Entry] = WorkflowEntry
    for part in path[:-1]:
        entry = _ENTRIES.get(part, entry)
    return entry.keys()
