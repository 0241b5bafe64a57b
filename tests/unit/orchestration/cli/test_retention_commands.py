from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from checkpoints.database import open_database
from checkpoints.encryption import KEY_VARIABLE

if TYPE_CHECKING:
    from typer.testing import Result

    Invoke = Callable[..., Result]
    Write = Callable[[dict[str, Any]], str]

BOOKING = {"agent_id": "ticketing", "message": "Book 2 tickets for tonight"}
EXPENSE = {"agent_id": "finance", "message": "Approve the expense", "requires_approval": True}
RETENTION = ["prune", "copy", "delete", "expire", "vacuum"]


def result_of(invoke: Invoke, *words: str) -> Any:  # noqa: ANN401
    done = invoke("threads", *words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def error_of(invoke: Invoke, *words: str) -> tuple[int, str]:
    done = invoke("threads", *words, "--json")
    return done.exit_code, json.loads(done.stdout)["error"]["code"]


@pytest.fixture
def finished(invoke: Invoke, workflow: Write) -> str:
    invoke("run", workflow({"tasks": [BOOKING]}), "--thread-id", "done")
    return "done"


@pytest.fixture
def paused(invoke: Invoke, workflow: Write) -> str:
    invoke("run", workflow({"tasks": [BOOKING, EXPENSE]}), "--thread-id", "waiting")
    return "waiting"


def test_prune_tells_what_it_removed_and_the_thread_goes_on(invoke: Invoke, paused: str) -> None:
    removed = result_of(invoke, "prune", paused)
    assert removed["checkpoints"] >= 1
    assert removed["writes"] >= 1
    assert removed["threads"] == []
    assert "Removed 0 checkpoints, 0 writes." in invoke("threads", "prune", "--all").stdout
    done = invoke("threads", "resume", paused, "--approve", "finance", "--json")
    assert (done.exit_code, json.loads(done.stdout)["status"]) == (0, "completed")


def test_prune_keeps_as_many_as_it_is_told(invoke: Invoke, paused: str) -> None:
    assert result_of(invoke, "prune", paused, "--keep", "100")["checkpoints"] == 0
    first = result_of(invoke, "prune", paused, "--keep", "2")["checkpoints"]
    assert result_of(invoke, "prune", "--all", "--keep", "1")["checkpoints"] == 1
    assert first >= 1


def test_a_copy_shows_the_same_result(invoke: Invoke, finished: str) -> None:
    copied = result_of(invoke, "copy", finished, "other")
    assert copied["thread_id"] == "other"
    assert copied["checkpoints"] >= 1
    one, other = (result_of(invoke, "show", each)["result"] for each in (finished, "other"))
    assert {**other, "thread_id": finished} == one
    assert error_of(invoke, "copy", finished, "other") == (5, "retention_refused")


def test_a_finished_thread_is_deleted(invoke: Invoke, finished: str) -> None:
    said = invoke("threads", "delete", finished)
    assert said.exit_code == 0
    assert said.stdout.startswith("Deleted done: ")
    assert error_of(invoke, "show", finished) == (5, "thread_not_found")
    assert result_of(invoke, "list") == []


def test_a_thread_that_waits_is_deleted_by_force_only(invoke: Invoke, paused: str) -> None:
    refused = invoke("threads", "delete", paused)
    assert refused.exit_code == 5
    assert "has not finished" in refused.stderr
    assert "--force" in refused.stderr
    assert error_of(invoke, "copy", paused, "other") == (5, "retention_refused")
    assert result_of(invoke, "delete", paused, "--force")["threads"] == [paused]


def test_a_busy_thread_is_never_deleted(invoke: Invoke, paused: str) -> None:
    async def take() -> None:
        database = open_database()
        await database.threads.resume(paused, holder="somebody", seconds=60)
        database.close()

    asyncio.run(take())
    for words in (["delete", paused], ["delete", paused, "--force"], ["prune", paused]):
        assert error_of(invoke, *words) == (5, "thread_busy")
    assert result_of(invoke, "prune", "--all")["checkpoints"] == 0


def test_a_finished_thread_expires_and_a_waiting_one_does_not(
    invoke: Invoke, finished: str, paused: str
) -> None:
    assert result_of(invoke, "expire", finished, "--after", "1s") == {
        "thread_id": finished,
        "expires_after_seconds": 1.0,
    }
    said = invoke("threads", "expire", paused, "--after", "1s").stdout
    assert said == "waiting is deleted 1s after it has finished.\n"

    async def later() -> tuple[str, ...]:
        database = open_database()
        swept = await database.retention.sweep(now=time.time() + 2)
        database.close()
        return swept.thread_ids

    assert asyncio.run(later()) == (finished,)
    assert [each["thread_id"] for each in result_of(invoke, "list")] == [paused]


def test_expire_deletes_only_what_is_due(invoke: Invoke, finished: str) -> None:
    assert result_of(invoke, "expire", "--older-than", "4w")["threads"] == []
    assert "Threads deleted: none." in invoke("threads", "expire").stdout
    assert "is kept" in invoke("threads", "expire", finished, "--never").stdout


def test_vacuum_tells_the_sizes(invoke: Invoke, finished: str) -> None:
    done = result_of(invoke, "vacuum")
    assert done["kind"] == "incremental"
    assert done["bytes_before"] >= done["bytes_after"] > 0
    assert result_of(invoke, "vacuum", "--full")["kind"] == "full"
    assert "MB before" in invoke("threads", "vacuum").stdout
    in_memory = invoke("threads", "vacuum", "--database", "memory://")
    assert in_memory.stdout == "There is no file.\n"


@pytest.mark.parametrize(
    "words",
    [
        ["prune"],
        ["prune", "t", "--all"],
        ["prune", "t", "--keep", "0"],
        ["expire", "t"],
        ["expire", "t", "--after", "1d", "--never"],
        ["expire", "t", "--after", "soon"],
        ["expire", "--after", "1d"],
        ["expire", "--never"],
        ["expire", "t", "--older-than", "1d"],
    ],
)
def test_what_makes_no_sense_is_wrong_usage(invoke: Invoke, words: list[str]) -> None:
    assert invoke("threads", *words).exit_code == 2


@pytest.mark.parametrize(
    "words", [["prune", "x"], ["copy", "x", "y"], ["delete", "x"], ["expire", "x", "--after", "1d"]]
)
def test_an_unknown_thread_is_said_to_be_unknown(invoke: Invoke, words: list[str]) -> None:
    assert error_of(invoke, *words) == (5, "thread_not_found")


@pytest.mark.parametrize("name", RETENTION)
def test_each_command_has_help_with_its_exit_codes(invoke: Invoke, name: str) -> None:
    shown = invoke("threads", name, "--help")
    assert shown.exit_code == 0
    assert "Exit codes" in shown.stdout


def test_a_key_in_the_environment_encrypts_and_a_wrong_one_is_bad_input(
    invoke: Invoke, workflow: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "ab" * 32)
    invoke("run", workflow({"tasks": [BOOKING]}), "--thread-id", "done")
    assert len(result_of(invoke, "list")) == 1
    for key, code in (("cd" * 32, "encryption_error"), ("hunter2", "invalid_configuration")):
        monkeypatch.setenv(KEY_VARIABLE, key)
        assert error_of(invoke, "list") == (2, code)
    monkeypatch.delenv(KEY_VARIABLE)
    assert error_of(invoke, "list") == (2, "encryption_error")
