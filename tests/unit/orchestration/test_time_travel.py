"""A run's moments, and forks that begin at one: nothing is done twice, no answer used again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from orchestration import (
    AgentContext,
    AgentRegistry,
    AgentSpec,
    AgentTask,
    ForkError,
    NotAllowedError,
    SimpleCoordinator,
    WorkflowStatus,
)

WAYS = ["sequential", "parallel"]


class Shop:
    """Notes what was bought, under which key."""

    def __init__(self) -> None:
        self.bought: list[tuple[str, str]] = []
        self.fails = False
        self.registry = AgentRegistry()
        self.registry.register(AgentSpec("buy", handler=self.buy))

    async def buy(self, input_data: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        if self.fails and context.task_id == "b":
            raise RuntimeError("sold out")
        self.bought.append((context.task_id, context.idempotency_key))
        return {"item": input_data.get("item", context.task_id)}

    def tasks(self) -> list[str]:
        return [task_id for task_id, _ in self.bought]


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture(params=["memory", "sqlite"])
async def coordinator(
    request: pytest.FixtureRequest, shop: Shop, tmp_path: Path
) -> AsyncIterator[SimpleCoordinator]:
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'threads.db'}"
    async with SimpleCoordinator(registry=shop.registry, database_url=url) as coordinator:
        yield coordinator


def chain(*, asks: str = "") -> list[AgentTask]:
    names = ["a", "b", "c"]
    return [
        AgentTask(
            "buy",
            task_id=name,
            depends_on=names[max(0, place - 1) : place],
            requires_approval=name == asks,
        )
        for place, name in enumerate(names)
    ]


async def moment(coordinator: SimpleCoordinator, thread_id: str, next_task: str) -> str:
    """The checkpoint before a task."""
    for each in await coordinator.timeline(thread_id):
        if each.next == (next_task,):
            return each.checkpoint_id
    raise AssertionError(f"nothing comes before {next_task}")


async def test_the_moments_of_a_run_say_what_was_done_and_what_comes_next(
    coordinator: SimpleCoordinator,
) -> None:
    done = await coordinator.execute_sequential(chain())
    moments = await coordinator.timeline(done.thread_id)
    assert [each.next for each in moments][:4] == [(), ("c",), ("b",), ("a",)]
    assert moments[1].outcomes == {"a": "succeeded", "b": "succeeded"}
    assert moments[0].at > moments[3].at


@pytest.mark.parametrize("strategy", WAYS)
async def test_a_fork_keeps_what_had_succeeded_and_does_the_rest_under_its_own_keys(
    coordinator: SimpleCoordinator, shop: Shop, strategy: str
) -> None:
    done = await coordinator.execute_workflow(chain(), strategy=strategy)
    before_c = await moment(coordinator, done.thread_id, "c")
    forked = await coordinator.fork(
        done.thread_id, checkpoint_id=before_c, inputs={"c": {"item": "tea"}}
    )
    _, known = await coordinator.inspect(forked)
    assert [str(task.status) for task in known] == ["succeeded", "succeeded", "pending"]
    result = await coordinator.resume(forked)
    assert result.status == WorkflowStatus.COMPLETED
    assert result["c"].output == {"item": "tea"}
    assert shop.tasks() == ["a", "b", "c", "c"]
    assert len(set(shop.bought)) == 4
    assert (await coordinator.resume(done.thread_id))["c"].output == {"item": "c"}


@pytest.mark.parametrize("strategy", WAYS)
async def test_a_fork_asks_again_whatever_was_answered(
    coordinator: SimpleCoordinator, shop: Shop, strategy: str
) -> None:
    paused = await coordinator.execute_workflow(chain(asks="c"), strategy=strategy)
    done = await coordinator.resume(paused.thread_id, {"c": "approve"}, by="ann")
    assert done.status == WorkflowStatus.COMPLETED
    for each in await coordinator.timeline(paused.thread_id):
        if each.outcomes.get("c"):
            continue
        forked = await coordinator.fork(paused.thread_id, checkpoint_id=each.checkpoint_id)
        result = await coordinator.resume(forked)
        assert result.status == WorkflowStatus.INTERRUPTED
        (question,) = result.interrupts
        assert question.task_id == "c"
        assert question.interrupt_id != paused.interrupts[0].interrupt_id
    assert shop.tasks().count("c") == 1


async def test_what_failed_is_tried_anew_in_a_fork(
    coordinator: SimpleCoordinator, shop: Shop
) -> None:
    shop.fails = True
    failed = await coordinator.execute_sequential(chain())
    assert failed.status == WorkflowStatus.FAILED
    shop.fails = False
    result = await coordinator.resume(await coordinator.fork(failed.thread_id))
    assert result.status == WorkflowStatus.COMPLETED
    assert shop.tasks() == ["a", "b", "c"]


async def test_a_fork_of_a_conditional_run_keeps_its_way(
    coordinator: SimpleCoordinator, shop: Shop
) -> None:
    tasks = [AgentTask("buy", task_id=name) for name in ("a", "b")]
    done = await coordinator.execute_conditional(tasks, "'b'")
    before_b = await moment(coordinator, done.thread_id, "b")
    result = await coordinator.resume(
        await coordinator.fork(done.thread_id, checkpoint_id=before_b)
    )
    assert [str(task.status) for task in result] == ["skipped", "succeeded"]
    assert shop.tasks() == ["b", "b"]


async def test_a_fork_that_cannot_be_is_refused_with_what_can(
    coordinator: SimpleCoordinator,
) -> None:
    done = await coordinator.execute_sequential(chain())
    before_c = await moment(coordinator, done.thread_id, "c")
    for inputs, why in (
        ({"a": {}}, r"'a' cannot be changed: it stands as it is; use \['c'\]"),
        ({"x": {}}, r"'x' cannot be changed: it is no task of it"),
        ({"c": {"item": object()}}, "is a object"),
    ):
        with pytest.raises(ForkError, match=why):
            await coordinator.fork(done.thread_id, checkpoint_id=before_c, inputs=inputs)
    with pytest.raises(ForkError, match="not one of the thread's"):
        await coordinator.fork(done.thread_id, checkpoint_id="1f0c0000-0000-6000-8000-000000000000")
    assert len(await coordinator.threads()) == 1


async def test_what_was_undone_does_not_stand_in_a_fork_and_a_fork_undoes_only_its_own(
    coordinator: SimpleCoordinator, shop: Shop
) -> None:
    shop.fails = True
    tasks = [
        AgentTask("buy", task_id="a", compensate={"item": "back"}),
        AgentTask("buy", task_id="b", depends_on=["a"]),
    ]
    failed = await coordinator.execute_sequential(tasks)
    assert str(failed["a"].status) == "compensated"
    before_b = await moment(coordinator, failed.thread_id, "b")
    shop.bought.clear()
    anew = await coordinator.resume(
        await coordinator.fork(failed.thread_id, checkpoint_id=before_b)
    )
    assert shop.tasks() == ["a", "a"]  # bought anew, and undone anew
    assert str(anew["a"].status) == "compensated"


async def test_a_fork_leaves_alone_what_the_old_run_achieved_when_it_fails_itself(
    coordinator: SimpleCoordinator, shop: Shop
) -> None:
    tasks = [
        AgentTask("buy", task_id="a", compensate={"item": "back"}),
        AgentTask("buy", task_id="b", depends_on=["a"]),
    ]
    done = await coordinator.execute_sequential(tasks)
    before_b = await moment(coordinator, done.thread_id, "b")
    forked = await coordinator.fork(done.thread_id, checkpoint_id=before_b)
    shop.fails = True
    result = await coordinator.resume(forked)
    assert result.status == WorkflowStatus.FAILED
    assert shop.tasks() == ["a", "b"]


async def test_whoever_changes_an_input_is_the_forks_requester(
    coordinator: SimpleCoordinator,
) -> None:
    paused = await coordinator.execute_sequential(chain(asks="c"), user="alice")
    more = {"c": {"item": "gold"}}
    with pytest.raises(ForkError, match="say with user= who asks for the new ones"):
        await coordinator.fork(paused.thread_id, inputs=more)
    forked = await coordinator.fork(paused.thread_id, inputs=more, user="mallory")
    await coordinator.resume(forked)
    with pytest.raises(NotAllowedError, match="mallory asked for it"):
        await coordinator.resume(forked, {"c": "approve"}, by="mallory")
    done = await coordinator.resume(forked, {"c": "approve"}, by="ann")
    assert done["c"].output == {"item": "gold"}


async def test_a_fork_that_would_need_a_callable_is_refused(
    coordinator: SimpleCoordinator,
) -> None:
    tasks = [AgentTask("buy", task_id="a"), AgentTask("buy", task_id="b", condition=lambda: True)]
    done = await coordinator.execute_sequential(tasks)
    before_a = await moment(coordinator, done.thread_id, "a")
    with pytest.raises(ForkError, match="write it as a CEL"):
        await coordinator.fork(done.thread_id, checkpoint_id=before_a)
    assert (await coordinator.resume(await coordinator.fork(done.thread_id))).status == "completed"
