"""What all mappings in a file have in common, and how JSON Schema says which keys go together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict


class Entry(BaseModel):
    """A mapping in a file; it has no keys but these."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        arbitrary_types_allowed=True,
        use_attribute_docstrings=True,
        validate_by_name=False,
        validate_by_alias=True,
    )

    @classmethod
    def keys(cls) -> list[str]:
        """The keys it may have, as they are written."""
        return [field.alias or name for name, field in cls.model_fields.items()]


def given(key: str) -> dict[str, Any]:
    """JSON Schema: a key is there, and not null."""
    return {"required": [key], "properties": {key: {"not": {"type": "null"}}}}


def exactly_one(keys: Sequence[str]) -> dict[str, Any]:
    """JSON Schema: one of these keys is given."""
    return {"oneOf": [given(key) for key in keys]}
