"""Real runs on real databases, for the tests of what happens to them afterwards."""

from __future__ import annotations

from typing import Any

from checkpoints.database import Database
from orchestration import AgentRegistry, AgentSpec, AgentTask, SimpleCoordinator


class Shop:
    """Coordinators over one URL, whose agents note what they were asked to do."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.calls: list[str] = []
        self.registry = AgentRegistry()
        self.registry.register(AgentSpec("shop", ["shopping"], handler=self._shop))
        self._coordinator = self.new_process()

    async def _shop(self, given: dict[str, Any]) -> dict[str, Any]:
        self.calls.append(given["do"])
        return {"did": given["do"]}

    def new_process(self) -> SimpleCoordinator:
        """A coordinator that knows nothing but the URL."""
        return SimpleCoordinator(registry=self.registry, database_url=self.url)

    @property
    def coordinator(self) -> SimpleCoordinator:
        """The one that is used; another process's each time, where the database outlives it."""
        if self.url != "memory://":
            self._coordinator.close()
            self._coordinator = self.new_process()
        return self._coordinator

    async def database(self) -> Database:
        """The coordinator's own."""
        return (await self._coordinator._engine())._database

    def task(self, name: str, *needs: str, approval: bool = False) -> AgentTask:
        """A task that does its own name."""
        given = {"do": name, "requires_approval": approval}
        return AgentTask("shop", given, task_id=name, depends_on=list(needs))

    async def buy(self, thread_id: str, *, approval: bool = False) -> Any:  # noqa: ANN401
        """Two tasks in sequence; the second may need an approval."""
        tasks = [self.task("buyer"), self.task("payer", approval=approval)]
        return await self.coordinator.execute_sequential(tasks, thread_id=thread_id)

    async def chains(self, thread_id: str, *, approval: bool = False) -> Any:  # noqa: ANN401
        """Two chains beside each other, both subgraphs, and what builds on both."""
        tasks = [
            self.task("a1"),
            self.task("a2", "a1", approval=approval),
            self.task("b1"),
            self.task("b2", "b1"),
            self.task("end", "a2", "b2"),
        ]
        return await self.coordinator.execute_parallel(tasks, thread_id=thread_id)

    def close(self) -> None:
        """Close the database."""
        self._coordinator.close()
