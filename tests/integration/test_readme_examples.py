"""Every Python block of the README runs, in order, as it stands."""

from __future__ import annotations

import ast
import inspect
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestration import WorkflowStatus, get_registry

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DESCRIPTION = ROOT.parent / "shared" / "ORCHESTRATION_LAYER.md"
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
OTHER_COMPONENTS = ("optimizer", "# orchestrator", "api.main", "amount > 1000")
"""Words in the description's blocks on components that are not built yet."""


def blocks() -> list[str]:
    return BLOCK.findall(README)


async def run_block(source: str, names: dict[str, Any]) -> None:
    """Execute a block that may `await` at its top level, as a notebook would."""
    code = compile(source, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    value = types.FunctionType(code, names)()
    if inspect.iscoroutine(value):
        await value


@pytest.fixture
def fresh_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder of its own, so that threads and the team begin empty."""
    monkeypatch.chdir(tmp_path)
    for name in ("TICKETING_ENDPOINT", "SALES_ENDPOINT", "FINANCE_ENDPOINT", "HR_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    get_registry.cache_clear()
    yield
    get_registry.cache_clear()


@pytest.mark.usefixtures("fresh_registry")
async def test_every_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {"Dict": dict}  # the description leaves this import out
    seen: list[tuple[str, str]] = []
    for source in blocks():
        if "def router" in source:  # its tasks are the ones with messages
            names["tasks"] = names["sequential_tasks"]
        await run_block(source, names)
        if "Approve expense" in source:
            names["sequential_tasks"] = names["tasks"]
        if "= await coordinator" in source or "= await orchestrator" in source:
            result = names["result"] if "result = await" in source else names["results"]
            seen.append((source.strip().splitlines()[-1].strip(), str(result.status)))
    names["coordinator"].close()
    names["orchestrator"].close()
    statuses = [status for _, status in seen]
    assert statuses == [
        WorkflowStatus.COMPLETED,  # sequential, ten tickets
        WorkflowStatus.COMPLETED,  # sequential, fifty
        WorkflowStatus.COMPLETED,  # parallel notifications
        WorkflowStatus.COMPLETED,  # quorum
        WorkflowStatus.COMPLETED,  # conditional
        WorkflowStatus.INTERRUPTED,  # a hundred tickets wait for an approval
        WorkflowStatus.COMPLETED,  # approved
        WorkflowStatus.REJECTED,  # and so taken back
        WorkflowStatus.INTERRUPTED,  # the description's request waits for an approval
        WorkflowStatus.COMPLETED,  # approved
        WorkflowStatus.COMPLETED,  # a negotiation
        WorkflowStatus.INTERRUPTED,  # tickets for each guest wait for the payment
        WorkflowStatus.COMPLETED,  # a definition by its name
        WorkflowStatus.COMPLETED,  # the second turn of a conversation
        WorkflowStatus.COMPLETED,  # answered from the cache
    ], seen
    assert [str(task.status) for task in names["results"]] == [
        "compensated",
        "compensated",
        "rejected",
    ]
    assert names["agent"].agent_id == "ticketing"
    assert names["signalled"].result.status == WorkflowStatus.COMPLETED
    assert [agent.agent_id for agent in names["agents"]] == ["ticketing"]
    printed = capsys.readouterr().out
    assert "You said 'Two seats, please'." in printed
    assert "Total agents: 8" in printed
    assert "miss\nhit\n" in printed
    assert "run_finished" in printed


@pytest.mark.skipif(not DESCRIPTION.exists(), reason="the description is not beside this checkout")
def test_the_descriptions_examples_stand_in_the_readme_unchanged() -> None:
    wanted = [
        block
        for block in BLOCK.findall(DESCRIPTION.read_text(encoding="utf-8"))
        if not any(word in block for word in OTHER_COMPONENTS)
        and not block.startswith("# Before")  # the remarks on how fast it is
    ]
    assert len(wanted) == 8
    missing = [block for block in wanted if block not in README]
    assert not missing
