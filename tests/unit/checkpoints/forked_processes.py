"""Several processes that use one new file at the same moment.

Run as a program: `forked_processes.py FILE WORK PROCESSES` prints what went wrong, one line each.
It imports everything once and forks, as LangGraph takes long to import.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.store.base import BaseStore

from checkpoints import group_commit, sqlite_saver, sqlite_store, sqlite_threads
from checkpoints.database import connect, open_database

LOADED = (group_commit, sqlite_saver, sqlite_store, sqlite_threads)
WRITES = 50


def open_it(file: str, number: int) -> None:
    database = open_database(f"sqlite:///{file}")
    _save(database.checkpointer.put, number, 0)
    database.close()


def write_much(file: str, number: int) -> None:
    database = open_database(f"sqlite:///{file}")
    for step in range(WRITES):
        _save(database.checkpointer.put, number, step)
    database.close()


def use_store(file: str, number: int) -> None:
    database = open_database(f"sqlite:///{file}")
    database.store.put(("n",), str(number), {"n": number})
    found = asyncio.run(database.store.aget(("n",), str(number)))
    assert found is not None
    database.close()


def leave_it_open(file: str, number: int) -> None:
    database = open_database(f"sqlite:///{file}")
    _save(database.checkpointer.put, number, 0)
    database.store.put(("n",), str(number), {"n": number})


def close_amid_a_read(file: str, number: int) -> None:
    """Close the database while a thread still waits inside one of its reads."""
    database = open_database(f"sqlite:///{file}")
    database.store.put(("n",), str(number), {"n": number})
    other = connect(Path(file))
    other.execute("BEGIN IMMEDIATE")
    reading = threading.Thread(target=_read, args=(database.store, number))
    reading.start()
    reading.join(0.1)  # by now it waits for the lock, if reads do
    threading.Timer(0.2, other.execute, args=("ROLLBACK",)).start()
    database.close()
    reading.join(10)
    assert not reading.is_alive()


def _read(store: BaseStore, number: int) -> None:
    with suppress(sqlite3.ProgrammingError):  # closed before it could begin
        store.get(("n",), str(number))


def _save(put: Callable[..., object], number: int, step: int) -> None:
    config: RunnableConfig = {"configurable": {"thread_id": f"t{number}", "checkpoint_ns": ""}}
    put(config, {**empty_checkpoint(), "id": f"{step:06}"}, {"step": step}, {})


WORK = {
    "open": open_it,
    "write": write_much,
    "store": use_store,
    "leave": leave_it_open,
    "close": close_amid_a_read,
}


def child(start: int, file: str, work: str, number: int) -> None:
    os.read(start, 1)
    try:
        WORK[work](file, number)
    except BaseException:  # noqa: BLE001  it would go on as a second parent
        print(traceback.format_exc().replace("\n", " | "), flush=True)
        os._exit(1)
    if work == "leave":
        raise SystemExit(0)  # the interpreter's own way out, with the writer still running
    os._exit(0)


def main(file: str, work: str, processes: int) -> None:
    assert threading.active_count() == 1, "threads do not survive a fork"
    start, go = os.pipe()
    children = []
    for number in range(processes):
        if (pid := os.fork()) == 0:
            child(start, file, work, number)
        children.append(pid)
    os.write(go, b"x" * processes)
    for pid in children:
        if code := os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
            print(f"a process ended with {code}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
