"""Workflows that come to nothing undo what they did: last first, once each."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from graph.plan_request import PlanRequest
from graph.planner import plan
from nodes.concurrency import ConcurrencyLimit
from orchestration import AgentRegistry, AgentSpec, SimpleCoordinator
from state.agent_context import AgentContext
from state.errors import AgentRefusedError
from state.failure_mode import quorum
from state.retry import RetryPolicy
from state.status import TaskStatus, WorkflowStatus
from state.task import AgentTask

if TYPE_CHECKING:
    from tests.unit.nodes.conftest import Bench

Input = dict[str, Any]
PATIENT = RetryPolicy(max_attempts=3, initial_delay=timedelta(seconds=10), jitter=False)
COMPENSATED, SUCCEEDED = TaskStatus.COMPENSATED, TaskStatus.SUCCEEDED


class Shop:
    """Does what it is asked and notes each call; fails and refuses on demand."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, int]] = []
        self.contexts: list[AgentContext] = []

    async def __call__(self, given: Input, context: AgentContext) -> Input:
        self.calls.append((given.get("do", "do"), context.task_id, context.attempt))
        self.contexts.append(context)
        if context.attempt <= given.get("fails", 0):
            raise RuntimeError("broken")
        if given.get("refuses"):
            raise AgentRefusedError("too late")
        if given.get("hangs"):
            await asyncio.Event().wait()
        return {"from": context.task_id}

    @property
    def undone(self) -> list[str]:
        return [task_id for what, task_id, _ in self.calls if what == "undo"]


def buy(id_: str, undo: Input | AgentTask | None = None, **terms: Any) -> AgentTask:  # noqa: ANN401
    how = undo if isinstance(undo, AgentTask) else {"do": "undo", **(undo or {})}
    return AgentTask("shop", task_id=id_, compensate=how, **terms)


def fail(id_: str = "bad", **terms: Any) -> AgentTask:  # noqa: ANN401
    return AgentTask("shop", {"refuses": True}, task_id=id_, **terms)


@pytest.fixture
def shop(bench: Bench) -> Shop:
    hired = Shop()
    bench.hire(shop=hired)
    return hired


@pytest.mark.parametrize("strategy", ["sequential", "parallel"])
async def test_a_failed_workflow_is_undone_last_first(
    bench: Bench, shop: Shop, strategy: str
) -> None:
    tasks = [
        buy("a"),
        buy("b", depends_on=["a"]),
        AgentTask("shop", task_id="note", depends_on=["b"]),
        buy("c", depends_on=["note"]),
        fail(depends_on=["c"]),
    ]
    result = await bench.run(*tasks, strategy=strategy, on_failure="fail_fast")
    assert result.status == WorkflowStatus.FAILED
    assert shop.undone == ["c", "b", "a"]
    assert [str(task.status) for task in result] == [
        "compensated",
        "compensated",
        "succeeded",
        "compensated",
        "failed",
    ]
    assert result.uncompensated == ()
    assert result.outputs == {"note": {"from": "note"}}
    assert result["a"].output == {"from": "a"}, "what the task itself said is kept"
    assert bench.told[-3:] == [("c", "compensated"), ("b", "compensated"), ("a", "compensated")]


async def test_parallel_tasks_are_undone_in_the_reverse_of_how_they_finished(bench: Bench) -> None:
    """Those beside each other are undone by when they finished, not by how they were given."""
    shop = Shop()

    async def slow(given: Input, context: AgentContext) -> Input:
        async with asyncio.timeout(5):
            while ("quick", "succeeded") not in bench.told:  # noqa: ASYNC110  it sets no event
                await asyncio.sleep(0)
        bench.clock.time += 1
        return await shop(given, context)

    bench.hire(slow=slow, quick=shop, shop=shop)
    undo = {"do": "undo"}
    tasks = [
        AgentTask("slow", compensate=undo),
        AgentTask("quick", compensate=undo),
        fail(depends_on=["slow", "quick"]),
    ]
    result = await bench.run(*tasks, strategy="parallel", on_failure="all_or_nothing")
    assert result.status == WorkflowStatus.FAILED
    assert shop.undone == ["slow", "quick"]
    assert result.aggregate == {}, "the aggregation is made of what stands"


async def test_one_checkpoint_for_each(bench: Bench, shop: Shop) -> None:
    await bench.run(buy("a"), buy("b"), fail())
    stood = [
        {id_: outcomes[id_]["status"] for id_ in "ab"}
        for outcomes in await bench.history()
        if "bad" in outcomes
    ]
    assert stood == [
        {"a": "succeeded", "b": "succeeded"},
        {"a": "succeeded", "b": "compensated"},
        {"a": "compensated", "b": "compensated"},
    ]


