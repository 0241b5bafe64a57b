"""The command line as real processes: what others see, and what survives a kill."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestration.cli.exit_codes import ExitCode

DRIVER = Path(__file__).with_name("cli_process.py")
Process = Callable[..., subprocess.CompletedProcess[str]]
Write = Callable[[dict[str, Any]], str]
HELD: dict[str, Any] = {
    "tasks": [
        {"agent_id": "buy", "task_id": "first"},
        {"agent_id": "hold", "task_id": "second"},
        {"agent_id": "buy", "task_id": "third"},
    ]
}


@contextmanager
def held_run(file: str, *more: str) -> Iterator[subprocess.Popen[str]]:
    """Start a run and wait until its second task has begun, which never ends."""
    words = (sys.executable, str(DRIVER), "run", file, "--thread-id", "held", *more)
    started = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert started.stdout is not None
    assert started.stderr is not None
    progress = started.stderr if "--json" in more else started.stdout
    try:
        assert any("second started" in line for line in progress)
        yield started
    finally:
        started.kill()
        started.communicate()


def calls() -> Counter[str]:
    return Counter(Path("calls.txt").read_text().split())


@pytest.mark.parametrize("killed", [True, False], ids=["kill -9", "while it runs"])
def test_a_run_is_resumed_by_another_process(
    process: Process, workflow: Write, monkeypatch: pytest.MonkeyPatch, *, killed: bool
) -> None:
    monkeypatch.setenv("ORCHESTRATION_LEASE_SECONDS", "2")
    with held_run(workflow(HELD)) as run:
        busy = process("threads", "resume", "held", "--json")
        assert busy.returncode == ExitCode.THREAD
        assert json.loads(busy.stdout)["error"]["code"] == "thread_busy"
        shown = json.loads(process("threads", "show", "held", "--json").stdout)
        assert (shown["status"], shown["lease"]["held"]) == ("running", True)
        run.send_signal(signal.SIGKILL if killed else signal.SIGINT)
        run.wait(timeout=30)
    Path("open").touch()
    resumed = process("threads", "resume", "held", "--wait", "--json")
    assert resumed.returncode == ExitCode.COMPLETED, resumed.stderr
    assert json.loads(resumed.stdout)["status"] == "completed"
    assert calls() == {"first": 1, "third": 1}


def test_a_killed_run_is_shown_as_unfinished(
    process: Process, workflow: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATION_LEASE_SECONDS", "0.5")
    with held_run(workflow(HELD)) as run:
        run.kill()
        run.wait(timeout=30)
    shown = process("threads", "show", "held").stdout  # takes longer to start than the lease
    assert "unfinished" in shown
    assert "orchestration threads resume held" in shown


def test_ctrl_c_says_how_to_go_on(process: Process, workflow: Write) -> None:
    with held_run(workflow(HELD)) as run:
        run.send_signal(signal.SIGINT)
        _, told = run.communicate(timeout=30)
        assert run.returncode == ExitCode.STOPPED
    assert "orchestration threads resume held" in told
    assert "Traceback" not in told
    Path("open").touch()
    resumed = process("threads", "resume", "held")
    assert resumed.returncode == ExitCode.COMPLETED
    assert calls() == {"first": 1, "third": 1}


def test_ctrl_c_is_one_json_document_too(workflow: Write) -> None:
    with held_run(workflow(HELD), "--json") as run:
        run.send_signal(signal.SIGINT)
        printed, _ = run.communicate(timeout=30)
    error = json.loads(printed)["error"]
    assert (error["code"], error["thread_id"]) == ("stopped", "held")
    assert run.returncode == ExitCode.STOPPED


def test_sigterm_stops_after_the_call_under_way_with_exit_code_0_and_the_rest_is_resumed(
    process: Process, workflow: Write
) -> None:
    tasks = [*HELD["tasks"]]
    tasks[1] = {"agent_id": "linger", "task_id": "second"}
    with held_run(workflow({"tasks": tasks})) as run:
        run.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            run.wait(timeout=0.5)  # the call under way is awaited
        Path("open").touch()
        _, told = run.communicate(timeout=30)
    assert run.returncode == ExitCode.COMPLETED
    assert "stopped at a checkpoint" in told
    assert calls() == {"first": 1}
    resumed = process("threads", "resume", "held")
    assert resumed.returncode == ExitCode.COMPLETED, resumed.stderr
    assert calls() == {"first": 1, "third": 1}


def test_a_run_is_looked_back_on_forked_replayed_and_cancelled(
    process: Process, workflow: Write
) -> None:
    tasks = [
        {"agent_id": "buy", "task_id": "first"},
        {"agent_id": "buy", "task_id": "second", "requires_approval": True},
    ]
    file = workflow({"tasks": tasks})
    assert process("run", file, "--thread-id", "t").returncode == ExitCode.PAUSED
    moments = json.loads(process("threads", "history", "t", "--json").stdout)
    assert moments[0]["outcomes"] == {"first": "succeeded"}
    assert moments[0]["asks"] == ["second"]
    forked = process("threads", "fork", "t", "--as", "u", "--input", 'second={"seats": 3}')
    assert "Made thread u" in forked.stdout
    assert process("threads", "resume", "u").returncode == ExitCode.PAUSED
    own = process("threads", "resume", "u", "--approve", "second")
    assert own.returncode == ExitCode.THREAD  # whoever changed the input asked for it
    assert process("threads", "resume", "u", "--approve", "second", "--as", "ann").returncode == 0
    assert process("threads", "replay", "t").returncode == ExitCode.PAUSED
    cancelled = process("threads", "cancel", "t", "--reason", "enough", "--json")
    assert json.loads(cancelled.stdout)["status"] == "cancelled"
    assert process("threads", "cancel", "t").returncode == ExitCode.THREAD
    assert process("threads", "fork", "t", "--input", "second=3").returncode == ExitCode.BAD_INPUT
    assert calls() == {"first": 1, "second": 1}


def test_resume_waits_while_somebody_runs_the_thread(workflow: Write) -> None:
    with held_run(workflow(HELD)) as run:
        words = (sys.executable, str(DRIVER), "threads", "resume", "held", "--wait", "--json")
        waiting = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(timeout=6)
        Path("open").touch()
        run.send_signal(signal.SIGINT)
        printed, _ = waiting.communicate(timeout=60)
    assert waiting.returncode == ExitCode.COMPLETED
    assert json.loads(printed)["status"] == "completed"


def test_an_agent_cannot_control_the_terminal(process: Process, workflow: Write) -> None:
    file = workflow({"tasks": [{"agent_id": "shout"}]})
    done = process("run", file, "--thread-id", "\x1b[2Jt")
    shown = process("threads", "show", "\x1b[2Jt")
    for printed in (done.stdout, done.stderr, shown.stdout):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", printed)
    assert "[bold]not markup[/bold]" in done.stdout


def test_output_that_lacks_letters_still_prints(
    process: Process, workflow: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = process("run", workflow({"tasks": [{"agent_id": "buy"}]}))
    assert done.returncode == ExitCode.COMPLETED
    assert "Completed: 1 of 1 tasks succeeded." in done.stdout


def test_a_closed_pipe_is_no_traceback(process: Process, workflow: Write) -> None:
    for number in range(3):
        process("run", workflow({"tasks": [{"agent_id": "buy"}]}), "--thread-id", f"t{number}")
    reading, writing = os.pipe()
    os.close(reading)
    words = (sys.executable, str(DRIVER), "threads", "list")
    done = subprocess.run(
        words, stdout=writing, stderr=subprocess.PIPE, text=True, check=False, timeout=60
    )
    os.close(writing)
    assert "Traceback" not in done.stderr


def test_the_installed_command_gives_piped_output_without_escape_codes() -> None:
    installed = Path(sys.executable).with_name("orchestration")
    done = subprocess.run([installed, "demo"], capture_output=True, check=False, timeout=60)
    assert done.returncode == ExitCode.COMPLETED
    assert b"\x1b" not in done.stdout + done.stderr
    assert b"\r" not in done.stdout


def test_json_output_is_all_there_is_on_stdout() -> None:
    installed = Path(sys.executable).with_name("orchestration")
    done = subprocess.run(
        [installed, "demo", "--json"], capture_output=True, check=False, timeout=60
    )
    assert json.loads(done.stdout)["status"] == "interrupted"
    assert b"ticketing succeeded" in done.stderr


HEAVY = ("langgraph", "langchain_core", "yaml", "asyncio", "sqlite3", "graph.planner")


@pytest.mark.parametrize(
    ("words", "heavy"),
    [
        (["--help"], (*HEAVY, "pydantic")),
        (["run", "--help"], HEAVY),  # Typer reads a command's arguments with pydantic
        (["threads", "resume", "--help"], HEAVY),
        (["approvals", "approve", "--help"], HEAVY),
        (["approvals", "sweep", "--help"], HEAVY),
    ],
)
def test_help_loads_nothing_heavy(words: list[str], heavy: tuple[str, ...]) -> None:
    code = f"""
import sys
from orchestration.cli import main
sys.argv = ["orchestration", *{words!r}]
try:
    main()
finally:
    print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr.strip() == "[]"
    assert "Usage: orchestration" in done.stdout
