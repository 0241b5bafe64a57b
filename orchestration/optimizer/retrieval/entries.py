"""What one retrieval found, as it stands in a cache."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from orchestration.optimizer.retrieval.ranking import RankedDocument
from state.jsonvalue import json_like

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langgraph.cache.base import FullKey, Namespace

VERSION: Final = 1
"""Of what an entry looks like; others are not read."""


@dataclass(frozen=True, slots=True)
class Found:
    """The documents found for a question."""

    queries: tuple[str, ...]
    documents: tuple[RankedDocument, ...]
    notes: tuple[str, ...]
    """What went wrong on the way; with any, this is not for the cache."""


def namespace(name: str, tenant: str | None) -> Namespace:
    """Return where a tenant's entries of a collection are; no two tenants share one."""
    own = "all" if tenant is None else f"of {quote(tenant, safe='')}"
    return ("retrieval", quote(name, safe=""), own)


def key_of(name: str, tenant: str | None, *parts: str | int | None) -> FullKey:
    """Return what a retrieval is known by: all that its result depends on."""
    whole = json.dumps([VERSION, name, tenant, *parts])
    return namespace(name, tenant), hashlib.sha256(whole.encode()).hexdigest()


def text_of(found: Found) -> str:
    """Write what was found as JSON; what in metadata JSON doesn't have becomes its text."""
    documents = [
        {
            "id": each.document.id,
            "text": each.document.page_content,
            "metadata": json_like(each.document.metadata),
            "score": each.score,
            "why": each.why,
        }
        for each in found.documents
    ]
    return json.dumps(
        {
            "version": VERSION,
            "queries": found.queries,
            "documents": documents,
            "notes": found.notes,
        }
    )


def found_in(entry: object) -> Found | None:
    """Return what is in a cache's entry; None if somebody else wrote it."""
    try:
        return read(entry) if isinstance(entry, str) else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def read(text: str) -> Found:
    """Read what `text_of` wrote.

    Raises:
        ValueError: Another version wrote it, or it is no JSON.
        KeyError: Something is missing.
        TypeError: Something is no object.
    """
    entry = json.loads(text)
    if entry["version"] != VERSION:
        raise ValueError(f"version {entry['version']!r} of an entry; {VERSION} is read")
    documents = tuple(_ranked(each) for each in entry["documents"])
    return Found(_texts(entry["queries"]), documents, _texts(entry["notes"]))


def _ranked(entry: dict[str, Any]) -> RankedDocument:
    from langchain_core.documents import Document  # noqa: PLC0415  heavy

    document = Document(entry["text"], metadata=entry["metadata"], id=entry["id"])
    return RankedDocument(document, float(entry["score"]), _texts(entry["why"]))


def _texts(values: Sequence[object]) -> tuple[str, ...]:
    return tuple(map(str, values))
