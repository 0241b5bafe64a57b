from __future__ import annotations

import json
import shlex
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from typer.testing import Result

    Invoke = Callable[..., Result]
    Write = Callable[[dict[str, Any]], str]

EXAMPLE = Path(__file__).parents[4] / "examples" / "purchase_with_approval.yaml"
Ask = Callable[..., str]


@pytest.fixture
def ask(invoke: Invoke, workflow: Write) -> Ask:
    """Run an expense that has to be approved; return the request's id."""

    def asked(thread: str = "t", *more: str, **policy: object) -> str:
        tasks = [
            {"agent_id": "ticketing", "message": "Book 2 tickets for tonight"},
            {
                "agent_id": "finance",
                "input_data": {"action": "log_expense", "amount": 170, "note": "7"},
                "requires_approval": policy or True,
            },
        ]
        done = invoke("run", workflow({"tasks": tasks}), "--thread-id", thread, *more, "--json")
        assert done.exit_code == 4, done.output
        return str(json.loads(done.stdout)["interrupts"][0]["request_id"])

    return asked


def amounts() -> list[int]:
    connection = sqlite3.connect("team.db")
    try:
        return [cents for (cents,) in connection.execute("SELECT amount_cents FROM expenses")]
    finally:
        connection.close()


def flat(text: str) -> str:
    return " ".join(text.split())


def commands(printed: str) -> dict[str, list[str]]:
    """The commands that are suggested, by their verb."""
    lines = [line for line in printed.splitlines() if line.startswith("  orchestration ")]
    found = [shlex.split(line.split("  # ")[0])[1:] for line in lines]
    return {words[1]: words for words in found}


def test_an_empty_inbox_says_so(invoke: Invoke) -> None:
    done = invoke("approvals", "list")
    assert (done.exit_code, done.stdout) == (
        0,
        "Nothing waits for a person in sqlite:///threads.db.\n",
    )


def test_what_waits_is_listed_the_oldest_first_and_page_by_page(invoke: Invoke, ask: Ask) -> None:
    ids = [
        ask("one", "--tenant", "acme", "--user", "alice"),
        ask("two", roles=["manager"], deadline="2h"),
        ask("three", roles=["director"]),
    ]

    def listed(*words: str) -> list[str]:
        done = invoke("approvals", "list", "--json", *words)
        return [request["request_id"] for request in json.loads(done.stdout)]

    assert listed() == ids
    assert listed("--thread", "two") == ids[1:2]
    assert listed("--tenant", "acme") == ids[:1]
    assert listed("--role", "manager") == ids[:2]
    assert listed("--limit", "1", "--after", ids[0][:8]) == ids[1:2]
    table = invoke("approvals", "list", "--limit", "2").stdout
    rows = [line.split()[0] for line in table.splitlines() if "May finance" in line]
    assert rows == [each[:8] for each in ids[:2]]
    assert "1 h 59 min" in table
    assert "alice" in table
    assert invoke(*commands(table)["show"]).exit_code == 0
    assert ids[2][:8] in invoke(*commands(table)["list"]).stdout


def test_a_request_shows_what_a_person_decides_from(invoke: Invoke, ask: Ask) -> None:
    request_id = ask(
        "t",
        "--user",
        "alice",
        "--tenant",
        "acme",
        roles=["manager"],
        quorum=2,
        deadline="2h",
        reminder="30m",
        escalation="1h",
        escalate_to=["director"],
        when="outputs.ticketing.total_price > 1",
    )
    invoke("approvals", "approve", request_id, "--as", "ivan", "--role", "manager")
    shown = invoke("approvals", "show", request_id[:10]).stdout
    for told in (
        "May finance do task 'finance'?",
        "Asked by alice",
        "Tenant acme",
        "who has the role manager, but not alice, who asked for it",
        "2 people must give the same answer, one rejection is enough; 1 so far (ivan: approve)",
        "in 1 h 59 min; it is rejected then",
        "Reminder at",
        "to director",
        "Asked if outputs.ticketing.total_price > 1",
        '"amount": 170',
        "Result of ticketing Order 1 is confirmed",
        "ivan (manager) approve",
        f"orchestration approvals approve {request_id} --role manager # go on",
    ):
        assert told in flat(shown)
    assert commands(shown).keys() == {"approve", "edit", "reject", "respond"}
    document = json.loads(invoke("approvals", "show", request_id, "--json").stdout)
    assert [each["event"] for each in document["history"]] == ["requested", "voted"]
    assert document["votes"] == 1
    assert 0 < document["seconds_left"] < 7200


