"""A workflow that is released again and again while its threads wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

from orchestration import (
    AgentContext,
    AgentRegistry,
    AgentSpec,
    AgentTask,
    SimpleCoordinator,
    Workflow,
    WorkflowRegistry,
    WorkflowResult,
)
from tests.unit.orchestration.conftest import Wall

THREAD = "order"
RUN_ID = 32
"""Letters of a run's own id."""


def task(id_: str, **wishes: Any) -> AgentTask:  # noqa: ANN401
    """Return a task of the agent that notes its calls."""
    return AgentTask("clerk", task_id=id_, **wishes)


@dataclass
class Site:
    """One database, and the version of the workflow that is released now."""

    url: str
    wall: Wall = field(default_factory=Wall)
    calls: list[str] = field(default_factory=list)
    """Idempotency keys, without the run's own id: `:a`, `/loop#2:b`."""
    keys: list[str] = field(default_factory=list)
    saw: dict[str, Any] = field(default_factory=dict)
    """What each task got, beside what was achieved before."""
    failures: dict[str, int] = field(default_factory=dict)
    """How often each task fails before it succeeds."""
    hangs: dict[str, Any] = field(default_factory=dict)
    """What is done instead, by the call."""

    def __post_init__(self) -> None:
        self.agents = AgentRegistry()
        self.agents.register(AgentSpec("clerk", handler=self._work))
        self.workflows = WorkflowRegistry()
        self.runs = self._open()

    @property
    def is_durable(self) -> bool:
        return not self.url.startswith("memory")

    def _open(self) -> SimpleCoordinator:
        return SimpleCoordinator(
            registry=self.agents,
            database_url=self.url,
            workflows=self.workflows,
            clock=self.wall,
            lease_seconds=60,
        )

    def release(self, *tasks: Any, version: str = "2", **wishes: Any) -> Workflow:  # noqa: ANN401
        """Let another process, if there can be one, know another version only."""
        made = Workflow("order", version, tasks, **wishes)
        if self.is_durable:
            self.runs.close()
            self.workflows = WorkflowRegistry()
            self.workflows.register(made)
            self.runs = self._open()
        else:
            self.workflows.register(made, replace=True)
        return made

    def another(self) -> SimpleCoordinator:
        """Return what another process has that knows the same versions."""
        return self._open()

    def when_looked_up(self, act: Callable[[], None]) -> None:
        """Let something happen once, in a thread, while the latest version is looked up."""
        acts = [act]

        class Interrupted(WorkflowRegistry):
            def latest(self, name: str) -> Workflow | None:
                if acts:
                    thread = Thread(target=acts.pop())
                    thread.start()
                    thread.join(30)
                return super().latest(name)

        before, self.workflows = self.workflows, Interrupted()
        for each in before.all():
            self.workflows.register(before.get(each.name, each.version))
        self.runs.close()
        self.runs = self._open()

    async def begin(self, *tasks: Any, **wishes: Any) -> WorkflowResult:  # noqa: ANN401
        """Run version 1 as far as it comes."""
        self.workflows.register(Workflow("order", "1", tasks, **wishes))
        return await self.runs.execute("order", thread_id=THREAD)

    async def resume(self, **answers: object) -> WorkflowResult:
        return await self.runs.resume(THREAD, answers or None, by="ann", roles=("boss",))

    async def _work(self, given: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        key = context.idempotency_key
        self.keys.append(key)
        self.calls.append(key[RUN_ID:])
        self.saw[context.task_id] = sorted(context.upstream)
        if self.failures.get(context.task_id, 0) > 0:
            self.failures[context.task_id] -= 1
            raise ConnectionError("not now")
        if hang := self.hangs.get(self.calls[-1]):
            await hang(given)
        return {"did": context.task_id, **given}
