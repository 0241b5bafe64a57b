"""Two agents that bargain: a cycle in which each hands over to the other until they agree.

Run it with `python examples/negotiation.py`.
"""

from __future__ import annotations

import asyncio

from orchestration import (
    AgentContext,
    AgentRegistry,
    AgentSpec,
    AgentTask,
    SimpleCoordinator,
    Workflow,
)

LIMIT = 900.0
"""What the buyer pays at most."""
FLOOR = 820.0
"""What the seller takes at least."""


def said(context: AgentContext, who: str, default: float) -> float:
    """The last price that somebody named."""
    price = context.upstream.get(who, {}).get("price", default)
    return float(price) if isinstance(price, int | float) else default


async def buyer(_input: dict, context: AgentContext) -> dict:
    """Come half the way to what the seller asks, up to a limit."""
    mine, asked = said(context, "buyer", 400.0), said(context, "seller", 1200.0)
    offer = min(LIMIT, round((mine + asked) / 2, 2))
    return {"price": offer, "handoff_to": "seller", "reason": f"I offer {offer}"}


async def seller(_input: dict, context: AgentContext) -> dict:
    """Take what is enough; otherwise come down a little."""
    offered, mine = said(context, "buyer", 0.0), said(context, "seller", 1200.0)
    if offered >= FLOOR:
        return {"price": offered, "agreed": True, "reason": "a deal"}
    return {"price": round(mine * 0.9, 2), "handoff_to": "buyer", "reason": "more, please"}


NEGOTIATION = Workflow(
    "negotiation",
    strategy="cyclic",
    tasks=[AgentTask("buyer"), AgentTask("seller")],
    start="buyer",
    until="has(outputs.seller) && has(outputs.seller.agreed)",
    max_turns=12,
)


async def main() -> None:
    """Let them talk."""
    agents = AgentRegistry()
    agents.register(AgentSpec("buyer", handler=buyer))
    agents.register(AgentSpec("seller", handler=seller))
    async with SimpleCoordinator(registry=agents, database_url="memory://") as coordinator:
        result = await coordinator.execute(NEGOTIATION)
    print(result.status, result["seller"].output["price"])


if __name__ == "__main__":
    asyncio.run(main())
