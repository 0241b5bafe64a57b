"""Runs of agents with several endpoints and versions, cut short and gone on with elsewhere."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from orchestration import (
    AgentContext,
    AgentNotStartedError,
    AgentRegistry,
    AgentSpec,
    AgentTask,
    Endpoint,
    RetryPolicy,
    SimpleCoordinator,
)
from orchestration.agents.kinds import KINDS

THREAD = "t"
SOON = RetryPolicy(max_attempts=9, initial_delay=timedelta(0))


class World:
    """Endpoints that outlive the coordinators which call them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.calls: list[tuple[str, str]] = []
        """Endpoint, and task."""
        self.hangs = False
        self.hanging = asyncio.Event()
        self.refuse: set[str] = set()
        """Endpoints at which nothing listens."""
        self.once: dict[str, Callable[[], object]] = {}
        """What happens in the middle of a task, once."""

    def endpoint(self, name: str, **terms: Any) -> Endpoint:  # noqa: ANN401
        async def act(_given: dict[str, Any], context: AgentContext) -> dict[str, Any]:
            self.calls.append((name, context.task_id))
            self.once.pop(context.task_id, lambda: None)()
            if name in self.refuse:
                raise AgentNotStartedError("nothing listens there")
            if self.hangs:
                self.hangs = False
                self.hanging.set()
                await asyncio.Event().wait()
            return {"by": name, "usage": {"input_tokens": 2, "output_tokens": 1}}

        return Endpoint(endpoint_id=name, handler=act, **terms)

    def open(self, *specs: AgentSpec, seed: int = 1) -> SimpleCoordinator:
        """As a new process has it."""
        registry = AgentRegistry(random=random.Random(seed).random)
        for spec in specs:
            registry.register(spec)
        return SimpleCoordinator(registry=registry, database_url=self.url)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(f"sqlite:///{tmp_path / 'runs.db'}")


def shop(world: World, first: str, second: str, **terms: Any) -> AgentSpec:  # noqa: ANN401
    ends = [world.endpoint(first, priority=1), world.endpoint(second)]
    return AgentSpec("shop", endpoints=ends, **terms)


async def cut_short(world: World, runs: SimpleCoordinator, *tasks: AgentTask) -> None:
    """Run tasks, and stop in the middle of the first call, as if the process died."""
    world.hangs = True
    running = asyncio.create_task(runs.execute_sequential(tasks, thread_id=THREAD))
    async with asyncio.timeout(30):
        await world.hanging.wait()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def test_a_purchase_that_may_have_begun_is_made_nowhere_else(world: World) -> None:
    async with world.open(shop(world, "eu", "us")) as runs:
        await cut_short(world, runs, AgentTask("shop"), AgentTask("shop", task_id="next"))
    async with world.open(shop(world, "us", "eu")) as runs:
        result = await runs.resume(THREAD)
    assert world.calls == [("eu", "shop"), ("eu", "shop"), ("us", "next")]
    assert str(result.status) == "completed"


async def test_one_that_changes_nothing_may_be_made_anywhere(world: World) -> None:
    async with world.open(shop(world, "eu", "us", read_only=True)) as runs:
        await cut_short(world, runs, AgentTask("shop"))
    async with world.open(shop(world, "us", "eu", read_only=True)) as runs:
        await runs.resume(THREAD)
    assert world.calls == [("eu", "shop"), ("us", "shop")]


async def test_a_thread_stays_with_its_version_in_other_processes(world: World) -> None:
    versions = [
        AgentSpec("shop", endpoints=[world.endpoint(f"v{number}")], version=number)
        for number in ("1", "2")
    ]
    threads = [f"t{number}" for number in range(12)]
    for seed in (1, 2, 3):
        async with world.open(*versions, seed=seed) as runs:
            for thread_id in threads:
                await runs.execute_sequential(
                    [AgentTask("shop", task_id=thread_id)], thread_id=thread_id
                )
    used = {id_: {name for name, task in world.calls if task == id_} for id_ in threads}
    assert {len(each) for each in used.values()} == {1}
    assert {name for each in used.values() for name in each} == {"v1", "v2"}


async def test_calls_elsewhere_come_out_of_the_runs_retry_budget(world: World) -> None:
    world.refuse = {"eu", "us"}
    async with world.open(shop(world, "eu", "us")) as runs:
        tasks = [AgentTask("shop", retry=SOON), AgentTask("shop", task_id="b", retry=SOON)]
        result = await runs.execute_parallel(tasks, retry_budget=5)
    assert len(world.calls) == 2 + 5
    assert {str(task.status) for task in result} == {"failed"}


async def test_what_it_cost_is_known_by_version(world: World) -> None:
    world.refuse = {"eu"}
    async with world.open(shop(world, "eu", "us", version="7", cost=0.5)) as runs:
        result = await runs.execute_sequential([AgentTask("shop")], tenant="acme")
        (total,) = await runs.costs(by="version", tenant="acme")
    assert (total.key, total.tasks, total.succeeded, total.calls) == ("shop@7", 1, 1, 2)
    assert (total.input_tokens, total.output_tokens) == (2, 1)
    assert total.cost == result.cost > 0


