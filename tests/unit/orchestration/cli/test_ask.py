from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typer.testing import Result

    Invoke = Callable[..., Result]


def count(table: str) -> int:
    with closing(sqlite3.connect("team.db")) as connection:
        (rows,) = connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()  # noqa: S608
    return int(rows)


def test_a_request_pauses_is_approved_elsewhere_and_is_answered(invoke: Invoke) -> None:
    paused = invoke("ask", "Book tickets, update CRM, get approval", "--user", "alice", "--json")
    assert paused.exit_code == 4
    result = json.loads(paused.stdout)
    (question,) = result["interrupts"]
    assert question["task_id"] == "expense_approval"
    refused = invoke("approvals", "approve", question["request_id"], "--as", "alice")
    assert refused.exit_code != 0
    approved = invoke("approvals", "approve", question["request_id"], "--as", "ivan")
    assert approved.exit_code == 0
    assert "[expense_approval, finance]" in approved.stdout
    assert (count("orders"), count("activities"), count("expenses")) == (1, 1, 1)
    shown = invoke("threads", "show", result["thread_id"])
    assert "[purchase, ticketing]" in shown.stdout


def test_what_is_not_understood_is_said_with_an_exit_code(invoke: Invoke) -> None:
    done = invoke("ask", "Buy 2 tickets and dance")
    assert done.exit_code == 1
    assert "'dance'" in done.stdout
    assert "did nothing" in done.stdout


def test_a_conversation_goes_on_under_its_id(invoke: Invoke) -> None:
    assert invoke("ask", "Buy 2 tickets for tonight", "--thread-id", "talk").exit_code == 0
    assert invoke("ask", "Log the expense", "--thread-id", "talk").exit_code == 0
    said = json.loads(invoke("threads", "messages", "talk", "--json").stdout)
    assert [each["message"]["role"] for each in said] == ["user", "assistant"] * 2


def test_an_unknown_model_is_refused_before_anything_is_done(invoke: Invoke) -> None:
    done = invoke("ask", "Buy 2 tickets", "--model", "nowhere:nothing")
    assert done.exit_code == 2
    assert "nowhere:nothing" in done.stderr + done.stdout
