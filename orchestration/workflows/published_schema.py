"""The JSON Schema of workflow files, for editors and other programs."""

from __future__ import annotations

from typing import Any, Final

from orchestration.documents.published_schema import schema_of
from orchestration.workflows.task_entries import WorkflowEntry

PUBLISHED: Final = "docs/workflow.schema.json"
"""Where it is kept in the project's repository."""


def workflow_schema() -> dict[str, Any]:
    """Return the schema that every workflow file follows."""
    return schema_of(WorkflowEntry, title="Workflow")
