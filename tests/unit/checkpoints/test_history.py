from __future__ import annotations

import asyncio
import copy
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from checkpoints.database import Database, connect, open_database
from checkpoints.history import (
    KEEP_RUNS_VARIABLE,
    Answers,
    Begun,
    HistoryPolicy,
    HistoryStore,
    keep_runs_setting,
)
from state.conversation import INSTRUCTIONS, HistoryWindow
from state.errors import (
    ConfigurationError,
    LeaseLostError,
    ThreadBusyError,
    ThreadExistsError,
    ThreadPendingError,
)
from state.plan import Plan

MakePlan = Callable[..., Plan]
LONG = 3600.0


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def bot(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


@pytest.fixture
def asking(make_plan: Callable[[str], Plan]) -> MakePlan:
    def plan(run_id: str, *messages: dict[str, Any]) -> Plan:
        document = copy.deepcopy(make_plan(run_id).document)
        document["tasks"]["a"]["input"] = {"messages": [*messages]}
        return Plan(document)

    return plan


@pytest.fixture(params=["sqlite", "memory"])
def kept(request: pytest.FixtureRequest, file: Path) -> Iterator[Database]:
    url = "memory://" if request.param == "memory" else f"sqlite:///{file}"
    opened = open_database(url, history=HistoryPolicy(window=HistoryWindow(messages=3)))
    yield opened
    opened.close()


async def begin(history: HistoryStore, plan: Plan, thread_id: str = "t") -> Begun:
    return await history.begin(thread_id, plan, holder="me", seconds=LONG)


async def turn(
    history: HistoryStore, plan: Plan, *said: dict[str, Any], thread_id: str = "t"
) -> Begun:
    begun = await begin(history, plan, thread_id)
    answers = Answers(plan.run_id, 1, said)
    await history.end(begun.lease, status="completed", answers=answers)
    return begun


async def texts(history: HistoryStore, thread_id: str = "t") -> list[object]:
    return [each.message["content"] for each in await history.page(thread_id, limit=1000)]


# -- what every store does ---------------------------------------------------------------


async def test_a_turn_is_what_was_asked_and_then_what_was_said(
    kept: Database, asking: MakePlan
) -> None:
    await turn(kept.history, asking("r1", user("1")), bot("2"), bot("3"))
    await turn(kept.history, asking("r2", user("4")), bot("5"))
    page = await kept.history.page("t", limit=10)
    assert [(each.sequence, each.run_id) for each in page] == [
        (1, "r1"),
        (2, "r1"),
        (3, "r1"),
        (4, "r2"),
        (5, "r2"),
    ]
    assert [each.message for each in page] == [user("1"), bot("2"), bot("3"), user("4"), bot("5")]


async def test_only_a_new_thread_is_begun_where_that_is_wanted(
    kept: Database, asking: MakePlan
) -> None:
    async def begin_new(run_id: str) -> Begun:
        plan = asking(run_id, user(run_id))
        return await kept.history.begin("t", plan, holder="me", seconds=LONG, only_new=True)

    begun = await begin_new("r1")
    with pytest.raises(ThreadExistsError, match="it is there already"):
        await begin_new("r2")
    await kept.history.end(begun.lease, status="completed")
    with pytest.raises(ThreadExistsError):
        await begin_new("r3")
    assert await texts(kept.history) == ["r1"]


async def test_what_was_asked_is_there_while_the_run_goes_on(
    kept: Database, asking: MakePlan
) -> None:
    await begin(kept.history, asking("r", user("1")))
    assert await texts(kept.history) == ["1"]


async def test_a_run_gets_the_last_messages_before_it(kept: Database, asking: MakePlan) -> None:
    first = await turn(kept.history, asking("r1", user("1")), bot("2"))
    assert first.history == []
    second = await turn(kept.history, asking("r2", user("3")), bot("4"))
    assert second.history == [user("1"), bot("2")]
    third = await begin(kept.history, asking("r3", user("5")))
    assert third.history == [bot("2"), user("3"), bot("4")]
    assert await kept.history.before("t", run_id="r3") == third.history


@pytest.mark.parametrize("role", sorted(INSTRUCTIONS))
async def test_instructions_are_recorded_and_shown_to_nobody_else(
    kept: Database, asking: MakePlan, role: str
) -> None:
    system = {"role": role, "content": "be brief"}
    await turn(kept.history, asking("r1", system, user("1")), bot("2"))
    assert (await kept.history.page("t", limit=9))[0].message == system
    begun = await begin(kept.history, asking("r2", user("3")))
    assert system not in begun.history


async def test_threads_do_not_mix(kept: Database, asking: MakePlan) -> None:
    await turn(kept.history, asking("r1", user("1")), bot("2"), thread_id="one")
    await turn(kept.history, asking("r2", user("3")), bot("4"), thread_id="two")
    assert await texts(kept.history, "one") == ["1", "2"]
    assert (await begin(kept.history, asking("r3"), "two")).history == [user("3"), bot("4")]


async def test_answers_that_come_again_are_recorded_once(kept: Database, asking: MakePlan) -> None:
    plan = asking("r", user("1"))
    await turn(kept.history, plan, bot("2"), bot("3"))
    for _ in range(2):
        _, lease = await kept.threads.resume("t", holder="you", seconds=LONG)
        answers = Answers("r", 1, [bot("2"), bot("3")])
        await kept.history.end(lease, status="completed", answers=answers)
    assert await texts(kept.history) == ["1", "2", "3"]


async def test_a_thread_that_is_not_free_records_nothing(kept: Database, asking: MakePlan) -> None:
    begun = await begin(kept.history, asking("r1", user("1")))
    with pytest.raises(ThreadBusyError):
        await begin(kept.history, asking("r2", user("other")))
    await kept.history.end(begun.lease, status="interrupted")
    with pytest.raises(ThreadPendingError):
        await begin(kept.history, asking("r3", user("other")))
    assert await texts(kept.history) == ["1"]


async def test_who_lost_the_thread_records_nothing(kept: Database, asking: MakePlan) -> None:
    begun = await begin(kept.history, asking("r", user("1")))
    await kept.history.end(begun.lease, status="interrupted")
    await kept.threads.resume("t", holder="you", seconds=LONG)
    answers = Answers("r", 1, [bot("2")])
    with pytest.raises(LeaseLostError):
        await kept.history.end(begun.lease, status="completed", answers=answers)
    assert await texts(kept.history) == ["1"]


async def test_of_many_who_begin_at_once_one_is_recorded(kept: Database, asking: MakePlan) -> None:
    begun = await asyncio.gather(
        *[begin(kept.history, asking(f"r{n}", user(f"{n}"))) for n in range(10)],
        return_exceptions=True,
    )
    assert sum(isinstance(each, Begun) for each in begun) == 1
    assert len(await texts(kept.history)) == 1


async def test_pages_come_newest_last_and_go_back(kept: Database, asking: MakePlan) -> None:
    await turn(kept.history, asking("r", user("1")), *[bot(str(n)) for n in range(2, 8)])
    newest = await kept.history.page("t", limit=3)
    assert [each.sequence for each in newest] == [5, 6, 7]
    middle = await kept.history.page("t", limit=3, before=5)
    assert [each.message["content"] for each in middle] == ["2", "3", "4"]
    assert [each.sequence for each in await kept.history.page("t", limit=3, before=2)] == [1]
    assert await kept.history.page("t", limit=3, before=1) == []
    assert await kept.history.page("unknown", limit=3) == []


async def test_a_page_is_its_readers_own(kept: Database, asking: MakePlan) -> None:
    await turn(kept.history, asking("r", user("1")))
    (await kept.history.page("t", limit=1))[0].message["content"] = "changed"
    assert await texts(kept.history) == ["1"]


# -- what the table does beside ----------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    ["UPDATE orchestration_messages SET message = ''", "DELETE FROM orchestration_messages"],
)
async def test_a_recorded_message_stays_as_it_is(
    database: Database, file: Path, asking: MakePlan, change: str
) -> None:
    await turn(database.history, asking("r", user("1")))
    with closing(connect(file)) as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute(change)
    assert await texts(database.history) == ["1"]


