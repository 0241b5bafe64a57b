"""A process that asks one question many times at once, over a cache that others share.

`cache_worker.py URL FOLDER ASKERS HOW`: the agent notes each call in FOLDER and answers when there
is a file `answer`, or fails when there is a file `fail`. HOW is `ask`, or `cancel` for the first
asker to be cancelled while the agent is called. Prints `ready`, waits for a line, prints `asking`
when all wait, and then as one line of JSON what became of each asker.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from checkpoints.cache_store import ResponseStore
from checkpoints.cache_values import Claim
from checkpoints.response_caches import open_cache
from nodes.caching.response_cache import ResponseCache
from state.cache_key import Asked, cache_key
from state.caching import CachePolicy
from state.errors import AgentUnavailableError
from state.jsonvalue import JsonObject

LEASE_SECONDS = 1.0
POLICY = CachePolicy().document()
KEY = cache_key({"question": "weather?"}, Asked(agent_id="weather", version="1"))


class Agent:
    """Answers, or fails, when its test says so."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def __call__(self) -> JsonObject:
        with (self._folder / "calls.txt").open("a") as notes:
            notes.write(f"{os.getpid()}\n")
        while not (self._folder / "answer").exists():
            if (self._folder / "fail").exists():
                raise AgentUnavailableError("the weather is out", retry_after=7.0)
            await asyncio.sleep(0.01)
        return {"content": "sunny", "by": os.getpid()}

    async def is_called(self) -> None:
        while not (self._folder / "calls.txt").exists():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def asked(cache: ResponseCache, agent: Agent) -> list[str]:
    try:
        found = await cache.answer(KEY, agent, policy=POLICY)
    except asyncio.CancelledError:
        return ["cancelled"]
    except Exception as error:  # noqa: BLE001  whatever reaches an asker is what is tested
        return ["error", repr(error), str(getattr(error, "retry_after", None))]
    return [found.verdict["verdict"], str(found.reply["by"])]


class Watched(ResponseCache):
    """A cache that knows how many wait for a call that somebody has claimed."""

    def __init__(self, store: ResponseStore) -> None:
        super().__init__(store, lease_seconds=LEASE_SECONDS)
        self._claim, self._has_claimed = store.claim, False
        setattr(store, "claim", self.claim)  # noqa: B010  mypy takes it for a mistake

    async def claim(self, *key: Any, **how: Any) -> Claim:  # noqa: ANN401  handed through
        claim = await self._claim(*key, **how)
        self._has_claimed = True
        return claim

    async def all_wait(self, asking: list[asyncio.Task[list[str]]]) -> None:
        """Return when every asker waits, or has its answer."""
        waiting = 0
        while waiting < sum(not each.done() for each in asking):
            await asyncio.sleep(0.01)
            flights = self._flights._here().values()
            waiting = sum(flight._callers for flight in flights) * self._has_claimed


async def main(url: str, folder: Path, askers: int, *, cancel: bool) -> None:
    store = open_cache(url)
    cache, agent = Watched(store), Agent(folder)
    await store.look((("none",), "none"))
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    asking = [asyncio.create_task(asked(cache, agent)) for _ in range(askers)]
    if cancel:
        await agent.is_called()
        asking[0].cancel()
    await cache.all_wait(asking)
    print("asking", flush=True)
    print(json.dumps(await asyncio.gather(*asking)), flush=True)
    await store.aclose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), cancel="cancel" in sys.argv))