async def test_where_calls_went_and_what_they_cost_stands_in_the_result(world: World) -> None:
    world.refuse = {"eu"}
    async with world.open(shop(world, "eu", "us", cost=0.5)) as runs:
        result = await runs.execute_sequential([AgentTask("shop")], thread_id=THREAD)
        later = await runs.get_state(THREAD)
    for task in (result["shop"], later["shop"]):
        assert task.endpoint == "us"
        assert [each.get("error") for each in task.tries] == ["agent_not_started", None]
        assert task.routing is not None
        assert "weighted_round_robin" in task.routing["why"]
        assert task.usage == {"input_tokens": 2, "output_tokens": 1}
        assert task.cost == 0.5
    said = result["shop"].as_json()
    assert said["endpoint"] == "us"
    assert said["usage"] == {"input_tokens": 2, "output_tokens": 1}
    assert result.cost == 0.5


@pytest.mark.parametrize(
    "then",
    ["moved", "another idempotent version", "a handler", "another agent, a handler", "keyless"],
)
async def test_a_purchase_that_may_have_begun_is_made_nowhere_else_whatever_is_configured(
    world: World, then: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shop_at(address: str, **terms: Any) -> AgentSpec:  # noqa: ANN401
        terms = {"kind": "http", "version": "1", **terms}
        return AgentSpec("shop", ["ticket_purchase"], endpoint=address, **terms)

    monkeypatch.setitem(sys.modules, KINDS["http"].module, Wires(world))
    monkeypatch.setitem(sys.modules, KINDS["vertex_predict"].module, Wires(world))
    old, here = "https://old.example.com", world.endpoint("here").handler
    first = shop_at(old, kind="vertex_predict" if then == "keyless" else "http")
    afterwards = {
        "moved": [shop_at("https://new.example.com")],
        "another idempotent version": [
            shop_at("https://new.example.com", version="2", idempotent=True)
        ],
        "a handler": [AgentSpec("shop", ["ticket_purchase"], handler=here)],
        "another agent, a handler": [AgentSpec("store", ["ticket_purchase"], handler=here)],
        "keyless": [first],
    }
    task = AgentTask(capability="ticket_purchase", task_id="buy")
    async with world.open(first) as runs:
        await cut_short(world, runs, task)
    async with world.open(*afterwards[then]) as runs:
        result = await runs.resume(THREAD)
    assert world.calls == [(old, "buy")]
    assert "find out what became of it there" in str(result["buy"].error)


class Wires(ModuleType):
    """A kind whose agents are of the world of a test."""

    def __init__(self, world: World) -> None:
        super().__init__("wires")
        self.world = world

    def problems(self, _endpoint: Endpoint) -> list[str]:
        return []

    def connect(self, endpoint: Endpoint) -> Wire:
        return Wire(self.world.endpoint(str(endpoint.address)).handler)


class Wire:
    """The way to one of them."""

    def __init__(self, handler: Any) -> None:  # noqa: ANN401
        self.call = handler

    async def probe(self) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        return None


async def test_a_keyless_call_that_timed_out_is_not_made_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, KINDS["vertex_predict"].module, Wires(world))
    world.hangs = True
    async with world.open(AgentSpec("shop", endpoint="there", kind="vertex_predict")) as runs:
        task = AgentTask("shop", retry=SOON, timeout=timedelta(milliseconds=20))
        result = await runs.execute_sequential([task])
    assert len(world.calls) == 1
    assert str(result["shop"].status) == "timed_out"
    assert result["shop"].attempts == 1


@pytest.mark.parametrize("is_plain", [True, False])
@pytest.mark.parametrize("when", ["within a run", "cut short", "between runs"])
async def test_a_thread_stays_with_the_only_version_when_there_is_a_second(
    world: World,
    when: str,
    is_plain: bool,  # noqa: FBT001
) -> None:
    def version(number: str, **more: Any) -> AgentSpec:  # noqa: ANN401
        place = world.endpoint(f"v{number}")
        if is_plain:
            return AgentSpec("shop", handler=place.handler, version=number, **more)
        return AgentSpec("shop", endpoints=[place], version=number, **more)

    second = version("2", weight=10**9)
    tasks = [AgentTask("shop", task_id=id_) for id_ in "abc"]
    async with world.open(version("1")) as runs:
        if when == "within a run":
            world.once["a"] = lambda: runs.registry.register(second)
            await runs.execute_sequential(tasks, thread_id=THREAD)
        elif when == "cut short":
            world.once["b"] = lambda: setattr(world, "hangs", True)
            running = asyncio.create_task(runs.execute_sequential(tasks, thread_id=THREAD))
            await asyncio.wait_for(world.hanging.wait(), 30)
            running.cancel()
            await asyncio.wait([running])
        else:
            await runs.execute_sequential(tasks[:2], thread_id=THREAD)
    if when != "within a run":
        async with world.open(version("1"), second) as runs:
            if when == "cut short":
                await runs.resume(THREAD)
            else:
                await runs.execute_sequential(tasks[2:], thread_id=THREAD)
    assert {task for _, task in world.calls} == {"a", "b", "c"}
    assert {name for name, _ in world.calls} == {"v1"}
