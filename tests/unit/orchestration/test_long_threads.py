"""Turns of a conversation: one run after another on one thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages

from checkpoints.database import connect, open_database
from checkpoints.history import HistoryPolicy, KeepRuns
from graph.plan_request import PlanRequest
from graph.planner import plan
from orchestration import (
    AgentContext,
    AgentRefusedError,
    AgentRegistry,
    AgentSpec,
    AgentTask,
    ConfigurationError,
    HistoryWindow,
    SimpleCoordinator,
    ThreadBusyError,
    ThreadNotFoundError,
    ThreadPendingError,
    WorkflowStatus,
)
from orchestration.engines.embedded import EmbeddedEngine


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def said(context: AgentContext) -> list[object]:
    return [message["content"] for message in context.history]


async def chat(given: dict[str, Any], context: AgentContext) -> dict[str, Any]:
    """Answer with what was asked, and what had been said before."""
    return {"content": f"re: {given['messages'][-1]['content']}", "saw": said(context)}


async def refuse(_given: dict[str, Any]) -> dict[str, Any]:
    raise AgentRefusedError("Which order?")


async def count(_given: dict[str, Any]) -> dict[str, Any]:
    return {"total": 3}


@pytest.fixture
def registry() -> AgentRegistry:
    registry = AgentRegistry()
    for name, handler in {"chat": chat, "refuse": refuse, "count": count}.items():
        registry.register(AgentSpec(name, handler=handler))
    return registry


@pytest.fixture(params=["sqlite", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'threads.db'}"


@pytest.fixture
async def coordinator(registry: AgentRegistry, url: str) -> AsyncIterator[SimpleCoordinator]:
    async with SimpleCoordinator(registry=registry, database_url=url) as opened:
        yield opened


def ask(text: str, agent_id: str = "chat", **options: Any) -> AgentTask:  # noqa: ANN401
    return AgentTask(agent_id, {"messages": [user(text)]}, **options)


async def spoken(coordinator: SimpleCoordinator, thread_id: str = "t") -> list[object]:
    return [each.message["content"] for each in await coordinator.history(thread_id, limit=1000)]


async def saved(coordinator: SimpleCoordinator, thread_id: str = "t") -> list[Any]:
    """The checkpoints of a thread, with all their namespaces."""
    engine = await coordinator._engine()
    saver = engine._database.checkpointer
    return [each async for each in saver.alist({"configurable": {"thread_id": thread_id}})]


# -- what is recorded --------------------------------------------------------------------


async def test_an_agent_knows_what_was_said_in_earlier_turns(
    coordinator: SimpleCoordinator,
) -> None:
    for text in ("one", "two"):
        await coordinator.execute_sequential([ask(text)], thread_id="t")
    third = await coordinator.execute_sequential([ask("three")], thread_id="t")
    assert third["chat"].output["saw"] == ["one", "re: one", "two", "re: two"]
    page = await coordinator.history("t")
    assert [each.sequence for each in page] == [1, 2, 3, 4, 5, 6]
    assert page[-1].message == {"role": "assistant", "name": "chat", "content": "re: three"}


async def test_every_strategy_hands_on_the_history(coordinator: SimpleCoordinator) -> None:
    await coordinator.execute_sequential([ask("one")], thread_id="t")
    tasks = [ask("two"), ask("two", task_id="more", depends_on=["chat"]), ask("two", task_id="x")]
    both = await coordinator.execute_parallel(tasks, thread_id="t")
    assert [task.output["saw"] for task in both] == [["one", "re: one"]] * 3
    picked = await coordinator.execute_conditional([ask("three")], lambda _: "chat", thread_id="t")
    assert picked["chat"].output["saw"] == [
        *("one", "re: one"),
        *("two", "re: two", "re: two", "re: two"),
    ]


async def test_a_run_without_messages_records_none_and_sees_them(
    coordinator: SimpleCoordinator,
) -> None:
    await coordinator.execute_sequential([ask("one")], thread_id="t")
    await coordinator.execute_sequential([AgentTask("count")], thread_id="t")
    assert await spoken(coordinator) == ["one", "re: one"]


async def test_a_refusal_is_remembered_for_the_answer_to_it(
    coordinator: SimpleCoordinator,
) -> None:
    refused = await coordinator.execute_sequential([ask("cancel it", "refuse")], thread_id="t")
    assert refused.status == WorkflowStatus.FAILED
    answered = await coordinator.execute_sequential([ask("17")], thread_id="t")
    assert answered["chat"].output["saw"] == ["cancel it", "Which order?"]


async def test_a_paused_run_says_its_part_when_it_ends(
    coordinator: SimpleCoordinator,
) -> None:
    tasks = [ask("buy"), ask("pay", task_id="pay", requires_approval=True)]
    paused = await coordinator.execute_sequential(tasks, thread_id="t")
    assert paused.status == WorkflowStatus.INTERRUPTED
    assert await spoken(coordinator) == ["buy", "pay"]
    with pytest.raises(ThreadPendingError):
        await coordinator.execute_sequential([ask("hello?")], thread_id="t")
    assert await spoken(coordinator) == ["buy", "pay"]
    for _ in range(2):  # resuming a finished thread reports, and records nothing
        await coordinator.resume("t", {"pay": "approve"} if _ == 0 else None)
        assert await spoken(coordinator) == ["buy", "pay", "re: buy", "re: pay"]


async def test_a_turn_on_a_busy_thread_records_nothing(
    coordinator: SimpleCoordinator, registry: AgentRegistry
) -> None:
    called, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_given: dict[str, Any]) -> dict[str, Any]:
        called.set()
        await go_on.wait()
        return {"content": "at last"}

    registry.register(AgentSpec("slow", handler=slow))
    run = asyncio.ensure_future(
        coordinator.execute_sequential([ask("first", "slow")], thread_id="t")
    )
    await asyncio.wait_for(called.wait(), timeout=30)
    with pytest.raises(ThreadBusyError):
        await coordinator.execute_sequential([ask("second")], thread_id="t")
    go_on.set()
    await run
    assert await spoken(coordinator) == ["first", "at last"]


async def test_a_cancelled_turn_is_finished_by_whoever_resumes_it(
    coordinator: SimpleCoordinator, registry: AgentRegistry
) -> None:
    called = asyncio.Event()

    async def stuck_once(_given: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        if not called.is_set():
            called.set()
            await asyncio.Event().wait()
        return {"content": f"saw {said(context)}"}

    registry.register(AgentSpec("stuck", handler=stuck_once))
    await coordinator.execute_sequential([ask("one")], thread_id="t")
    run = asyncio.ensure_future(
        coordinator.execute_sequential([ask("two", "stuck")], thread_id="t")
    )
    await asyncio.wait_for(called.wait(), timeout=30)
    run.cancel()
    await asyncio.wait({run})
    await coordinator.resume("t")
    assert await spoken(coordinator) == [
        "one",
        "re: one",
        "two",
        "saw ['one', 're: one']",
    ]


async def test_the_window_can_be_set(registry: AgentRegistry, url: str) -> None:
    window = HistoryWindow(messages=1)
    async with SimpleCoordinator(
        registry=registry, database_url=url, history_window=window
    ) as coordinator:
        await coordinator.execute_sequential([ask("one")], thread_id="t")
        second = await coordinator.execute_sequential([ask("two")], thread_id="t")
    assert second["chat"].output["saw"] == ["re: one"]


async def test_what_an_agent_does_to_its_history_stays_with_it(
    coordinator: SimpleCoordinator, registry: AgentRegistry
) -> None:
    async def meddle(_given: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        for message in context.history:
            message["content"] = "changed"
        return {}

    registry.register(AgentSpec("meddle", handler=meddle))
    await coordinator.execute_sequential([ask("one")], thread_id="t")
    result = await coordinator.execute_sequential([ask("two", "meddle"), ask("two")], thread_id="t")
    assert result["chat"].output["saw"] == ["one", "re: one"]


async def test_history_of_a_thread_that_is_not_there(coordinator: SimpleCoordinator) -> None:
    with pytest.raises(ThreadNotFoundError):
        await coordinator.history("t")
    with pytest.raises(ConfigurationError, match="limit is 0"):
        await coordinator.history("t", limit=0)
    await coordinator.execute_sequential([AgentTask("count")], thread_id="t")
    assert await coordinator.history("t") == []


# -- what of earlier runs is kept --------------------------------------------------------


async def test_only_the_last_run_keeps_its_checkpoints(coordinator: SimpleCoordinator) -> None:
    await coordinator.execute_sequential([ask("one"), ask("one", task_id="b")], thread_id="t")
    await coordinator.execute_sequential([ask("other")], thread_id="other")
    others = len(await saved(coordinator, "other"))
    alone = None
    for _ in range(3):
        await coordinator.execute_sequential([ask("two")], thread_id="t")
        alone = alone or len(await saved(coordinator))
        assert len(await saved(coordinator)) == alone
    assert len(await saved(coordinator, "other")) == others


@pytest.mark.parametrize(("keep", "runs"), [(0, 1), (1, 2), (2, 3), ("all", 5)])
async def test_as_many_runs_keep_their_checkpoints_as_are_asked_for(
    registry: AgentRegistry,
    url: str,
    keep: KeepRuns,
    runs: int,
) -> None:
    async with SimpleCoordinator(
        registry=registry, database_url=url, keep_runs=keep
    ) as coordinator:
        for number in range(5):
            tasks = [ask(f"{number}"), ask(f"{number}", task_id="b")]
            result = await coordinator.execute_parallel(tasks, thread_id="t")
            assert result["b"].succeeded
        beginnings = [
            each for each in await saved(coordinator) if each.metadata["source"] == "input"
        ]
        assert len(beginnings) == runs
        assert len(await spoken(coordinator)) == 15


async def test_writes_go_with_their_checkpoints(registry: AgentRegistry, tmp_path: Path) -> None:
    file = tmp_path / "threads.db"
    async with SimpleCoordinator(
        registry=registry, database_url=f"sqlite:///{file}", keep_runs=1
    ) as coordinator:
        for _ in range(4):
            tasks = [ask("x"), ask("x", task_id="b", requires_approval=True)]
            await coordinator.execute_parallel(tasks, thread_id="t")
            await coordinator.resume("t", {"b": "approve"})
    with closing(connect(file)) as connection:
        orphans = connection.execute(
            "SELECT count(*) FROM writes WHERE checkpoint_id NOT IN "
            "(SELECT checkpoint_id FROM checkpoints)"
        ).fetchone()
    assert orphans == (0,)


async def test_memory_forgets_the_values_too(registry: AgentRegistry) -> None:
    coordinator = SimpleCoordinator(registry=registry, database_url="memory://", keep_runs=1)
    sizes = []
    for _ in range(6):
        await coordinator.execute_parallel([ask("x"), ask("x", task_id="b")], thread_id="t")
        saver: Any = (await coordinator._engine())._database.checkpointer
        sizes.append((len(saver.blobs), len(saver.writes)))
    assert len(set(sizes[2:])) == 1


async def test_a_thread_whose_past_was_forgotten_resumes(
    registry: AgentRegistry, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'threads.db'}"
    async with SimpleCoordinator(registry=registry, database_url=url) as first:
        for number in range(3):
            await first.execute_sequential([ask(f"{number}")], thread_id="t")
        await first.execute_sequential([ask("4", requires_approval=True)], thread_id="t")
    async with SimpleCoordinator(registry=registry, database_url=url) as other:
        done = await other.resume("t", {"chat": "approve"})
        assert done["chat"].output["saw"] == ["0", "re: 0", "1", "re: 1", "2", "re: 2"]
        again = await other.resume("t")
        assert again.outputs == done.outputs
        assert (await other.inspect("t"))[1].outputs == done.outputs


async def test_a_run_that_died_before_its_first_checkpoint_gets_its_history_when_resumed(
    registry: AgentRegistry, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'threads.db'}"
    async with SimpleCoordinator(registry=registry, database_url=url) as coordinator:
        await coordinator.execute_sequential([ask("one")], thread_id="t")
        request = PlanRequest(tasks=[ask("two")])
        planned = plan(request, agents=registry, run_id="died").plan
        dead = open_database(url, history=HistoryPolicy())
        begun = await dead.history.begin("t", planned, holder="dead", seconds=-1)
        dead.close()
        assert len(begun.history) == 2
        assert await saved(coordinator) == [], "the run before is forgotten"
        _, standing = await coordinator.inspect("t")
        assert standing.outputs == {}
        done = await coordinator.resume("t")
        assert done["chat"].output["saw"] == ["one", "re: one"]
        assert await spoken(coordinator) == ["one", "re: one", "two", "re: two"]


class Memory(TypedDict):
    messages: Annotated[list[Any], add_messages]


async def test_an_agent_with_a_memory_of_its_own_keeps_it(
    coordinator: SimpleCoordinator, registry: AgentRegistry
) -> None:
    async def reply(state: Memory) -> dict[str, Any]:
        number = len(state["messages"])
        return {"messages": [{"role": "assistant", "content": f"answer {number}"}]}

    graph = StateGraph(Memory)
    graph.add_node("reply", reply)
    graph.add_edge(START, "reply")
    registry.register(AgentSpec("remembers", handler=graph.compile(checkpointer=True)))
    for number in range(1, 4):
        await coordinator.execute_sequential([ask(f"{number}", "remembers")], thread_id="t")
    assert await spoken(coordinator) == ["1", "answer 1", "2", "answer 3", "3", "answer 5"]


async def test_the_history_does_not_change_what_a_plan_is(
    coordinator: SimpleCoordinator,
) -> None:
    engine: EmbeddedEngine = await coordinator._engine()
    signatures = set()
    for _ in range(2):
        await coordinator.execute_sequential([ask("same")], thread_id="t")
        record, _ = await engine.views.inspect("t")
        assert "history" not in record.plan.document, "it stands in the state only"
        signatures.add(record.plan.signature())
    assert len(signatures) == 1