def test_only_allowed_answers_are_suggested(invoke: Invoke, ask: Ask) -> None:
    shown = invoke("approvals", "show", ask(allowed=["approve", "reject"])).stdout
    assert commands(shown).keys() == {"approve", "reject"}


def test_an_approval_shows_the_runs_result_and_counts_once(invoke: Invoke, ask: Ask) -> None:
    request_id = ask()
    done = invoke("approvals", "approve", request_id[:8], "--as", "ann", "--comment", "fine")
    assert done.exit_code == 0
    assert "Recorded for finance: approve by ann at 20" in done.stdout
    assert "Completed: 2 of 2 tasks succeeded." in done.stdout
    for words in (
        ("approvals", "reject", request_id, "--as", "bob"),
        ("threads", "resume", "t", "--approve", "finance", "--as", "bob"),
    ):
        again = invoke(*words)
        assert again.exit_code == 5
        assert "decided by ann at 20" in again.stderr
    assert amounts() == [17000]
    trail = json.loads(invoke("approvals", "history", request_id, "--json").stdout)
    assert [each["event"] for each in trail] == ["requested", "decided", "applied"]
    assert (trail[1]["actor"], trail[1]["detail"]["comment"]) == ("ann", "fine")
    assert "fine" in invoke("approvals", "history", "--thread", "t").stdout


def test_who_decides_is_by_default_the_user_of_the_system(
    invoke: Invoke, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "zoe")
    request_id = ask("t", "--user", "zoe")
    assert "zoe asked for it" in invoke("approvals", "approve", request_id).stderr
    assert "zoe asked for it" in invoke("threads", "resume", "t", "--approve", "finance").stderr
    monkeypatch.setenv("LOGNAME", "ann")
    done = invoke("approvals", "approve", request_id, "--json")
    assert json.loads(done.stdout)["request"]["decided_by"] == "ann"


def test_a_rejection_ends_the_run_and_keeps_its_reason(invoke: Invoke, ask: Ask) -> None:
    done = invoke("approvals", "reject", ask(), "--message", "too dear", "--as", "ann", "--json")
    assert done.exit_code == 1
    result = json.loads(done.stdout)["result"]
    assert (result["status"], result["tasks"][1]["status"]) == ("rejected", "rejected")
    assert "too dear" in result["tasks"][1]["reason"]
    assert amounts() == []
    shown = flat(invoke("approvals", "show", "--", done_id(done)).stdout)
    assert "reject by ann at 20" in shown
    assert ": too dear" in shown


def done_id(done: Result) -> str:
    return str(json.loads(done.stdout)["request"]["request_id"])


def test_an_edit_shows_what_is_different_and_books_that(invoke: Invoke, ask: Ask) -> None:
    request_id = ask()
    words = ("--set", "amount=120.5", "--set", "note=8", "--as", "ann")
    done = invoke("approvals", "edit", request_id, *words)
    assert done.exit_code == 0
    for line in ('  -  "amount": 170,', '  +  "amount": 120.5,', '  +  "note": "8"'):
        assert line in done.stdout
    assert done.stdout.index("120.5") < done.stdout.index("Recorded for finance: edit by ann")
    assert amounts() == [12050]
    shown = invoke("approvals", "show", request_id).stdout
    assert "Arguments as edited" in shown
    assert '  +  "amount": 120.5,' in shown


