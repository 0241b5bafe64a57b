from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from checkpoints.database import connect

PROGRAM = Path(__file__).with_name("forked_processes.py")


def complaints(file: Path, work: str, processes: int) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(PROGRAM), str(file), work, str(processes)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def count(file: Path, table: str) -> int:
    with closing(connect(file)) as connection:
        (number,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
        return int(number)


@pytest.mark.parametrize(
    ("work", "processes", "table", "rows"),
    [
        pytest.param("open", 8, "checkpoints", 8, id="open a new file"),
        pytest.param("write", 4, "checkpoints", 200, id="write"),
        pytest.param("store", 6, "store", 6, id="set up the store"),
    ],
)
def test_processes_that_use_one_file_at_once_do_not_lock_each_other_out(
    file: Path, work: str, processes: int, table: str, rows: int
) -> None:
    assert complaints(file, work, processes) == []
    assert count(file, table) == rows


def test_a_process_that_does_not_close_its_database_ends_all_the_same(file: Path) -> None:
    assert complaints(file, "leave", 2) == []
    assert (count(file, "checkpoints"), count(file, "store")) == (2, 2)


def test_closing_a_database_while_a_thread_reads_it_does_not_kill_the_process(file: Path) -> None:
    assert complaints(file, "close", 1) == []
