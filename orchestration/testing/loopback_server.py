"""An ASGI application on a port of loopback, in a thread, that can die and return."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Final

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

_PATIENCE: Final = 20.0
_HOST: Final = "127.0.0.1"


class LoopbackServer:
    """Serves an application; one thread and one event loop, however often it dies."""

    def __init__(self, application: Callable[..., Awaitable[None]]) -> None:
        self._application = application
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="loopback-server")
        self._server: uvicorn.Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """Where it listens, without a path; known once it was started."""
        return f"http://{_HOST}:{self._port}"

    def start(self) -> None:
        """Listen on a free port."""
        self._thread.start()
        self.come_back()

    def die(self) -> None:
        """Drop all connections and listen no more."""
        self._run(self._end())

    def come_back(self) -> None:
        """Listen again, on the same port."""
        self._run(self._begin())

    def stop(self) -> None:
        """Die, and end the thread."""
        self._run(self._end())
        self._run(self._cancel_rest())
        self._run(self._loop.shutdown_asyncgens())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)
        self._loop.close()

    def _run(self, work: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE)

    @staticmethod
    async def _cancel_rest() -> None:
        """End what the application left running."""
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        if rest:
            await asyncio.wait(rest, timeout=_PATIENCE / 2)

    async def _begin(self) -> None:
        if self._serving is not None:
            return
        listener = _listening(self._port)
        self._port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._application, lifespan="off", log_config=None, log_level="critical", ws="none"
        )
        self._server = uvicorn.Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]))
        while not self._server.started:  # noqa: ASYNC110  it has no event for that
            await asyncio.sleep(0.001)

    async def _end(self) -> None:
        if self._server is None or self._serving is None:
            return
        for server in self._server.servers:
            server.close()
        for connection in list(self._server.server_state.connections):
            if (transport := getattr(connection, "transport", None)) is not None:
                transport.abort()
        under_way = list(self._server.server_state.tasks)
        for task in under_way:
            task.cancel()
        self._server.should_exit = self._server.force_exit = True
        await self._serving
        await asyncio.gather(*under_way, return_exceptions=True)
        self._server = self._serving = None


def _listening(port: int) -> socket.socket:
    """Listen on a port, which may have been used a moment ago; 0 is a free one.

    The protocol is named so that asyncio knows that it is TCP, and sends small answers at once.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((_HOST, port))
    listener.listen(512)
    return listener


def free_port() -> int:
    """Return a port on which nothing listens now."""
    with socket.socket() as listener:
        listener.bind((_HOST, 0))
        return int(listener.getsockname()[1])