def test_all_arguments_can_be_given_as_json(invoke: Invoke, ask: Ask) -> None:
    arguments = json.dumps({"action": "log_expense", "amount": 5})
    assert invoke("approvals", "edit", ask(), "--args", arguments).exit_code == 0
    assert amounts() == [500]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--set", "amount=much"), "amount: 'much' is not of type 'number'"),
        (("--set", "colour=red"), "'colour' was unexpected"),
    ],
)
def test_edits_that_do_not_fit_leave_the_request_open(
    invoke: Invoke, ask: Ask, words: tuple[str, ...], why: str
) -> None:
    request_id = ask()
    refused = invoke("approvals", "edit", request_id, *words)
    assert refused.exit_code == 5
    assert why in refused.stderr
    (still,) = json.loads(invoke("approvals", "list", "--json").stdout)
    assert still["request_id"] == request_id


@pytest.mark.parametrize(
    "words",
    [
        ("edit",),
        ("edit", "--set", "amount"),
        ("edit", "--set", "=5"),
        ("edit", "--set", "amount=170"),
        ("edit", "--args", "[1]"),
        ("respond",),
        ("respond", "--message", ""),
        ("approve", "--as", " "),
    ],
)
def test_wrong_usage_of_an_answer_exits_with_2(
    invoke: Invoke, ask: Ask, words: tuple[str, ...]
) -> None:
    request_id = ask()
    assert invoke("approvals", words[0], request_id, *words[1:]).exit_code == 2
    assert len(json.loads(invoke("approvals", "list", "--json").stdout)) == 1


@pytest.mark.parametrize("words", [(), ("abcd", "--thread", "t")])
def test_a_history_is_of_a_request_or_of_a_thread(invoke: Invoke, words: tuple[str, ...]) -> None:
    assert invoke("approvals", "history", *words).exit_code == 2


def test_somebody_can_do_the_task_instead(invoke: Invoke, ask: Ask) -> None:
    done = invoke("approvals", "respond", ask(), "--message", "booked by hand", "--json")
    assert done.exit_code == 0
    assert "booked by hand" in json.dumps(json.loads(done.stdout)["result"]["tasks"][1]["output"])
    assert amounts() == []


def test_two_people_must_agree_and_the_first_is_told_so(invoke: Invoke, ask: Ask) -> None:
    request_id = ask(quorum=2)
    first = invoke("approvals", "approve", request_id, "--as", "ann")
    assert first.exit_code == 0
    assert "1 answered so far, and 2 must give the same answer" in first.stdout
    twice = invoke("approvals", "approve", request_id, "--as", "Ann")
    assert (twice.exit_code, "answered already" in twice.stderr) == (5, True)
    second = invoke("approvals", "approve", request_id, "--as", "bob", "--json")
    assert (second.exit_code, json.loads(second.stdout)["result"]["status"]) == (0, "completed")


@pytest.mark.parametrize("verb", ["show", "approve", "history"])
@pytest.mark.parametrize(
    ("beginning", "code"), [("", "request_not_found"), ("ffff", "request_not_found")]
)
def test_an_unknown_request_is_refused_with_what_waits(
    invoke: Invoke, ask: Ask, verb: str, beginning: str, code: str
) -> None:
    request_id = ask()
    failed = invoke("approvals", verb, beginning, "--json")
    error = json.loads(failed.stdout)["error"]
    assert (failed.exit_code, error["code"]) == (5, code)
    assert request_id in error["message"]


def test_a_wrong_role_is_refused_with_the_right_ones(invoke: Invoke, ask: Ask) -> None:
    request_id = ask(roles=["manager"])
    words = ("threads", "resume", "t", "--approve", "finance", "--as", "ann")
    for refused in (
        invoke("approvals", "approve", request_id, "--as", "ann", "--role", "clerk"),
        invoke(*words, "--role", "clerk"),
    ):
        assert refused.exit_code == 5
        assert "['clerk']; it takes one of ['manager']" in refused.stderr
    assert invoke(*words, "--role", "clerk", "--role", "manager").exit_code == 0


