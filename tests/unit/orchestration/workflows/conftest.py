from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestration import AgentRegistry, AgentSpec, get_workflows

Write = Callable[[str, str], str]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run each test in an empty folder, with a registry of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ORCHESTRATION_WORKFLOWS", raising=False)
    get_workflows.cache_clear()
    yield
    get_workflows.cache_clear()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file and return its path, relative to the folder of the test."""

    def write(name: str, text: str) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return name

    return write


@pytest.fixture
def agents() -> AgentRegistry:
    """Two agents that answer with what they are asked."""

    async def echo(input_data: dict[str, object]) -> dict[str, object]:
        return dict(input_data)

    registry = AgentRegistry()
    registry.register(AgentSpec("hr", ["onboarding"], handler=echo))
    registry.register(AgentSpec("finance", ["expense_logging"], handler=echo))
    return registry
