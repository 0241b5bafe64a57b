"""`orchestration batch`: a workflow for each line of a file."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import Result

from orchestration.cli.exit_codes import ExitCode

Process = Callable[..., subprocess.CompletedProcess[str]]
Invoke = Callable[..., Result]
Write = Callable[[dict[str, Any]], str]
DRIVER = Path(__file__).with_name("cli_process.py")
ORDER: dict[str, Any] = {
    "name": "order",
    "version": "1",
    "parameters": {
        "type": "object",
        "properties": {"seats": {"type": "integer"}, "approve": {"type": "boolean"}},
        "required": ["seats"],
        "additionalProperties": False,
    },
    "tasks": [{"agent_id": "buy", "input_from": {"seats": "parameters.seats"}}],
}


def lines(*parameters: object) -> str:
    path = Path("requests.jsonl")
    path.write_text("".join(f"{json.dumps(each)}\n" for each in parameters))
    return str(path)


def calls() -> int:
    return len(Path("calls.txt").read_text().split())


def test_each_line_is_a_run_and_told_again_nothing_runs_twice(
    process: Process, workflow: Write
) -> None:
    words = ("batch", lines({"seats": 1}, {"seats": 2}), "--workflow", workflow(ORDER))
    done = process(*words, "--batch-id", "b", "--json")
    assert done.returncode == ExitCode.COMPLETED, done.stderr
    said = json.loads(done.stdout)
    assert said["counts"] == {"completed": 2}
    assert [each["key"] for each in said["items"]] == ["1", "2"]
    assert [each["thread_id"] for each in said["items"]] == ["b:1", "b:2"]
    seats = [each["result"]["tasks"][0]["output"]["seats"] for each in said["items"]]
    assert seats == [1, 2]
    again = process(*words, "--batch-id", "b")
    assert again.returncode == ExitCode.COMPLETED
    assert "2 requests: 2 completed" in again.stdout
    assert calls() == 2


def test_a_line_that_cannot_run_is_listed_with_its_reason_and_how_to_go_on(
    process: Process, workflow: Write
) -> None:
    file = lines({"seats": "many"}, {"seats": 2})
    done = process("batch", file, "--workflow", workflow(ORDER), "--batch-id", "b")
    assert done.returncode == ExitCode.PARTIAL
    assert "2 requests: 1 completed, 1 error" in done.stdout
    assert "b:1" in done.stdout
    assert "many" in done.stdout
    assert f"batch {file} --workflow" in done.stdout
    assert "--batch-id b" in done.stdout
    assert process("batch", lines({}), "--workflow", workflow(ORDER)).returncode == ExitCode.FAILED


def test_the_lines_are_of_a_tenant_and_for_a_user(process: Process, workflow: Write) -> None:
    budget = {"attempts": 1, "per": "tenant"}
    named = workflow({**ORDER, "budgets": [budget]})
    words = ("batch", lines({"seats": 1}, {"seats": 2}), "--workflow", named, "--batch-id", "b")
    alone = process(*words)
    assert alone.returncode == ExitCode.FAILED
    assert "the run has no tenant" in alone.stdout
    done = process(*words, "--max-concurrency", "1", "--tenant", "acme", "--user", "ann")
    assert done.returncode == ExitCode.PARTIAL
    assert "the tenant has used 1 of 1 calls" in " ".join(done.stdout.split())
    assert "--batch-id b --user ann --tenant acme" in done.stdout
    assert calls() == 1


def test_what_waits_for_a_person_is_listed(process: Process, workflow: Write) -> None:
    tasks = [{"agent_id": "buy", "requires_approval": True}]
    words = ("batch", lines({"seats": 1}), "--workflow", workflow({**ORDER, "tasks": tasks}))
    done = process(*words, "--batch-id", "b")
    assert done.returncode == ExitCode.PAUSED
    assert "waits: buy" in done.stdout
    approved = process("threads", "resume", "b:1", "--approve", "buy")
    assert approved.returncode == ExitCode.COMPLETED
    assert process(*words, "--batch-id", "b").returncode == ExitCode.COMPLETED
    assert calls() == 1


def test_bad_lines_are_all_named_before_anything_runs(process: Process, workflow: Write) -> None:
    file = lines({"seats": 1}, [1])
    with Path(file).open("a") as more:
        more.write("\n{bad\n" + '{"a":' * 100_000 + "\n")
    done = process("batch", file, "--workflow", workflow(ORDER), "--json")
    assert done.returncode == ExitCode.BAD_INPUT
    message = json.loads(done.stdout)["error"]["message"]
    assert "requests.jsonl:2:1: is no JSON object" in message
    assert "requests.jsonl:4:1: is no JSON" in message
    assert "requests.jsonl:5:1: is nested too deep" in message
    assert not Path("calls.txt").exists()


def test_only_line_feeds_end_lines(process: Process, workflow: Write) -> None:
    name = "\u2028\x85{}\u2029"
    order = json.loads(json.dumps(ORDER))
    order["parameters"]["properties"]["name"] = {"type": "string"}
    Path("requests.jsonl").write_text(
        json.dumps({"seats": 1, "name": name}, ensure_ascii=False), encoding="utf-8"
    )
    done = process("batch", "requests.jsonl", "--workflow", workflow(order), "--json")
    assert done.returncode == ExitCode.COMPLETED, done.stdout
    assert json.loads(done.stdout)["counts"] == {"completed": 1}


def test_a_file_that_is_no_text_is_refused(process: Process, workflow: Write) -> None:
    Path("requests.jsonl").write_bytes(b"\xff\xfe")
    done = process("batch", "requests.jsonl", "--workflow", workflow(ORDER), "--json")
    assert done.returncode == ExitCode.BAD_INPUT
    assert "cannot be read" in json.loads(done.stdout)["error"]["message"]


def test_an_empty_file_is_an_empty_batch(process: Process, workflow: Write) -> None:
    done = process("batch", lines(), "--workflow", workflow(ORDER), "--database", "memory://")
    assert (done.returncode, done.stdout) == (ExitCode.COMPLETED, "0 requests: none\n")


def test_ctrl_c_says_how_to_go_on_and_that_does(process: Process, workflow: Write) -> None:
    tasks = [{"agent_id": "buy"}, {"agent_id": "hold"}]
    file, order = lines({"seats": 1}, {"seats": 2}), workflow({**ORDER, "tasks": tasks})
    words = ("batch", file, "--workflow", order, "--batch-id", "b", "--max-concurrency", "1")
    running = subprocess.Popen(
        [sys.executable, str(DRIVER), *words], stderr=subprocess.PIPE, text=True
    )
    waited_until = time.monotonic() + 60
    while not Path("held").exists():
        assert time.monotonic() < waited_until
        time.sleep(0.02)  # a file has no event
    running.send_signal(signal.SIGINT)
    said = running.communicate(timeout=60)[1]
    assert running.returncode == ExitCode.STOPPED
    assert f"batch {file} --workflow" in said
    assert "--batch-id b" in said
    Path("open").touch()
    done = process(*words, "--json")
    assert json.loads(done.stdout)["counts"] == {"completed": 2}
    assert Counter(Path("calls.txt").read_text().split()) == {"buy": 2}


def test_on_a_terminal_a_bar_shows_how_far_it_is(
    invoke: Invoke, workflow: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = io.StringIO()
    terminal = Console(file=shown, force_terminal=True, width=80)
    monkeypatch.setattr("orchestration.cli.batch.console", lambda **_: terminal)
    asked = {"messages": [{"role": "user", "content": "Which events are there?"}]}
    tasks = [{"agent_id": "ticketing", "input_data": asked}]
    order = workflow({**ORDER, "tasks": tasks})
    done = invoke("batch", lines({"seats": 1}, {"seats": 2}), "--workflow", order)
    assert done.exit_code == ExitCode.COMPLETED, shown.getvalue()
    assert "2/2" in shown.getvalue()
