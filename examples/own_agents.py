"""Agents and a workflow of your own, registered under a name and run with parameters.

Run it with `python examples/own_agents.py`.
"""

from __future__ import annotations

import asyncio

from orchestration import (
    AgentContext,
    AgentRefusedError,
    AgentRegistry,
    AgentSpec,
    AgentTask,
    PlanError,
    SimpleCoordinator,
    Workflow,
    get_workflows,
)

PRICE = 120.0
LONGEST_STAY = 30


async def travel(input_data: dict, context: AgentContext) -> dict:
    """Book a stay; `context.idempotency_key` is the same for every attempt."""
    if input_data["nights"] > LONGEST_STAY:
        raise AgentRefusedError("a stay of more than 30 nights needs a lease, not a booking")
    return {"booking": context.idempotency_key[-8:], "total_price": PRICE * input_data["nights"]}


def accounting(_input: dict, context: AgentContext) -> dict:
    """Log what the tasks before this one cost."""
    costs = [output.get("total_price", 0.0) for output in context.upstream.values()]
    return {"logged": sum(costs)}


TRIP = Workflow(
    "trip",
    version="2",
    description="Books a stay and logs what it costs; nobody stays for nothing.",
    tasks=[
        AgentTask("travel", {"nights": 3}),
        AgentTask(
            "accounting", depends_on=["travel"], condition="outputs.travel.total_price > 0.0"
        ),
    ],
    parameters={
        "type": "object",
        "properties": {"traveller": {"type": "string"}},
        "required": ["traveller"],
    },
)


async def main() -> None:
    """Run the workflow by its name."""
    agents = AgentRegistry()
    agents.register(AgentSpec("travel", ["hotel_booking"], handler=travel))
    agents.register(AgentSpec("accounting", ["expense_logging"], handler=accounting))
    get_workflows().register(TRIP)
    async with SimpleCoordinator(registry=agents, database_url="memory://") as coordinator:
        try:
            await coordinator.execute("trip")
        except PlanError as refused:
            print(refused)
        result = await coordinator.execute("trip@2", parameters={"traveller": "Ann"})
    print(result.status, result["accounting"].output["logged"])


if __name__ == "__main__":
    asyncio.run(main())
