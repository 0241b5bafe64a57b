from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.orchestration.picky_kind import use_picky_kinds

Write = Callable[[str, str], str]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in an empty folder, with kinds of its own."""
    monkeypatch.chdir(tmp_path)
    use_picky_kinds(monkeypatch)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file and return its path, relative to the folder of the test."""

    def write(name: str, text: str) -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return name

    return write