async def test_who_undoes_gets_the_output_and_a_key_of_its_own(bench: Bench, shop: Shop) -> None:
    other = Shop()
    bench.hire(other=other)
    undo = AgentTask("other", {"do": "undo"}, timeout=7)
    await bench.run(buy("a"), buy("b", undo), fail(), tenant="acme", user="alice")
    (context,) = other.contexts
    assert context.idempotency_key == "run:b:compensate"
    assert dict(context.upstream) == {"b": {"from": "b"}}
    assert (context.thread_id, context.run_id, context.task_id) == ("thread", "run", "b")
    assert (context.tenant, context.user, context.deadline) == ("acme", "alice", 1007)
    assert shop.contexts[-1].idempotency_key == "run:a:compensate"
    assert shop.contexts[0].idempotency_key == "run:a"


async def test_a_rejected_workflow_is_undone_after_the_answer(bench: Bench, shop: Shop) -> None:
    asked = AgentTask("shop", task_id="pay", requires_approval=True)
    result = await bench.run(buy("a"), buy("b"), asked)
    assert (result.status, shop.undone) == (WorkflowStatus.INTERRUPTED, [])
    result = await bench.answer(pay="reject")
    assert (result.status, shop.undone) == (WorkflowStatus.REJECTED, ["b", "a"])
    assert (await bench.answer()).status == WorkflowStatus.REJECTED
    assert shop.undone == ["b", "a"], "a finished thread undoes nothing again"


@pytest.mark.parametrize(
    ("tasks", "wishes", "status"),
    [
        ([buy("a"), buy("b")], {}, WorkflowStatus.COMPLETED),
        ([buy("a"), fail()], {"on_failure": "continue"}, WorkflowStatus.PARTIAL),
        (
            [buy("a"), buy("b"), fail()],
            {"strategy": "parallel", "on_failure": quorum(2)},
            WorkflowStatus.COMPLETED,
        ),
        ([buy("a")], {"strategy": "conditional", "router": "'a'"}, WorkflowStatus.COMPLETED),
    ],
)
async def test_what_came_to_something_is_not_undone(
    bench: Bench, shop: Shop, tasks: list[AgentTask], wishes: Input, status: WorkflowStatus
) -> None:
    result = await bench.run(*tasks, **wishes)
    assert (result.status, shop.undone) == (status, [])


async def test_a_quorum_out_of_reach_is_undone(bench: Bench, shop: Shop) -> None:
    tasks = [buy("a"), fail("x"), fail("y")]
    result = await bench.run(*tasks, strategy="parallel", on_failure=quorum(2))
    assert (result.status, shop.undone) == (WorkflowStatus.FAILED, ["a"])


@pytest.mark.parametrize("router", ["'a'", "'bad'"])
async def test_a_routed_task_that_fails_leaves_nothing_to_undo(
    bench: Bench, shop: Shop, router: str
) -> None:
    result = await bench.run(buy("a"), fail(), strategy="conditional", router=router)
    assert shop.undone == []
    assert result.status in {WorkflowStatus.COMPLETED, WorkflowStatus.FAILED}


async def test_what_cannot_be_undone_is_said_and_the_rest_goes_on(bench: Bench, shop: Shop) -> None:
    tasks = [buy("a"), buy("b", {"refuses": True}), buy("c"), fail()]
    result = await bench.run(*tasks)
    assert shop.undone == ["c", "b", "a"]
    assert result.status == WorkflowStatus.FAILED
    assert [task.status for task in result][:3] == [COMPENSATED, SUCCEEDED, COMPENSATED]
    assert result.uncompensated == ("b",)
    undoing = result["b"].compensation
    assert undoing is not None
    assert undoing.error is not None
    assert (undoing.status, undoing.error["code"]) == (TaskStatus.FAILED, "agent_refused")
    assert result.outputs == {"b": {"from": "b"}}, "what it did stands"


async def test_an_agent_that_is_gone_cannot_undo(bench: Bench, shop: Shop) -> None:
    async def leave(_input: Input) -> Input:
        bench.agents.unregister("other")
        raise RuntimeError("broken")

    bench.hire(other=Shop(), leaver=leave)
    result = await bench.run(buy("a"), buy("b", AgentTask("other")), AgentTask("leaver"))
    assert result.uncompensated == ("b",)
    assert result["a"].status == COMPENSATED


async def test_a_compensation_is_tried_again_under_the_same_key(bench: Bench, shop: Shop) -> None:
    result = await bench.run(buy("a"), buy("b", {"fails": 2}, retry=PATIENT), fail())
    assert shop.calls[-4:] == [
        ("undo", "b", 1),
        ("undo", "b", 2),
        ("undo", "b", 3),
        ("undo", "a", 1),
    ]
    assert {context.idempotency_key for context in shop.contexts[-4:-1]} == {"run:b:compensate"}
    assert bench.clock.slept == [10, 20]
    undoing = result["b"].compensation
    assert undoing is not None
    assert (undoing.status, undoing.attempts) == (SUCCEEDED, 3)
    assert result["b"].attempts == 1


