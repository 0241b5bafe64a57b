"""The agent on the page about agents over HTTP does what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from orchestration import AgentRegistry, AgentSpec, AgentTask, Endpoint, SimpleCoordinator
from orchestration.routing.health import HealthProbes
from orchestration.testing.loopback_server import LoopbackServer

PAGE = Path(__file__).parents[2] / "docs" / "http-agents.md"


async def test_the_agent_on_the_page_answers_refuses_and_is_well() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(block, PAGE.name, "exec", dont_inherit=True), names)  # noqa: S102  our own page
    server = LoopbackServer(names["app"])
    server.start()
    try:
        place = Endpoint(
            address=f"{server.url}/agent", kind="http", settings={"health_path": "/health"}
        )
        registry = AgentRegistry()
        registry.register(AgentSpec("sales", endpoints=[place]))
        coordinator = SimpleCoordinator(registry=registry, database_url="memory://")
        result = await coordinator.execute_parallel(
            [
                AgentTask("sales", {"action": "update_crm"}, task_id="good"),
                AgentTask("sales", {"action": "fly"}, task_id="bad"),
            ]
        )
        (probed,) = await HealthProbes(registry.router).all()
    finally:
        server.stop()
    assert result["good"].output == {"content": "The CRM is up to date.", "updated": True}
    assert result["bad"].error is not None
    assert result["bad"].error["type"] == "AgentRefusedError"
    assert len(names["done"]) == 1
    assert probed.error is None
