"""Two hundred workflows in two processes that ask the same at once make one call."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.checkpoints.cache_stage import running_valkey

WORKER = Path(__file__).with_name("asking_worker.py")
EACH = 100


@pytest.fixture(params=["sqlite", "valkey"])
def cache_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'cache.db'}"
        return
    with running_valkey() as url:
        yield url


async def start(cache_url: str, log: Path) -> asyncio.subprocess.Process:
    worker = await asyncio.create_subprocess_exec(
        sys.executable,
        *(str(WORKER), cache_url, str(log), str(EACH)),
        cwd=WORKER.parents[2],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert worker.stdout is not None
    assert await worker.stdout.readline() == b"ready\n"
    return worker


async def test_they_make_one_call_though_the_first_of_each_is_cancelled(
    cache_url: str, tmp_path: Path
) -> None:
    log = tmp_path / "calls"
    async with asyncio.timeout(60):
        workers = [await start(cache_url, log) for _ in range(2)]
        done = await asyncio.gather(*(worker.communicate(b"go\n") for worker in workers))
    assert [worker.returncode for worker in workers] == [0, 0], done
    assert log.read_text() == "call\n"
    for output, _ in done:
        said: dict[str, Any] = json.loads(output)
        assert said["first_cancelled"]
        assert said["answers"] == ["At seven."] * (EACH - 1)
        assert set(said["verdicts"]) <= {"miss", "joined", "hit"}
