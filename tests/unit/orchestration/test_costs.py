"""What calls cost, whatever the run is like and however often it is resumed: each counts once."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from checkpoints.memory_traffic import MemoryTraffic
from checkpoints.traffic import CallRecord, Totals
from checkpoints.traffic_stores import SqliteTraffic
from orchestration import (
    AgentContext,
    AgentRefusedError,
    AgentSpec,
    AgentTask,
    DrainedError,
    ForEach,
    Repeat,
    RetryPolicy,
    SimpleCoordinator,
    SubWorkflow,
    Workflow,
    WorkflowRegistry,
    WorkflowResult,
)
from tests.unit.orchestration.conftest import Wall
from tests.unit.orchestration.metered import MeteredRegistry

if TYPE_CHECKING:
    from state.task import Task

THREAD = "t"
AT_ONCE = RetryPolicy(max_attempts=3, initial_delay=timedelta(0))


class Shop:
    """A coordinator whose agents cost 1 a call, and short words for what tests do with it."""

    def __init__(self, url: str) -> None:
        self.url, self.wall = url, Wall()
        self.agents, self.workflows = MeteredRegistry(), WorkflowRegistry()
        self.failures: dict[str, int] = {}
        self.replies: dict[str, Any] = {}
        self.begun = asyncio.Event()
        for agent_id in ("clerk", "mail"):
            self.agents.register(AgentSpec(agent_id, handler=self._work))
        self.runs = self.open()

    def open(self) -> SimpleCoordinator:
        return SimpleCoordinator(
            registry=self.agents,
            database_url=self.url,
            workflows=self.workflows,
            clock=self.wall,
        )

    def reopen(self) -> None:
        """Go on as another process would, where the database outlives one."""
        if not self.url.startswith("memory"):
            self.runs.close()
            self.runs = self.open()

    async def _work(self, given: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        self.begun.set()
        if self.failures.get(context.task_id, 0) > 0:
            self.failures[context.task_id] -= 1
            raise ConnectionError("not now")
        if given.get("refused"):
            raise AgentRefusedError("no")
        reply = self.replies.get(context.task_id, {})
        return await reply(context) if callable(reply) else {"ok": True, **reply}

    async def run(self, *tasks: Task, **options: Any) -> WorkflowResult:  # noqa: ANN401
        """Run tasks in the one thread."""
        strategy = options.pop("strategy", "sequential")
        return await self.runs.execute_workflow(
            tasks, strategy=strategy, thread_id=THREAD, **options
        )

    async def costs(self, by: Any = "agent", **only: Any) -> dict[str, float]:  # noqa: ANN401
        return {each.key: each.cost for each in await self.runs.costs(by=by, **only)}

    async def paths(self) -> dict[str, tuple[str, int, float | None]]:
        """Every record by its path: status, calls, cost."""
        return {
            each.path: (each.status, each.calls, each.cost) for each in await all_records(self.runs)
        }


async def all_records(runs: SimpleCoordinator) -> list[CallRecord]:
    """Read the records themselves, which reports only add up."""
    traffic = (await runs._engine())._database.traffic
    if isinstance(traffic, MemoryTraffic):
        return [*traffic._records.values()]
    assert isinstance(traffic, SqliteTraffic)
    columns = ", ".join(CallRecord._fields)
    read = f"SELECT {columns} FROM orchestration_calls"  # noqa: S608  a constant
    return await traffic._run(lambda each: [CallRecord(*row) for row in each.execute(read)])


async def lose_records(runs: SimpleCoordinator) -> None:
    """Leave the database as a process does that is killed before it can write records."""
    traffic = (await runs._engine())._database.traffic
    if isinstance(traffic, MemoryTraffic):
        traffic._records.clear()
    else:
        assert isinstance(traffic, SqliteTraffic)
        await traffic._run(lambda each: each.execute("DELETE FROM orchestration_calls"))


@pytest.fixture(params=["memory", "sqlite"])
async def shop(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Shop]:
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'runs.db'}"
    opened = Shop(url)
    yield opened
    opened.runs.close()


def do(task_id: str, **wishes: Any) -> AgentTask:  # noqa: ANN401
    return AgentTask("clerk", task_id=task_id, **wishes)


def ask(task_id: str = "ask", **wishes: Any) -> AgentTask:  # noqa: ANN401
    return do(task_id, requires_approval=True, **wishes)


DONE = ("succeeded", 1, 1.0)


# -- reports ----------------------------------------------------------------------------


async def test_a_run_is_in_the_accounts_of_its_agents_thread_and_tenant(shop: Shop) -> None:
    usage = {"usage": {"input_tokens": 7, "output_tokens": 3}}
    shop.replies["a"] = usage
    result = await shop.run(do("a"), do("b"), AgentTask("mail"), tenant="acme")
    await shop.runs.execute_sequential([do("a")], thread_id="other")
    clerk = Totals("clerk", 3, 3, 3, 14, 6, 3.0)
    assert list(await shop.runs.costs()) == [clerk, Totals("mail", 1, 1, 1, 0, 0, 1.0)]
    assert await shop.costs("version") == {"clerk@1": 3.0, "mail@1": 1.0}
    assert await shop.costs("thread") == {THREAD: result.cost, "other": 1.0}
    assert await shop.costs("tenant") == {"acme": 3.0, "": 1.0}
    assert await shop.costs(tenant="acme") == {"clerk": 2.0, "mail": 1.0}


async def test_only_what_finished_since_is_asked_for(shop: Shop) -> None:
    await shop.run(do("a"))
    before = shop.wall.now
    shop.wall.now += 60
    await shop.run(AgentTask("mail"))
    assert await shop.costs(since=before) == {"mail": 1.0}


async def test_what_ran_where_is_recorded_with_its_times(shop: Shop) -> None:
    async def slow(_context: AgentContext) -> dict[str, Any]:
        shop.wall.now += 2.5
        return {}

    shop.replies["a"] = slow
    await shop.run(do("a"), tenant="acme")
    (record,) = await all_records(shop.runs)
    assert (record.agent_id, record.version, record.endpoint) == ("clerk", "1", "here")
    assert (record.thread_id, record.tenant, record.path) == (THREAD, "acme", "a")
    assert (record.seconds, record.finished_at) == (2.5, shop.wall.now)


async def test_what_called_nobody_costs_nothing(shop: Shop) -> None:
    result = await shop.run(
        do("a", condition="false"), do("b", input_data={"refused": True}), do("c")
    )
    assert str(result.status) == "failed"
    assert await shop.paths() == {"b": ("failed", 1, 1.0)}


# -- runs that pause, retry and go on ---------------------------------------------------


async def test_each_attempt_is_paid_for_and_the_task_counts_once(shop: Shop) -> None:
    shop.failures["a"] = 2
    result = await shop.run(do("a", retry=AT_ONCE))
    assert result.cost == 3.0
    assert await shop.paths() == {"a": ("succeeded", 3, 3.0)}


async def test_a_paused_run_counts_as_far_as_it_came_and_then_not_twice(shop: Shop) -> None:
    await shop.run(do("a"), ask(), do("b"))
    assert await shop.paths() == {"a": DONE}
    shop.reopen()
    await shop.runs.resume(THREAD)
    assert await shop.paths() == {"a": DONE}
    await shop.runs.resume(THREAD, {"ask": "approve"}, by="ann")
    assert await shop.paths() == {"a": DONE, "ask": DONE, "b": DONE}
    shop.reopen()
    await shop.runs.resume(THREAD)
    assert await shop.costs() == {"clerk": 3.0}


async def test_a_second_run_of_a_thread_adds_to_the_first(shop: Shop) -> None:
    await shop.run(do("a"))
    await shop.run(do("a"))
    assert await shop.costs("thread") == {THREAD: 2.0}


async def test_a_run_that_is_drained_counts_as_far_as_it_came(shop: Shop) -> None:
    async def drain(_context: AgentContext) -> dict[str, Any]:
        shop.runs.drain()
        return {}

    shop.replies["a"] = drain
    with pytest.raises(DrainedError):
        await shop.run(do("a"), do("b"))
    assert await shop.paths() == {"a": DONE}


async def test_a_task_that_is_given_up_while_it_waits_keeps_what_it_cost(shop: Shop) -> None:
    shop.failures["a"] = 2
    later = RetryPolicy(max_attempts=3, initial_delay=timedelta(days=1))
    running = asyncio.create_task(shop.run(do("a", retry=later), do("b")))
    async with asyncio.timeout(30):
        await shop.begun.wait()
        await shop.runs.cancel(THREAD, by="ann")
        result = await running
    assert (str(result["a"].status), result.cost) == ("cancelled", 1.0)
    assert await shop.paths() == {"a": ("cancelled", 1, 1.0)}


async def test_a_fork_pays_only_for_what_it_does_itself(shop: Shop) -> None:
    await shop.run(do("a", compensate={"undo": 1}), ask(), do("b"))
    await shop.runs.fork(THREAD, new_thread_id="fork")
    await shop.runs.resume("fork")
    await shop.runs.resume("fork", {"ask": "approve"}, by="ann")
    assert await shop.costs("thread") == {"fork": 2.0, THREAD: 1.0}


async def test_what_a_killed_process_did_is_recorded_by_the_next(shop: Shop) -> None:
    inner = SubWorkflow(Workflow("buy", tasks=[do("b"), ask()]), task_id="buy")
    await shop.run(do("a"), inner, do("c"))
    await lose_records(shop.runs)
    shop.reopen()
    await shop.runs.resume(THREAD)
    assert await shop.paths() == {"a": DONE, "buy/b": DONE}
    await shop.runs.resume(THREAD, {"buy/ask": "approve"}, by="ann")
    await lose_records(shop.runs)
    shop.reopen()
    await shop.runs.resume(THREAD)
    assert await shop.paths() == dict.fromkeys(("a", "buy/b", "buy/ask", "c"), DONE)


# -- tasks inside others, turns, undoing ------------------------------------------------


async def test_what_is_inside_a_task_is_recorded_by_its_path(shop: Shop) -> None:
    inner = SubWorkflow(Workflow("buy", tasks=[do("a"), AgentTask("mail")]), task_id="buy")
    await shop.run(inner, ForEach([1, 2], do("each"), task_id="all"))
    expected = ("buy/a", "buy/mail", "all/0/each", "all/1/each")
    assert await shop.paths() == dict.fromkeys(expected, DONE)


async def test_every_turn_of_a_loop_is_paid_for(shop: Shop) -> None:
    inside = ForEach([1, 2], [do("each"), ask("check")], task_id="all", max_concurrency=1)
    loop = Repeat([do("a"), do("b", condition="turn == 2"), inside], until="turn == 2")
    result = await shop.run(loop)
    while result.interrupts:
        shop.reopen()
        answers = {each.interrupt_id: "approve" for each in result.interrupts}
        result = await shop.runs.resume(THREAD, answers, by="ann")
    assert str(result.status) == "completed"
    turn = {"a", *(f"all/{number}/{id_}" for number in (0, 1) for id_ in ("each", "check"))}
    name = result[0].task_id
    expected = {f"{name}#{number}/{path}" for number in (1, 2) for path in turn}
    assert await shop.paths() == dict.fromkeys([*expected, f"{name}#2/b"], DONE)


async def test_what_was_done_inside_a_task_under_way_counts_when_the_run_pauses(shop: Shop) -> None:
    loop = Repeat([do("a"), do("ask", requires_approval=True)], until="turn == 2", task_id="loop")
    await shop.run(loop)
    assert await shop.paths() == {"loop#1/a": DONE}
    shop.reopen()
    await shop.runs.resume(THREAD, {"loop#1/ask": "approve"}, by="ann")
    assert await shop.paths() == dict.fromkeys(("loop#1/a", "loop#1/ask", "loop#2/a"), DONE)


async def test_every_turn_of_a_cycle_is_paid_for_also_inside_others(shop: Shop) -> None:
    turns = iter(["seller", "buyer", None])

    async def hand_over(_context: AgentContext) -> dict[str, Any]:
        to = next(turns)
        return {} if to is None else {"handoff_to": to}

    shop.replies = {"buyer": hand_over, "seller": hand_over}
    await shop.run(do("buyer"), do("seller"), strategy="cyclic")
    assert await shop.paths() == dict.fromkeys(("buyer#1", "seller#2", "buyer#3"), DONE)

    turns = iter(["seller", "buyer", None])
    talk = Workflow("talk", tasks=[do("buyer"), do("seller")], strategy="cyclic")
    await shop.runs.execute_sequential(
        [SubWorkflow(talk, task_id="talk"), do("last")], thread_id="nested"
    )
    inside = [f"talk/{each}" for each in ("buyer#1", "seller#2", "buyer#3")]
    assert {*inside, "last"} < {*await shop.paths()}
    assert await shop.costs("thread") == {"nested": 4.0, THREAD: 3.0}


async def test_undoing_is_paid_for_too(shop: Shop) -> None:
    undoable = do("a", compensate={"undo": 1})
    inner = SubWorkflow(Workflow("buy", tasks=[undoable]), task_id="buy")
    refused = do("b", input_data={"refused": True})
    result = await shop.run(undoable, inner, refused)
    undone, undoing = ("compensated", 1, 1.0), ("succeeded", 1, 1.0)
    assert await shop.paths() == {
        "a": undone,
        "a:compensate": undoing,
        "buy/a": undone,
        "buy/a:compensate": undoing,
        "b": ("failed", 1, 1.0),
    }
    assert (await shop.costs(), result.cost) == ({"clerk": 5.0}, 5.0)


# -- workflows that change --------------------------------------------------------------


async def begin(shop: Shop, *tasks: Task) -> None:
    """Run version 1 of a workflow until it asks."""
    shop.workflows.register(Workflow("order", "1", tasks))
    await shop.runs.execute("order", thread_id=THREAD)


@pytest.mark.parametrize("is_lost", [False, True])
async def test_what_was_done_before_an_upgrade_counts_once(shop: Shop, *, is_lost: bool) -> None:
    loop = Repeat([do("x"), ask("check")], until="true", task_id="loop")
    await begin(shop, do("a", compensate={"undo": 1}), loop, do("c"))
    tasks = [do("a", compensate={"undo": 1}), loop, do("new"), do("c")]
    shop.workflows.register(Workflow("order", "2", tasks))
    if is_lost:
        await lose_records(shop.runs)
    shop.reopen()
    await shop.runs.resume(THREAD, {"loop#1/check": "approve"}, by="ann")
    expected = ("a", "loop#1/x", "loop#1/check", "new", "c")
    assert await shop.paths() == dict.fromkeys(expected, DONE)


@pytest.mark.parametrize("is_lost", [False, True])
async def test_a_task_that_goes_on_under_another_name_counts_once(
    shop: Shop, *, is_lost: bool
) -> None:
    await begin(shop, do("a", compensate={"undo": 1}), ask(), do("c"))
    new = [do("first", compensate={"undo": 1}), ask(), do("c", input_data={"refused": True})]
    workflow = Workflow("order", "2", new)
    shop.workflows.register(workflow)
    names = {"a": "first", "ask": "ask"}
    if is_lost:
        await lose_records(shop.runs)
    shop.reopen()
    await shop.runs.migrate(THREAD, workflow, lambda _: names, by="ann")
    result = await shop.runs.resume(THREAD, {"ask": "approve"}, by="ann")
    assert str(result["first"].status) == "compensated"
    assert await shop.paths() == {
        "a": DONE,
        "ask": DONE,
        "c": ("failed", 1, 1.0),
        "first:compensate": DONE,
    }


# -- agents that say what cannot be -----------------------------------------------------


@pytest.mark.parametrize("price", [math.inf, math.nan])
async def test_a_cost_that_is_no_number_ends_no_run(shop: Shop, price: float) -> None:
    shop.agents.price = price
    result = await shop.run(do("a"))
    assert str(result.status) == "completed"
    assert await shop.costs() == {"clerk": 0.0}


async def test_a_tenant_that_cannot_be_encoded_ends_no_run(shop: Shop) -> None:
    result = await shop.run(do("a"), tenant="\ud800")
    assert str(result.status) == "completed"
    assert await shop.costs() == {"clerk": 1.0}


async def test_more_tokens_than_there_can_be_do_not_spoil_the_sums(shop: Shop) -> None:
    most = {"usage": {"input_tokens": 2**62, "output_tokens": 2**62}}
    shop.replies = dict.fromkeys("abc", most)
    await shop.run(*map(do, "abc"))
    (total,) = await shop.runs.costs()
    assert (total.input_tokens, total.output_tokens) == (3 * 10**12, 3 * 10**12)
