from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import pytest

from orchestration.agents.endpoint import Endpoint
from orchestration.agents.kinds import KINDS

Write = Callable[[str, str], str]


class Picky(ModuleType):
    """A kind that asks of endpoints what the real ones ask, and nothing more."""

    def problems(self, endpoint: Endpoint) -> Iterator[str]:
        parts = urlsplit(endpoint.address or "")
        is_resource = str(endpoint.address).startswith("projects/")
        if not is_resource and (parts.scheme not in {"http", "https"} or not parts.hostname):
            yield f"the address is {endpoint.address!r}; give a URL"
        known = {"transport", "headers", "timeout_seconds", "credentials_file"}
        if unknown := sorted({*endpoint.settings} - known):
            yield f"the settings {unknown!r} are unknown; there are {sorted(known)!r}"
        file = endpoint.settings.get("credentials_file")
        if isinstance(file, str) and not Path(file).is_file():
            yield f"credentials_file is {file!r}, which is no file"
        headers = endpoint.settings.get("headers")
        for name, value in headers.items() if isinstance(headers, dict) else ():
            if value == "":
                yield f"the header {name!r} is empty"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in an empty folder, with kinds of its own."""
    monkeypatch.chdir(tmp_path)
    for kind in ("http", "a2a", "langgraph", "vertex_chat", "vertex_agent_engine"):
        monkeypatch.setitem(sys.modules, KINDS[kind].module, Picky(kind))


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file and return its path, relative to the folder of the test."""

    def write(name: str, text: str) -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return name

    return write
