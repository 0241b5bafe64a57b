"""A limit on how many things run at once, usable from several event loops."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType


class ConcurrencyLimit:
    """An async context manager that at most `limit` hold at once, per event loop.

    An `asyncio.Semaphore` belongs to one loop; callers may use several, one after another
    (`asyncio.run` twice) or in threads.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._semaphores: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = (
            WeakKeyDictionary()
        )

    def _semaphore(self) -> asyncio.Semaphore:
        loop = asyncio.get_running_loop()
        semaphore = self._semaphores.get(loop)
        if semaphore is None:
            semaphore = self._semaphores[loop] = asyncio.Semaphore(self._limit)
        return semaphore

    async def __aenter__(self) -> None:
        await self._semaphore().acquire()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._semaphore().release()


class Both:
    """Two limits at once: the inner one is waited for first, so that the outer is not held idle."""

    def __init__(
        self, inner: AbstractAsyncContextManager[None], outer: AbstractAsyncContextManager[None]
    ) -> None:
        self._inner = inner
        self._outer = outer

    async def __aenter__(self) -> None:
        await self._inner.__aenter__()
        try:
            await self._outer.__aenter__()
        except BaseException as error:
            await self._inner.__aexit__(type(error), error, error.__traceback__)
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._outer.__aexit__(kind, error, trace)
        finally:
            await self._inner.__aexit__(kind, error, trace)
