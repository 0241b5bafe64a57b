from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from orchestration.agent_registry import get_registry
from orchestration.agents.configuration.variables import ENDPOINT_VARIABLES
from orchestration.cli.app import app

Invoke = Callable[..., Result]
DRIVER = Path(__file__).with_name("cli_process.py")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in an empty folder, with databases of its own."""
    monkeypatch.chdir(tmp_path)
    for variable in (*ENDPOINT_VARIABLES.values(), "ORCHESTRATION_LEASE_SECONDS", "FORCE_COLOR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("ORCHESTRATION_DATABASE_URL", "sqlite:///threads.db")
    monkeypatch.setenv("ORCHESTRATION_TEAM_DATABASE", str(tmp_path / "team.db"))
    get_registry.cache_clear()


@pytest.fixture
def invoke() -> Invoke:
    """Run a command in this process, with the built-in team."""

    def invoke(*words: str) -> Result:
        get_registry.cache_clear()
        return CliRunner().invoke(app, words, catch_exceptions=False)

    return invoke


@pytest.fixture
def workflow(tmp_path: Path) -> Callable[[dict[str, Any]], str]:
    """Write a workflow file and return its path."""

    def write(content: dict[str, Any]) -> str:
        path = tmp_path / "workflow.json"
        path.write_text(json.dumps(content))
        return str(path)

    return write


@pytest.fixture
def process() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command as a process, with the agents of `cli_process.py`."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            driver(words), capture_output=True, text=True, check=False, timeout=60
        )

    return run


def driver(words: Sequence[str]) -> list[str]:
    return [sys.executable, str(DRIVER), *words]
