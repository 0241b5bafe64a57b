from __future__ import annotations

import json
import shlex
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from typer.testing import Result

    Invoke = Callable[..., Result]
    Write = Callable[[dict[str, Any]], str]

EXAMPLES = Path(__file__).parents[4] / "examples"
PURCHASE: dict[str, Any] = {
    "tasks": [
        {"agent_id": "ticketing", "message": "Book 2 tickets for tonight"},
        {"agent_id": "finance", "message": "Approve the expense", "requires_approval": True},
    ]
}


def count(table: str) -> int:
    connection = sqlite3.connect("team.db")
    try:
        (rows,) = connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()  # noqa: S608
    finally:
        connection.close()
    return int(rows)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("purchase.yaml", 0),
        ("purchase_taken_back.yaml", 4),
        ("purchase_with_approval.yaml", 4),
        ("notifications.yaml", 0),
        ("router.json", 0),
    ],
)
def test_each_example_runs_and_can_be_drawn(invoke: Invoke, name: str, code: int) -> None:
    done = invoke("run", str(EXAMPLES / name), "--json")
    assert (done.exit_code, json.loads(done.stdout)["interrupts"] != []) == (code, code == 4)
    drawn = invoke("graph", "draw", str(EXAMPLES / name), "--format", "mermaid")
    assert "graph TD;" in drawn.stdout


def test_a_failed_workflow_exits_with_1(invoke: Invoke, workflow: Write) -> None:
    file = workflow({"tasks": [{"agent_id": "ticketing", "message": "Book 90000 tickets"}]})
    done = invoke("run", file)
    assert done.exit_code == 1
    assert "Failed: 0 of 1 tasks succeeded." in done.stdout
    assert "agent_refused" in done.stdout


def test_a_partial_workflow_exits_with_3(invoke: Invoke, workflow: Write) -> None:
    tasks = [
        {"agent_id": "ticketing", "message": "Book 90000 tickets"},
        {"agent_id": "finance", "message": "What's left in the travel budget?"},
    ]
    done = invoke("run", workflow({"strategy": "parallel", "tasks": tasks}), "--json")
    assert done.exit_code == 3
    assert json.loads(done.stdout)["status"] == "partial"


def test_a_paused_workflow_says_how_to_go_on(invoke: Invoke, workflow: Write) -> None:
    paused = invoke("run", workflow(PURCHASE), "--thread-id", "two words")
    assert paused.exit_code == 4
    (approve,) = (line for line in paused.stdout.splitlines() if "approvals approve" in line)
    done = invoke(*shlex.split(approve.split("  # ")[0])[1:])
    assert done.exit_code == 0
    assert count("expenses") == 1
    again = invoke("threads", "resume", "two words", "--json")
    assert (again.exit_code, json.loads(again.stdout)["status"]) == (0, "completed")
    assert count("expenses") == 1


def test_a_rejection_exits_with_1_and_keeps_its_reason(invoke: Invoke, workflow: Write) -> None:
    invoke("run", workflow(PURCHASE), "--thread-id", "t")
    words = ("threads", "resume", "t", "--reject", "finance", "--message", "too dear")
    done = invoke(*words, "--json")
    assert done.exit_code == 1
    result = json.loads(done.stdout)
    assert (result["status"], result["tasks"][1]["status"]) == ("rejected", "rejected")
    assert "too dear" in result["tasks"][1]["reason"]
    assert count("expenses") == 0


def test_a_rejected_purchase_is_taken_back_and_said_to_be(invoke: Invoke) -> None:
    example = str(EXAMPLES / "purchase_taken_back.yaml")
    assert invoke("run", example, "--thread-id", "t").exit_code == 4
    assert "can be undone by finance" in " ".join(invoke("threads", "show", "t").stdout.split())
    done = invoke("threads", "resume", "t", "--reject", "sales")
    assert done.exit_code == 1
    assert "Rejected: 2 of 3 tasks succeeded. 2 of them undone." in done.stdout
    assert (count("refunds"), count("expense_reversals")) == (1, 1)
    shown = json.loads(invoke("threads", "show", "t", "--json").stdout)
    assert "compensated" in json.dumps(shown)


def test_resuming_without_an_answer_stays_paused(invoke: Invoke, workflow: Write) -> None:
    invoke("run", workflow(PURCHASE), "--thread-id", "t")
    assert invoke("threads", "resume", "t").exit_code == 4


