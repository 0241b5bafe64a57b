"""Where the calls of a run went is known to whoever goes on with it, and to nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from checkpoints.database import Database, open_database
from nodes.ports import Dispatch, DispatchJournal
from orchestration import AgentContext, AgentSpec, AgentTask, LeaseLostError, SimpleCoordinator
from orchestration.engines.dispatching import ThreadJournal
from state.plan import Plan
from tests.unit.orchestration.metered import MeteredRegistry

HERE, THERE = Dispatch("clerk", "1", "eu"), Dispatch("clerk", "1", "us")
THREAD = "t"


class Dispatcher:
    """A coordinator whose agent notes where it is sent, and says where it was sent before."""

    def __init__(self, url: str) -> None:
        self.url, self.agents = url, MeteredRegistry()
        # read_only: else it would not be called again, as it says that it was sent elsewhere
        self.agents.register(AgentSpec("clerk", handler=self._work, read_only=True))
        self.runs = self.open()
        self.was_sent: dict[str, Dispatch | None] = {}
        self.hangs_in = ""
        self.hanging = asyncio.Event()

    def open(self) -> SimpleCoordinator:
        return SimpleCoordinator(registry=self.agents, database_url=self.url)

    def reopen(self) -> None:
        """Go on as another process would, where the database outlives one."""
        if not self.url.startswith("memory"):
            self.runs.close()
            self.runs = self.open()

    @property
    def journal(self) -> DispatchJournal:
        """That of the latest call."""
        journal = self.agents.terms[-1].journal
        assert journal is not None
        return journal

    async def _work(self, given: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        key, journal = context.idempotency_key, self.journal
        self.was_sent[context.task_id] = await journal.sent(key)
        await journal.note(key, HERE)
        assert await journal.sent(key) == HERE
        if given.get("never began"):
            await journal.note(key, None)
            assert await journal.sent(key) is None
        if context.task_id == self.hangs_in:
            self.hangs_in = ""
            self.hanging.set()
            await asyncio.Event().wait()
        return {}

    async def stop_in(self, task_id: str, *tasks: AgentTask) -> None:
        """Run tasks, and stop in the middle of one, as if the process died."""
        self.hangs_in = task_id
        running = asyncio.create_task(self.runs.execute_sequential(tasks, thread_id=THREAD))
        async with asyncio.timeout(30):
            await self.hanging.wait()
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
        self.reopen()


@pytest.fixture(params=["memory", "sqlite"])
async def dispatcher(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Dispatcher]:
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'runs.db'}"
    opened = Dispatcher(url)
    yield opened
    opened.runs.close()


def do(task_id: str, **given: Any) -> AgentTask:  # noqa: ANN401
    return AgentTask("clerk", given, task_id=task_id)


async def test_a_call_that_was_cut_short_is_known_to_whoever_resumes(
    dispatcher: Dispatcher,
) -> None:
    await dispatcher.stop_in("b", do("a"), do("b"), do("c"))
    await dispatcher.runs.resume(THREAD)
    assert dispatcher.was_sent == {"a": None, "b": HERE, "c": None}


async def test_one_that_did_not_begin_there_is_not(dispatcher: Dispatcher) -> None:
    await dispatcher.stop_in("b", do("b", **{"never began": True}))
    await dispatcher.runs.resume(THREAD)
    assert dispatcher.was_sent == {"b": None}


async def test_nothing_is_kept_of_a_run_that_is_over(dispatcher: Dispatcher) -> None:
    result = await dispatcher.runs.execute_sequential([do("a"), do("b")], thread_id=THREAD)
    assert str(result.status) == "completed"
    traffic = (await dispatcher.runs._engine())._database.traffic
    record = await dispatcher.runs.thread(THREAD)
    keys = [f"{record.plan.run_id}:{task_id}" for task_id in "ab"]
    assert [await traffic.sent(key) for key in keys] == [None, None]


async def test_a_compiled_graph_has_no_journal(dispatcher: Dispatcher) -> None:
    async def reply(_given: dict[str, Any]) -> dict[str, Any]:
        return {}

    dispatcher.agents.register(AgentSpec("other", handler=reply))
    await dispatcher.runs.compile([AgentTask("other")]).ainvoke({})  # type: ignore[call-overload]  # as the README does
    assert dispatcher.agents.terms[-1].journal is None


# -- the journal itself -----------------------------------------------------------------


@pytest.fixture(params=["memory", "sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Any:  # noqa: ANN401
    urls = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path / 'runs.db'}"}
    opened = open_database(urls[request.param])
    yield opened
    opened.close()


@pytest.fixture
def make_plan() -> Callable[[str], Plan]:
    from graph.plan_request import PlanRequest  # noqa: PLC0415
    from graph.planner import plan  # noqa: PLC0415

    agents = MeteredRegistry()
    agents.register(AgentSpec("clerk", handler=lambda _: {}))
    request = PlanRequest([AgentTask("clerk")])
    return lambda run_id: plan(request, agents=agents, run_id=run_id).plan


@pytest.mark.parametrize("begins", [True, False])
async def test_a_run_remembers_the_latest_place(
    database: Database, make_plan: Callable[[str], Plan], *, begins: bool
) -> None:
    lease = await database.threads.start(THREAD, make_plan("r"), holder="me", seconds=60)
    journal = ThreadJournal(database.traffic, THREAD, token=lease.token, begins=begins)
    other = ThreadJournal(database.traffic, THREAD, token=lease.token)
    for where in (HERE, THERE, None, THERE):
        await journal.note("r:a", where)
        assert (await journal.sent("r:a"), await other.sent("r:a")) == (where, where)
    assert await journal.sent("r:b") is None


async def test_a_thread_stays_with_its_versions_in_its_next_run(dispatcher: Dispatcher) -> None:
    journals = []
    for _ in range(2):
        await dispatcher.runs.execute_sequential([do("a")], thread_id=THREAD)
        journals.append(dispatcher.journal)
        assert await journals[-1].assign("clerk", str(len(journals))) == "1"
        dispatcher.reopen()
    assert (
        await (await dispatcher.runs._engine())._database.traffic.version_of(THREAD, "clerk") == "1"
    )


async def test_whoever_lost_the_thread_is_told(
    database: Database, make_plan: Callable[[str], Plan]
) -> None:
    lease = await database.threads.start(THREAD, make_plan("r"), holder="me", seconds=60)
    journal = ThreadJournal(database.traffic, THREAD, token=lease.token - 1, begins=True)
    with pytest.raises(LeaseLostError):
        await journal.note("r:a", HERE)
    assert await database.traffic.sent("r:a") is None
