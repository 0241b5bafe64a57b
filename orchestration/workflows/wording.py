"""How problems of workflow files are said."""

from __future__ import annotations

from typing import Final

from orchestration.documents.cache_entry import CacheEntry
from orchestration.documents.patterns import VERSION, VERSION_WORDS
from orchestration.documents.wording import Wording
from orchestration.workflows.approval_entry import ApprovalEntry
from orchestration.workflows.budget_entry import BudgetEntry
from orchestration.workflows.entry import RetryEntry
from orchestration.workflows.patterns import NAME, SIGNAL
from orchestration.workflows.task_entries import (
    ForEachEntry,
    RepeatEntry,
    TaskEntry,
    WorkflowEntry,
)
from orchestration.workflows.wait_entries import WaitEntry, WaitForSignalEntry
from orchestration.workflows.work_entries import CompensationEntry, SupervisorEntry

WORDING: Final = Wording(
    whole=WorkflowEntry,
    inside={
        "tasks": TaskEntry,
        "task": TaskEntry,
        "workflow": WorkflowEntry,
        "repeat": RepeatEntry,
        "for_each": ForEachEntry,
        "wait": WaitEntry,
        "wait_for_signal": WaitForSignalEntry,
        "retry": RetryEntry,
        "requires_approval": ApprovalEntry,
        "budgets": BudgetEntry,
        "approval": ApprovalEntry,
        "cache": CacheEntry,
        "compensate": CompensationEntry,
        "supervisor": SupervisorEntry,
    },
    patterns={
        NAME: "use 1 to 100 letters, digits, '_', '-' or '.'",
        VERSION: VERSION_WORDS,
        SIGNAL: "use 1 to 100 letters, digits, '_', '-', '.' or ':'",
    },
    tags=frozenset({"<name>", "<inline>", "<cel>", "<map>", "<task>"}),
)
