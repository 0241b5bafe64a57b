"""Random plans, run for real, against an interpreter of twenty lines."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration import AgentContext, AgentRegistry, AgentSpec, SimpleCoordinator
from state.result import WorkflowResult
from state.retry import RetryPolicy
from state.status import WorkflowStatus
from state.task import AgentTask

Fate = Literal["works", "fails", "unneeded", "flaky"]
Status = dict[str, str]
Upstream = dict[str, dict[str, object]]
AT_ONCE = RetryPolicy(max_attempts=2, initial_delay=timedelta(0))


@dataclass
class Case:
    needs: dict[str, list[str]]
    fates: dict[str, Fate]

    def tasks(self) -> list[AgentTask]:
        return [
            AgentTask(
                "worker",
                task_id=id_,
                depends_on=others,
                condition="1 > 2" if self.fates[id_] == "unneeded" else None,
                retry=AT_ONCE if self.fates[id_] == "flaky" else None,
            )
            for id_, others in self.needs.items()
        ]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    ids = draw(st.permutations("abcdefgh"))[: draw(st.integers(1, 8))]
    needs = {id_: [x for x in ids[:i] if draw(st.booleans())] for i, id_ in enumerate(ids)}
    fates: st.SearchStrategy[Fate] = st.sampled_from(
        ["works", "works", "works", "fails", "unneeded", "flaky"]
    )
    return Case(
        {id_: needs[id_] for id_ in draw(st.permutations(ids))},
        {id_: draw(fates) for id_ in sorted(ids)},
    )


def expected(
    order: Sequence[str], needs: dict[str, list[str]], reads: dict[str, list[str]], case: Case
) -> tuple[Status, Upstream]:
    """What should become of tasks, one after another in any order that respects the needs."""
    status: Status = {}
    upstream: Upstream = {}
    lost: set[str] = set()
    for id_ in order:
        if lost.intersection(needs[id_]):
            status[id_] = "skipped"
            lost.add(id_)
        elif case.fates[id_] == "unneeded":
            status[id_] = "skipped"
        else:
            upstream[id_] = {x: {"by": x} for x in reads[id_] if status[x] == "succeeded"}
            status[id_] = "failed" if case.fates[id_] == "fails" else "succeeded"
            lost |= {id_} if status[id_] == "failed" else set()
    return status, upstream


@dataclass
class Worker:
    """Does as the case says, and notes what it was given and when."""

    case: Case
    upstream: Upstream = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    events: list[tuple[str, str]] = field(default_factory=list)

    async def __call__(self, _input: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        id_ = context.task_id
        self.calls.append(id_)
        self.events.append(("begin", id_))
        self.upstream[id_] = dict(context.upstream)
        await asyncio.sleep(0)
        self.events.append(("end", id_))
        fate = self.case.fates[id_]
        if fate == "fails" or (fate == "flaky" and context.attempt == 1):
            raise RuntimeError(id_)
        return {"by": id_}

    def began(self, id_: str) -> int:
        return self.events.index(("begin", id_))

    def ended(self, id_: str) -> int:
        return len(self.events) - 1 - self.events[::-1].index(("end", id_))


def run(case: Case, tasks: list[AgentTask], **wishes: Any) -> tuple[WorkflowResult, Worker]:  # noqa: ANN401
    worker, registry = Worker(case), AgentRegistry()
    registry.register(AgentSpec("worker", handler=worker))

    async def go() -> WorkflowResult:
        async with SimpleCoordinator(registry=registry, database_url="memory://") as coordinator:
            return await coordinator.execute_workflow(tasks, **wishes)

    return asyncio.run(go()), worker


def topological(needs: dict[str, list[str]]) -> list[str]:
    order: list[str] = []
    while len(order) < len(needs):
        order += [id_ for id_ in needs if id_ not in order and set(needs[id_]) <= set(order)]
    return order


def check(result: WorkflowResult, worker: Worker, want: tuple[Status, Upstream]) -> None:
    status, upstream = want
    assert {task.task_id: str(task.status) for task in result} == status
    assert worker.upstream == upstream
    for id_ in upstream:
        assert worker.calls.count(id_) == (2 if worker.case.fates[id_] == "flaky" else 1)
    assert result.outputs == {
        id_: {"by": id_} for id_, ended in status.items() if ended == "succeeded"
    }


@settings(max_examples=60)
@given(cases())
def test_a_parallel_run_does_what_its_dependencies_say(case: Case) -> None:
    tasks = case.tasks()
    result, worker = run(case, tasks, strategy="parallel")
    want = expected(topological(case.needs), case.needs, case.needs, case)
    check(result, worker, want)
    for id_ in worker.upstream:
        for other in set(case.needs[id_]) & set(worker.upstream):
            assert worker.ended(other) < worker.began(id_)
    statuses = set(want[0].values())
    failed = "failed" in statuses
    success = WorkflowStatus.PARTIAL if "succeeded" in statuses else WorkflowStatus.FAILED
    assert result.status == (success if failed else WorkflowStatus.COMPLETED)
    assert result.aggregate == {
        id_: {"by": id_} for id_ in case.needs if want[0][id_] == "succeeded"
    }
    assert [str(task.status) for task in tasks] == [want[0][id_] for id_ in case.needs]


@settings(max_examples=30)
@given(cases(), st.sampled_from(["continue", "fail_fast"]))
def test_a_sequence_does_what_its_order_says(case: Case, mode: str) -> None:
    order = topological(case.needs)
    case.needs = {id_: case.needs[id_] for id_ in order}
    result, worker = run(case, case.tasks(), strategy="sequential", on_failure=mode)
    before = {id_: order[:i] for i, id_ in enumerate(order)}
    stops = {id_: case.needs[id_] + before[id_][-1:] for id_ in order}
    check(
        result, worker, expected(order, case.needs if mode == "continue" else stops, before, case)
    )
    assert [id_ for id_ in order if id_ in worker.upstream] == list(dict.fromkeys(worker.calls))


@settings(max_examples=30)
@given(cases(), st.data())
def test_a_conditional_run_calls_only_who_is_chosen(case: Case, data: st.DataObject) -> None:
    chosen = data.draw(st.sampled_from(sorted(case.needs)))
    result, worker = run(case, case.tasks(), strategy="conditional", router=f"'{chosen}'")
    fate = case.fates[chosen]
    assert set(worker.calls) == (set() if fate == "unneeded" else {chosen})
    ended = {"works": "succeeded", "flaky": "succeeded", "fails": "failed", "unneeded": "skipped"}
    assert {task.task_id: str(task.status) for task in result} == {
        id_: ended[fate] if id_ == chosen else "skipped" for id_ in case.needs
    }


async def test_chains_beside_each_other_do_not_wait_for_each_other() -> None:
    """The second of each chain can only go on when the other chain's second has begun."""
    first, second = asyncio.Event(), asyncio.Event()

    async def worker(given_input: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        async with asyncio.timeout(5):
            match context.task_id:
                case "slow":
                    await first.wait()  # until the other chain is in its second step
                case "next":
                    first.set()
                    await second.wait()
                case "last":
                    second.set()
        return {}

    registry = AgentRegistry()
    registry.register(AgentSpec("worker", handler=worker))
    tasks = [
        AgentTask("worker", task_id="quick"),
        AgentTask("worker", task_id="next", depends_on=["quick"]),
        AgentTask("worker", task_id="slow"),
        AgentTask("worker", task_id="last", depends_on=["slow"]),
    ]
    async with SimpleCoordinator(registry=registry, database_url="memory://") as coordinator:
        result = await coordinator.execute_parallel(tasks)
    assert result.status == WorkflowStatus.COMPLETED
    assert result.waits == {}


async def test_an_n_runs_whole_and_says_who_waited() -> None:
    case = Case({"a": [], "b": [], "c": ["a"], "d": ["a", "b"]}, dict.fromkeys("abcd", "works"))
    worker, registry = Worker(case), AgentRegistry()
    registry.register(AgentSpec("worker", handler=worker))
    async with SimpleCoordinator(registry=registry, database_url="memory://") as coordinator:
        result = await coordinator.execute_parallel(case.tasks())
    assert result.waits == {"c": ["b"]}
    assert set(worker.calls) == set("abcd")
    assert worker.ended("b") < worker.began("c")
