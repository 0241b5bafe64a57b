"""What routed calls cost is neither lost nor counted twice."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt

from orchestration import (
    AgentNotStartedError,
    AgentRegistry,
    AgentSpec,
    AgentTask,
    Endpoint,
    RetryPolicy,
    SimpleCoordinator,
)


class Given(TypedDict, total=False):
    answer: Any
    by: str


def asking(name: str, began: list[str]) -> Any:  # noqa: ANN401
    async def first(state: Given) -> Given:
        began.append(name)
        return {"by": name}

    async def ask(state: Given) -> Given:
        return {"answer": interrupt({"question": "really?"})}

    graph: StateGraph[Given, None, Given, Given] = StateGraph(Given)
    graph.add_node("first", first)
    graph.add_node("ask", ask)
    graph.add_edge(START, "first")
    graph.add_edge("first", "ask")
    return graph.compile()


@pytest.mark.parametrize("flags", [{}, {"read_only": True}, {"idempotent": True}])
async def test_a_graph_that_asks_is_answered_where_it_asked(
    tmp_path: Path, flags: dict[str, Any]
) -> None:
    began: list[str] = []
    registry = AgentRegistry()
    ends = [Endpoint(endpoint_id=name, handler=asking(name, began), cost=1) for name in "ab"]
    registry.register(AgentSpec("asks", endpoints=ends, **flags))
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    async with SimpleCoordinator(registry=registry, database_url=url) as runs:
        result = await runs.execute_sequential([AgentTask("asks")], thread_id="t")
        (asked,) = result.interrupts
        result = await runs.resume("t", {asked.interrupt_id: "yes"})
        assert str(result.status) == "completed"
        outcome = result[0].outcome
        assert outcome is not None
        assert began == ["a"]
        assert outcome["output"] == {"by": "a", "answer": "yes"}
        assert outcome["endpoint"] == "a"
        (total,) = await runs.costs()
        assert (total.cost, total.calls, total.tasks) == (1, 1, 1)
    (pool,) = [each.pool for each in registry.router.groups["asks"].versions.values()]
    assert [each.outstanding for each in pool.endpoints.values()] == [0, 0]


async def test_attempts_that_cost_something_are_summed_up_once(tmp_path: Path) -> None:
    calls = 0

    async def act(_given: dict[str, Any]) -> dict[str, Any]:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise AgentNotStartedError("nothing listens there")
        return {"usage": {"input_tokens": 3, "output_tokens": 1}}

    registry = AgentRegistry()
    ends = [Endpoint(endpoint_id=name, handler=act, cost=1) for name in "ab"]
    registry.register(AgentSpec("acts", endpoints=ends))
    soon = RetryPolicy(max_attempts=9, initial_delay=timedelta(0))
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    async with SimpleCoordinator(registry=registry, database_url=url) as runs:
        await runs.execute_sequential([AgentTask("acts", retry=soon)], thread_id="t")
        (total,) = await runs.costs()
        assert (total.cost, total.calls, total.tasks) == (1, 3, 1)
        assert (total.input_tokens, total.output_tokens) == (3, 1)
