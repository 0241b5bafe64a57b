"""What a process has of a run beside its plan."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from graph.plan_request import Planned
    from state.agent_context import AgentContext
    from state.jsonvalue import JsonObject
    from state.outcome import Outcome
    from state.task import Task

    Chunk = tuple[tuple[str, ...], Any]
    """Namespace and payload of LangGraph's `tasks` stream."""


class LocalParts(NamedTuple):
    """Callables that the plan names, and who watches the run."""

    run_id: str = ""
    """The run these belong to; another run of the thread must not use them."""
    callables: Mapping[str, Callable[..., object]] = MappingProxyType({})
    observe: Callable[[str, Outcome], None] | None = None
    """Told each outcome as soon as it is known."""
    watch: Callable[[Chunk], None] | None = None
    """Told each node's beginning and end."""
    say: Callable[[AgentContext, str], None] | None = None
    """Told the pieces of an agent's text as they come, after what it was called with."""
    ready: Callable[[AgentContext], Awaitable[None]] | None = None
    """Awaited before an agent is called that is listened to."""
    verdict: Callable[[str, str, JsonObject], None] | None = None
    """Told what middleware found, after the path of the task and the middleware's name."""
    streamed: bool = False
    """Whether what happens is written down, though nobody began that before."""

    def knowing(self, callables: Mapping[str, Callable[..., object]], run_id: str) -> LocalParts:
        """Return these parts, and callables of the run's workflow where it has none itself."""
        if not callables:
            return self
        return self._replace(run_id=run_id, callables={**callables, **self.callables})

    def tell(self, known: Mapping[str, Outcome]) -> None:
        """Say what was known before."""
        if self.observe is not None:
            for task_id, outcome in known.items():
                self.observe(task_id, outcome)


class RecordOutcomes:
    """Sets `status`, `output` and `error` of the caller's own task objects."""

    def __init__(self, order: Sequence[str], tasks: Sequence[Task]) -> None:
        self._tasks = dict(zip(order, tasks, strict=True))

    def __call__(self, path: str, outcome: Outcome) -> None:
        """Take over one outcome; of what is inside a task, only the task's own is."""
        task = self._tasks.get(path)
        if task is not None:
            task.record(outcome)


def local_parts(planned: Planned, tasks: Sequence[Task] | None = None) -> LocalParts:
    """What this process has of a run beside its plan; `tasks` take over what becomes of them."""
    observe = None if tasks is None else RecordOutcomes(planned.plan.document["order"], tasks)
    return LocalParts(run_id=planned.plan.run_id, callables=planned.callables, observe=observe)
