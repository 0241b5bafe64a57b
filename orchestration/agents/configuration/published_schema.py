"""The JSON Schema of agents files, for editors and other programs."""

from __future__ import annotations

from typing import Any, Final

from orchestration.agents.configuration.entries import AgentsEntry
from orchestration.documents.published_schema import schema_of

PUBLISHED: Final = "docs/agents.schema.json"
"""Where it is kept in the project's repository."""


def agents_schema() -> dict[str, Any]:
    """Return the schema that every agents file follows."""
    return schema_of(AgentsEntry, title="Agents")
