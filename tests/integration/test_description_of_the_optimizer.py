"""Every example of the optimizer runs as it stands in its page, and as the description has it."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from orchestration import AgentTask, SimpleCoordinator, get_optimizer, get_registry
from tests.integration.test_readme_examples import BLOCK, DESCRIPTION, ROOT, run_block

PAGE = (ROOT / "docs" / "optimizer.md").read_text(encoding="utf-8")
BUDGETS = (ROOT / "docs" / "budgets.md").read_text(encoding="utf-8")


def of_the_optimizer(text: str) -> list[str]:
    blocks = BLOCK.findall(text)
    return [block for block in blocks if "optimizer" in block or block.startswith("# Before")]


@pytest.mark.skipif(not DESCRIPTION.exists(), reason="the description is not beside this checkout")
def test_the_descriptions_examples_stand_in_the_page_unchanged() -> None:
    wanted = of_the_optimizer(DESCRIPTION.read_text(encoding="utf-8"))
    assert len(wanted) == 8
    assert [block for block in wanted if block not in PAGE] == []


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the examples take for granted."""
    monkeypatch.chdir(tmp_path)
    get_registry.cache_clear()
    get_optimizer.cache_clear()

    async def call1() -> str:
        return "sunny"

    async def call3() -> str:
        return "windy"

    optimizer = get_optimizer()
    optimizer.register_context("profile", lambda user_id: {"name": user_id})
    return {
        "query": "What time does the game start?",
        "messages": [{"role": "user", "content": f"Question {n}? " * 50} for n in range(200)],
        "user_id": "ann",
        "call1": call1,
        "call2": lambda: 22,
        "call3": call3,
        "agent": get_registry().get("ticketing"),
        "tasks": [
            AgentTask("ticketing", {"action": "list_events"}),
            AgentTask("finance", {"action": "check_budget"}),
        ],
        "coordinator": SimpleCoordinator(),
    }


async def test_every_example_of_the_page_runs(
    names: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    seen: dict[str, Any] = {}
    for source in BLOCK.findall(PAGE):
        if ".chat(" in source:  # for scripts: there is no event loop where it runs
            await in_a_thread(source, names)
        else:
            await run_block(source, names)
        seen |= {name: names[name] for name in ("results", "cached", "stats") if name in names}
        if "batch_tool_calls" in source:
            assert names["results"] == ["sunny", 22, "windy"]
    assert seen["cached"] == names["response"]
    assert names["compressed"] != names["messages"]
    assert names["context"] == {"profile": {"name": "ann"}}
    assert seen["stats"]["cache_hit_rate"] == pytest.approx(1 / 3)  # two misses before it is known
    assert seen["results"].status == "completed"
    assert "Cache hit rate: 33.33%" in capsys.readouterr().out
    names["coordinator"].close()


async def in_a_thread(source: str, names: dict[str, Any]) -> None:
    """Run a block where no event loop runs."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            exec(compile(source, "optimizer.md", "exec"), names)  # noqa: S102  an example
        except BaseException as error:  # noqa: BLE001  raised where it is looked at
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    await asyncio.to_thread(thread.join)
    if raised:
        raise raised[0]


async def test_the_example_of_budgets_runs(names: dict[str, Any]) -> None:
    (source,) = BLOCK.findall(BUDGETS)
    await run_block(source, names)
    assert names["result"].status == "completed"
    names["coordinator"].close()
