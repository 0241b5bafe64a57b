"""Two processes share a cache, a file or a server: one call, whatever happens to who makes it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests.unit.checkpoints.cache_stage import running_valkey, url_of

PROGRAM = Path(__file__).with_name("cache_worker.py")
EACH = 100
PATIENCE_SECONDS = 60


class Worker:
    """One process."""

    def __init__(self, url: str, folder: Path, askers: int = EACH, how: str = "ask") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", str(PROGRAM), url, str(folder), str(askers), how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self) -> str:
        return str(self.process.pid)

    def is_ready(self) -> None:
        assert self._line() == "ready"

    def begin(self) -> None:
        stdin = _open(self.process.stdin)
        stdin.write("go\n")
        stdin.flush()
        assert self._line() == "asking"

    def told(self) -> list[list[str]]:
        said: list[list[str]] = json.loads(self._line())
        return said

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_SECONDS)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_SECONDS)
        _open(self.process.stdin).close()
        _open(self.process.stdout).close()

    def _line(self) -> str:
        return _open(self.process.stdout).readline().strip()


def _open(one: IO[str] | None) -> IO[str]:
    assert one is not None
    return one


@contextmanager
def workers(*made: Worker) -> Iterator[tuple[Worker, ...]]:
    try:
        for each in made:
            each.is_ready()
        yield made
    finally:
        for each in made:
            each.close()


def eventually(happened: Callable[[], bool]) -> None:
    """Wait for what another process does in its own time."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def calls(folder: Path) -> list[str]:
    notes = folder / "calls.txt"
    return notes.read_text().split() if notes.exists() else []


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_valkey() as url:
        yield url


@pytest.fixture(params=["sqlite", "valkey"])
def url(request: pytest.FixtureRequest, tmp_path: Path, server: str) -> str:
    return url_of(request.param, tmp_path, server)


def test_200_askers_in_two_processes_share_one_call(url: str, tmp_path: Path) -> None:
    with workers(Worker(url, tmp_path), Worker(url, tmp_path)) as both:
        for each in both:
            each.begin()
        eventually(lambda: len(calls(tmp_path)) > 0)
        (tmp_path / "answer").touch()
        told = [one for each in both for one in each.told()]
    assert len(calls(tmp_path)) == 1
    (caller,) = calls(tmp_path)
    assert Counter(verdict for verdict, _ in told) == {"miss": 1, "joined": 2 * EACH - 1}
    assert {by for _, by in told} == {caller}


def test_an_error_reaches_all_askers_and_is_not_kept(url: str, tmp_path: Path) -> None:
    with workers(Worker(url, tmp_path), Worker(url, tmp_path), Worker(url, tmp_path, 1)) as all_of:
        *both, later = all_of
        for each in both:
            each.begin()
        eventually(lambda: len(calls(tmp_path)) > 0)
        (tmp_path / "fail").touch()
        told = [one for each in both for one in each.told()]
        assert len(calls(tmp_path)) == 1
        assert Counter(map(tuple, told)) == {
            ("error", "AgentUnavailableError('the weather is out', 7.0)", "7.0"): 2 * EACH
        }
        (tmp_path / "fail").unlink()
        (tmp_path / "answer").touch()
        later.begin()
        assert later.told() == [["miss", later.pid]]
    assert len(calls(tmp_path)) == 2


def test_cancelling_the_first_asker_cancels_nobody_else(url: str, tmp_path: Path) -> None:
    first = Worker(url, tmp_path, how="cancel")
    with workers(first, Worker(url, tmp_path)) as (first, second):
        first.begin()
        second.begin()
        (tmp_path / "answer").touch()
        told = [one for each in (first, second) for one in each.told()]
    assert Counter(one[0] for one in told) == {"cancelled": 1, "joined": 2 * EACH - 1}
    assert calls(tmp_path) == [first.pid]


def test_when_who_calls_is_killed_the_other_process_calls_after_the_lease(
    url: str, tmp_path: Path
) -> None:
    with workers(Worker(url, tmp_path), Worker(url, tmp_path)) as (first, second):
        first.begin()
        eventually(lambda: calls(tmp_path) == [first.pid])
        second.begin()
        first.kill()
        eventually(lambda: calls(tmp_path) == [first.pid, second.pid])
        (tmp_path / "answer").touch()
        told = second.told()
    assert Counter(verdict for verdict, _ in told) == {"miss": 1, "joined": EACH - 1}
    assert {by for _, by in told} == {second.pid}


def test_a_lone_asker_that_is_cancelled_leaves_the_call_to_the_other_process(
    url: str, tmp_path: Path
) -> None:
    first = Worker(url, tmp_path, 1, "cancel")
    with workers(first, Worker(url, tmp_path)) as (first, second):
        first.begin()
        second.begin()
        assert first.told() == [["cancelled"]]
        eventually(lambda: calls(tmp_path) == [first.pid, second.pid])
        (tmp_path / "answer").touch()
        assert {by for _, by in second.told()} == {second.pid}
