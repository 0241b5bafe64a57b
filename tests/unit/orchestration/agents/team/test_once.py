"""Effects happen once for each idempotency key, whoever calls and however often."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import pytest

from orchestration.agents.team import Team
from state.agent_context import AgentContext
from state.errors import AgentRefusedError, DatabaseError
from state.jsonvalue import JsonObject

Call = Callable[..., JsonObject]
Rows = Callable[..., list[JsonObject]]

CALLER = """
import json, sys
from datetime import UTC, datetime
from orchestration.agents.team import Team
from state.agent_context import AgentContext
path, key, text = sys.argv[1:]
team = Team(path, clock=lambda: datetime(2026, 11, 23, 12, tzinfo=UTC))
context = AgentContext(thread_id="t", task_id="t", run_id="r", idempotency_key=key)
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps(team.ticketing({"messages": [{"role": "user", "content": text}]}, context)))
"""
ACTIONS: list[tuple[str, str, str]] = [
    ("ticketing", "Book 10 tickets", "orders"),
    ("ticketing", "Text Alice: hi", "sms_outbox"),
    ("sales", "Update the CRM for Acme: called", "activities"),
    ("sales", "Create an opportunity for Acme worth $5", "opportunities"),
    ("sales", "Create a proposal for Acme worth $5", "proposals"),
    ("finance", "Approve $10 expense", "expenses"),
    ("finance", "Log a $10 expense", "expenses"),
    ("hr", "Request 1 day of leave for Bob from 2026-12-01", "leave_requests"),
    ("hr", "Onboard Jane Doe as Clerk starting 2026-12-01", "onboarding"),
]


def in_processes(database: Path, calls: Sequence[tuple[str, str]]) -> list[JsonObject]:
    """Make the calls, given as key and text, at the same moment in processes of their own."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", CALLER, str(database), key, text],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[5],
        )
        for key, text in calls
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    finished = [process.communicate(timeout=60) for process in processes]
    assert [errors for _, errors in finished] == [""] * len(calls)
    return [json.loads(output) for output, _ in finished]


def in_threads(count: int, work: Callable[[int], JsonObject]) -> list[JsonObject]:
    """Do the work in threads that start at the same moment."""
    barrier = Barrier(count, timeout=30)

    def _start(number: int) -> JsonObject:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(_start, range(count)))


@pytest.mark.parametrize(("agent", "text", "table"), ACTIONS)
def test_a_repeated_key_gets_the_first_answer_and_does_nothing(
    call: Call, rows: Rows, agent: str, text: str, table: str
) -> None:
    first = call(agent, text, key="k")
    assert call(agent, text, key="k") == first
    assert len(rows(f"SELECT * FROM {table} WHERE idempotency_key = 'k'")) == 1  # noqa: S608
    assert len(rows("SELECT * FROM idempotency")) == 1


def test_a_repeated_cancellation_gets_the_first_answer(call: Call) -> None:
    call("ticketing", "Book 10 tickets")
    first = call("ticketing", "Cancel order 1", key="k")
    assert call("ticketing", "Cancel order 1", key="k") == first


def test_the_key_of_another_request_is_refused(call: Call, rows: Rows) -> None:
    call("ticketing", "Book 10 tickets", key="k")
    with pytest.raises(AgentRefusedError, match="'k' was already used"):
        call("ticketing", "Book 11 tickets", key="k")
    assert len(rows("SELECT * FROM orders")) == 1


def test_agents_keep_their_keys_apart(call: Call) -> None:
    call("ticketing", "Book 10 tickets", key="k")
    assert call("finance", "Approve $10 expense", key="k")["expense_id"] == 1


def test_a_refusal_is_not_recorded(call: Call) -> None:
    call("ticketing", "12 tickets to the jazz night")
    with pytest.raises(AgentRefusedError):
        call("ticketing", "1 ticket to the jazz night", key="k")
    call("ticketing", "Cancel order 1")
    assert call("ticketing", "1 ticket to the jazz night", key="k")["quantity"] == 1


def test_same_key_in_eight_threads_is_one_effect(call: Call, rows: Rows) -> None:
    answers = in_threads(8, lambda _: call("ticketing", "Book 10 tickets", key="k"))
    assert all(answer == answers[0] for answer in answers)
    assert len(rows("SELECT * FROM orders")) == 1


def test_same_key_in_four_processes_is_one_effect(database: Path, rows: Rows) -> None:
    answers = in_processes(database, [("k", "Book 10 tickets")] * 4)
    assert all(answer == answers[0] for answer in answers)
    assert len(rows("SELECT * FROM orders")) == 1


def test_eight_processes_may_be_the_first_at_once(database: Path, rows: Rows) -> None:
    answers = in_processes(database, [(f"k{number}", "Book 1 ticket") for number in range(8)])
    assert sorted(int(str(answer["order_id"])) for answer in answers) == list(range(1, 9))
    assert len(rows("SELECT * FROM people")) == 10
    assert rows("PRAGMA journal_mode") == [{"journal_mode": "wal"}]


def test_seats_are_not_oversold_by_eight_threads(call: Call, rows: Rows) -> None:
    def _buy(_: int) -> JsonObject:
        try:
            return call("ticketing", "5 tickets to the jazz night")
        except AgentRefusedError:
            return {}

    sold = [answer for answer in in_threads(8, _buy) if answer]
    assert len(sold) == 2  # of 12 seats
    assert len({seat for answer in sold for seat in str(answer["seats"]).split(";")}) == 2
    blocks = rows("SELECT first_seat, last_seat FROM seat_blocks ORDER BY first_seat")
    assert blocks == [{"first_seat": 0, "last_seat": 4}, {"first_seat": 5, "last_seat": 9}]


def test_the_budget_is_not_overspent_by_eight_threads(call: Call) -> None:
    def _approve(_: int) -> JsonObject:
        try:
            return call("finance", "Approve $15,000 expense from the office budget")
        except AgentRefusedError:
            return {}

    assert sum(bool(answer) for answer in in_threads(8, _approve)) == 1


def test_nothing_is_made_at_construction(team: Team, database: Path) -> None:
    assert team.descriptions.keys() == team.capabilities.keys()
    assert not database.parent.exists()


def test_the_schedule_grows_with_the_clock(database: Path, call: Call, rows: Rows) -> None:
    call("ticketing", "What's on tonight?")
    games = rows("SELECT day FROM events WHERE kind = 'game' ORDER BY day")
    assert (len(games), games[-1]["day"]) == (31, "2026-12-23")


@pytest.mark.parametrize("path", [":memory:", ""])
def test_a_database_in_memory_is_refused(path: str) -> None:
    with pytest.raises(DatabaseError, match="has to be a file"):
        Team(path)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no database " * 100)
    context = AgentContext(thread_id="t", task_id="t", run_id="r", idempotency_key="k")
    with pytest.raises(DatabaseError, match=r"notes\.txt.*cannot be used"):
        Team(tmp_path / "notes.txt").hr({"action": "leave_balance", "employee": "Bob"}, context)


def test_a_database_of_a_newer_release_is_left_alone(call: Call, database: Path) -> None:
    call("ticketing", "What's on tonight?")
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(DatabaseError, match="schema version 99"):
        call("ticketing", "Book 10 tickets")
