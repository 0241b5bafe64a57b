"""What every traffic store does: in memory, in SQLite and in a real Postgres."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import URL, create_engine, text

from checkpoints.database import Database, connect, open_database
from checkpoints.postgres_traffic import PostgresTraffic
from checkpoints.traffic import CallRecord, Place, Sample, SharedState, Switched, TrafficStore
from state.errors import LeaseLostError, OrchestrationError
from state.plan import Plan

PROGRAM = Path(__file__).with_name("traffic_processes.py")
MakePlan = Callable[[str], Plan]
AT = 1_800_000_000.0
HERE = Place("ticketing", "2", "eu")
BIG = 2**39
"""More than fits into 32 bits."""


def called(path: str = "buy", **differences: object) -> CallRecord:
    record = CallRecord(
        run_id="run",
        path=path,
        thread_id="t",
        tenant=None,
        agent_id="ticketing",
        version="1",
        endpoint="",
        status="succeeded",
        calls=1,
        seconds=0.5,
        input_tokens=10,
        output_tokens=2,
        cost=0.25,
        finished_at=AT,
    )
    return record._replace(**differences)  # type: ignore[arg-type]  # tests name its fields


@dataclass
class Stores:
    """A store, the same as another process has it, and who may act for a thread."""

    store: TrafficStore
    other: TrafficStore
    lease: Callable[[str], Awaitable[int]]
    """Claims a thread, and returns the token."""


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def stores(request: pytest.FixtureRequest, make_plan: MakePlan) -> Iterator[Stores]:
    kinds = {"memory": in_memory, "sqlite": in_sqlite, "postgres": in_postgres}
    yield from kinds[request.param](request, make_plan)


def claiming(database: Database, make_plan: MakePlan) -> Callable[[str], Awaitable[int]]:
    async def claim(thread_id: str) -> int:
        plan = make_plan(f"run-{thread_id}")
        lease = await database.threads.start(thread_id, plan, holder="me", seconds=60)
        return lease.token

    return claim


def in_memory(_request: pytest.FixtureRequest, make_plan: MakePlan) -> Iterator[Stores]:
    database = open_database("memory://")
    yield Stores(database.traffic, database.traffic, claiming(database, make_plan))
    database.close()


def in_sqlite(request: pytest.FixtureRequest, make_plan: MakePlan) -> Iterator[Stores]:
    file = cast("Path", request.getfixturevalue("file"))
    one, two = (open_database(f"sqlite:///{file}") for _ in range(2))
    yield Stores(one.traffic, two.traffic, claiming(one, make_plan))
    one.close()
    two.close()


def in_postgres(request: pytest.FixtureRequest, _make_plan: MakePlan) -> Iterator[Stores]:
    url: URL = request.getfixturevalue("postgres_database")
    engines = create_engine(url), create_engine(url)
    one, two = map(PostgresTraffic, engines)

    async def claim(thread_id: str) -> int:
        """Claim it as SQLite does; threads in Postgres are to follow."""
        row = {
            "thread_id": thread_id,
            "schema_version": 1,
            "run_id": "run",
            "plan": "{}",
            "signature": "",
            "status": "running",
            "created_at": AT,
            "updated_at": AT,
            "lease_token": 7,
            "lease_expires_at": AT,
        }
        names = ", ".join(row)
        values = ", ".join(f":{name}" for name in row)
        with engines[0].begin() as connection:
            insert = f"INSERT INTO orchestration_threads ({names}) VALUES ({values})"  # noqa: S608
            connection.execute(text(insert), row)
        return 7

    yield Stores(one, two, claim)
    for engine in engines:
        engine.dispose()


# -- endpoints --------------------------------------------------------------------------


async def test_nothing_is_known_at_first(stores: Stores) -> None:
    store = stores.store
    assert (list(await store.states()), dict(await store.switches())) == ([], {})
    assert await store.version_of("t", "ticketing") is None
    assert await store.sent("run:buy") is None
    assert (list(await store.totals("agent")), list(await store.samples("ticketing"))) == ([], [])


async def test_a_state_is_written_once_for_each_revision(stores: Stores) -> None:
    first = SharedState(HERE, {"breaker": "open", "failures": [1.5, None]}, 0, AT)
    assert await stores.store.write(first) is None
    assert list(await stores.other.states()) == [first._replace(revision=1)]

    stale = SharedState(HERE, {"breaker": "closed"}, 0, AT + 1)
    assert await stores.other.write(stale) == first._replace(revision=1)
    assert await stores.other.write(stale._replace(revision=1)) is None
    assert list(await stores.store.states()) == [stale._replace(revision=2)]
    assert await stores.store.write(first._replace(revision=1)) == stale._replace(revision=2)


async def test_a_state_of_which_nothing_is_there_any_more_begins_anew(stores: Stores) -> None:
    nothing = SharedState(HERE, {}, 0, 0.0)
    assert await stores.store.write(SharedState(HERE, {"a": 1}, 3, AT)) == nothing
    assert list(await stores.store.states()) == []


async def test_a_written_state_is_a_copy(stores: Stores) -> None:
    state = SharedState(HERE, {"breaker": "open"}, 0, AT)
    await stores.store.write(state)
    state.state["breaker"] = "closed"
    (found,) = await stores.store.states()
    assert found.state == {"breaker": "open"}


async def test_of_concurrent_writers_of_a_state_each_revision_has_one(stores: Stores) -> None:
    async def count_up(store: TrafficStore) -> None:
        known = SharedState(HERE, {"count": 0}, 0, AT)
        while (found := await store.write(known)) is not None:
            count = cast("int", found.state.get("count", 0))
            known = found._replace(state={"count": count + 1})

    await asyncio.gather(*[count_up(each) for each in (stores.store, stores.other) * 10])
    (found,) = await stores.store.states()
    assert (found.state, found.revision) == ({"count": 19}, 20)


async def test_places_of_every_size_are_switched(stores: Stores) -> None:
    agent, version = Place("ticketing"), Place("ticketing", "2")
    off = Switched(agent, "disabled", "ann", "it sells nonsense", AT)
    drained = Switched(version, "draining", None, "", AT)
    for each in (off, drained, Switched(HERE, "disabled", "bob", "", AT)):
        await stores.store.switch(each)
    on = Switched(HERE, "enabled", "cleo", "repaired", AT + 1)
    await stores.other.switch(on)
    assert dict(await stores.store.switches()) == {agent: off, version: drained, HERE: on}


# -- threads ----------------------------------------------------------------------------


async def test_a_thread_keeps_the_first_version_it_was_given(stores: Stores) -> None:
    assert await stores.store.assign("t", "ticketing", "1") == "1"
    assert await stores.other.assign("t", "ticketing", "2") == "1"
    assert await stores.other.version_of("t", "ticketing") == "1"
    assert await stores.other.assign("t", "sales", "2") == "2"
    assert await stores.other.assign("u", "ticketing", "2") == "2"


async def test_a_version_that_is_gone_is_replaced_once(stores: Stores) -> None:
    await stores.store.assign("t", "ticketing", "1")
    assert await stores.other.assign("t", "ticketing", "2", instead_of="3") == "1"
    assert await stores.other.assign("t", "ticketing", "2", instead_of="1") == "2"
    assert await stores.store.assign("t", "ticketing", "3", instead_of="1") == "2"
    assert await stores.store.version_of("t", "ticketing") == "2"
    assert await stores.store.assign("u", "ticketing", "2", instead_of="1") == "2"


async def test_of_concurrent_assignments_all_learn_the_same(stores: Stores) -> None:
    assigned = [
        (stores.store, stores.other)[number % 2].assign("t", "ticketing", str(number))
        for number in range(20)
    ]
    assert len(set(await asyncio.gather(*assigned))) == 1


async def test_where_a_call_went_is_known_until_it_is_taken_back(stores: Stores) -> None:
    token = await stores.lease("t")
    await stores.store.note("run:buy", HERE, thread_id="t", token=token)
    assert await stores.other.sent("run:buy") == HERE
    assert await stores.other.sent("run:sell") is None
    there = Place("ticketing", "2", "us")
    await stores.store.note("run:buy", there, thread_id="t", token=token)
    assert await stores.other.sent("run:buy") == there
    await stores.store.note("run:buy", None, thread_id="t", token=token)
    assert await stores.other.sent("run:buy") is None


async def test_whoever_lost_the_lease_notes_nothing(stores: Stores) -> None:
    token = await stores.lease("t")
    with pytest.raises(LeaseLostError):
        await stores.store.note("run:buy", HERE, thread_id="t", token=token - 1)
    assert await stores.other.sent("run:buy") is None
    await stores.store.note("run:buy", HERE, thread_id="t", token=token)
    with pytest.raises(LeaseLostError):
        await stores.store.note("run:buy", None, thread_id="t", token=token - 1)
    with pytest.raises(LeaseLostError):
        await stores.store.note("other:buy", HERE, thread_id="gone", token=token)
    assert await stores.other.sent("run:buy") == HERE


async def test_without_leases_anybody_notes(stores: Stores) -> None:
    await stores.store.note("run:buy", HERE, thread_id="nobody's", token=None)
    assert await stores.other.sent("run:buy") == HERE


# -- accounts ---------------------------------------------------------------------------


async def test_totals_add_up_whatever_they_are_grouped_by(stores: Stores) -> None:
    await stores.store.record(
        [
            called("a", tenant="acme", calls=3, cost=1.0, input_tokens=BIG),
            called("b", status="failed", version="2", input_tokens=BIG),
            called("c", status="compensated", thread_id="u", tenant="acme"),
            called("d", status="pending", agent_id="sales", cost=5.0),
        ]
    )

    async def costs(by: str, **only: object) -> dict[str, tuple[int, int, float]]:
        found = await stores.other.totals(by, **only)  # type: ignore[arg-type]  # a parameter
        return {each.key: (each.tasks, each.succeeded, each.cost) for each in found}

    assert await costs("agent") == {"sales": (1, 0, 5.0), "ticketing": (3, 2, 1.5)}
    assert await costs("version") == {
        "sales@1": (1, 0, 5.0),
        "ticketing@1": (2, 2, 1.25),
        "ticketing@2": (1, 0, 0.25),
    }
    assert await costs("thread") == {"t": (3, 1, 6.25), "u": (1, 1, 0.25)}
    assert await costs("tenant") == {"": (2, 0, 5.25), "acme": (2, 2, 1.25)}
    assert await costs("thread", tenant="acme") == {"t": (1, 1, 1.0), "u": (1, 1, 0.25)}
    assert await costs("thread", tenant="nobody") == {}
    ticketing = (await stores.other.totals("agent"))[1]
    assert (ticketing.calls, ticketing.output_tokens) == (5, 6)
    assert ticketing.input_tokens == 2 * BIG + 10


async def test_the_dearest_comes_first(stores: Stores) -> None:
    dear = [called(str(number), agent_id=str(number), cost=number) for number in (1, 3, 2)]
    await stores.store.record([*dear, called("x", agent_id="z"), called("y", agent_id="z")])
    await stores.store.record([called("v", agent_id="a", cost=0.5)])
    keys = [each.key for each in await stores.store.totals("agent")]
    assert keys == ["3", "2", "1", "z", "a"]


async def test_a_record_of_the_same_task_is_replaced(stores: Stores) -> None:
    await stores.store.record([called(status="pending"), called("sell")])
    await stores.other.record([called(calls=2, cost=1.0, finished_at=AT + 9)])
    await stores.other.record([called(run_id="later")])
    (total,) = await stores.store.totals("agent")
    assert (total.tasks, total.succeeded, total.calls, total.cost) == (3, 3, 4, 1.5)


async def test_a_cost_that_nobody_knows_adds_nothing(stores: Stores) -> None:
    await stores.store.record([called("a"), called("b", cost=None), called("c", cost=-0.5)])
    await stores.store.record([called("d", agent_id="sales", cost=None, finished_at=AT + 1)])
    found = {each.key: (each.tasks, each.cost) for each in await stores.other.totals("agent")}
    assert found == {"sales": (1, 0.0), "ticketing": (3, -0.25)}
    assert [each.key for each in await stores.other.totals("agent")] == ["sales", "ticketing"]
    assert [each.cost for each in await stores.other.samples("sales")] == [None]


@pytest.mark.parametrize(
    ("said", "counted"),
    [
        ({"input_tokens": 2**70, "output_tokens": 2**63}, (10**12, 10**12, 0.25)),
        ({"cost": math.inf}, (10, 2, 0.0)),
        ({"cost": math.nan}, (10, 2, 0.0)),
        ({"tenant": "\ud800", "endpoint": "\udfff", "version": "é\ud800"}, (10, 2, 0.25)),
    ],
)
async def test_what_no_database_takes_is_recorded_as_far_as_it_can_be(
    stores: Stores, said: dict[str, Any], counted: tuple[int, int, float]
) -> None:
    await stores.store.record([called(**said)])
    (total,) = await stores.other.totals("agent")
    assert (total.input_tokens, total.output_tokens, total.cost) == counted
    (tenant,) = await stores.other.totals("tenant")
    assert tenant.key == ("?" if "tenant" in said else "")


async def test_only_what_finished_since_counts(stores: Stores) -> None:
    await stores.store.record([called("a", tenant="acme"), called("b", finished_at=AT + 1)])
    (total,) = await stores.store.totals("agent", since=AT)
    assert total.tasks == 1
    assert list(await stores.store.totals("agent", since=AT, tenant="acme")) == []
    assert len(await stores.store.samples("ticketing", since=AT)) == 1


async def test_samples_are_the_finished_tasks_of_one_agent(stores: Stores) -> None:
    statuses = ("failed", "timed_out", "compensated", "pending", "cancelled", "rejected")
    others = [
        called(each, status=each, version="2", finished_at=AT + 1 + number)
        for number, each in enumerate(statuses)
    ]
    await stores.store.record([*others, called(), called("other", agent_id="sales")])
    assert list(await stores.other.samples("ticketing")) == [
        Sample("1", succeeded=True, seconds=0.5, cost=0.25),
        Sample("2", succeeded=False, seconds=0.5, cost=0.25),
        Sample("2", succeeded=False, seconds=0.5, cost=0.25),
        Sample("2", succeeded=True, seconds=0.5, cost=0.25),
    ]


# -- retention --------------------------------------------------------------------------


@pytest.fixture(params=["memory", "sqlite"])
def any_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    urls = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path / 'runs.db'}"}
    opened = open_database(urls[request.param])
    yield opened
    opened.close()


async def settle(database: Database, thread_id: str, make_plan: MakePlan, status: str) -> None:
    """Run a thread that has a version, has sent a call and has an account."""
    claim = database.history.begin(thread_id, make_plan(thread_id), holder="me", seconds=60)
    lease = (await claim).lease
    await database.traffic.assign(thread_id, "ticketing", "1")
    await database.traffic.note(f"{thread_id}:a", HERE, thread_id=thread_id, token=lease.token)
    records = [called(run_id=thread_id, thread_id=thread_id)]
    await database.history.end(lease, status=status, calls=records)


async def test_a_deleted_thread_leaves_nothing_but_what_it_cost(
    any_database: Database, make_plan: MakePlan
) -> None:
    traffic = any_database.traffic
    for thread_id in ("gone", "kept"):
        await settle(any_database, thread_id, make_plan, "interrupted")
    assert await traffic.sent("gone:a") == HERE
    await any_database.retention.delete("gone", force=True)
    assert await traffic.sent("gone:a") is None
    assert await traffic.version_of("gone", "ticketing") is None
    assert await traffic.sent("kept:a") == HERE
    assert await traffic.version_of("kept", "ticketing") == "1"
    assert {each.key for each in await traffic.totals("thread")} == {"gone", "kept"}


async def test_so_does_one_whose_time_is_over(any_database: Database, make_plan: MakePlan) -> None:
    await settle(any_database, "t", make_plan, "completed")
    removed = await any_database.retention.sweep(older_than=timedelta(days=1), now=AT * 2)
    assert removed.thread_ids == ("t",)
    assert await any_database.traffic.version_of("t", "ticketing") is None
    assert len(await any_database.traffic.totals("thread")) == 1


async def test_where_calls_went_is_forgotten_when_the_run_is_over(
    any_database: Database, make_plan: MakePlan
) -> None:
    await settle(any_database, "t", make_plan, "completed")
    assert await any_database.traffic.sent("t:a") is None
    assert await any_database.traffic.version_of("t", "ticketing") == "1"


async def test_pruning_a_paused_thread_leaves_all_of_it(
    any_database: Database, make_plan: MakePlan
) -> None:
    await settle(any_database, "t", make_plan, "interrupted")
    await any_database.retention.prune()
    assert await any_database.traffic.sent("t:a") == HERE
    assert await any_database.traffic.version_of("t", "ticketing") == "1"


async def test_a_copy_stays_with_its_versions_and_costs_nothing_itself(
    any_database: Database, make_plan: MakePlan
) -> None:
    await settle(any_database, "t", make_plan, "completed")
    await any_database.retention.copy("t", "copy")
    assert await any_database.traffic.version_of("copy", "ticketing") == "1"
    assert [each.key for each in await any_database.traffic.totals("thread")] == ["t"]


async def test_a_run_that_langgraph_forgets_is_not_asked_about_any_more(
    database: Database, make_plan: MakePlan
) -> None:
    await settle(database, "t", make_plan, "interrupted")
    saver, config = database.checkpointer, {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
    from langgraph.checkpoint.base import empty_checkpoint  # noqa: PLC0415  heavy

    saver.put(config, empty_checkpoint(), {"run_id": "t"}, {})  # type: ignore[arg-type]
    await saver.adelete_for_runs(["t"])
    assert await database.traffic.sent("t:a") is None


async def test_what_a_lost_lease_would_record_is_not(
    any_database: Database, make_plan: MakePlan
) -> None:
    begun = await any_database.history.begin("t", make_plan("run"), holder="me", seconds=60)
    lost = begun.lease._replace(token=begun.lease.token - 1)
    with pytest.raises(LeaseLostError):
        await any_database.history.end(lost, status="completed", calls=[called()])
    assert list(await any_database.traffic.totals("agent")) == []


async def test_reports_are_read_while_others_write(file: Path) -> None:
    opened = open_database(f"sqlite:///{file}")
    await opened.traffic.record([called()])
    with closing(connect(file)) as other:
        other.execute("BEGIN IMMEDIATE")  # nobody else can write now
        async with asyncio.timeout(10):
            totals = await opened.traffic.totals("agent")
            samples = await opened.traffic.samples("ticketing")
            states, switches = await opened.traffic.states(), await opened.traffic.switches()
        other.execute("ROLLBACK")
    assert (len(totals), len(samples), len(states), len(switches)) == (1, 1, 0, 0)
    opened.close()


async def test_a_closed_database_says_so(file: Path) -> None:
    opened = open_database(f"sqlite:///{file}")
    opened.close()
    with pytest.raises(OrchestrationError, match="closed"):
        await opened.traffic.note("run:buy", HERE, thread_id="t", token=None)


# -- processes --------------------------------------------------------------------------


def processes(file: Path, work: str, number: int) -> list[str]:
    """Let processes do it at once; return the lines that they print."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(PROGRAM), str(file), work, str(number)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


async def test_processes_write_no_state_over_each_others(file: Path) -> None:
    assert processes(file, "write", 4) == ["written 25"] * 4
    database = open_database(f"sqlite:///{file}")
    (found,) = await database.traffic.states()
    database.close()
    assert (found.state, found.revision) == ({"count": 100}, 100)


async def test_processes_agree_on_the_version_of_a_thread(file: Path) -> None:
    lines = processes(file, "assign", 6)
    assert len(lines) == 6
    assert len(set(lines)) == 1


def noted_before_a_kill(file: Path, number: int) -> list[str]:
    """Let a process note calls, and kill it once it has said that so many are noted."""
    with subprocess.Popen(
        [sys.executable, "-W", "error", str(PROGRAM), str(file), "note", "0"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        noted = [process.stdout.readline().strip() for _ in range(number)]
        process.kill()
    return noted


@pytest.mark.parametrize("number", [1, 2, 5])
async def test_what_was_noted_survives_a_kill(file: Path, number: int) -> None:
    noted = noted_before_a_kill(file, number)
    database = open_database(f"sqlite:///{file}")
    assert [await database.traffic.sent(key) for key in noted] == [HERE] * number
    database.close()