async def test_messages_go_with_their_thread(
    database: Database, file: Path, asking: MakePlan
) -> None:
    await turn(database.history, asking("r1", user("1")), thread_id="gone")
    await turn(database.history, asking("r2", user("2")), thread_id="kept")
    with closing(connect(file)) as connection:
        for table in ("orchestration_threads", "orchestration_messages"):
            connection.execute(f"DELETE FROM {table} WHERE thread_id = 'gone'")  # noqa: S608
    assert await texts(database.history, "gone") == []
    assert await texts(database.history, "kept") == ["2"]


async def test_messages_cost_no_commit_of_their_own(database: Database, asking: MakePlan) -> None:
    threads: Any = database.threads
    for number in range(3):
        before = threads._writer.commits
        await turn(database.history, asking(f"r{number}", user("1")), bot("2"))
        assert threads._writer.commits == before + 2, "the claim and the release"


# -- the setting -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "found"), [(0, 0), (3, 3), ("all", "all"), ("12", 12), (" 2 ", 2)]
)
def test_how_many_runs_to_keep_can_be_said(
    monkeypatch: pytest.MonkeyPatch, wanted: object, found: object
) -> None:
    assert keep_runs_setting(wanted) == found
    monkeypatch.setenv(KEEP_RUNS_VARIABLE, str(wanted))
    assert keep_runs_setting() == found


def test_without_a_word_no_earlier_run_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEEP_RUNS_VARIABLE, raising=False)
    assert keep_runs_setting() == 0


@pytest.mark.parametrize("wanted", [-1, 1.5, True, "none", "-1", "²", ""])
def test_what_is_no_number_of_runs_is_named(
    monkeypatch: pytest.MonkeyPatch, wanted: object
) -> None:
    with pytest.raises(ConfigurationError, match=r"keep_runs=.*cannot be.*'all'"):
        keep_runs_setting(wanted)
    monkeypatch.setenv(KEEP_RUNS_VARIABLE, "some")
    with pytest.raises(ConfigurationError, match="ORCHESTRATION_KEEP_RUNS='some' cannot be"):
        open_database("memory://")
