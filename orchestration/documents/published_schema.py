"""The JSON Schema of a sort of files, for editors and other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from orchestration.documents.entry import Entry

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_MAP: Final = {"additionalProperties": {"type": "string"}, "type": "object"}


def schema_of(whole: type[Entry], *, title: str) -> dict[str, Any]:
    """Return the schema that every file of a sort follows."""
    schema = _plain(whole.model_json_schema(mode="validation"))
    assert isinstance(schema, dict)  # noqa: S101  as is every schema of a model
    return {"$schema": DIALECT, "title": title, **schema}


def _plain(value: object, *, names: bool = False) -> object:
    """Leave out the titles that pydantic makes of names, and defaults of null.

    Args:
        value: A part of a schema.
        names: Whether its keys are names that the schema is about.
    """
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {
        key: item
        for key, item in value.items()
        if names or not (key == "title" or (key == "default" and item is None))
    }
    plain = {
        key: _plain(item, names=not names and key in {"properties", "$defs"})
        for key, item in kept.items()
    }
    choices = plain.get("oneOf")
    if not names and isinstance(choices, list) and _MAP in choices:
        plain["anyOf"] = plain.pop("oneOf")  # what is a mapping may look like a map of texts too
    return plain