async def test_how_often_it_was_tried_and_when_it_is_due_stand_in_the_checkpoint(
    bench: Bench, shop: Shop
) -> None:
    undo = AgentTask("shop", {"do": "undo", "fails": 9}, retry=PATIENT)
    result = await bench.run(buy("a", undo), fail())
    stood = [
        (undoing["status"], undoing["attempts"], undoing.get("next_due_at"))
        for outcomes in await bench.history()
        if (undoing := outcomes.get("a", {}).get("compensation"))  # type: ignore[call-overload]
    ]
    assert stood == [("pending", 1, 1010.0), ("pending", 2, 1030.0), ("failed", 3, None)]
    assert result.uncompensated == ("a",)


async def test_a_compensation_that_hangs_times_out(bench: Bench, shop: Shop) -> None:
    undo = AgentTask("shop", {"do": "undo", "hangs": True}, timeout=0.01)
    result = await bench.run(buy("a", undo), fail())
    undoing = result["a"].compensation
    assert undoing is not None
    assert undoing.status == TaskStatus.TIMED_OUT
    assert result.uncompensated == ("a",)


async def test_a_run_that_was_stopped_still_waits_for_its_compensations(
    bench: Bench, shop: Shop
) -> None:
    """The stop signal of `fail_fast` cancels tasks; it must not cancel what undoes them."""
    tasks = [buy("a", {"fails": 1}, retry=PATIENT), fail(depends_on=["a"])]
    result = await bench.run(*tasks, strategy="parallel", on_failure="fail_fast")
    assert result["a"].status == COMPENSATED
    assert bench.clock.slept == [10]


async def test_compensations_take_a_slot_like_any_call(bench: Bench, shop: Shop) -> None:
    bench.slots = ConcurrencyLimit(1)
    result = await bench.run(buy("a"), buy("b"), fail(), strategy="sequential")
    assert [task.status for task in result][:2] == [COMPENSATED, COMPENSATED]


async def test_of_several_with_the_capability_who_did_the_task_undoes_it(bench: Bench) -> None:
    one, two = Shop(), Shop()
    bench.agents.register(AgentSpec("two", ["selling"], handler=two))

    async def hire_a_better_one(_input: Input) -> Input:
        bench.agents.register(AgentSpec("one", ["selling"], handler=one, priority=-9))
        bench.agents.register(AgentSpec("three", ["selling"], handler=one, priority=9))
        raise RuntimeError("broken")

    bench.hire(hirer=hire_a_better_one)
    task = AgentTask(capability="selling", task_id="a", compensate={"do": "undo"})
    result = await bench.run(task, AgentTask("hirer"))
    assert (two.undone, one.undone) == (["a"], [])
    assert result["a"].status == COMPENSATED


async def test_a_thousand_retries_of_a_compensation_are_no_endless_loop() -> None:
    agents = AgentRegistry()
    agents.register(AgentSpec("a", handler=dict))
    policy = RetryPolicy(max_attempts=4000)
    tasks = [AgentTask("a", retry=policy, compensate={})]
    made = plan(PlanRequest(tasks=tasks), agents=agents, run_id="r").plan
    assert made.traits.attempts == 8000


async def test_the_graph_by_itself_compensates_too() -> None:
    shop, agents = Shop(), AgentRegistry()
    agents.register(AgentSpec("shop", handler=shop))
    coordinator = SimpleCoordinator(registry=agents, database_url="memory://")
    values = await coordinator.compile([buy("a"), buy("b"), fail()]).ainvoke({})  # type: ignore[call-overload]  # nothing is needed
    assert shop.undone == ["b", "a"]
    assert values["outcomes"]["a"]["status"] == "compensated"


async def test_the_callers_tasks_and_the_event_stream_tell_it() -> None:
    shop, agents = Shop(), AgentRegistry()
    agents.register(AgentSpec("shop", handler=shop))
    quick = RetryPolicy(max_attempts=2, initial_delay=timedelta(0))
    tasks = [buy("a", {"refuses": True}), buy("b", {"fails": 1}, retry=quick), fail()]
    async with SimpleCoordinator(registry=agents, database_url="memory://") as coordinator:
        events = [event async for event in coordinator.stream(tasks)]
    told = [(event.kind, event.task_id) for event in events]
    assert told[told.index(("task_finished", "bad")) + 1 :] == [
        ("compensation_started", "b"),
        ("compensation_retrying", "b"),
        ("compensation_started", "b"),
        ("compensation_finished", "b"),
        ("compensation_started", "a"),
        ("compensation_finished", "a"),
        ("run_finished", ""),
    ]
    assert [task.status for task in tasks] == [SUCCEEDED, COMPENSATED, TaskStatus.FAILED]
    assert tasks[1].output == {"from": "b"}
    assert events[-1].data["uncompensated"] == ["a"]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
