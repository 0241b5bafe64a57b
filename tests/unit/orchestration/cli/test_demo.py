from __future__ import annotations

import json
import shlex
import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from orchestration.agents.configuration.variables import ENDPOINT_VARIABLES

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


def commands(printed: str) -> list[list[str]]:
    """The commands that the demo suggests, without the program's name."""
    lines = [line.strip() for line in printed.splitlines() if line.startswith("  ")]
    found = [shlex.split(line.split("  # ")[0]) for line in lines if "orchestration " in line]
    return [words[words.index("orchestration") + 1 :] for words in found]


def approval(printed: str) -> list[str]:
    (found,) = (words for words in commands(printed) if words[:2] == ["approvals", "approve"])
    return found


def test_the_demo_buys_tickets_and_waits_for_a_manager(invoke: Invoke) -> None:
    done = invoke("demo", "--json")
    assert done.exit_code == 0
    result = json.loads(done.stdout)
    ticketing, finance = result["tasks"]
    assert ticketing["output"]["quantity"] == 4
    assert (result["status"], finance["status"]) == ("interrupted", "pending")
    (question,) = result["interrupts"]
    assert (question["task_id"], question["may_decide"]) == ("finance", ["manager"])
    assert (count("orders"), count("expenses")) == (1, 0)


def test_the_printed_command_books_the_price(invoke: Invoke) -> None:
    demo = invoke("demo")
    assert demo.exit_code == 0
    done = invoke(*approval(demo.stdout), "--json")
    assert done.exit_code == 0
    ticketing, finance = json.loads(done.stdout)["result"]["tasks"]
    assert finance["output"]["amount"] == ticketing["output"]["total_price"]
    assert (count("orders"), count("expenses")) == (1, 1)
    again = invoke(*approval(demo.stdout))
    assert again.exit_code == 5
    assert "it was decided by ivan at " in again.stderr
    assert count("expenses") == 1


def test_the_requester_may_not_approve_the_demo(invoke: Invoke) -> None:
    words = approval(invoke("demo", "--no-graph").stdout)
    words[words.index("ivan")] = "Alice"
    refused = invoke(*words)
    assert refused.exit_code == 5
    assert "somebody else must decide" in refused.stderr
    assert count("expenses") == 0


def test_the_demo_is_read_from_top_to_bottom(invoke: Invoke) -> None:
    done = invoke("demo")
    landmarks = [
        "Book 4 tickets for tonight",
        "| ticketing |",
        "| finance.approval |",
        "→ ticketing started",
        "✓ ticketing succeeded in",
        "? finance waits for a person's approval",
        "What it said",
        "Order 1 is confirmed",
        "Paused: 1 of 2 tasks succeeded.",
        "sqlite:///threads.db",
        "Answer as ivan, alice's manager, here or in any other process:",
        "orchestration approvals approve ",
        "orchestration approvals show ",
        "Try next",
        "orchestration threads show demo-",
    ]
    places = [done.stdout.index(each) for each in landmarks]
    assert places == sorted(places)


def test_the_demo_can_answer_itself(invoke: Invoke) -> None:
    done = invoke("demo", "--approve")
    assert done.exit_code == 0
    landmarks = ["done now in ivan's place", "Expense 1 of $340.00", "Completed: 2 of 2 tasks"]
    places = [done.stdout.index(each) for each in landmarks]
    assert places == sorted(places)
    assert "Answer as" not in done.stdout
    assert (count("orders"), count("expenses")) == (1, 1)


def test_the_demo_answers_itself_in_memory_and_as_json_too(invoke: Invoke) -> None:
    done = invoke("demo", "--approve", "--json", "--database", "memory://")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["status"] == "completed"
    assert count("expenses") == 1


def test_a_demo_in_memory_does_not_say_how_to_answer(invoke: Invoke) -> None:
    done = invoke("demo", "--database", "memory://")
    assert done.exit_code == 0
    assert "kept in memory only" in done.stdout
    assert "orchestration approvals" not in done.stdout


def test_what_the_demo_says_to_try_works(invoke: Invoke) -> None:
    done = invoke("demo", "--no-graph", "--database", "sqlite:///other file.db")
    suggested = commands(done.stdout)
    assert [words[0] for words in suggested] == ["approvals", "approvals", "threads", "agents"]
    tried = [invoke(*words) for words in suggested]
    assert [each.exit_code for each in tried] == [0] * len(tried)
    for shown in tried[:3]:
        assert "Order 1 is confirmed" in shown.stdout.replace("\n", " ")


def test_the_demo_can_be_repeated(invoke: Invoke) -> None:
    assert [invoke("demo", "--json").exit_code for _ in range(3)] == [0, 0, 0]
    assert count("orders") == 3


def test_the_demo_uses_the_built_in_team_whatever_is_configured(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ENDPOINT_VARIABLES.values():
        monkeypatch.setenv(variable, "projects/p/locations/r/endpoints/1")
    demo = invoke("demo")
    assert demo.exit_code == 0
    (line,) = (line for line in demo.stdout.splitlines() if "approvals approve" in line)
    unset = shlex.split(line)[: shlex.split(line).index("orchestration")]
    assert unset[0] == "env"
    for flag, variable in zip(unset[1::2], unset[2::2], strict=True):
        assert flag == "-u"
        monkeypatch.delenv(variable)
    assert invoke(*approval(demo.stdout)).exit_code == 0
    assert count("expenses") == 1
