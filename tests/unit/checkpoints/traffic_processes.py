"""Processes that use the traffic state of one file at the same moment.

Run as a program: `traffic_processes.py FILE write|assign PROCESSES` prints a line for each;
with `note` it prints the key of each call that it has noted, without end.
It imports everything once and forks, as LangGraph takes long to import.
"""

from __future__ import annotations

import asyncio
import os
import sys
from itertools import count
from typing import TYPE_CHECKING, Final

from checkpoints import group_commit, sqlite_saver, sqlite_store, sqlite_threads, traffic_stores
from checkpoints.database import open_database
from checkpoints.traffic import Place, SharedState

if TYPE_CHECKING:
    from checkpoints.traffic import TrafficStore

LOADED: Final = (group_commit, sqlite_saver, sqlite_store, sqlite_threads, traffic_stores)
HERE: Final = Place("ticketing", "2", "eu")
WRITES: Final = 25
ASSIGNMENTS: Final = 40


async def write(traffic: TrafficStore, number: int) -> str:
    """Count up together with the others."""
    known = SharedState(HERE, {"count": 0}, 0, 0.0)
    for _ in range(WRITES):
        while True:
            counted = known.state["count"]
            assert isinstance(counted, int)
            wanted = known._replace(state={"count": counted + 1})
            found = await traffic.write(wanted)
            if found is None:
                known = wanted._replace(revision=wanted.revision + 1)
                break
            known = found
    return f"written {WRITES}"


async def assign(traffic: TrafficStore, number: int) -> str:
    """Give many threads a version; say which they have."""
    return " ".join(
        [await traffic.assign(f"t{each}", "ticketing", f"v{number}") for each in range(ASSIGNMENTS)]
    )


async def note(traffic: TrafficStore) -> None:
    """Note calls until somebody kills this process."""
    for number in count():
        await traffic.note(f"run:{number}", HERE, thread_id="t", token=None)
        print(f"run:{number}", flush=True)


def main(file: str, work: str, processes: int) -> int:
    """Do it in so many processes; return the number of those that failed."""
    if work == "note":
        asyncio.run(note(open_database(f"sqlite:///{file}").traffic))
    open_database(f"sqlite:///{file}").close()
    children = []
    for number in range(processes):
        child = os.fork()
        if child == 0:
            database = open_database(f"sqlite:///{file}")
            line = asyncio.run({"write": write, "assign": assign}[work](database.traffic, number))
            database.close()
            os.write(1, f"{line}\n".encode())
            os._exit(0)
        children.append(child)
    return sum(os.waitpid(child, 0)[1] != 0 for child in children)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
