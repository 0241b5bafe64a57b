"""Plans of every kind with agents that always do the same, and how their events compare."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any, Final

from orchestration import (
    AgentContext,
    AgentRefusedError,
    AgentRegistry,
    AgentSpec,
    AgentTask,
    ForEach,
    Repeat,
    RetryPolicy,
    SimpleCoordinator,
    Workflow,
    WorkflowEvent,
)
from state.task import Task

THREAD: Final = "streamed"
DIFFERS: Final = frozenset(
    {"duration_seconds", "id", "due_at", "thread_id", "tries", "seconds", "deadline"}
)
"""What two runs of one plan never have in common."""
TURNS: Final = 3

Options = dict[str, Any]


async def speaker(given: dict[str, Any], context: AgentContext) -> dict[str, Any]:
    """Say three words, each after others had their turn."""
    for number in range(3):
        context.emit(f"{context.task_id}{number} ")
        await asyncio.sleep(0)
    return {"said": context.task_id, "saw": sorted(context.upstream)}


async def moody(given: dict[str, Any], context: AgentContext) -> dict[str, Any]:
    context.emit(f"try {context.attempt} ")
    if context.attempt == 1:
        raise ConnectionError("not now")
    return {"tried": context.attempt}


async def closed(given: dict[str, Any], context: AgentContext) -> dict[str, Any]:
    context.emit("we are ")
    raise AgentRefusedError("closed")


async def buyer(given: dict[str, Any], context: AgentContext) -> dict[str, Any]:
    context.emit("how much? ")
    return {"handoff_to": "seller", "message": "how much?"}


async def seller(given: dict[str, Any], context: AgentContext) -> dict[str, Any]:
    context.emit("too much ")
    return {"handoff_to": "buyer", "message": "too much"}


async def leader(given: dict[str, Any], context: AgentContext) -> dict[str, Any]:
    for word in ("who is ", "next? "):
        context.emit(word)
        await asyncio.sleep(0)
    return {"next": ["a", "b", "finish"][len(given["turns"])]}


def agents() -> AgentRegistry:
    registry = AgentRegistry()
    for each in (speaker, moody, closed, buyer, seller, leader):
        registry.register(AgentSpec(each.__name__, ["talking"], handler=each))
    return registry


def say(id_: str, **terms: Any) -> AgentTask:  # noqa: ANN401
    return AgentTask("speaker", task_id=id_, **terms)


def sequence() -> tuple[list[Task], Options]:
    again = RetryPolicy(max_attempts=2, initial_delay=timedelta(0))
    return [say("a"), AgentTask("moody", task_id="b", retry=again), say("c")], {}


def parallel() -> tuple[list[Task], Options]:
    again = RetryPolicy(max_attempts=2, initial_delay=timedelta(0))
    tasks: list[Task] = [
        say("a1"),
        say("a2", depends_on=["a1"]),
        AgentTask("moody", task_id="b1", retry=again),
        say("b2", depends_on=["b1"]),
        say("end", depends_on=["a2", "b2"]),
    ]
    return tasks, {"strategy": "parallel"}


def approved() -> tuple[list[Task], Options]:
    return [say("a"), say("b", requires_approval=True), say("c")], {}


def loop() -> tuple[list[Task], Options]:
    done = f"turn >= {TURNS}"
    body = Workflow("body", tasks=[say("x"), say("y")])
    return [say("a"), Repeat(body, until=done, max_turns=TURNS, task_id="again")], {}


def items() -> tuple[list[Task], Options]:
    again = RetryPolicy(max_attempts=2, initial_delay=timedelta(0))
    body = [say("x"), AgentTask("moody", task_id="y", retry=again)]
    return [ForEach([1, 2], body, task_id="each"), say("end")], {"strategy": "parallel"}


def cycle() -> tuple[list[Task], Options]:
    tasks: list[Task] = [AgentTask("buyer"), AgentTask("seller")]
    return tasks, {"strategy": "cyclic", "max_turns": TURNS}


def supervised() -> tuple[list[Task], Options]:
    return [say("a"), say("b")], {
        "strategy": "cyclic",
        "max_turns": TURNS,
        "supervisor": AgentTask("leader"),
    }


def undone() -> tuple[list[Task], Options]:
    undoable: list[Task] = [say(id_, compensate={}) for id_ in ("a", "b")]
    return [*undoable, AgentTask("closed")], {}


PLANS: Final[dict[str, Callable[[], tuple[list[Task], Options]]]] = {
    each.__name__: each
    for each in (sequence, parallel, approved, loop, items, cycle, supervised, undone)
}


def stream(coordinator: SimpleCoordinator, plan: str) -> AsyncIterator[WorkflowEvent]:
    tasks, options = PLANS[plan]()
    return coordinator.stream(tasks, thread_id=THREAD, **options)


def go_on(
    coordinator: SimpleCoordinator, last: WorkflowEvent | None, after: int
) -> AsyncIterator[WorkflowEvent] | None:
    """Resume after the last event; None if that was the end."""
    decisions = None
    if last is not None and last.kind == "run_finished":
        if last.data["status"] != "interrupted":
            return None
        decisions = {"b": "approve"}
    return coordinator.resume_stream(THREAD, decisions, after=after)


def comparable(value: Any) -> Any:  # noqa: ANN401
    """A value without what differs by nature."""
    if isinstance(value, dict):
        return {key: comparable(each) for key, each in value.items() if key not in DIFFERS}
    if isinstance(value, list):
        return [comparable(each) for each in value]
    return value


def by_task(events: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """What is told of each task, in order; the order between tasks is that of time."""
    found = defaultdict(list)
    for event in events:
        found[event["task_id"]].append((event["kind"], comparable(event["data"])))
    return dict(found)
