"""How often a run may call agents again, over all of its tasks and however often it is resumed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestration import (
    AgentContext,
    AgentRegistry,
    AgentSpec,
    AgentTask,
    PlanError,
    RetryPolicy,
    SimpleCoordinator,
    SubWorkflow,
    Workflow,
    WorkflowRegistry,
)

THREAD = "t"
FOREVER = 99
USED_UP = "not tried again: the run's retry budget of {} is used up"


class Works:
    """A coordinator whose agent fails as often as it is told to."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.failures: dict[str, int] = {}
        self.hangs_at: tuple[str, int] | None = None
        """The task and the attempt that never ends."""
        self.hanging = asyncio.Event()
        self.calls: Counter[str] = Counter()
        self.agents, self.workflows = AgentRegistry(), WorkflowRegistry()
        self.agents.register(AgentSpec("clerk", handler=self._work))
        self.runs = self.open()

    def open(self) -> SimpleCoordinator:
        return SimpleCoordinator(
            registry=self.agents, database_url=self.url, workflows=self.workflows
        )

    def reopen(self) -> None:
        """Go on as another process would, where the database outlives one."""
        if not self.url.startswith("memory"):
            self.runs.close()
            self.runs = self.open()

    async def _work(self, _given: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        self.calls[context.task_id] += 1
        if (context.task_id, context.attempt) == self.hangs_at:
            self.hangs_at = None
            self.hanging.set()
            await asyncio.Event().wait()
        if self.failures.get(context.task_id, 0) > 0:
            self.failures[context.task_id] -= 1
            raise ConnectionError("not now")
        return {}

    async def stop_in(self, task_id: str, attempt: int, *tasks: Any, **options: Any) -> None:  # noqa: ANN401
        """Run tasks, and stop in the middle of an attempt, as if the process died."""
        self.hangs_at = task_id, attempt
        run = self.runs.execute_sequential(tasks, thread_id=THREAD, **options)
        running = asyncio.create_task(run)
        async with asyncio.timeout(30):
            await self.hanging.wait()
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
        self.reopen()


@pytest.fixture(params=["memory", "sqlite"])
async def works(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Works]:
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'runs.db'}"
    opened = Works(url)
    yield opened
    opened.runs.close()


def do(task_id: str, attempts: int = 10, **wishes: Any) -> AgentTask:  # noqa: ANN401
    again = RetryPolicy(max_attempts=attempts, initial_delay=timedelta(0))
    return AgentTask("clerk", task_id=task_id, retry=again, **wishes)


async def test_tasks_beside_each_other_share_it(works: Works) -> None:
    works.failures = dict.fromkeys("abc", FOREVER)
    result = await works.runs.execute_parallel([*map(do, "abc")], retry_budget=4)
    assert works.calls.total() == 3 + 4
    assert {task.reason for task in result} == {USED_UP.format(4)}
    assert {str(task.status) for task in result} == {"failed"}


async def test_what_succeeds_in_time_leaves_the_rest_to_others(works: Works) -> None:
    works.failures = {"a": 2, "b": FOREVER}
    tasks = [do("a"), do("b")]
    result = await works.runs.execute_sequential(tasks, retry_budget=3, on_failure="continue")
    assert (works.calls, str(result["a"].status)) == (Counter(a=3, b=2), "succeeded")


async def test_without_one_each_task_has_its_own_attempts(works: Works) -> None:
    works.failures = dict.fromkeys("ab", FOREVER)
    await works.runs.execute_parallel([do("a", 3), do("b", 2)])
    assert works.calls == Counter(a=3, b=2)


async def test_none_at_all_means_one_call_each(works: Works) -> None:
    works.failures = {"a": 1}
    result = await works.runs.execute_sequential([do("a")], retry_budget=0)
    assert (works.calls, result["a"].reason) == (Counter(a=1), USED_UP.format(0))


async def test_tasks_inside_others_share_it_too(works: Works) -> None:
    works.failures = dict.fromkeys("ab", FOREVER)
    inner = SubWorkflow(Workflow("in", tasks=[do("b")]), task_id="in")
    tasks = [do("a"), inner]
    await works.runs.execute_sequential(tasks, retry_budget=2, on_failure="continue")
    assert works.calls == Counter(a=3, b=1)


async def test_a_resumed_run_does_not_get_it_again(works: Works) -> None:
    works.failures = {"a": 1, "b": 1, "c": FOREVER}
    await works.stop_in("b", 2, do("a"), do("b"), do("c"), retry_budget=3)
    assert works.calls == Counter(a=2, b=2)
    result = await works.runs.resume(THREAD)
    assert works.calls == Counter(a=2, b=3, c=2), "the attempt that was cut short was paid for"
    assert result["c"].reason == USED_UP.format(3)


