"""Reads a file as YAML or JSON, with the places of its values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestration.documents.json_source import read_json
from orchestration.documents.source import BadTextError
from orchestration.documents.yaml_source import read_yaml

if TYPE_CHECKING:
    from orchestration.documents.source import Source

LARGEST_FILE: Final = 10_000_000
"""Bytes; nothing that people write comes near."""
SUFFIXES: Final = (".yaml", ".yml", ".json")


def read_source(file: str) -> Source:
    """Read a file; one that ends in `.json` is JSON, any other YAML.

    Raises:
        BadTextError: It cannot be read, or is neither YAML nor JSON.
    """
    return parsed(read_bytes(file), file)


def read_bytes(file: str) -> bytes:
    """Read what is in a file.

    Raises:
        BadTextError: It cannot be read, or is too large.
    """
    try:
        with Path(file).open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:  # a path may have letters that no path has
        why = error.strerror if isinstance(error, OSError) else None
        raise BadTextError(f"cannot be read: {why or error}") from error
    if len(content) > LARGEST_FILE:
        raise BadTextError(f"larger than {LARGEST_FILE:,} bytes, more than people write")
    return content


def parsed(content: bytes, file: str) -> Source:
    """Say what the content of a file means.

    Args:
        content: UTF-8, with or without a byte order mark.
        file: How it is named; if it ends in `.json` it is JSON, otherwise YAML.

    Raises:
        BadTextError: It is neither.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadTextError(f"not UTF-8 text: {error.reason} at byte {error.start}") from error
    return (read_json if file.lower().endswith(".json") else read_yaml)(text, file)
