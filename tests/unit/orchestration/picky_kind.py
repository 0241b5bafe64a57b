"""Stands in for the kinds of agents elsewhere, where a test is about what files say of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import pytest

from orchestration.agents.configuration.entries import REMOTE_KINDS
from orchestration.agents.endpoint import Endpoint
from orchestration.agents.kinds import KINDS


class Picky(ModuleType):
    """A kind that asks of endpoints what the real ones ask, and nothing more."""

    def problems(self, endpoint: Endpoint) -> Iterator[str]:
        parts = urlsplit(endpoint.address or "")
        is_resource = str(endpoint.address).startswith("projects/")
        if not is_resource and (parts.scheme not in {"http", "https"} or not parts.hostname):
            yield f"the address is {endpoint.address!r}; give a URL"
        known = {"transport", "headers", "api_key", "timeout_seconds", "credentials_file"}
        if unknown := sorted({*endpoint.settings} - known):
            yield f"the settings {unknown!r} are unknown; there are {sorted(known)!r}"
        file = endpoint.settings.get("credentials_file")
        if isinstance(file, str) and not Path(file).is_file():
            yield f"credentials_file is {file!r}, which is no file"
        headers = endpoint.settings.get("headers")
        for name, value in headers.items() if isinstance(headers, dict) else ():
            if value == "":
                yield f"the header {name!r} is empty"


def use_picky_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it speak for every kind of agents elsewhere, for one test."""
    for kind in REMOTE_KINDS:
        monkeypatch.setitem(sys.modules, KINDS[kind].module, Picky(kind))
