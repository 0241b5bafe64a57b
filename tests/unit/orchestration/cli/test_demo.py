from __future__ import annotations

import json
import shlex
import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from typer.testing import Result

    Invoke = Callable[..., Result]


def count(table: str) -> int:
    connection = sqlite3.connect("team.db")
    try:
        (rows,) = connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()  # noqa: S608
    finally:
        connection.close()
    return int(rows)


def test_the_demo_buys_tickets_and_books_their_price(invoke: Invoke) -> None:
    done = invoke("demo", "--json")
    assert done.exit_code == 0
    result = json.loads(done.stdout)
    ticketing, finance = result["tasks"]
    assert ticketing["output"]["quantity"] == 4
    assert finance["output"]["amount"] == ticketing["output"]["total_price"]
    assert (count("orders"), count("expenses")) == (1, 1)


def test_the_demo_is_read_from_top_to_bottom(invoke: Invoke) -> None:
    done = invoke("demo")
    landmarks = [
        "Book 4 tickets for tonight",
        "| ticketing |",
        "→ ticketing started",
        "✓ ticketing succeeded in",
        "→ finance started",
        "✓ finance succeeded in",
        "What it said",
        "Order 1 is confirmed",
        "Completed: 2 of 2 tasks succeeded.",
        "sqlite:///threads.db",
        "orchestration threads show demo-",
    ]
    places = [done.stdout.index(each) for each in landmarks]
    assert places == sorted(places)


def test_what_the_demo_says_to_try_works(invoke: Invoke) -> None:
    done = invoke("demo", "--no-graph", "--database", "sqlite:///other file.db")
    commands = [
        shlex.split(line.split("  # ")[0])[1:]
        for line in done.stdout.splitlines()
        if line.startswith("  orchestration ")
    ]
    assert commands
    assert [invoke(*words).exit_code for words in commands] == [0] * len(commands)
    shown = invoke(*commands[0]).stdout
    assert "Order 1 is confirmed" in shown.replace("\n", " ")


def test_the_demo_can_be_repeated(invoke: Invoke) -> None:
    assert [invoke("demo", "--json").exit_code for _ in range(3)] == [0, 0, 0]
    assert count("orders") == 3


def test_the_demo_uses_the_built_in_team_whatever_is_configured(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINANCE_ENDPOINT", "projects/p/locations/r/endpoints/1")
    assert invoke("demo").exit_code == 0
