"""Streams of runs that go on in special ways: changed workflows, forks, threads, requests."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from orchestration import (
    AgentContext,
    AgentRefusedError,
    AgentSpec,
    AgentTask,
    EnterpriseOrchestrator,
    ForEach,
    Repeat,
    SubWorkflow,
    Workflow,
    WorkflowEvent,
)
from orchestration.streaming.told import Happening, fact_of, fact_of_call
from state.task import Task
from tests.unit.orchestration.releases import THREAD, Site, task
from tests.unit.orchestration.streaming.stage import Stage, all_of, lines, stage_in


def gapless(events: Sequence[WorkflowEvent], *, first: int = 1) -> bool:
    return [event.sequence for event in events] == [*range(first, first + len(events))]


async def test_a_stream_goes_on_under_a_changed_workflow() -> None:
    site = Site("memory://")
    ask = task("b", requires_approval=True)
    begun = site.release(task("a"), ask, version="1")
    told = await all_of(site.runs.stream(begun, thread_id=THREAD))
    site.release(task("a"), ask, task("new"))
    rest = await all_of(site.runs.resume_stream(THREAD, {"b": "approve"}, after=len(told)))
    assert gapless([*told, *rest])
    assert lines(rest) == [
        "task_started b",
        "task_finished b succeeded",
        "task_started new",
        "task_finished new succeeded",
        "run_finished completed",
    ]


async def test_a_fork_tells_what_it_begins_with() -> None:
    stage = Stage("memory://")
    async with stage.open() as coordinator:
        tasks = [AgentTask("a"), AgentTask("b")]
        await all_of(coordinator.stream(tasks, thread_id="t"))
        moments = await coordinator.timeline("t")
        moment = next(each for each in moments if [*each.outcomes] == ["a"])
        fork = await coordinator.fork("t", checkpoint_id=moment.checkpoint_id)
        assert await all_of(coordinator.watch(fork)) == []
        assert lines(await all_of(coordinator.resume_stream(fork))) == [
            "run_started",
            "task_started a",
            "task_finished a succeeded",
            "task_started b",
            "token b b!",
            "task_finished b succeeded",
            "run_finished completed",
        ]


async def test_agents_in_threads_may_speak_at_once_and_even_afterwards(tmp_path: Path) -> None:
    stage, go_on, silent = stage_in(tmp_path), threading.Event(), threading.Event()
    words = 200

    def chatty(_given: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        for number in range(words):
            context.emit(f"{context.task_id}{number} ")
        return {}

    def late(_given: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        go_on.wait(30)
        context.emit("too late")
        silent.set()
        return {}

    stage.agents.register(AgentSpec("chatty", handler=chatty))
    stage.agents.register(AgentSpec("late", handler=late))
    tasks = [AgentTask("chatty", task_id=f"t{number}") for number in range(4)]
    tasks.append(AgentTask("late", timeout=0.01))
    async with stage.open() as coordinator:
        told = await all_of(coordinator.stream(tasks, strategy="parallel", thread_id="t"))
        go_on.set()
        await asyncio.to_thread(silent.wait, 30)
        assert await all_of(coordinator.watch("t")) == told
    assert gapless(told)
    assert lines(told)[-1] == "run_finished partial"
    for each in tasks[:4]:
        said = [e.data["text"] for e in told if (e.kind, e.task_id) == ("token", each.task_id)]
        assert said == [f"{each.task_id}{number} " for number in range(words)]


async def test_a_request_in_plain_words_is_streamed_on_with_its_answer(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    async with EnterpriseOrchestrator(database_url=url) as orchestrator:
        stream = orchestrator.stream("Buy 3 tickets for tonight", thread_id="talk")
        async with aclosing(stream) as reading:
            seen = [await anext(reading), await anext(reading)]
    async with EnterpriseOrchestrator(database_url=url) as elsewhere:
        rest = await all_of(elsewhere.resume_stream("talk", after=len(seen)))
        answer = await elsewhere.get_state("talk")
        assert rest[-1].data == answer.as_json()
        assert await all_of(elsewhere.resume_stream("talk")) == [*seen, *rest]
    assert gapless([*seen, *rest])
    assert "summary" in rest[-1].data


async def test_a_supervisor_is_heard_too() -> None:
    stage = Stage("memory://")

    async def lead(given: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        context.emit("hm ")
        return {"next": "finish" if given["turns"] else "a"}

    stage.agents.register(AgentSpec("lead", handler=lead))
    async with stage.open() as coordinator:
        told = await all_of(
            coordinator.stream([AgentTask("a")], strategy="cyclic", supervisor=AgentTask("lead"))
        )
    assert [line for line in lines(told) if line.startswith("token")] == [
        "token supervisor hm",
        "token a a!",
        "token supervisor hm",
    ]


async def test_every_call_is_the_one_whose_beginning_is_told() -> None:
    """However plans, turns and items are nested: else each call would wait in vain."""
    stage, called = Stage("memory://"), set()

    async def agent(_given: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        called.add(fact_of_call(context))
        context.emit("x")
        if context.idempotency_key.endswith(":compensate") or context.task_id != "no":
            return {"ok": True}
        raise AgentRefusedError("no")

    stage.agents.register(AgentSpec("agent", handler=agent))

    def do(id_: str, **terms: Any) -> AgentTask:  # noqa: ANN401
        return AgentTask("agent", task_id=id_, **terms)

    def twice(id_: str, *tasks: Task) -> Repeat:
        return Repeat(Workflow(id_, tasks=tasks), until="turn >= 2", task_id=id_)

    cycle = Workflow("cycle", tasks=[do("p"), twice("q", do("r"))], strategy="cyclic", max_turns=1)
    nested = SubWorkflow(cycle, task_id="cycle")
    items = ForEach([1, 2], [do("i"), twice("l", do("m"))], task_id="each")
    inside = SubWorkflow(Workflow("sub", tasks=[do("s"), items, nested]), task_id="sub")
    async with stage.open() as coordinator:
        first = [do("a", compensate={}), twice("outer", do("b"), inside)]
        told = await all_of(coordinator.stream([*first, do("no")]))
        told += await all_of(
            coordinator.stream(
                [SubWorkflow(Workflow("w", tasks=[do("u"), twice("v", do("x"))]), task_id="w")],
                strategy="cyclic",
                max_turns=1,
            )
        )
    begun = {fact_of(Happening(e.kind, e.task_id, e.data)) for e in told if "_started" in e.kind}
    assert called <= begun
    assert len(called) > 20
    assert not [line for line in lines(told) if line.startswith("token_restart")]