def test_a_pause_suggests_the_request_with_the_role_it_takes(
    invoke: Invoke, workflow: Write
) -> None:
    task = {"agent_id": "hr", "message": "Who is Bob?", "requires_approval": {"roles": ["boss"]}}
    again = {**task, "task_id": "again"}
    paused = invoke("run", workflow({"tasks": [task, again]}), "--thread-id", "t")
    for _ in range(2):
        suggested = commands(paused.stdout)
        assert suggested.keys() == {"show", "approve", "reject"}
        assert suggested["approve"][3:] == ["--role", "boss"]
        shown = invoke("threads", "show", "t")
        assert commands(shown.stdout) == suggested
        paused = invoke(*suggested["approve"])
    assert paused.exit_code == 0
    assert "Completed: 2 of 2" in paused.stdout


def test_a_sweep_applies_a_deadline_that_passed_while_nobody_ran(invoke: Invoke, ask: Ask) -> None:
    request_id = ask(deadline=0.001)
    assert "over" in invoke("approvals", "list").stdout
    assert "rejected by the next sweep" in flat(invoke("approvals", "show", request_id).stdout)
    late = invoke("approvals", "approve", request_id)
    assert (late.exit_code, "deadline has passed" in late.stderr) == (5, True)
    swept = invoke("approvals", "sweep")
    assert swept.exit_code == 0
    assert f"expired: finance, thread t, request {request_id}" in swept.stdout
    assert "resumed thread t: rejected" in swept.stdout
    assert "reject by the deadline" in flat(invoke("approvals", "show", request_id).stdout)
    assert invoke("approvals", "sweep").stdout == "Nothing was due.\n"
    nothing = json.loads(invoke("approvals", "sweep", "--json").stdout)
    assert nothing == {"due": [], "resumed": [], "reconciled": [], "left": []}


def test_reminders_and_escalations_are_told_once(invoke: Invoke, ask: Ask) -> None:
    request_id = ask(
        roles=["manager"], deadline="1h", reminder=0.001, escalation=0.001, escalate_to=["boss"]
    )
    swept = json.loads(invoke("approvals", "sweep", "--json").stdout)
    assert {each["event"] for each in swept["due"]} == {"reminded", "escalated"}
    assert invoke("approvals", "sweep").stdout == "Nothing was due.\n"
    shown = flat(invoke("approvals", "show", request_id).stdout)
    assert "who has the role manager or boss" in shown
    assert "boss may decide too" in shown


def test_the_example_asks_two_people_about_a_big_order(invoke: Invoke) -> None:
    paused = invoke("run", str(EXAMPLE), "--thread-id", "big-order", "--user", "alice")
    assert paused.exit_code == 4
    request = commands(paused.stdout)["approve"][2]
    answer = ("approvals", "approve", request[:8], "--as")
    assert invoke(*answer, "alice", "--role", "manager").exit_code == 5
    assert invoke(*answer, "ivan", "--role", "manager").exit_code == 0
    assert amounts() == []
    assert invoke(*answer, "frank", "--role", "finance-lead").exit_code == 0
    assert amounts() == [850000]


def test_what_a_process_asked_that_died_before_its_entry_can_be_answered(
    invoke: Invoke, ask: Ask
) -> None:
    request_id = ask()
    connection = sqlite3.connect("threads.db")
    with connection:  # as it stands between the pause's checkpoint and the ledger's entry
        connection.execute("DELETE FROM orchestration_approvals")
        connection.execute("UPDATE orchestration_threads SET status = 'running'")
    connection.close()
    assert json.loads(invoke("approvals", "list", "--json").stdout) == []
    assert commands(invoke("threads", "show", "t").stdout)["approve"][2] == request_id
    assert invoke("approvals", "approve", request_id[:8]).exit_code == 0
    assert amounts() == [17000]
