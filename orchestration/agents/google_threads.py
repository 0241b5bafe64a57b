"""Calls of `requests` in threads that end when whoever waits for them goes.

Google has no asynchronous REST client for predictions that works without aiohttp, and a thread
that reads from a socket cannot be cancelled; but its socket can be shut.
"""

from __future__ import annotations

import asyncio
import contextvars
import io
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from orchestration.agents.google_errors import LARGEST_REPLY, OversizeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import PreparedRequest, Response

Result = TypeVar("Result")

THREADS: Final = 64
"""Calls that can be under way at once in this process; others wait for their turn."""


class _Line:
    """The socket of one call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._is_cut = False

    def hold(self, used: socket.socket | None) -> None:
        """Note which socket the call waits at."""
        with self._lock:
            self._socket = used
            cut = self._is_cut
        if cut:
            self._shut()

    def cut(self) -> None:
        """End the call, from another thread."""
        with self._lock:
            self._is_cut = True
        self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # it has ended by itself
                self._socket.shutdown(socket.SHUT_RDWR)


_LINE: contextvars.ContextVar[_Line | None] = contextvars.ContextVar("_LINE", default=None)


async def in_thread(function: Callable[[], Result]) -> Result:
    """Call a function in a thread; if its caller is cancelled, its connection is cut.

    Only connections of a `CuttableAdapter` are.
    """
    line = _Line()
    context = contextvars.copy_context()
    context.run(_LINE.set, line)
    loop = asyncio.get_running_loop()
    try:
        return await loop.run_in_executor(_threads(), partial(context.run, function))
    except asyncio.CancelledError:
        line.cut()
        raise


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="orchestration-google")


class _Cuttable:
    """Tells the call that waits which socket it waits at."""

    sock: socket.socket | None

    def getresponse(self) -> Any:  # noqa: ANN401  urllib3's
        if (line := _LINE.get()) is not None:
            line.hold(self.sock)
        return super().getresponse()  # type: ignore[misc]  # of the class that this is mixed into


class _PlainConnection(_Cuttable, HTTPConnection):
    pass


class _SecureConnection(_Cuttable, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class CuttableAdapter(HTTPAdapter):
    """Sends requests over connections that can be cut, and reads no more than it should."""

    def __init__(self) -> None:
        super().__init__(pool_maxsize=THREADS, max_retries=0)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}

    def send(self, request: PreparedRequest, *given: Any, **named: Any) -> Response:  # noqa: ANN401
        """Send a request, and read its response as far as the bound."""
        response = super().send(request, *given, **named)
        body = response.raw.read(LARGEST_REPLY + 1, decode_content=True)
        if len(body) > LARGEST_REPLY:
            response.raw.close()
            raise OversizeError
        response.raw.release_conn()
        response.raw = io.BytesIO(body)
        return response