def test_what_was_said_on_a_thread_can_be_read(invoke: Invoke, workflow: Write) -> None:
    invoke("run", workflow(PURCHASE), "--thread-id", "t")
    asked = json.loads(invoke("threads", "messages", "t", "--json").stdout)
    assert [each["sequence"] for each in asked] == [1, 2]
    assert asked[0]["message"] == {"role": "user", "content": "Book 2 tickets for tonight"}
    invoke("threads", "resume", "t", "--approve", "finance")
    readable = invoke("threads", "messages", "t", "--limit", "3").stdout
    assert "Book 2 tickets" not in readable, "only the newest"
    assert ("is confirmed" in readable, "ticketing" in readable) == (True, True)
    page = json.loads(invoke("threads", "messages", "t", "--before", "2", "--json").stdout)
    assert page == asked[:1]
    nothing = invoke("threads", "messages", "t", "--before", "1")
    assert (nothing.exit_code, nothing.stdout) == (0, "No such messages on t.\n")


def test_what_happened_in_a_run_can_be_read_from_any_event_on(
    invoke: Invoke, workflow: Write
) -> None:
    invoke("run", workflow(PURCHASE), "--thread-id", "t")
    told = json.loads(invoke("threads", "events", "t", "--json").stdout)
    assert [each["sequence"] for each in told] == list(range(1, len(told) + 1))
    assert [each["kind"] for each in told[-2:]] == ["approval_requested", "run_finished"]
    invoke("threads", "resume", "t", "--approve", "finance")
    after = str(len(told))
    readable = invoke("threads", "events", "t", "--after", after).stdout
    assert f"{len(told) + 1:>5}  → finance started" in readable
    assert "run_finished completed" in readable
    followed = invoke("threads", "events", "t", "--after", after, "--follow", "--json").stdout
    lines = [json.loads(line) for line in followed.splitlines()]
    assert [each["kind"] for each in lines] == ["task_started", "task_finished", "run_finished"]
    assert "→ ticketing started" in invoke("threads", "events", "t", "--follow").stdout
    nothing = invoke("threads", "events", "t", "--after", str(lines[-1]["sequence"]))
    assert (nothing.exit_code, nothing.stdout) == (0, "No such events on t.\n")
    refused = invoke("threads", "events", "t", "--after", "99", "--json")
    assert json.loads(refused.stdout)["error"]["code"] == "bad_sequence"


def test_a_pause_in_memory_is_not_said_to_be_resumable(invoke: Invoke, workflow: Write) -> None:
    paused = invoke("run", workflow(PURCHASE), "--database", "memory://")
    assert paused.exit_code == 4
    assert "kept in memory only" in paused.stdout
    assert "orchestration approvals" not in paused.stdout


@pytest.mark.parametrize(
    ("words", "code", "name"),
    [
        (("threads", "show", "gone"), 5, "thread_not_found"),
        (("threads", "resume", "gone"), 5, "thread_not_found"),
        (("threads", "messages", "gone"), 5, "thread_not_found"),
        (("threads", "resume", "t", "--approve", "ticketing"), 5, "invalid_decision"),
        (("run", "gone.yaml"), 2, "invalid_file"),
        (("threads", "list", "--database", "mysql://x"), 2, "database_error"),
    ],
)
def test_an_error_is_one_json_document(
    invoke: Invoke, workflow: Write, words: tuple[str, ...], code: int, name: str
) -> None:
    invoke("run", workflow(PURCHASE), "--thread-id", "t")
    failed = invoke(*words, "--json")
    error = json.loads(failed.stdout)["error"]
    assert (failed.exit_code, error["code"]) == (code, name)
    readable = invoke(*words)
    assert (readable.exit_code, readable.stdout) == (code, "")
    assert readable.stderr == f"Error: {error['message']}\n"


def test_a_bad_plan_names_every_problem_and_calls_nobody(invoke: Invoke, workflow: Write) -> None:
    file = workflow(
        {
            "tasks": [
                {"agent_id": "ticketing", "message": "Book 2 tickets"},
                {"agent_id": "nobody", "condition": "1 +", "depends_on": ["later"]},
            ]
        }
    )
    failed = invoke("run", file)
    assert failed.exit_code == 2
    for told in ("nobody", "is not valid CEL", "'later'"):
        assert told in failed.stderr
    assert not Path("team.db").exists()


