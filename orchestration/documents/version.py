"""Versions as people write them: text, or numbers, which are kept as they are written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from orchestration.documents.patterns import VERSION

if TYPE_CHECKING:
    from orchestration.documents.source import KeyPath, Source


def _text(value: object) -> object:
    """Take numbers, as everybody writes them; the reader has kept them as they are written."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else value


Version = Annotated[
    str,
    BeforeValidator(
        _text,
        json_schema_input_type=Annotated[str, Field(pattern=VERSION)]
        | Annotated[float, Field(ge=0)],
    ),
    Field(pattern=VERSION),
]


def keep_versions(source: Source, mappings: Iterable[tuple[object, KeyPath]]) -> None:
    """Take versions that are numbers as they are written: 1.10 is not 1.1.

    Args:
        source: What was read; changed in place.
        mappings: What may have a `version`, each with its path.
    """
    for mapping, path in mappings:
        versioned: dict[str, Any] = mapping if isinstance(mapping, dict) else {}
        version = versioned.get("version")
        if isinstance(version, int | float) and not isinstance(version, bool):
            versioned["version"] = source.spots[*path, "version"].text