async def test_an_attempt_that_was_still_to_come_is_paid_for(works: Works) -> None:
    works.failures = {"a": FOREVER}
    await works.stop_in("a", 2, do("a"), retry_budget=1)
    result = await works.runs.resume(THREAD)
    assert works.calls == Counter(a=3), "first, cut short, and that one again"
    assert result["a"].reason == USED_UP.format(1)


async def test_what_tasks_inside_one_under_way_used_stays_used(works: Works) -> None:
    works.failures = {"a": 2, "b": FOREVER}
    inside = [do("a"), do("ask", requires_approval=True), do("b")]
    inner = SubWorkflow(Workflow("in", tasks=inside), task_id="in")
    await works.runs.execute_sequential([inner], thread_id=THREAD, retry_budget=3)
    works.reopen()
    await works.runs.resume(THREAD, {"in/ask": "approve"}, by="ann")
    assert works.calls == Counter(a=3, ask=1, b=2)


async def test_a_fork_is_a_run_with_a_budget_of_its_own(works: Works) -> None:
    works.failures = {"a": 2}
    tasks = [do("a"), do("ask", requires_approval=True), do("b")]
    await works.runs.execute_sequential(tasks, thread_id=THREAD, retry_budget=2)
    works.failures = {"b": FOREVER}
    await works.runs.fork(THREAD, new_thread_id="fork")
    await works.runs.resume("fork")
    await works.runs.resume("fork", {"ask": "approve"}, by="ann")
    assert works.calls == Counter(a=3, ask=1, b=3)


async def test_it_stays_with_a_run_whose_workflow_changes(works: Works) -> None:
    works.failures = {"a": 2, "b": FOREVER}
    first = Workflow("w", "1", [do("a"), do("ask", requires_approval=True), do("b")])
    works.workflows.register(first)
    await works.runs.execute("w", thread_id=THREAD, retry_budget=3)
    works.workflows.register(Workflow("w", "2", [*first.tasks, do("c")]))
    works.reopen()
    result = await works.runs.resume(THREAD, {"ask": "approve"}, by="ann")
    assert len(await works.runs.upgrades(THREAD)) == 1
    assert works.calls == Counter(a=3, ask=1, b=2)
    assert result["b"].reason == USED_UP.format(3)


async def test_what_was_used_inside_a_task_stays_used_when_the_workflow_changes(
    works: Works,
) -> None:
    works.failures = {"a": 2, "b": FOREVER}
    inside = [do("a"), do("ask", requires_approval=True), do("b"), do("again")]
    inner = SubWorkflow(Workflow("in", tasks=inside), task_id="in")
    works.workflows.register(Workflow("w", "1", [inner]))
    await works.runs.execute("w", thread_id=THREAD, retry_budget=3)
    works.workflows.register(Workflow("w", "2", [inner, do("c")]))
    works.reopen()
    await works.runs.resume(THREAD, {"in/ask": "approve"}, by="ann")
    assert len(await works.runs.upgrades(THREAD)) == 1
    assert works.calls == Counter(a=3, ask=1, b=2)


async def test_a_definition_with_a_budget_is_the_same_definition(works: Works) -> None:
    works.workflows.register(Workflow("w", "1", [do("a", requires_approval=True)]))
    await works.runs.execute("w", thread_id=THREAD, retry_budget=3)
    works.reopen()
    await works.runs.resume(THREAD, {"a": "approve"}, by="ann")
    assert await works.runs.upgrades(THREAD) == []


async def test_a_compiled_graph_has_it_for_each_of_its_runs(works: Works) -> None:
    works.failures = {"a": FOREVER}
    graph = works.runs.compile([do("a")], retry_budget=2)
    for _ in range(2):
        done = await graph.ainvoke({})  # type: ignore[call-overload]  # as the README does
        assert done["outcomes"]["a"]["reason"] == USED_UP.format(2)
    assert works.calls == Counter(a=6)


@pytest.mark.parametrize("wrong", [-1, True, 2.0, "3"])
async def test_what_is_no_number_of_calls_is_refused(works: Works, wrong: Any) -> None:  # noqa: ANN401
    with pytest.raises(PlanError, match=f"retry_budget is {wrong!r}; give a whole number from 0"):
        await works.runs.execute_sequential([do("a")], retry_budget=wrong)
    assert works.calls == Counter()