def test_a_thread_with_unfinished_work_takes_no_new_tasks(invoke: Invoke, workflow: Write) -> None:
    file = workflow(PURCHASE)
    invoke("run", file, "--thread-id", "t")
    again = invoke("run", file, "--thread-id", "t", "--json")
    assert again.exit_code == 5
    assert json.loads(again.stdout)["error"]["code"] == "thread_pending"


@pytest.mark.parametrize(
    "words",
    [
        ("threads", "resume", "t", "--approve", "a", "--reject", "a"),
        ("threads", "resume", "t", "--message", "why"),
        ("threads", "list", "--status", "lost"),
        ("threads", "list", "--limit", "0"),
        ("graph", "draw", "file.yaml", "--format", "png"),
        ("graph", "draw", "file.yaml", "--format", "jpeg"),
        ("run",),
        ("walk",),
    ],
)
def test_wrong_usage_exits_with_2(invoke: Invoke, words: tuple[str, ...]) -> None:
    assert invoke(*words).exit_code == 2


def test_an_unexpected_error_exits_with_70_and_its_traceback(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.agent_registry.get_registry", None)
    failed = invoke("agents", "list", "--json")
    assert failed.exit_code == 70
    assert json.loads(failed.stdout)["error"]["code"] == "unexpected"
    assert "Traceback" in failed.stderr


def test_what_a_traceback_quotes_is_not_acted_on_by_a_terminal(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> None:
        raise RuntimeError("an agent said \x1b]0;title\x07")

    monkeypatch.setattr("orchestration.agent_registry.get_registry", fails)
    failed = invoke("agents", "list")
    assert failed.exit_code == 70
    assert "an agent said" in failed.stderr
    assert "\x1b" not in failed.stderr
    assert "\x07" not in failed.stderr


def test_threads_are_listed_the_last_changed_first(invoke: Invoke, workflow: Write) -> None:
    assert "No threads in sqlite:///threads.db." in invoke("threads", "list").stdout
    assert json.loads(invoke("threads", "list", "--json").stdout) == []
    invoke("run", workflow(PURCHASE), "--thread-id", "first")
    invoke("run", workflow({"tasks": PURCHASE["tasks"][:1]}), "--thread-id", "second")

    def ids(*words: str) -> list[str]:
        done = invoke("threads", "list", "--json", *words)
        return [thread["thread_id"] for thread in json.loads(done.stdout)]

    assert ids() == ["second", "first"]
    assert ids("--limit", "1") == ["second"]
    assert ids("--status", "interrupted") == ["first"]
    assert ids("--status", "failed") == []
    lines = invoke("threads", "list").stdout.splitlines()
    rows = [line.split()[:2] for line in lines if "UTC" in line]
    assert rows == [["second", "completed"], ["first", "interrupted"]]


def test_a_thread_shows_its_plan_and_what_it_waits_for(invoke: Invoke, workflow: Write) -> None:
    content = {"tasks": [dict(task) for task in PURCHASE["tasks"]]}
    content["tasks"][1] |= {
        "condition": "outputs.ticketing.total_price > 1",
        "timeout_seconds": 5,
        "retry": {"max_attempts": 2},
    }
    invoke("run", workflow(content), "--thread-id", "t")
    shown = " ".join(invoke("threads", "show", "t").stdout.split())
    for told in (
        "interrupted",
        "on failure fail_fast",
        "with approval",
        "within 5.0 s",
        "at most 2 attempts",
        "May finance do task 'finance'?",
        "Run by nobody",
        "orchestration approvals approve",
    ):
        assert told in shown
    document = json.loads(invoke("threads", "show", "t", "--json").stdout)
    assert document["plan"]["tasks"]["finance"]["timeout_seconds"] == 5
    assert [task["status"] for task in document["result"]["tasks"]] == ["succeeded", "pending"]
    assert [each["task_id"] for each in document["result"]["interrupts"]] == ["finance"]
    assert document["lease"] is None


def test_a_run_is_given_a_retry_budget(
    invoke: Invoke, workflow: Callable[[dict[str, Any]], str]
) -> None:
    done = invoke("run", workflow(PURCHASE), "--thread-id", "t", "--retry-budget", "2")
    assert done.exit_code == 4
    with closing(sqlite3.connect("threads.db")) as connection:
        budget = "SELECT json_extract(plan, '$.retry_budget') FROM orchestration_threads"
        assert connection.execute(budget).fetchone() == (2,)
    refused = invoke("run", workflow(PURCHASE), "--retry-budget", "-1")
    assert (refused.exit_code, "--retry-budget" in refused.output) == (2, True)
