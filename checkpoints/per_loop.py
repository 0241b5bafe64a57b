"""One client for each event loop, since most libraries tie a client to the loop it began in."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Generic, TypeVar
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

Client = TypeVar("Client")

_LONGEST_CLOSE: Final = 5.0
"""Seconds that another loop may take to close its client."""


class PerLoop(Generic[Client]):
    """Makes a client when a loop first needs one, and closes it when the loop ends.

    Args:
        make: Makes a client, without waiting.
        close: Closes one; runs in the loop it was made in.
    """

    def __init__(
        self, make: Callable[[], Client], close: Callable[[Client], Awaitable[object]]
    ) -> None:
        self._make = make
        self._close = close
        self._lock = threading.Lock()
        self._lives: WeakKeyDictionary[
            asyncio.AbstractEventLoop, tuple[Client, AsyncGenerator[Client, None]]
        ] = WeakKeyDictionary()

    async def get(self) -> Client:
        """Return the client of the running loop."""
        loop = asyncio.get_running_loop()
        with self._lock:
            if (found := self._lives.get(loop)) is not None:
                return found[0]
        life = self._life()
        client = await anext(life)  # does not wait, so no other task comes in between
        with self._lock:
            self._lives[loop] = client, life
        return client

    async def close(self) -> None:
        """Close all clients; those of other loops in their loops."""
        with self._lock:
            lives, self._lives = self._lives, WeakKeyDictionary()
        here = asyncio.get_running_loop()
        for loop, (_, life) in list(lives.items()):
            if loop is here:
                await life.aclose()
            elif loop.is_running():
                ending = asyncio.run_coroutine_threadsafe(self._end(life), loop)
                with suppress(TimeoutError):  # it may have ended just now, and so the client
                    await asyncio.wait_for(asyncio.wrap_future(ending), _LONGEST_CLOSE)

    @staticmethod
    async def _end(life: AsyncGenerator[Client, None]) -> None:
        await life.aclose()

    async def _life(self) -> AsyncGenerator[Client, None]:
        """A client's life; a loop that ends closes its asynchronous generators, and so this."""
        client = self._make()
        try:
            yield client
        finally:
            self._forget(client)
            await self._close(client)

    def _forget(self, client: Client) -> None:
        """Let nobody get a client that is being closed."""
        loop = asyncio.get_running_loop()
        with self._lock:
            if (found := self._lives.get(loop)) is not None and found[0] is client:
                del self._lives[loop]
