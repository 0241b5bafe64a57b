"""The inbox as real processes: one asks, others answer, and each answer counts once."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from orchestration.cli.exit_codes import ExitCode

INSTALLED = Path(sys.executable).with_name("orchestration")
Process = Callable[..., subprocess.CompletedProcess[str]]
Write = Callable[[dict[str, Any]], str]


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)


def expenses() -> list[float]:
    connection = sqlite3.connect("team.db")
    try:
        return [amount for (amount,) in connection.execute("SELECT amount_cents FROM expenses")]
    finally:
        connection.close()


def printed_approval(demo: str) -> list[str]:
    (line,) = (line for line in demo.splitlines() if "approvals approve" in line)
    return shlex.split(line.split("  # ")[0])


def test_a_purchase_approved_by_another_process_is_booked_once() -> None:
    demo = run(INSTALLED, "demo")
    assert demo.returncode == ExitCode.COMPLETED, demo.stderr
    assert expenses() == []
    approval = printed_approval(demo.stdout)  # as it stands, with the program in front
    listed = json.loads(run(INSTALLED, "approvals", "list", "--json").stdout)
    assert [each["request_id"] for each in listed] == [approval[3]]
    approved = run(*approval)
    assert approved.returncode == ExitCode.COMPLETED, approved.stderr
    assert "Completed: 2 of 2 tasks succeeded." in approved.stdout
    again = run(*approval)
    assert again.returncode == ExitCode.THREAD
    assert "it was decided by ivan at 20" in again.stderr
    assert expenses() == [34000]
    assert json.loads(run(INSTALLED, "approvals", "list", "--json").stdout) == []


def test_of_processes_that_answer_at_once_one_wins() -> None:
    request = printed_approval(run(INSTALLED, "demo", "--no-graph").stdout)[3]
    words = (INSTALLED, "approvals", "approve", request, "--role", "manager", "--json", "--as")
    deciders = [
        subprocess.Popen((*words, f"decider {number}"), stdout=subprocess.PIPE, text=True)
        for number in range(4)
    ]
    answers = [json.loads(decider.communicate(timeout=60)[0]) for decider in deciders]
    winners = [answer["request"]["decided_by"] for answer in answers if "request" in answer]
    losers = [answer["error"] for answer in answers if "error" in answer]
    assert len(winners) == 1
    assert {error["code"] for error in losers} == {"already_decided"}
    assert all(f"decided by {winners[0]} at" in error["message"] for error in losers)
    assert sorted(decider.returncode for decider in deciders) == [0, 5, 5, 5]
    assert expenses() == [34000]


BESIDE: dict[str, Any] = {
    "strategy": "parallel",
    "tasks": [
        {"agent_id": "hold", "task_id": "slow"},
        {"agent_id": "buy", "task_id": "wanted", "requires_approval": True},
    ],
}


def test_an_answer_while_another_process_runs_the_thread_is_kept(
    process: Process, workflow: Write
) -> None:
    driver = Path(__file__).with_name("cli_process.py")
    words = (sys.executable, driver, "run", workflow(BESIDE), "--thread-id", "t")
    running = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    try:
        assert any("wanted waits" in line for line in running.stdout)
        (request,) = json.loads(process("approvals", "list", "--json").stdout)
        done = process("approvals", "approve", request["request_id"][:8], "--as", "ann")
        assert done.returncode == ExitCode.COMPLETED, done.stderr
        assert "Recorded for wanted: approve by ann at" in done.stdout
        assert "The run does not go on here: thread 't': " in done.stdout
        shown = process("approvals", "show", request["request_id"]).stdout
        assert "orchestration threads resume t" in shown
        Path("open").touch()
        running.send_signal(signal.SIGINT)
    finally:
        running.communicate(timeout=60)
    resumed = process("threads", "resume", "t", "--wait", "--json")
    assert json.loads(resumed.stdout)["status"] == "completed"
    assert Path("calls.txt").read_text().split() == ["wanted"]


def test_threads_resume_waits_with_its_answer_recorded(process: Process, workflow: Write) -> None:
    driver = Path(__file__).with_name("cli_process.py")
    words = (sys.executable, driver, "run", workflow(BESIDE), "--thread-id", "t")
    running = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    try:
        assert any("wanted waits" in line for line in running.stdout)
        answer = ("threads", "resume", "t", "--approve", "wanted", "--as", "ann")
        busy = process(*answer, "--json")
        assert json.loads(busy.stdout)["error"]["code"] == "thread_busy"
        again = process(*answer, "--wait", "--json")
        assert json.loads(again.stdout)["error"]["code"] == "already_decided"
    finally:
        running.kill()
        running.communicate(timeout=60)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_sweeper_works_until_it_is_told_to_stop(
    process: Process, workflow: Write, number: signal.Signals
) -> None:
    policy = {"deadline": 0.05, "at_deadline": "approve"}
    task = {"agent_id": "buy", "task_id": "wanted", "requires_approval": policy}
    assert process("run", workflow({"tasks": [task]}), "--thread-id", "t").returncode == 4
    driver = Path(__file__).with_name("cli_process.py")
    words = (sys.executable, driver, "approvals", "sweep", "--every", "0.05", "--json")
    sweeper = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert sweeper.stdout is not None
    try:
        swept = next(done for line in sweeper.stdout if (done := json.loads(line))["due"])
        sweeper.send_signal(number)
        _, told = sweeper.communicate(timeout=60)
    finally:
        sweeper.kill()
    assert [each["event"] for each in swept["due"]] == ["expired"]
    assert [each["status"] for each in swept["resumed"]] == ["completed"]
    assert (sweeper.returncode, "Traceback" in told) == (0, False)
    assert Path("calls.txt").read_text().split() == ["wanted"]


def test_a_sweeper_wakes_up_for_what_is_due_before_its_next_sweep(
    process: Process, workflow: Write
) -> None:
    policy = {"deadline": 4, "at_deadline": "approve"}
    task = {"agent_id": "buy", "task_id": "wanted", "requires_approval": policy}
    assert process("run", workflow({"tasks": [task]}), "--thread-id", "t").returncode == 4
    driver = Path(__file__).with_name("cli_process.py")
    words = (sys.executable, driver, "approvals", "sweep", "--every", "3600", "--json")
    sweeper = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert sweeper.stdout is not None
    try:
        swept = next(done for line in sweeper.stdout if (done := json.loads(line))["due"])
    finally:
        sweeper.kill()
        sweeper.communicate(timeout=60)
    assert [each["status"] for each in swept["resumed"]] == ["completed"]


def test_a_sweep_that_lasts_is_finished_unless_told_twice(
    process: Process, workflow: Write
) -> None:
    policy = {"deadline": 0.05, "at_deadline": "approve"}
    tasks = [
        {"agent_id": "buy", "task_id": "first", "requires_approval": policy},
        {"agent_id": "hold", "task_id": "second"},
    ]
    assert process("run", workflow({"tasks": tasks}), "--thread-id", "t").returncode == 4
    driver = Path(__file__).with_name("cli_process.py")
    words = (sys.executable, driver, "approvals", "sweep", "--every", "60")
    sweeper = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    assert sweeper.stderr is not None
    try:
        assert any("Sweeping every" in line for line in sweeper.stderr)
        while not Path("calls.txt").exists():
            assert sweeper.poll() is None
            Event().wait(0.02)
        sweeper.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            sweeper.wait(timeout=2)
        sweeper.send_signal(signal.SIGTERM)
        assert sweeper.wait(timeout=60) == 0
    finally:
        sweeper.kill()
        sweeper.communicate(timeout=60)
    Path("open").touch()
    resumed = process("threads", "resume", "t", "--json")
    assert json.loads(resumed.stdout)["status"] == "completed"
    assert Path("calls.txt").read_text().split() == ["first"]


@pytest.mark.parametrize(
    ("question", "answer", "seat"),
    [
        ("which seat?", "12 C", "12 C"),
        (7, "5", 5),
        ({"which": "\x1b[2Jseat"}, '{"row": 12}', {"row": 12}),
    ],
)
def test_what_an_agent_asks_is_answered_with_text_or_json(
    process: Process, workflow: Write, question: object, answer: str, seat: object
) -> None:
    task = {"agent_id": "choose", "input_data": {"question": question}}
    paused = process("run", workflow({"tasks": [task]}), "--thread-id", "t")
    assert paused.returncode == ExitCode.PAUSED, paused.stderr
    (line,) = (line for line in paused.stdout.splitlines() if "approvals respond" in line)
    request = shlex.split(line)[3]
    shown = process("approvals", "show", request)
    assert "approvals respond" in shown.stdout
    assert "\x1b" not in shown.stdout + process("approvals", "list").stdout
    approved = process("approvals", "approve", request)
    assert approved.returncode == ExitCode.BAD_INPUT
    assert "approvals respond" in " ".join(approved.stderr.split())
    done = process("approvals", "respond", request, "--message", answer, "--json")
    assert done.returncode == ExitCode.COMPLETED, done.stdout
    (result,) = json.loads(done.stdout)["result"]["tasks"]
    assert result["output"]["seat"] == seat


def test_ctrl_c_while_an_approved_run_goes_on_says_how_to_see_it(
    process: Process, workflow: Write
) -> None:
    tasks = [
        {"agent_id": "buy", "task_id": "first", "requires_approval": True},
        {"agent_id": "hold", "task_id": "second"},
    ]
    process("run", workflow({"tasks": tasks}), "--thread-id", "t")
    (request,) = json.loads(process("approvals", "list", "--json").stdout)
    driver = Path(__file__).with_name("cli_process.py")
    words = (sys.executable, driver, "approvals", "approve", request["request_id"])
    approving = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    try:
        while not Path("held").exists():  # so the first is in a checkpoint
            assert approving.poll() is None
            Event().wait(0.02)
        approving.send_signal(signal.SIGINT)
        _, told = approving.communicate(timeout=60)
    finally:
        approving.kill()
    assert approving.returncode == ExitCode.STOPPED
    assert f"orchestration approvals show {request['request_id']}" in told
    assert "orchestration threads resume t" in told
    assert "Traceback" not in told
    Path("open").touch()
    resumed = process("threads", "resume", "t", "--json")
    assert json.loads(resumed.stdout)["status"] == "completed"
    assert Path("calls.txt").read_text().split() == ["first"]


def test_an_answer_survives_the_kill_of_the_process_that_gave_it(
    process: Process, workflow: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATION_LEASE_SECONDS", "2")
    tasks = [
        {"agent_id": "buy", "task_id": "first", "requires_approval": True},
        {"agent_id": "hold", "task_id": "second"},
    ]
    process("run", workflow({"tasks": tasks}), "--thread-id", "t")
    (request,) = json.loads(process("approvals", "list", "--json").stdout)
    driver = Path(__file__).with_name("cli_process.py")
    answer = ("approvals", "approve", request["request_id"], "--as", "ann")
    approving = subprocess.Popen((sys.executable, driver, *answer))
    try:
        while not Path("calls.txt").exists():
            assert approving.poll() is None
            Event().wait(0.02)
    finally:
        approving.kill()
        approving.wait(timeout=60)
    again = process(*answer)
    assert (again.returncode, "decided by ann at" in again.stderr) == (ExitCode.THREAD, True)
    Path("open").touch()
    resumed = process("threads", "resume", "t", "--wait", "--json")
    assert json.loads(resumed.stdout)["status"] == "completed"
    assert set(Path("calls.txt").read_text().split()) == {"first"}


def test_a_program_off_the_path_is_suggested_as_it_was_called() -> None:
    elsewhere = {**os.environ, "PATH": "/nowhere"}
    done = subprocess.run(
        [INSTALLED, "demo", "--no-graph"],
        capture_output=True, text=True, check=False, timeout=60, env=elsewhere,
    )  # fmt: skip
    assert printed_approval(done.stdout)[0] == str(INSTALLED)
