"""Web applications on loopback sockets, in this loop or in a thread of their own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from starlette.types import ASGIApp

PATIENCE = 20.0
MakeApp = Callable[[str], "ASGIApp"]
"""Makes an application that is reached at a URL."""


class Server(uvicorn.Server):
    """Says when it takes requests."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self.ready_here = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()
        self.ready_here.set()


@asynccontextmanager
async def serving(make_app: MakeApp) -> AsyncIterator[str]:
    """Serve in this loop; yields the URL."""
    with _socket() as listening:
        server, url = _server(make_app, listening)
        task = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            async with asyncio.timeout(PATIENCE):
                await server.ready_here.wait()
            yield url
        finally:
            server.should_exit = True
            await task


@contextmanager
def serving_in_a_thread(make_app: MakeApp) -> Iterator[str]:
    """Serve in a thread; yields the URL."""
    with _socket() as listening:
        server, url = _server(make_app, listening)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])))
        thread.start()
        try:
            assert server.ready.wait(PATIENCE)
            yield url
        finally:
            server.should_exit = True
            thread.join(PATIENCE)
            assert not thread.is_alive()


def free_port() -> int:
    """A port that nothing listens at."""
    with _socket() as once:
        return int(once.getsockname()[1])


@contextlib.contextmanager
def _socket() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def _server(make_app: MakeApp, listening: socket.socket) -> tuple[Server, str]:
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    config = uvicorn.Config(
        make_app(url), log_level="error", ws="none", lifespan="on", timeout_graceful_shutdown=1
    )
    return Server(config), url
