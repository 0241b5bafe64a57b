"""The coordinator runs definitions, by value or by name, with checked parameters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from orchestration import (
    AgentRegistry,
    AgentTask,
    PlanError,
    SimpleCoordinator,
    Workflow,
    WorkflowNotFoundError,
    WorkflowRegistry,
    WorkflowStatus,
)
from orchestration.workflows.parameters import checked_parameters, schema_problem

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "quantity": {"type": "integer", "minimum": 1, "default": 2},
        "day": {"type": "string"},
    },
    "required": ["day"],
    "additionalProperties": False,
}


def orders(version: str = "1", parameters: Mapping[str, Any] | None = None) -> Workflow:
    tasks = [AgentTask("hr", {"v": version})]
    return Workflow("orders", version, tasks, parameters=parameters)


@pytest.fixture
async def coordinator(agents: AgentRegistry) -> AsyncIterator[SimpleCoordinator]:
    workflows = WorkflowRegistry()
    for version in ("1", "2"):
        workflows.register(orders(version))
    async with SimpleCoordinator(
        registry=agents, workflows=workflows, database_url="memory://"
    ) as opened:
        yield opened


async def test_what_is_no_definition_is_refused(coordinator: SimpleCoordinator) -> None:
    wrong: Any = 7
    with pytest.raises(PlanError, match="the workflow is 7"):
        await coordinator.execute(wrong)


@pytest.mark.parametrize(
    ("wanted", "version"), [("orders", "2"), ("orders@1", "1"), (orders("3"), "3")]
)
async def test_a_definition_runs_by_name_version_or_value(
    coordinator: SimpleCoordinator, wanted: Workflow | str, version: str
) -> None:
    result = await coordinator.execute(wanted, thread_id="t")
    assert (result.status, result.thread_id) == (WorkflowStatus.COMPLETED, "t")
    assert result["hr"].output == {"v": version}


async def test_a_definition_streams_and_draws_too(coordinator: SimpleCoordinator) -> None:
    workflow = Workflow("both", tasks=[AgentTask("hr"), AgentTask("finance")], strategy="parallel")
    events = [event async for event in coordinator.stream(workflow)]
    assert events[0].data["strategy"] == "parallel"
    assert events[-1].data["status"] == "completed"
    assert "hr" in coordinator.compile(workflow).get_graph().nodes
    assert "hr" in coordinator.compile("orders").get_graph().nodes


async def test_its_tasks_take_over_what_becomes_of_them(coordinator: SimpleCoordinator) -> None:
    first = AgentTask("hr", {"price": 5})
    second = AgentTask("finance", condition=lambda: first.output["price"] == 5)
    result = await coordinator.execute(Workflow("live", tasks=[first, second]))
    assert [str(task.status) for task in result] == ["succeeded", "succeeded"]


async def test_options_come_before_what_it_says(coordinator: SimpleCoordinator) -> None:
    workflow = replace(orders("9"), strategy="parallel", aggregate="merge")
    assert (await coordinator.execute(workflow)).aggregate == {"v": "9"}
    collected = await coordinator.execute(workflow, aggregate="collect")
    assert collected.aggregate != {"v": "9"}


async def test_an_unknown_name_runs_nothing(coordinator: SimpleCoordinator) -> None:
    with pytest.raises(WorkflowNotFoundError, match=r"'orders@7'; known are \['orders@1', "):
        await coordinator.execute("orders@7")


async def test_a_definition_and_a_strategy_contradict_each_other(
    coordinator: SimpleCoordinator,
) -> None:
    with pytest.raises(PlanError, match="are said by the definition"):
        coordinator.compile("orders", strategy="parallel")
    with pytest.raises(PlanError, match="are said by the definition"):
        [event async for event in coordinator.stream("orders", input_data={})]


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        (None, "'day' is a required property"),
        ({"day": 5}, "parameters.day of workflow 'orders': 5 is not of type 'string'"),
        ({"day": "x", "quantity": 0}, "parameters.quantity .* less than the minimum"),
        ({"day": "x", "colour": 1}, "'colour' was unexpected"),
        ({"day": {1, 2}}, "parameters.day is a set"),
    ],
)
async def test_parameters_that_do_not_fit_run_nothing(
    coordinator: SimpleCoordinator,
    agents: AgentRegistry,
    parameters: dict[str, Any] | None,
    why: str,
) -> None:
    with pytest.raises(PlanError, match=why):
        await coordinator.execute(orders("5", parameters=SCHEMA), parameters=parameters)
    assert agents.get_agent_stats()["calls"]["hr"] == 0


async def test_all_that_is_wrong_with_parameters_is_told(coordinator: SimpleCoordinator) -> None:
    with pytest.raises(PlanError) as caught:
        await coordinator.execute(
            orders("5", parameters=SCHEMA), parameters={"quantity": 0, "a": 1}
        )
    assert len(caught.value.problems) == 3


def test_defaults_are_filled_in() -> None:
    workflow = orders(parameters=SCHEMA)
    assert checked_parameters(workflow, {"day": "x"}) == {"day": "x", "quantity": 2}
    assert checked_parameters(workflow, {"day": "x", "quantity": 5}) == {"day": "x", "quantity": 5}
    assert checked_parameters(orders(), None) == {}


def test_parameters_that_nobody_asked_for_are_refused() -> None:
    with pytest.raises(PlanError, match=r"takes no parameters, and \['day'\] were given"):
        checked_parameters(orders(), {"day": "x"})


def test_a_schema_that_is_none_is_refused() -> None:
    with pytest.raises(PlanError, match=r"are no JSON Schema: properties\.day\.type: "):
        checked_parameters(orders(parameters={"properties": {"day": {"type": "text"}}}), {})
    assert schema_problem(SCHEMA) is None


def test_a_schema_never_asks_the_network() -> None:
    elsewhere = {"properties": {"a": {"$ref": "http://127.0.0.1:9/schema.json"}}}
    with pytest.raises(PlanError, match="Unresolvable"):
        checked_parameters(orders(parameters=elsewhere), {"a": 1})
