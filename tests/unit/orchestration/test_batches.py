"""Batches of requests: order, bounds, errors in their place, going on with one, cancelling."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration import (
    AgentContext,
    AgentRegistry,
    AgentSpec,
    AgentTask,
    ConfigurationError,
    DrainedError,
    LeaseLostError,
    PlanError,
    RoutingError,
    SimpleCoordinator,
    Workflow,
    WorkflowRegistry,
    WorkflowResult,
)
from orchestration.batch_items import BatchItem, BatchProgress, BatchResult
from state.errors import BatchConflictError, UpgradeError


class Desk:
    """A coordinator whose agents count what they are called for, and can be held."""

    def __init__(self, folder: Path, *, kept: bool = True, **settings: Any) -> None:  # noqa: ANN401
        self.calls: Counter[str] = Counter()
        self.keys: dict[str, set[str]] = {}
        self.running = self.most = 0
        self.held: set[str] = set()
        self.standing: set[str] = set()
        self.asked = asyncio.Event()
        """All that is to be held is."""
        self.gate = asyncio.Event()
        registry = AgentRegistry()
        registry.register(AgentSpec("buy", handler=self._buy))
        url = f"sqlite:///{folder / 'threads.db'}" if kept else "memory://"
        self.workflows = WorkflowRegistry()
        self.runs = SimpleCoordinator(
            registry=registry, database_url=url, workflows=self.workflows, **settings
        )

    async def _buy(self, given: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        what = str(given.get("what", "pen"))
        self.calls[what] += 1
        self.keys.setdefault(what, set()).add(context.idempotency_key)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            if what in self.held:
                self.standing.add(what)
                if self.standing == self.held:
                    self.asked.set()
                await self.gate.wait()
            if given.get("fails"):
                raise ValueError("sold out")
            if given.get("cancels"):
                raise asyncio.CancelledError
            await asyncio.sleep(0)
        finally:
            self.running -= 1
        return {"what": what, "tenant": context.tenant, "user": context.user}


def buy(what: str = "pen", **more: Any) -> list[AgentTask]:  # noqa: ANN401
    return [AgentTask("buy", {"what": what, **more})]


def whats(result: BatchResult) -> list[object]:
    return [each.result.outputs["buy"]["what"] if each.result else None for each in result]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path)
    async with desk.runs:
        yield desk


# -- running --------------------------------------------------------------------------------


async def test_results_stand_in_the_order_of_the_requests(desk: Desk) -> None:
    tasks = [buy(f"{n}") for n in range(20)]
    result = await desk.runs.execute_many(tasks, max_concurrency=3)
    assert whats(result) == [f"{n}" for n in range(20)]
    assert [each.index for each in result] == list(range(20))
    assert [each.thread_id for each in result] == [f"{result.batch_id}:{n}" for n in range(20)]
    assert result.counts == {"completed": 20}
    assert desk.most <= 3
    assert (len(result), result[-1].key, [each.key for each in result[:2]]) == (
        20,
        "19",
        ["0", "1"],
    )
    assert tasks[7][0].output == {"what": "7", "tenant": None, "user": None}


async def test_lists_of_tasks_workflows_and_items_stand_in_one_batch(desk: Desk) -> None:
    named = Workflow(
        "order",
        tasks=[AgentTask("buy", input_from={"what": "parameters.what"})],
        parameters={"type": "object", "properties": {"what": {"type": "string"}}},
    )
    desk.workflows.register(named)
    result = await desk.runs.execute_many(
        [
            buy("a"),
            Workflow("plain", tasks=buy("b")),
            BatchItem(workflow="order", parameters={"what": "c"}, key="third", tenant="t2"),
            BatchItem(workflow=named, parameters={"what": "d"}, user="ann"),
            BatchItem(tasks=buy("e"), key="five"),
            tuple(buy("f")),
        ],
        tenant="t1",
        batch_id="mixed",
    )
    assert whats(result) == ["a", "b", "c", "d", "e", "f"]
    assert [each.key for each in result] == ["0", "1", "third", "3", "five", "5"]
    outputs = [each.result.outputs["buy"] for each in result if each.result]
    assert [each["tenant"] for each in outputs] == ["t1", "t1", "t2", "t1", "t1", "t1"]
    assert outputs[3]["user"] == "ann"


async def test_a_strategy_is_for_lists_of_tasks(desk: Desk) -> None:
    tasks = [AgentTask("buy", {"what": "a"}, task_id="a"), AgentTask("buy", task_id="b")]
    result = await desk.runs.execute_many(
        [tasks, Workflow("plain", tasks=buy("w"))],
        strategy="conditional",
        router="'a'",
        input_data={},
    )
    assert [each.status for each in result] == ["completed", "completed"]
    assert set(result[0].result.outputs) == {"a"}  # type: ignore[union-attr]


async def test_no_requests_are_no_results(desk: Desk) -> None:
    result = await desk.runs.execute_many([])
    assert (len(result), result.counts, result.cost) == (0, {}, 0)


async def test_requests_are_taken_as_there_is_room(desk: Desk) -> None:
    taken: list[int] = []

    def requests() -> Iterator[list[AgentTask]]:
        for number in range(5):
            taken.append(number)
            yield buy(str(number))

    desk.held = {"0", "1"}
    batch = asyncio.ensure_future(desk.runs.execute_many(requests(), max_concurrency=2))
    await desk.asked.wait()
    for _ in range(100):
        await asyncio.sleep(0)
    assert taken == [0, 1]
    desk.gate.set()
    assert whats(await batch) == ["0", "1", "2", "3", "4"]


async def test_requests_may_come_one_after_the_other(desk: Desk) -> None:
    async def requests() -> AsyncIterator[list[AgentTask]]:
        for number in range(3):
            await asyncio.sleep(0)
            yield buy(str(number))

    progress: list[BatchProgress] = []
    result = await desk.runs.execute_many(requests(), on_progress=progress.append)
    assert whats(result) == ["0", "1", "2"]
    assert {each.total for each in progress} == {None}


async def test_progress_says_what_is_done_and_how(desk: Desk) -> None:
    progress: list[BatchProgress] = []
    requests = [buy("a"), [AgentTask("nobody")], buy("b", fails=True)]
    result = await desk.runs.execute_many(requests, max_concurrency=1, on_progress=progress.append)
    assert [(each.done, each.running) for each in progress] == [
        (0, 1),
        (1, 0),
        (1, 1),
        (2, 0),
        (2, 1),
        (3, 0),
    ]
    assert {each.batch_id for each in progress} == {result.batch_id}
    assert {each.total for each in progress} == {3}
    assert progress[-1].by_status == result.counts == {"completed": 1, "error": 1, "failed": 1}


async def test_what_runs_in_memory_can_be_gone_on_with_too(tmp_path: Path) -> None:
    desk = Desk(tmp_path, kept=False)
    for _ in range(2):
        result = await desk.runs.execute_many([buy("a"), buy("b")], batch_id="b")
        assert whats(result) == ["a", "b"]
    assert desk.calls == {"a": 1, "b": 1}


# -- what goes wrong ------------------------------------------------------------------------


async def test_a_bad_request_stands_in_its_place_and_the_others_run(desk: Desk) -> None:
    requests: list[Any] = [
        buy("a"),
        [AgentTask("nobody")],
        AgentTask("buy"),
        "order",
        BatchItem(),
        BatchItem(tasks=buy(), workflow="order"),
        BatchItem(tasks=buy(), parameters={}),
        BatchItem(tasks=buy(), key=" "),
        BatchItem(tasks=buy("k"), key="k"),
        BatchItem(tasks=buy("k"), key="k"),
        BatchItem(tasks=buy(), key="k" * 300),
        BatchItem(workflow="missing"),
        [],
        None,
        buy("z"),
    ]
    result = await desk.runs.execute_many(requests, max_concurrency=2)
    assert [each.status == "completed" for each in result] == [
        place in {0, 8, 14} for place in range(15)
    ]
    said = {each.index: str(each.error) for each in result if each.error}
    assert "nobody" in said[1]
    assert "AgentTask" in said[2]
    assert "give a list of tasks, a Workflow, or a BatchItem" in said[3]
    assert "either tasks or a workflow" in said[4] == said[5]
    assert "only workflows take" in said[6]
    assert "has the key ' '" in said[7]
    assert "another request of the batch has the key 'k'" in said[9]
    assert "cannot be used" in said[10]
    assert "'missing'" in said[11]
    assert isinstance(result[12].error, PlanError)
    assert "is None" in said[13]
    assert desk.calls == {"a": 1, "k": 1, "z": 1}
    assert len(result.failed) == 12
    assert len(result.completed) == 3


async def test_a_failed_workflow_is_a_result_and_a_failed_router_an_error(desk: Desk) -> None:
    result = await desk.runs.execute_many([buy("a", fails=True)])
    assert (result[0].status, result[0].error) == ("failed", None)
    tasks = [AgentTask("buy", task_id="x"), AgentTask("buy", task_id="y")]
    for _ in range(2):  # it is stored as well
        routed = await desk.runs.execute_many(
            [tasks], strategy="conditional", router="input.missing", batch_id="routed"
        )
        assert isinstance(routed[0].error, RoutingError)
    assert set(desk.calls) == {"a"}


async def test_an_agent_that_cancels_itself_fails_alone(desk: Desk) -> None:
    result = await desk.runs.execute_many([buy("a", cancels=True), buy("b")])
    assert [each.status for each in result] == ["failed", "completed"]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"max_concurrency": 0}, "max_concurrency is 0"),
        ({"max_concurrency": True}, "max_concurrency is True"),
        ({"batch_id": "a:b"}, "must not contain a colon"),
        ({"batch_id": ""}, "batch_id is ''"),
        ({"batch_id": "b" * 101}, "1 to 100 characters"),
        ({"thread_id": "t"}, "thread_id is not for batches"),
        ({"requests": 7}, "requests is 7"),
        ({"requests": "order"}, "requests is 'order'"),
    ],
)
async def test_a_setting_that_cannot_be_is_refused_before_anything_runs(
    desk: Desk, settings: dict[str, Any], text: str
) -> None:
    settings = {"requests": [buy("a")], **settings}
    with pytest.raises(ConfigurationError, match=text):
        await desk.runs.execute_many(settings.pop("requests"), **settings)
    assert not desk.calls


async def test_an_iterable_that_raises_stops_the_batch_which_can_be_gone_on_with(
    desk: Desk,
) -> None:
    def requests(*, broken: bool) -> Iterator[list[AgentTask]]:
        yield buy("a")
        yield buy("b")
        if broken:
            raise LookupError("no more")

    desk.held = {"a", "b"}
    with pytest.raises(LookupError) as caught:
        await desk.runs.execute_many(requests(broken=True), batch_id="b")
    assert "batch_id='b'" in caught.value.__notes__[0]
    desk.held = set()
    result = await desk.runs.execute_many(requests(broken=False), batch_id="b")
    assert whats(result) == ["a", "b"]


async def test_progress_that_raises_stops_the_batch(desk: Desk) -> None:
    def tell(progress: BatchProgress) -> None:
        if progress.done == 1:
            raise LookupError("full")

    with pytest.raises(LookupError):
        await desk.runs.execute_many([buy("a"), buy("b")], max_concurrency=1, on_progress=tell)
    assert desk.calls == {"a": 1}


# -- going on -------------------------------------------------------------------------------


async def test_called_again_it_returns_what_is_over_and_runs_nothing_twice(desk: Desk) -> None:
    requests = [buy("a"), buy("b", fails=True)]
    first = await desk.runs.execute_many(requests, batch_id="b")
    tasks = [buy("a"), buy("b", fails=True), buy("c")]
    again = await desk.runs.execute_many(tasks, batch_id="b")
    assert desk.calls == {"a": 1, "b": 1, "c": 1}
    assert [each.status for each in again] == ["completed", "failed", "completed"]
    for before, now in zip(first, again, strict=False):
        assert (before.result, before.thread_id) == (now.result, now.thread_id)
    assert tasks[0][0].output["what"] == "a"
    assert desk.runs.get_execution_stats()["total_executions"] == 3


async def test_a_cancelled_batch_stops_where_it_stands_and_goes_on_from_there(desk: Desk) -> None:
    def requests() -> list[list[AgentTask]]:
        return [
            [AgentTask("buy", {"what": f"{n}a"}, task_id="a"), AgentTask("buy", {"what": f"{n}b"})]
            for n in range(6)
        ]

    desk.held = {"2b", "3a"}
    batch = asyncio.ensure_future(
        desk.runs.execute_many(requests(), max_concurrency=2, batch_id="b")
    )
    await desk.asked.wait()
    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch
    assert desk.running == 0
    assert not {f"{n}{each}" for n in (4, 5) for each in "ab"} & set(desk.calls)
    desk.held = set()
    result = await desk.runs.execute_many(requests(), max_concurrency=2, batch_id="b")
    assert result.counts == {"completed": 6}
    twice = {what for what, calls in desk.calls.items() if calls > 1}
    assert twice == {"2b", "3a"}, "what ran when it was cancelled may be called again"
    assert all(len(keys) == 1 for keys in desk.keys.values()), "under the same key"


async def test_lambdas_are_given_anew_by_whoever_goes_on(desk: Desk, tmp_path: Path) -> None:
    def requests(seen: list[str]) -> list[list[AgentTask]]:
        def is_due(outcomes: Any) -> bool:  # noqa: ANN401
            seen.append("asked")
            return len(outcomes) == 1

        return [
            [AgentTask("buy", {"what": "a"}), AgentTask("buy", {"what": "b"}, condition=is_due)]
        ]

    desk.held = {"a"}
    batch = asyncio.ensure_future(desk.runs.execute_many(requests([]), batch_id="b"))
    await desk.asked.wait()
    batch.cancel()
    await asyncio.wait({batch})
    other, seen = Desk(tmp_path), list[str]()
    async with other.runs:
        result = await other.runs.execute_many(requests(seen), batch_id="b")
    assert result.counts == {"completed": 1}
    assert (seen, set(other.calls)) == (["asked"], {"a", "b"})


async def test_what_waits_for_a_person_is_gone_on_with_after_the_answer(desk: Desk) -> None:
    def requests() -> list[list[AgentTask]]:
        return [[AgentTask("buy", {"what": "a"}, requires_approval=True)], buy("b")]

    first = await desk.runs.execute_many(requests(), batch_id="b")
    assert [each.status for each in first] == ["interrupted", "completed"]
    assert first.interrupted == (first[0],)
    again = await desk.runs.execute_many(requests(), batch_id="b")
    assert again.counts == first.counts
    await desk.runs.resume("b:0", {"buy": "approve"})
    last = await desk.runs.execute_many(requests(), batch_id="b")
    assert last.counts == {"completed": 2}
    assert desk.calls == {"a": 1, "b": 1}


async def test_keys_keep_their_results_in_any_order(desk: Desk) -> None:
    def items(*keys: str) -> list[BatchItem]:
        return [BatchItem(tasks=buy(key), key=key) for key in keys]

    await desk.runs.execute_many(items("x", "y"), batch_id="b")
    result = await desk.runs.execute_many(items("z", "y", "x"), batch_id="b")
    assert whats(result) == ["z", "y", "x"]
    assert desk.calls == {"x": 1, "y": 1, "z": 1}


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        (BatchItem(tasks=buy("other"), key="k"), "tasks"),
        (BatchItem(tasks=[*buy("a"), AgentTask("buy")], key="k"), "tasks"),
        (BatchItem(tasks=buy("a"), key="k", tenant="t"), "tenant"),
        (BatchItem(tasks=buy("a"), key="k", user="u"), "user"),
        (BatchItem(workflow=Workflow("w", tasks=buy("a")), key="k"), "workflow"),
    ],
)
async def test_another_request_under_the_same_key_is_refused_and_nothing_runs(
    desk: Desk, changed: BatchItem, what: str
) -> None:
    await desk.runs.execute_many([BatchItem(tasks=buy("a"), key="k")], batch_id="b")
    result = await desk.runs.execute_many([changed, buy("z")], batch_id="b")
    error = result[0].error
    assert isinstance(error, BatchConflictError)
    assert what in error.differences
    assert "another request" in str(error)
    assert desk.calls == {"a": 1, "z": 1}


async def test_other_parameters_under_the_same_key_are_refused(desk: Desk) -> None:
    def item(what: str) -> BatchItem:
        schema = {"type": "object", "properties": {"what": {"type": "string"}}}
        tasks = [AgentTask("buy", input_from={"what": "parameters.what"})]
        workflow = Workflow("order", tasks=tasks, parameters=schema)
        return BatchItem(workflow=workflow, parameters={"what": what})

    await desk.runs.execute_many([item("a")], batch_id="b")
    result = await desk.runs.execute_many([item("b")], batch_id="b")
    assert isinstance(result[0].error, BatchConflictError)
    assert result[0].error.differences == ("parameters",)


async def test_after_a_new_version_what_is_over_stays_and_what_cannot_follow_says_so(
    desk: Desk,
) -> None:
    def version(number: str, *tasks: AgentTask) -> None:
        desk.workflows.register(Workflow("order", number, tasks=tasks))

    paused = AgentTask("buy", {"what": "p"}, task_id="p", requires_approval=True)
    version("1", AgentTask("buy", {"what": "a"}, task_id="a"))
    await desk.runs.execute_many([BatchItem(workflow="order")], batch_id="over")
    version("2", AgentTask("buy", {"what": "c"}, task_id="c"), paused)
    await desk.runs.execute_many([BatchItem(workflow="order")], batch_id="open")
    version("3", AgentTask("buy", {"what": "d"}, task_id="d"))
    over = await desk.runs.execute_many([BatchItem(workflow="order")], batch_id="over")
    still = await desk.runs.execute_many([BatchItem(workflow="order")], batch_id="open")
    assert over[0].result is not None
    assert set(over[0].result.outputs) == {"a"}
    assert isinstance(still[0].error, UpgradeError)
    assert desk.calls == {"a": 1, "c": 1}


# -- several at once ------------------------------------------------------------------------


async def test_two_coordinators_share_a_batch_and_both_get_all_results(
    desk: Desk, tmp_path: Path
) -> None:
    other = Desk(tmp_path)
    requests = [buy(str(n)) for n in range(30)]
    async with other.runs:
        results = await asyncio.gather(
            desk.runs.execute_many(requests, batch_id="b", max_concurrency=4),
            other.runs.execute_many([*requests], batch_id="b", max_concurrency=4),
        )
    for result in results:
        assert whats(result) == [str(n) for n in range(30)]
    assert desk.calls + other.calls == Counter({str(n): 1 for n in range(30)})


async def test_what_another_runs_is_waited_for_without_a_slot(desk: Desk, tmp_path: Path) -> None:
    desk.held = {"a"}
    first = asyncio.ensure_future(desk.runs.execute_many([buy("a")], batch_id="b"))
    await desk.asked.wait()
    other, two_done = Desk(tmp_path), asyncio.Event()

    def tell(progress: BatchProgress) -> None:
        if (progress.done, progress.running) == (2, 1):
            two_done.set()

    async with other.runs:
        second = asyncio.ensure_future(
            other.runs.execute_many(
                [buy("a"), buy("b"), buy("c")],
                batch_id="b",
                max_concurrency=1,
                on_progress=tell,
            )
        )
        await two_done.wait()
        desk.gate.set()
        assert whats(await second) == ["a", "b", "c"]
    assert whats(await first) == ["a"]
    assert other.calls == {"b": 1, "c": 1}


async def test_a_thread_that_begins_between_two_looks_is_not_begun_again(desk: Desk) -> None:
    engine = await desk.runs._engine()
    start, begun = engine.start, asyncio.Event()

    async def late(*given: Any, **named: Any) -> WorkflowResult:  # noqa: ANN401
        if not begun.is_set():
            begun.set()
            await desk.runs.execute_many([buy("a")], batch_id="b")  # comes in between
        return await start(*given, **named)

    engine.start = late  # type: ignore[method-assign]
    result = await desk.runs.execute_many([buy("a")], batch_id="b")
    assert whats(result) == ["a"]
    assert desk.calls == {"a": 1}


async def test_a_thread_that_was_lost_to_another_process_is_looked_at_again(desk: Desk) -> None:
    engine = await desk.runs._engine()
    start = engine.start

    async def lost(thread_id: str, *given: Any, **named: Any) -> WorkflowResult:  # noqa: ANN401
        await start(thread_id, *given, **named)
        raise LeaseLostError(thread_id)  # as if another one had done it

    engine.start = lost  # type: ignore[method-assign]
    result = await desk.runs.execute_many([buy("a"), buy("b")], batch_id="b")
    assert whats(result) == ["a", "b"]
    assert desk.calls == {"a": 1, "b": 1}


async def test_draining_begins_nothing_more_and_says_how_to_go_on(
    desk: Desk, tmp_path: Path
) -> None:
    desk.held = {"0", "1"}
    requests = [[*buy(str(n)), AgentTask("buy", {"what": f"{n} more"})] for n in range(4)]
    batch = asyncio.ensure_future(desk.runs.execute_many(requests, batch_id="b", max_concurrency=2))
    await desk.asked.wait()
    desk.runs.drain()
    desk.gate.set()
    with pytest.raises(DrainedError) as caught:
        await batch
    assert "batch_id='b'" in caught.value.__notes__[0]
    assert set(desk.calls) == {"0", "1"}
    other = Desk(tmp_path)
    async with other.runs:
        result = await other.runs.execute_many(requests, batch_id="b")
    assert result.counts == {"completed": 4}
    assert not {"0", "1"} & set(other.calls), "what was done when it was drained stays done"


async def test_it_can_be_said_as_json(desk: Desk) -> None:
    result = await desk.runs.execute_many([buy("a"), [AgentTask("nobody")]], batch_id="b")
    said: Any = result.as_json()
    assert said["batch_id"] == "b"
    assert said["counts"] == {"completed": 1, "error": 1}
    assert said["items"][0]["result"]["status"] == "completed"
    assert said["items"][0]["error"] is None
    assert said["items"][1]["result"] is None
    assert said["items"][1]["error"]["code"] == "invalid_plan"


# -- whatever comes -------------------------------------------------------------------------


@given(
    st.lists(st.sampled_from(["good", "fails", "bad"]), max_size=8),
    st.integers(1, 4),
    st.integers(0, 8),
)
def test_however_often_it_is_gone_on_with_each_request_runs_once_and_keeps_its_place(
    kinds: list[str], slots: int, first: int
) -> None:
    requests: list[list[AgentTask]] = [
        [AgentTask("nobody")] if kind == "bad" else buy(str(place), fails=kind == "fails")
        for place, kind in enumerate(kinds)
    ]

    async def run() -> tuple[Desk, BatchResult]:
        desk = Desk(Path(), kept=False)
        await desk.runs.execute_many(requests[:first], batch_id="b", max_concurrency=slots)
        return desk, await desk.runs.execute_many(requests, batch_id="b", max_concurrency=slots)

    desk, result = asyncio.run(run())
    wanted = {"good": "completed", "fails": "failed", "bad": "error"}
    assert [each.status for each in result] == [wanted[kind] for kind in kinds]
    assert desk.calls == {str(n): 1 for n, kind in enumerate(kinds) if kind != "bad"}
    assert desk.most <= slots
