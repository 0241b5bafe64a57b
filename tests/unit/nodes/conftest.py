from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from checkpoints.database import Database, open_database
from graph.plan_request import PlanRequest
from graph.planner import plan
from orchestration import AgentRegistry, AgentSpec
from orchestration.engines.embedded import EmbeddedEngine
from orchestration.engines.local_parts import LocalParts
from state.decision import Decider
from state.result import WorkflowResult
from state.run_state import Outcomes
from state.task import Task


@dataclass
class FakeClock:
    """Time passes only in sleeps, and at once."""

    time: float = 1_000.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


@dataclass
class Bench:
    """A real engine in memory, with a fake clock and whatever agents a test hires."""

    database: Database
    clock: FakeClock = field(default_factory=FakeClock)
    agents: AgentRegistry = field(default_factory=AgentRegistry)
    told: list[tuple[str, str]] = field(default_factory=list)
    slots: Any = None

    def __post_init__(self) -> None:
        self._parts = LocalParts()

    def hire(self, **handlers: object) -> None:
        for agent_id, handler in handlers.items():
            self.agents.register(AgentSpec(agent_id, handler=handler))

    async def run(self, *tasks: Task, **wishes: Any) -> WorkflowResult:  # noqa: ANN401
        request = PlanRequest(tasks=tasks, **wishes)
        planned = plan(request, agents=self.agents, run_id="run")
        self._parts = LocalParts(
            run_id="run",
            callables=planned.callables,
            observe=lambda id_, outcome: self.told.append((id_, outcome["status"])),
        )
        return await self.engine.start("thread", planned.plan, self._parts)

    async def answer(self, **decisions: object) -> WorkflowResult:
        engine = self.engine
        if decisions:
            answers = await engine.matched("thread", decisions, self._parts)
            answered = await engine.answer(answers, Decider(None), lambda _: self._parts)
            assert answered.result is not None
            return answered.result
        return await engine.resume("thread", self._parts)

    @property
    def engine(self) -> EmbeddedEngine:
        return EmbeddedEngine(self.database, self.agents, clock=self.clock, slots=self.slots)

    async def history(self) -> list[Outcomes]:
        """The outcomes in every checkpoint of the thread and its subgraphs, oldest first."""
        found = [item async for item in self.database.checkpointer.alist(_thread("thread"))]
        found.sort(key=lambda item: item.checkpoint["id"])
        return [item.checkpoint["channel_values"].get("outcomes", {}) for item in found]


def _thread(thread_id: str) -> Any:  # noqa: ANN401
    return {"configurable": {"thread_id": thread_id}}


@pytest.fixture
def bench() -> Iterator[Bench]:
    database = open_database("memory://")
    yield Bench(database)
    database.close()
